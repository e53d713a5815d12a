import Messaging
import StorageContract
import Synchronization
import TestSupport
import TimeSeries

/// A log in memory that does what the messaging contract says, one partition each topic, and fails when told to.
final class MemoryLog: MessageLog {
    private struct State {
        var records: [String: [ConsumerRecord]] = [:]
        var committed: [String: Offset] = [:]
        /// Thrown by the next calls of the kind, in order; nil lets one through.
        var failures: [Call: [MessagingError?]] = [:]
        var commits = 0
        var consumers = 0
    }

    enum Call: Sendable { case consumer, poll, commit, produce }

    private let state = Mutex(State())

    func fail(_ call: Call, with errors: [MessagingError?]) { state.withLock { $0.failures[call] = errors } }

    fileprivate func check(_ call: Call) throws {
        let failure = state.withLock { state -> MessagingError? in
            guard var planned = state.failures[call], !planned.isEmpty else { return nil }
            let first = planned.removeFirst()
            state.failures[call] = planned
            return first
        }
        if let failure { throw failure }
    }

    /// Appends without failing: the tests' own hand.
    func append(_ topic: String, _ value: [UInt8], shard: Shard = Shard(0)) {
        state.withLock { state in
            let offset = Offset(state.records[topic]?.count ?? 0)
            state.records[topic, default: []].append(
                ConsumerRecord(topic: topic, partition: 0, offset: offset, appendTime: 0, key: .shard(shard), value: value))
        }
    }

    func records(_ topic: String) -> [ConsumerRecord] { state.withLock { $0.records[topic] ?? [] } }
    func committed(_ topic: String) -> Offset? { state.withLock { $0.committed[topic] } }
    var commits: Int { state.withLock { $0.commits } }
    var consumers: Int { state.withLock { $0.consumers } }

    func produce(_ records: [ProducerRecord]) async throws {
        try check(.produce)
        state.withLock { state in
            for record in records {
                let offset = Offset(state.records[record.topic]?.count ?? 0)
                state.records[record.topic, default: []].append(
                    ConsumerRecord(
                        topic: record.topic, partition: 0, offset: offset, appendTime: 0, key: record.key, value: record.value,
                        headers: record.headers))
            }
        }
    }

    func consumer(topics: [String], group: String) async throws -> any MessageConsumer {
        try check(.consumer)
        return MemoryConsumer(
            log: self,
            positions: state.withLock { state in
                state.consumers += 1
                return Dictionary(uniqueKeysWithValues: topics.map { ($0, state.committed[$0] ?? 0) })
            })
    }

    func tail(topics: [String], from start: TailStart) async throws -> any MessageConsumer {
        throw MessagingError(.usage, "no tails here")
    }

    func endOffsets(topic: String) async throws -> [TopicPartition: Offset] {
        state.withLock { [TopicPartition(topic, 0): Offset($0.records[topic]?.count ?? 0)] }
    }

    func committedOffsets(topic: String, group: String) async throws -> [TopicPartition: Offset] {
        state.withLock { $0.committed[topic].map { [TopicPartition(topic, 0): $0] } ?? [:] }
    }

    func partitionCount(topic: String) async throws -> Int { 1 }
    func close() async {}

    fileprivate func read(_ topic: String, from offset: Offset, maxBytes: Int) -> [ConsumerRecord] {
        state.withLock { state in
            var bytes = 0
            return Array(
                (state.records[topic] ?? []).dropFirst(Int(offset)).prefix { record in
                    defer { bytes += record.value.count }
                    return bytes < maxBytes
                })
        }
    }

    fileprivate func commit(_ offsets: [TopicPartition: Offset]) {
        state.withLock { state in
            for (partition, offset) in offsets { state.committed[partition.topic] = offset }
            state.commits += 1
        }
    }
}

private final class MemoryConsumer: MessageConsumer {
    private let log: MemoryLog
    private let positions: Mutex<[String: Offset]>

    init(log: MemoryLog, positions: [String: Offset]) {
        self.log = log
        self.positions = Mutex(positions)
    }

    func poll(maxBytes: Int, timeout: Milliseconds) async throws -> ConsumedBatch {
        try log.check(.poll)
        let end = ContinuousClock.now + .milliseconds(timeout)
        while true {
            var batch = ConsumedBatch()
            positions.withLock { positions in
                for topic in positions.keys.sorted() {
                    let records = log.read(topic, from: positions[topic] ?? 0, maxBytes: maxBytes)
                    batch.records += records
                    positions[topic, default: 0] += Offset(records.count)
                }
            }
            if !batch.records.isEmpty || ContinuousClock.now >= end { return batch }
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    func commit(_ offsets: [TopicPartition: Offset]) async throws {
        try log.check(.commit)
        log.commit(offsets)
    }

    func seek(_ partition: TopicPartition, to offset: Offset) async throws { positions.withLock { $0[partition.topic] = offset } }
    func close() async {}
}
