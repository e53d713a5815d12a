import Coordination
import Foundation
import Logging
import Messaging
import MessagingContract
import Records
import Storage
import StorageContract
import Storing
import Synchronization
import Telemetry
import TestSupport
import Testing
import TimeSeries

@testable import Analyzing

/// Several analyzers on one log: they come and go, and the store ends with what one that never stopped would have given.
@Suite("A group of analyzers") struct GroupTests {
    static let partitions = 4
    static let start: Milliseconds = 1_771_200_000_000
    static let interval: Milliseconds = 15_000

    /// A clock that the test sets.
    final class Clock: WallClock {
        private let time = Mutex<Milliseconds>(GroupTests.start)
        func now() -> Milliseconds { time.withLock { $0 } }
        func set(_ value: Milliseconds) { time.withLock { $0 = value } }
    }

    static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    static var options: AnalyzeOptions {
        var options = AnalyzeOptions()
        options.allowedLateness = 60_000
        options.chunkSpan = 600_000
        // The grid keeps its rows for each of its points, also after a break.
        options.catchUpInterval = options.interval
        return options
    }

    /// The log, the store and the role that fills it.
    final class Pipeline: Sendable {
        let directory: TemporaryDirectory
        let log: EmbeddedLog
        let store = ModelStore()
        let clock = Clock()
        let storing: Task<Void, any Error>

        init() async throws {
            directory = try TemporaryDirectory()
            var options = EmbeddedLogOptions(directory: directory.file("log"))
            options.defaultPartitions = GroupTests.partitions
            log = try await EmbeddedLog.open(options, clock: clock, metrics: MetricRegistry(), logger: GroupTests.logger)
            let role = StoreRole(log: log, store: store, clock: clock, metrics: MetricRegistry(), logger: GroupTests.logger)
            storing = Task { try await role.run() }
        }

        /// Starts an analyzer; cancelling the task ends it.
        func analyzer(on log: (any MessageLog)? = nil, status: @escaping @Sendable (String?) -> Void = { _ in }) -> Task<Void, any Error> {
            let role = AnalyzeRole(
                options: GroupTests.options, log: log ?? self.log, store: store, coordinator: StoreEpochs(store: store), clock: clock,
                metrics: MetricRegistry(), logger: GroupTests.logger, status: status)
            return Task { try await role.run() }
        }

        func close() async {
            storing.cancel()
            _ = await storing.result
            await log.close()
        }
    }

    struct StoreEpochs: Coordinator {
        let store: any ResultStore
        func nextEpoch(for name: String) async throws -> Int64 { try await store.nextEpoch(for: name) }
        func owns(_ name: String) -> Bool { true }
    }

    /// Series of all partitions, and what they are at step `i`.
    static let keys = (0..<40).map { i in
        SeriesKey(labels: LabelSet(name: "load", [Label("host", "h\(i)")]), type: i % 3 == 0 ? .counter : .gauge)
    }

    static func value(_ series: Int, _ step: Int) -> Double {
        keys[series].type == .counter ? Double(step * (series + 1) % 5_000) : Double((step * 31 + series * 17) % 101) / 8
    }

    static func groups() -> [Int: [Int]] { Dictionary(grouping: keys.indices) { Int(keys[$0].id.shard.index) % partitions } }

    /// The records of one step, by partition.
    static func records(_ step: Int) -> [(partition: Int, bytes: [UInt8])] {
        let time = start + Int64(step) * interval
        return groups().sorted { $0.key < $1.key }.map { partition, members in
            let section = SeriesSection(members.map { (keys[$0].labels, keys[$0].type) })
            let values = members.map { value($0, step) }
            return (partition, SamplesRecord.encode(source: 7, watermark: time, section: section, time: time, values: values))
        }
    }

    static func feed(_ pipeline: Pipeline, _ step: Int) async throws {
        pipeline.clock.set(start + Int64(step) * interval)
        try await pipeline.log.produce(
            records(step).map { ProducerRecord(topic: "samples", key: .shard(Shard(UInt16($0.partition))), value: $0.bytes) })
    }

    static func awaitRows(_ pipeline: Pipeline, _ step: Int) async throws {
        let time = start + Int64(step) * interval
        let ids = keys.map(\.id)
        try await eventually("rows of step \(step)", within: 60) {
            let rows = try await pipeline.store.latestWindows(ids)
            return rows.count == ids.count && rows.allSatisfy { $0.time == time }
        }
    }

    /// What an analyzer that is alone and never stops gives.
    static func expected(steps: Int) throws -> [Fingerprint: [Milliseconds: WindowsResult]] {
        var state = AnalyzerState(options: options, epoch: 1, partitions: 1, stopwatch: { 0 })
        var rows: [Fingerprint: [Milliseconds: WindowsResult]] = [:]
        var offset: Int64 = 0
        for step in 0..<steps {
            let now = start + Int64(step) * interval
            for record in records(step) {
                _ = try state.ingest(record.bytes, partition: 0, offset: offset, now: now)
                offset += 1
            }
            var isMore = true
            while isMore {
                let advanced = state.advance(now: now)
                isMore = advanced.isMore
                for case .windows(let results) in advanced.output.results.map(\.record) {
                    for row in results { rows[row.series.id, default: [:]][row.time] = row }
                }
            }
        }
        return rows
    }

    @Test func analyzersThatComeAndGoLoseNothingAndDoubleNothing() async throws {
        let pipeline = try await Pipeline()
        let steps = 260
        var running: [Task<Void, any Error>] = [pipeline.analyzer()]
        for step in 0..<steps {
            try await Self.feed(pipeline, step)
            switch step {
            // A second one comes and takes half of the partitions.
            case 60: running.append(pipeline.analyzer())
            // The first goes, the second takes all.
            case 120:
                running[0].cancel()
                _ = await running.removeFirst().result
            case 150: running += [pipeline.analyzer(), pipeline.analyzer()]
            // Nobody for three minutes.
            case 200:
                for one in running { one.cancel() }
                for one in running { _ = await one.result }
                running = []
            case 212: running = [pipeline.analyzer()]
            default: break
            }
            if !running.isEmpty, step % 4 == 0 { try await Self.awaitRows(pipeline, step) }
        }
        try await Self.awaitRows(pipeline, steps - 1)
        for one in running { one.cancel() }
        for one in running { _ = await one.result }
        try await pipeline.compare(with: Self.expected(steps: steps), steps: steps)
        await pipeline.close()
    }

    /// The broker takes its time after a seek: silence is not the end of the replay.
    @Test func aReplayThatBeginsLateLosesNothing() async throws {
        let pipeline = try await Pipeline()
        var running = pipeline.analyzer()
        for step in 0..<100 { try await Self.feed(pipeline, step) }
        try await Self.awaitRows(pipeline, 99)
        running.cancel()
        _ = await running.result
        for step in 100..<130 { try await Self.feed(pipeline, step) }
        running = pipeline.analyzer(on: HesitantLog(log: pipeline.log))
        try await Self.awaitRows(pipeline, 129)
        running.cancel()
        _ = await running.result
        try await pipeline.compare(with: Self.expected(steps: 130), steps: 130)
        await pipeline.close()
    }

    /// An end while the topic of chunks takes nothing: their samples are read again, since nothing else has them.
    @Test func whatCouldNotBeGivenIsNotCommitted() async throws {
        let pipeline = try await Pipeline()
        let log = RefusingLog(pipeline.log, topic: "chunks")
        let running = pipeline.analyzer(on: log)
        for step in 0..<100 { try await Self.feed(pipeline, step) }
        try await eventually("chunks are refused", within: 60) { log.refusals > 0 }
        running.cancel()
        _ = await running.result
        let committed = try await pipeline.log.committedOffsets(topic: "samples", group: GroupTests.options.group)
        #expect(committed.values.allSatisfy { $0 == 0 }, "\(committed)")
        await pipeline.close()
    }

    /// Empty polls of a member that still joins say nothing; a stand-by, a member without partitions, is ready.
    @Test func aMemberIsNotReadyBeforeTheGroupHasAnswered() async throws {
        let pipeline = try await Pipeline()
        let log = JoiningLog()
        let statuses = Mutex<[String?]>([])
        let running = pipeline.analyzer(on: log) { status in statuses.withLock { $0.append(status) } }
        try await eventually("it waits", within: 60) { log.polls.withLock { $0 } > 3 }
        #expect(statuses.withLock { $0.allSatisfy { $0 != nil } && $0.last == "an assignment of partitions" })
        log.isMember.withLock { $0 = true }
        try await eventually("it is ready", within: 60) { statuses.withLock { $0.last == .some(nil) } }
        running.cancel()
        _ = await running.result
        await pipeline.close()
    }
}

/// Its consumers get no partition, and are told so when the test wants.
private final class JoiningLog: MessageLog, MessageConsumer {
    let isMember = Mutex(false)
    let polls = Mutex(0)

    func produce(_ records: [ProducerRecord]) async throws {}
    func consumer(topics: [String], group: String) async throws -> any MessageConsumer { self }
    func tail(topics: [String], from start: TailStart) async throws -> any MessageConsumer { self }
    func endOffsets(topic: String) async throws -> [TopicPartition: Offset] { [:] }
    func committedOffsets(topic: String, group: String) async throws -> [TopicPartition: Offset] { [:] }
    func partitionCount(topic: String) async throws -> Int { 1 }

    func poll(maxBytes: Int, timeout: Milliseconds) async throws -> ConsumedBatch {
        try await Task.sleep(for: .milliseconds(1))
        polls.withLock { $0 += 1 }
        var batch = ConsumedBatch()
        batch.isMember = isMember.withLock { $0 }
        return batch
    }
    func commit(_ offsets: [TopicPartition: Offset]) async throws {}
    func seek(_ partition: TopicPartition, to offset: Offset) async throws {}
    func close() async {}
}

/// Its consumers bring nothing for a while after a seek.
private struct HesitantLog: ForwardingLog {
    let log: any MessageLog

    func consumer(topics: [String], group: String) async throws -> any MessageConsumer {
        Consumer(consumer: try await log.consumer(topics: topics, group: group))
    }

    private final class Consumer: MessageConsumer {
        private let consumer: any MessageConsumer
        private let silentUntil = Mutex(ContinuousClock.now)

        init(consumer: any MessageConsumer) { self.consumer = consumer }

        func poll(maxBytes: Int, timeout: Milliseconds) async throws -> ConsumedBatch {
            if silentUntil.withLock({ ContinuousClock.now < $0 }) {
                try await Task.sleep(for: .milliseconds(20))
                return ConsumedBatch()
            }
            return try await consumer.poll(maxBytes: maxBytes, timeout: timeout)
        }

        func commit(_ offsets: [TopicPartition: Offset]) async throws { try await consumer.commit(offsets) }
        func seek(_ partition: TopicPartition, to offset: Offset) async throws {
            // Longer than a replay may be silent without a question.
            silentUntil.withLock { $0 = .now + .seconds(7) }
            try await consumer.seek(partition, to: offset)
        }
        func close() async { await consumer.close() }
    }
}

extension GroupTests.Pipeline {
    func compare(with expected: [Fingerprint: [Milliseconds: WindowsResult]], steps: Int) async throws {
        let last = GroupTests.start + Int64(steps - 1) * GroupTests.interval
        // The history keeps every fifth minute.
        let times = stride(from: GroupTests.start + 300_000, through: last, by: 300_000).filter { $0 % 300_000 == 0 }
        for key in GroupTests.keys {
            let rows = try await store.windowsHistory(key.id, from: 0, to: last, limit: 10_000)
            let found = Dictionary(rows.map { ($0.time, $0) }) { a, _ in a }
            #expect(rows.count == found.count)
            #expect(Set(times).subtracting(found.keys).isEmpty, "\(key.labels): gaps")
            for time in times {
                guard let row = found[time], let wanted = expected[key.id]?[time] else { continue }
                for (a, b) in zip(row.windows, wanted.windows) {
                    #expect(a.count == b.count && a.min == b.min && a.max == b.max, "\(key.labels) at \(time): \(a), not \(b)")
                    #expect(abs((a.avg ?? 0) - (b.avg ?? 0)) <= 1e-12 * abs(b.avg ?? 0))
                }
            }
        }
    }
}
