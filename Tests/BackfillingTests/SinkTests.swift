import Foundation
import History
import Logging
import Messaging
import Records
import Storage
import Synchronization
import TestSupport
import Testing
import TimeSeries

@testable import Backfilling

/// A log that keeps what it is given, and refuses now and then.
private final class MemoryLog: MessageLog {
    let records = Mutex<[ProducerRecord]>([])
    private let calls = Atomic<Int>(0)

    func produce(_ batch: [ProducerRecord]) async throws {
        if calls.add(1, ordering: .relaxed).newValue % 3 == 1 { throw MessagingError(.unavailable, "not now") }
        records.withLock { $0 += batch }
    }

    func consumer(topics: [String], group: String) async throws -> any MessageConsumer { throw MessagingError(.usage, "not here") }
    func tail(topics: [String], from start: TailStart) async throws -> any MessageConsumer { throw MessagingError(.usage, "not here") }
    func endOffsets(topic: String) async throws -> [TopicPartition: Offset] { [:] }
    func committedOffsets(topic: String, group: String) async throws -> [TopicPartition: Offset] { [:] }
    func partitionCount(topic: String) async throws -> Int { 1 }
    func close() async {}
}

@Suite struct SinkTests {
    private static let set = SampleSet(seed: 21, series: 6, samples: 900)

    private func job() throws -> FileJob {
        let folder = try TemporaryDirectory()
        var job = FileJob(folder: folder, input: try folder.write(SinkTests.set.tsv, to: "in.tsv"))
        job.options.quantiles = true
        return job
    }

    private func store(_ folder: TemporaryDirectory) throws -> SQLiteStore {
        var options = SQLiteStoreOptions(path: folder.file("s.db"))
        options.history.windows = HistoryInterval(every: 300_000, grid: 1)
        return try SQLiteStore(options)
    }

    @Test func aStoreHoldsTheRows() async throws {
        let job = try job()
        let store = try store(job.folder)
        _ = try await job.run(sink: StoreSink(store: store, logger: Logger(label: "test")))
        for one in SinkTests.set.series {
            let key = SeriesKey(labels: one.labels, type: .guess(name: one.labels.name))
            var analysis = HistoryAnalysis(series: key, options: job.options)
            var rows = HistoryRows()
            try analysis.add(times: one.times, values: one.values, into: &rows)
            analysis.finish(into: &rows)
            let expected = rows.windowsResults(series: key, revision: Revision(rawValue: 0), windows: 2)
            let found = try await store.windowsHistory(key.id, from: 0, to: .max, limit: 100_000)
            #expect(found == expected && expected.count > 40, "\(one.labels)")
            let profiles = try await store.latestProfiles([key.id])
            #expect(profiles.first == rows.profiles.last && profiles.count == 1)
        }
        await store.close()
    }

    /// What a live analyzer has written stays, whichever comes first.
    @Test func liveResultsAreNeverReplaced() async throws {
        let job = try job()
        let store = try store(job.folder)
        let one = SinkTests.set.series[1]
        let key = SeriesKey(labels: one.labels, type: .gauge)
        let time = one.times[0] - one.times[0] % 300_000 + 900_000
        var batch = StoreBatch()
        batch.windows = [
            WindowsResult(
                series: key, time: time, revision: Revision(epoch: 1, offset: 1),
                windows: [WindowStatistics(window: 600_000, count: 7, min: -1, max: 1, avg: 0)])
        ]
        try await store.write(batch)
        _ = try await job.run(sink: StoreSink(store: store, logger: Logger(label: "test")))
        let found = try await store.windowsHistory(key.id, from: time - 1, to: time, limit: 10)
        #expect(found.first?.windows.first { $0.window == 600_000 } == batch.windows[0].windows[0])
        await store.close()
    }

    @Test func aTopicGetsRecordsByShard() async throws {
        let job = try job()
        let log = MemoryLog()
        _ = try await job.run(sink: TopicSink(log: log, topic: "prometheusdata", logger: Logger(label: "test")))
        var lines: [String] = []
        for record in log.records.withLock({ $0 }) {
            #expect(record.topic == "prometheusdata" && record.value.count <= ResultRecord.maximumBytes)
            var writer = TransformWriter()
            switch try ResultRecord.decode(record.value) {
            case .windows(let results):
                for result in results {
                    #expect(record.key == .shard(result.series.id.shard))
                    writer.write(result, series: SeriesNotation.bytes(result.series.labels))
                }
            case .profiles(let results): for result in results { writer.write(result, series: SeriesNotation.bytes(result.series.labels)) }
            default: Issue.record("an unexpected kind")
            }
            lines += SampleSet.lines(writer.bytes)
        }
        #expect(lines.sorted() == (try SinkTests.set.expected(job.options)))
    }

    /// Chunks of a store give what the samples in them give.
    @Test func aStoresArchiveIsAnInput() async throws {
        let folder = try TemporaryDirectory()
        let store = try store(folder)
        var batch = StoreBatch()
        for one in SinkTests.set.series {
            let key = SeriesKey(labels: one.labels, type: .guess(name: one.labels.name))
            var at = 0
            while at < one.times.count {
                let start = (one.times[at] - 1) / 1_800_000 * 1_800_000
                var end = at
                while end < one.times.count, one.times[end] <= start + 1_800_000 { end += 1 }
                let carry = at > 0 && key.type == .counter
                let range = (carry ? at - 1 : at)..<end
                let data = ChunkCodec.encode(times: Array(one.times[range]), values: Array(one.values[range]), carry: carry)
                batch.chunks.append(
                    ChunkResult(
                        series: key, start: start, end: start + 1_800_000, revision: Revision(epoch: 1, offset: 1), count: end - at,
                        replayOffset: 0,
                        moments: Moments(), data: data))
                at = end
            }
        }
        try await store.write(batch)
        var lines: [[String]] = []
        for (jobs, matchers) in [(1, []), (3, []), (2, [LabelMatcher("host", .equal, "h1")])] as [(Int, [LabelMatcher])] {
            let out = folder.file("out-\(lines.count)")
            var job = BackfillJob(input: "store", output: out, options: SampleSet.options)
            job.selectors = matchers.isEmpty ? [] : [matchers]
            let input = StoreInput(store: store, selectors: job.selectors, options: job.options)
            let journal = try Journal.open(directory: out + "/state", job: job)
            let context = BackfillContext(
                job: job, journal: journal, jobs: jobs, badRows: BadRowReport(.fail), progress: BackfillProgress(),
                directory: out + "/state")
            _ = try await LocalBackfill(context, input: input, sink: FilesSink(directory: out)).run()
            lines.append(try PartFolder(out).lines)
        }
        let expected = try SinkTests.set.expected()
        #expect(lines[0] == expected && lines[1] == expected)
        #expect(lines[2] == expected.filter { $0.contains("host=\"h1\"") } && !lines[2].isEmpty)
        await store.close()
    }

    /// A file that is an input is only read.
    @Test func anArchiveThatIsReadStaysAsItIs() async throws {
        let folder = try TemporaryDirectory()
        let path = folder.file("archive.db")
        let key = SeriesKey(labels: LabelSet(name: "up"), type: .gauge)
        let first = try SQLiteStore(SQLiteStoreOptions(path: path))
        let chunk = ChunkResult(
            series: key, start: 0, end: 1_800_000, revision: Revision(epoch: 1, offset: 1), count: 1, replayOffset: 0, moments: Moments(),
            data: ChunkCodec.encode(times: [60_000], values: [1]))
        var batch = StoreBatch()
        batch.chunks = [chunk]
        try await first.write(batch)
        await first.close()
        let before = try Data(contentsOf: URL(fileURLWithPath: path))
        var options = SQLiteStoreOptions(path: path)
        options.isReadOnly = true
        let store = try SQLiteStore(options)
        #expect(try await store.chunks(of: key.id, from: 0, to: .max) == [chunk])
        let written = batch
        await #expect(throws: StorageError.self) { try await store.write(written) }
        await store.close()
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
        options.path = folder.file("absent.db")
        #expect(throws: StorageError.self) { _ = try SQLiteStore(options) }
        #expect(!FileManager.default.fileExists(atPath: options.path))
    }
}
