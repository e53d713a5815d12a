import Logging
import Messaging
import TimeSeries

/// What an earlier owner sent to the store may still be on its way there; a new owner that did not wait for it would miss a part.
struct StoreCatchUp: Sendable {
    let log: any MessageLog
    let topic: String
    /// The store's.
    let group: String
    let waiting: Waiting
    let logger: Logger
    /// As which part of the process it says what it waits for.
    let part: String
    /// How long the store may take nothing before it is asked whether there is anything to take.
    let patience: Duration

    /// Until the store has taken all that the topic holds now: of one partition, where the topic has as many as the one whose owner waits; of all,
    /// where the two divide differently.
    func wait(for partition: Int32? = nil, of partitions: Int = 0) async throws {
        let ends = try await waiting.retrying("the topic \(topic)") { try await self.log.endOffsets(topic: self.topic) }
        let relevant = partition != nil && ends.count == partitions ? ends.filter { $0.key.partition == partition } : ends
        var pause: UInt64 = 20_000_000
        var last: Int64 = -1
        var since = ContinuousClock.now
        while true {
            let stored = try await waiting.retrying("the offsets of \(group)") {
                try await self.log.committedOffsets(topic: self.topic, group: self.group)
            }
            let behind = relevant.reduce(Int64(0)) { $0 + max(0, $1.value - (stored[$1.key] ?? 0)) }
            if behind == 0 { return waiting.say(nil, part: part) }
            if behind != last { (last, since) = (behind, .now) }
            if ContinuousClock.now - since >= patience {
                // Retention may have removed what nobody took: then no commit ever reaches the end.
                if try await !hasRecords(relevant, beyond: stored) {
                    logger.warning("what the store did not take of \(topic) is no longer there; going on without it")
                    return waiting.say(nil, part: part)
                }
                since = .now
            }
            waiting.say("the store to take \(behind) records of \(topic)", part: part)
            try await Task.sleep(nanoseconds: pause)
            pause = min(pause * 2, 1_000_000_000)
        }
    }

    /// Whether the topic still has a record before these ends that is not stored. True also where that cannot be seen in time.
    private func hasRecords(_ ends: [TopicPartition: Offset], beyond stored: [TopicPartition: Offset]) async throws -> Bool {
        let tail = try await waiting.retrying("the topic \(topic)") { try await self.log.tail(topics: [self.topic], from: .earliest) }
        let deadline = ContinuousClock.now + patience
        var emptyPolls = 0
        var isFound = false
        while !isFound, emptyPolls < 10, ContinuousClock.now < deadline {
            let batch = try await waiting.retrying("the topic \(topic)") { try await tail.poll(maxBytes: 4 << 20, timeout: 250) }
            emptyPolls = batch.records.isEmpty ? emptyPolls + 1 : 0
            isFound = batch.records.contains { record in
                let place = TopicPartition(record.topic, record.partition)
                return record.offset >= stored[place] ?? 0 && record.offset < ends[place] ?? 0
            }
        }
        await tail.close()
        return isFound || emptyPolls < 10
    }
}
