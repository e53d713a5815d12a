import Messaging

enum TopicStart {
    /// How long a record may take to be heard.
    private static let patience = Duration.seconds(3)

    /// Whether the topic holds no record of the place from `position` to before `end`: retention has removed them, or the end of the log is one that nobody
    /// can read (a damaged tail, the marker of a transaction). False also when the log does not say.
    static func isEmpty(from position: Offset, before end: Offset, _ place: TopicPartition, log: any MessageLog) async -> Bool {
        do {
            // From the end, so that the records of other partitions are none of its business.
            let tail = try await log.tail(topics: [place.topic], from: .end)
            var first: Offset?
            do {
                try await tail.seek(place, to: position)
                let deadline = ContinuousClock.now + patience
                while first == nil, ContinuousClock.now < deadline {
                    let records = try await tail.poll(maxBytes: 1 << 20, timeout: 250).records
                    first = records.first { $0.partition == place.partition && $0.offset >= position }?.offset
                }
            } catch {
                await tail.close()
                throw error
            }
            await tail.close()
            if let first { return first >= end }
            // Nothing, or not heard: a log that answers would have sent something.
            _ = try await log.endOffsets(topic: place.topic)
            return true
        } catch {
            return false
        }
    }
}
