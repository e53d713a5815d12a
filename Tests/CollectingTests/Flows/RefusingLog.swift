import Messaging
import Synchronization

/// A log whose `produce` can be refused; all else goes to the one behind it.
final class RefusingLog: MessageLog {
    private struct State {
        var refuses = true
        var refusals = 0
    }

    private let log: any MessageLog
    private let state = Mutex(State())

    init(_ log: any MessageLog) { self.log = log }

    var refusals: Int { state.withLock { $0.refusals } }

    func refuses(_ refuses: Bool) { state.withLock { $0.refuses = refuses } }

    func produce(_ records: [ProducerRecord]) async throws {
        let isRefused = state.withLock { state in
            if state.refuses { state.refusals += 1 }
            return state.refuses
        }
        if isRefused { throw MessagingError(.unavailable, "refused") }
        try await log.produce(records)
    }

    func consumer(topics: [String], group: String) async throws -> any MessageConsumer {
        try await log.consumer(topics: topics, group: group)
    }

    func tail(topics: [String], from start: TailStart) async throws -> any MessageConsumer {
        try await log.tail(topics: topics, from: start)
    }
    func endOffsets(topic: String) async throws -> [TopicPartition: Offset] { try await log.endOffsets(topic: topic) }

    func committedOffsets(topic: String, group: String) async throws -> [TopicPartition: Offset] {
        try await log.committedOffsets(topic: topic, group: group)
    }

    func partitionCount(topic: String) async throws -> Int { try await log.partitionCount(topic: topic) }
    func close() async { await log.close() }
}
