import Analytics
import Foundation
import Glibc
import Records
import Storage
import Synchronization
import TestSupport
import Testing
import TimeSeries

@testable import Analyzing

/// Daily cycles that the samples are too few to show: over eight days, across a restart, from stored summaries.
@Suite struct RollupStateTests {
    static let start: Int64 = 1_700_006_400_000
    static let step: Milliseconds = 300_000
    static let day: Milliseconds = 86_400_000

    static func options() -> AnalyzeOptions {
        var options = AnalyzeOptions()
        options.interval = step
        options.windows = [3_600_000]
        options.quantiles = false
        options.forecastMetrics = { _ in false }
        // The models are looked at twice a day, at the places of the three series.
        options.profileInterval = 12 * 3_600_000
        return options
    }

    static let labels = ["temperature", "requests_total", "noise"].map { LabelSet(name: $0) }
    static let section = SeriesSection([(labels[0], .gauge), (labels[1], .counter), (labels[2], .gauge)])

    /// The values of all steps: a daily sine and noise, a counter of a daily rate, noise.
    static func values(days: Int, seed: UInt64) -> [[Double]] {
        var random = SplitMix64(seed: seed)
        func uniform() -> Double { Double.random(in: -1...1, using: &random) }
        var total = 0.0
        return (0..<(days * Int(day / step))).map { i in
            let turn = 2 * Double.pi * Double(i) * Double(step) / Double(day)
            total += max(0, 300 * (20 + 10 * sin(turn) + 5 * uniform())).rounded()
            return [15 + 3 * sin(turn + 1) + 3 * uniform(), total, uniform()]
        }
    }

    struct Run {
        var profiles: [String: ProfileResult] = [:]
        var chunks: [ChunkResult] = []

        mutating func take(_ output: AnalyzerOutput) {
            for (_, record) in output.results {
                if case .profiles(let list) = record { for profile in list { profiles[profile.series.labels.name] = profile } }
            }
            for (_, list) in output.chunks { chunks += list }
        }

        /// Periods in seconds.
        func periods(_ name: String) -> [Double] {
            profiles[name]?.detail["seasonality"]?.arrayValue?.compactMap { $0["periodSeconds"]?.doubleValue } ?? []
        }
    }

    static func feed(_ state: inout AnalyzerState, _ values: ArraySlice<[Double]>, _ run: inout Run) throws {
        for (i, row) in zip(values.indices, values) {
            let time = start + Int64(i) * step
            let record = SamplesRecord.encode(source: 7, watermark: time, section: section, time: time, values: row)
            _ = try state.ingest(record, partition: 0, offset: Int64(i), now: time)
            run.take(state.advance(now: time).output)
        }
    }

    @Test func aDailyCycleIsFoundAfterAWeekAndAgainAfterARestart() async throws {
        let values = Self.values(days: 8, seed: 11)
        var state = AnalyzerState(options: Self.options(), epoch: 1, partitions: 1, stopwatch: { 0 })
        var run = Run()
        try Self.feed(&state, values[...], &run)
        for name in ["temperature", "requests_total"] {
            #expect(run.periods(name).contains(86_400), "\(name): \(run.periods(name))")
            let cycles = run.profiles[name]?.detail["seasonality"]?.arrayValue ?? []
            let cycle = try #require(cycles.first { $0["periodSeconds"]?.doubleValue == 86_400 })
            #expect(cycle["component"]?.arrayValue?.count == 48 && cycle["stepMs"]?.intValue == 1_800_000)
            let strength = try #require(cycle["strength"]?.doubleValue)
            #expect(0.5...1 ~= strength)
            // Its largest value stands a quarter of a day after its phase zero, in time.
            let component = try #require(cycle["component"]?.arrayValue).compactMap(\.doubleValue)
            let top = component.indices.max { component[$0] < component[$1] } ?? 0
            let begin = try #require(cycle["start"]?.intValue)
            let phase = (Milliseconds(begin) + Milliseconds(top) * 1_800_000 - Self.start) % Self.day
            let peak = name == "temperature" ? (0.25 - 1 / (2 * Double.pi)) : 0.25
            let distance = abs(Double((phase + Self.day) % Self.day) / Double(Self.day) - peak)
            #expect(min(distance, 1 - distance) < 0.08, "\(name): \(distance)")
        }
        #expect(run.periods("noise").isEmpty)
        #expect(state.rollupBytes > 3 * 4 * 380 && state.rollupBytes < 3 * 6_000)

        // A successor has the stored chunks, and gives the same at once.
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("rollups-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: directory) }
        let store = try SQLiteStore(SQLiteStoreOptions(path: directory.appendingPathComponent("store.db").path))
        var batch = StoreBatch()
        batch.chunks = run.chunks
        try await store.write(batch)
        let now = Self.start + Int64(values.count - 1) * Self.step
        var successor = AnalyzerState(options: Self.options(), epoch: 2, partitions: 1, stopwatch: { 0 })
        let recent = run.chunks.filter { $0.end > now - 14 * 3_600_000 }.sorted { ($0.series.id, $0.start) < ($1.series.id, $1.start) }
        #expect(successor.restore(recent, now: now).isEmpty)
        let restoration = Mutex(successor.rollupRestoration)
        try await store.chunkSummaries(shards: Set(successor.knownSeries.map(\.shard)), since: now - Self.options().rollupSpan) { page in
            restoration.withLock { $0.take(page) }
        }
        await store.close()
        successor.adopt(restoration.withLock { $0 })
        successor.resume(latestRows: [:], now: now)
        #expect(successor.rollupBytes > 3 * 4 * 380)
        var again = Run()
        var more = values
        more += values.prefix(200)
        try Self.feed(&successor, more[(values.count - 6)...], &again)
        #expect(again.periods("temperature").contains(86_400))
        #expect(!again.periods("noise").contains { $0 > 10_800 })
    }

    @Test func aTypeThatChangesBeginsTheRollupAnew() throws {
        var state = AnalyzerState(options: Self.options(), epoch: 1, partitions: 1, stopwatch: { 0 })
        var run = Run()
        try Self.feed(&state, Self.values(days: 1, seed: 3)[...], &run)
        let before = state.rollupBytes
        let time = Self.start + Self.day
        let section = SeriesSection([(Self.labels[0], .counter)])
        let record = SamplesRecord.encode(source: 7, watermark: time, section: section, time: time, values: [1])
        _ = try state.ingest(record, partition: 0, offset: 1_000, now: time)
        #expect(state.rollupBytes < before)
    }

    @Test func theClockThatWasAheadTakesItsMeansWithIt() throws {
        var state = AnalyzerState(options: Self.options(), epoch: 1, partitions: 1, stopwatch: { 0 })
        let ahead = Self.start + 30 * Self.day
        for i in 0..<40 as Range<Int64> {
            let time = ahead + i * Self.step
            let record = SamplesRecord.encode(source: 7, watermark: time, section: Self.section, time: time, values: [1, 2, 3])
            _ = try state.ingest(record, partition: 0, offset: i, now: time)
            _ = state.advance(now: time)
        }
        #expect((0..<3).allSatisfy { !state.table[$0].rollup.isEmpty })
        _ = state.advance(now: Self.start)
        #expect((0..<3).allSatisfy { state.table[$0].rollup.isEmpty })
    }
}
