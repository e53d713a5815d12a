import Messaging

enum TopicStart {
    /// Whether the first record that retention has left of the partition is at or past the offset. False also when the log does not say.
    static func isPast(_ end: Offset, _ partition: Int32, topic: String, log: any MessageLog) async -> Bool {
        do {
            let tail = try await log.tail(topics: [topic], from: .earliest)
            let deadline = ContinuousClock.now + .seconds(3)
            var first: Offset?
            var isBusy = false
            do {
                while first == nil, ContinuousClock.now < deadline {
                    let records = try await tail.poll(maxBytes: 1 << 20, timeout: 250).records
                    first = records.first { $0.partition == partition }?.offset
                    isBusy = isBusy || !records.isEmpty
                }
            } catch {
                await tail.close()
                throw error
            }
            await tail.close()
            if let first { return first >= end }
            // Others' records took the time: that says nothing.
            if isBusy { return false }
            // Empty, or not heard: a log that answers would have sent something.
            _ = try await log.endOffsets(topic: topic)
            return true
        } catch {
            return false
        }
    }
}
