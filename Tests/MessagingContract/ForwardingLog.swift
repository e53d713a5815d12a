import Messaging
import Synchronization

/// A log that leaves to the one behind it what it does not do itself.
package protocol ForwardingLog: MessageLog {
    var log: any MessageLog { get }
}

extension ForwardingLog {
    package func produce(_ records: [ProducerRecord]) async throws { try await log.produce(records) }

    package func consumer(topics: [String], group: String) async throws -> any MessageConsumer {
        try await log.consumer(topics: topics, group: group)
    }

    package func tail(topics: [String], from start: TailStart) async throws -> any MessageConsumer {
        try await log.tail(topics: topics, from: start)
    }

    package func endOffsets(topic: String) async throws -> [TopicPartition: Offset] { try await log.endOffsets(topic: topic) }

    package func committedOffsets(topic: String, group: String) async throws -> [TopicPartition: Offset] {
        try await log.committedOffsets(topic: topic, group: group)
    }

    package func partitionCount(topic: String) async throws -> Int { try await log.partitionCount(topic: topic) }
    package func close() async { await log.close() }
}

/// A log whose `produce` can be refused, of one topic or of all.
package final class RefusingLog: ForwardingLog {
    private struct State {
        var refuses = true
        var refusals = 0
    }

    package let log: any MessageLog
    private let topic: String?
    private let state = Mutex(State())

    package init(_ log: any MessageLog, topic: String? = nil) {
        self.log = log
        self.topic = topic
    }

    package var refusals: Int { state.withLock { $0.refusals } }

    package func refuses(_ refuses: Bool) { state.withLock { $0.refuses = refuses } }

    package func produce(_ records: [ProducerRecord]) async throws {
        let isMeant = records.contains { $0.topic == topic ?? $0.topic }
        let isRefused = state.withLock { state in
            guard isMeant && state.refuses else { return false }
            state.refusals += 1
            return true
        }
        if isRefused { throw MessagingError(.unavailable, "refused") }
        try await log.produce(records)
    }
}
