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
        private let committed: Offset?
        /// After so many looks at what is left the store takes it all.
        private let patientLooks: Int
        private let count = Mutex(0)

        init(left: [Offset], committed: Offset?, patientLooks: Int = .max) {
            self.left = left
            self.committed = committed
            self.patientLooks = patientLooks
        }

        /// How often somebody has looked at what is left.
        var looks: Int { count.withLock { $0 } }
        func produce(_ records: [ProducerRecord]) async throws {}
        func partitionCount(topic: String) async throws -> Int { 1 }
        func close() async {}

        func consumer(topics: [String], group: String) async throws -> any MessageConsumer {
            throw MessagingError(.usage, "not here")
        }

        func tail(topics: [String], from start: TailStart) async throws -> any MessageConsumer {
            count.withLock { $0 += 1 }
            return Tail(left: left)
        }

        func endOffsets(topic: String) async throws -> [TopicPartition: Offset] {
            [TopicPartition(topic, 0): topic == "chunks" ? 7 : 0]
        }

        func committedOffsets(topic: String, group: String) async throws -> [TopicPartition: Offset] {
            guard let offset = looks < patientLooks ? committed : 7 else { return [:] }
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

    private func takeover(
        _ log: RetiredLog, store: any ResultStore = ModelStore(), clock: GroupTests.Clock = GroupTests.Clock(),
        _ saying: @escaping @Sendable (String?) -> Void
    ) -> Takeover {
        let metrics = AnalyzeMetrics(MetricRegistry())
        let waiting = Waiting(retries: metrics.retries, logger: GroupTests.logger, status: saying)
        return Takeover(
            options: AnalyzeOptions(), log: log, store: store, clock: clock, metrics: metrics, logger: GroupTests.logger, waiting: waiting,
            partitions: 1, storePatience: .milliseconds(100))
    }

    /// Nothing is left that the store could take: no commit will ever reach the end, and nobody waits for it.
    @Test(arguments: [nil, 3] as [Offset?]) func chunksThatRetentionRemovedAreNotWaitedFor(committed: Offset?) async throws {
        let log = RetiredLog(left: [], committed: committed)
        let loaded = try await takeover(log) { _ in }.load(0, generation: 1, epoch: 1)
        #expect(loaded.chunks == 0)
    }

    /// A machine whose clock is set late would refuse what it had accepted.
    @Test func aClockThatIsBehindIsWaitedFor() async throws {
        let store = ModelStore()
        let row = WindowsResult(
            series: GroupTests.keys[0], time: GroupTests.start + 3_600_000, revision: Revision(epoch: 1, offset: 1),
            windows: [WindowStatistics(window: 3_600_000, count: 0)])
        try await store.write(StoreBatch(windows: [row]))
        let log = RetiredLog(left: [], committed: 7)
        let clock = GroupTests.Clock()
        let said = Mutex<[String]>([])
        let takeover = takeover(log, store: store, clock: clock) { text in said.withLock { $0.append(text ?? "nothing") } }
        let loading = Task { try await takeover.load(0, generation: 1, epoch: 1) }
        try await eventually("it waits") { said.withLock { $0.last == "this machine's clock, which is 3600 s behind the newest results" } }
        clock.set(GroupTests.start + 3_600_000)
        #expect(try await loading.value.latestRows.values.first == GroupTests.start + 3_600_000)
        // One that was ahead before is not waited for for ever.
        clock.set(GroupTests.start)
        var impatient = takeover
        impatient.clockPatience = .milliseconds(200)
        #expect(try await impatient.load(0, generation: 2, epoch: 2).latestRows.count == 1)
    }

    /// Records before a replay's end that nobody can read: retention took them, the log's tail was damaged, or they are a transaction's marker.
    @Test(arguments: [([1, 2], 3, true), ([1, 2, 5], 3, false), ([], 0, true), ([7, 8], 3, true)] as [([Offset], Offset, Bool)])
    func aReplayWithNothingLeftToReadIsOver(left: [Offset], position: Offset, isEmpty: Bool) async {
        let log = RetiredLog(left: left, committed: nil)
        #expect(await TopicStart.isEmpty(from: position, before: 7, TopicPartition("chunks", 0), log: log) == isEmpty)
    }

    /// What is left is waited for, until the store has it.
    @Test func chunksThatAreLeftAreWaitedFor() async throws {
        let log = RetiredLog(left: [5, 6], committed: 5, patientLooks: 3)
        let said = Mutex<[String]>([])
        let loaded = try await takeover(log) { text in said.withLock { $0.append(text ?? "nothing") } }.load(0, generation: 1, epoch: 1)
        #expect(loaded.chunks == 0)
        #expect(log.looks == 3, "each after 100 ms in which the store took nothing")
        #expect(said.withLock { $0.dropLast() }.allSatisfy { $0.contains("take 2 records") }, "\(said.withLock { $0 })")
        #expect(said.withLock { $0.count } > 1)
        #expect(said.withLock { $0.last } == "nothing")
    }
}
