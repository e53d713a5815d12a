import Coordination
import Logging
import Messaging
import Records
import Storage
import StorageContract
import Synchronization
import Telemetry
import TestSupport
import Testing
import TimeSeries

@testable import Analyzing

/// A new owner of a partition and a store that has not taken all chunks.
@Suite struct TakeoverTests {
    /// A topic of chunks whose records up to offset 7 retention has removed, but for those that are left.
    private final class RetiredLog: MessageLog {
        let left: [Offset]
        private let committed = Mutex<Offset?>(nil)

        init(left: [Offset], committed: Offset?) {
            self.left = left
            self.committed.withLock { $0 = committed }
        }

        func commit(_ offset: Offset) { committed.withLock { $0 = offset } }
        func produce(_ records: [ProducerRecord]) async throws {}
        func partitionCount(topic: String) async throws -> Int { 1 }
        func close() async {}

        func consumer(topics: [String], group: String) async throws -> any MessageConsumer {
            throw MessagingError(.usage, "not here")
        }

        func tail(topics: [String], from start: TailStart) async throws -> any MessageConsumer { Tail(left: left) }

        func endOffsets(topic: String) async throws -> [TopicPartition: Offset] {
            [TopicPartition(topic, 0): topic == "chunks" ? 7 : 0]
        }

        func committedOffsets(topic: String, group: String) async throws -> [TopicPartition: Offset] {
            guard let offset = committed.withLock({ $0 }) else { return [:] }
            return [TopicPartition(topic, 0): offset]
        }
    }

    private final class Tail: MessageConsumer {
        private let left: Mutex<[Offset]>

        init(left: [Offset]) { self.left = Mutex(left) }

        func poll(maxBytes: Int, timeout: Milliseconds) async throws -> ConsumedBatch {
            var batch = ConsumedBatch()
            batch.records = left.withLock { left in
                defer { left = [] }
                return left.map {
                    ConsumerRecord(
                        topic: "chunks", partition: 0, offset: $0, appendTime: 0, key: .shard(Shard(0)), value: [], headers: [])
                }
            }
            return batch
        }

        func commit(_ offsets: [TopicPartition: Offset]) async throws {}
        func seek(_ partition: TopicPartition, to offset: Offset) async throws {}
        func close() async {}
    }

    private func takeover(_ log: RetiredLog, _ saying: @escaping @Sendable (String?) -> Void) -> Takeover {
        let metrics = AnalyzeMetrics(MetricRegistry())
        let waiting = Waiting(retries: metrics.retries, logger: GroupTests.logger, status: saying)
        return Takeover(
            options: AnalyzeOptions(), log: log, store: ModelStore(), clock: GroupTests.Clock(), metrics: metrics,
            logger: GroupTests.logger,
            waiting: waiting, partitions: 1, storePatience: .milliseconds(100))
    }

    /// Nothing is left that the store could take: no commit will ever reach the end, and nobody waits for it.
    @Test(arguments: [nil, 3] as [Offset?]) func chunksThatRetentionRemovedAreNotWaitedFor(committed: Offset?) async throws {
        let log = RetiredLog(left: [], committed: committed)
        let loaded = try await takeover(log) { _ in }.load(0, generation: 1, epoch: 1)
        #expect(loaded.chunks == 0)
    }

    /// What is left is waited for, until the store has it.
    @Test func chunksThatAreLeftAreWaitedFor() async throws {
        let log = RetiredLog(left: [5, 6], committed: 5)
        let said = Mutex<[String]>([])
        let takeover = takeover(log) { text in said.withLock { $0.append(text ?? "nothing") } }
        let loading = Task { try await takeover.load(0, generation: 1, epoch: 1).chunks }
        // Several times the patience of 100 ms: it says so about once in 100 ms to 1 s.
        try await eventually("it has looked again and again") { said.withLock { $0.count { $0.contains("take 2 records") } } >= 8 }
        #expect(!said.withLock { $0.contains("nothing") })
        log.commit(7)
        #expect(try await loading.value == 0)
        #expect(said.withLock { $0.last } == "nothing")
    }
}
