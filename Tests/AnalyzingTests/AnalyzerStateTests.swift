import Records
import Storage
import TestSupport
import Testing
import TimeSeries

@testable import Analyzing

/// The analyzer as a state machine: records in, results and chunks out.
@Suite struct AnalyzerStateTests {
    static let start: Int64 = 1_700_000_100_000  // a multiple of 15 s

    static func options() -> AnalyzeOptions {
        var options = AnalyzeOptions()
        options.forecastMetrics = { _ in false }
        return options
    }

    static func state(epoch: Int64 = 1, options: AnalyzeOptions = options()) -> AnalyzerState {
        AnalyzerState(options: options, epoch: epoch, partitions: 1, stopwatch: { 0 })
    }

    static let gauge = LabelSet(name: "load", [Label("instance", "a")])
    static let counter = LabelSet(name: "requests_total", [Label("instance", "a")])
    static let section = SeriesSection([(gauge, .gauge), (counter, .counter)])

    static func record(_ time: Int64, _ gauge: Double, _ counter: Double, source: UInt64 = 7) -> [UInt8] {
        SamplesRecord.encode(source: source, watermark: time, section: section, time: time, values: [gauge, counter])
    }

    static func rows(_ output: AnalyzerOutput) -> [WindowsResult] {
        output.results.flatMap { result -> [WindowsResult] in if case .windows(let rows) = result.record { rows } else { [] } }
    }

    /// Feeds samples every 15 s and returns the last row of each (series, time) by revision, and all chunks.
    struct Run {
        var rows: [String: WindowsResult] = [:]
        var chunks: [ChunkResult] = []

        mutating func take(_ output: AnalyzerOutput) {
            for row in AnalyzerStateTests.rows(output) {
                let key = "\(row.series.id) \(row.time)"
                if let known = rows[key], known.revision > row.revision { continue }
                rows[key] = row
            }
            for (_, chunks) in output.chunks { self.chunks += chunks }
        }
    }

    static func sample(_ i: Int) -> (time: Int64, gauge: Double, counter: Double) {
        (start + Int64(i) * 15_000, Double((i * 7919) % 1000) / 10, Double(i * 30 + (i * 31) % 7))
    }

    @Test func aRowIsGivenOnceItsWatermarkPassesAndOnlyOnce() throws {
        var state = Self.state()
        _ = try state.ingest(Self.record(Self.start, 1, 0), partition: 0, offset: 0, now: Self.start)
        var step = state.advance(now: Self.start)
        #expect(Self.rows(step.output).count == 2)
        step = state.advance(now: Self.start + 5_000)
        #expect(Self.rows(step.output).isEmpty)
        // A scrape 7 s past the grid point: the point before it is due, with the samples up to it.
        _ = try state.ingest(Self.record(Self.start + 22_000, 3, 60), partition: 0, offset: 1, now: Self.start + 22_000)
        let rows = Self.rows(state.advance(now: Self.start + 22_000).output)
        #expect(rows.map(\.time) == [Self.start + 15_000, Self.start + 15_000])
        let gauge = rows.first { $0.series.labels == Self.gauge }
        #expect(gauge?.windows.map(\.count) == [1, 1, 1])
        #expect(gauge?.windows.first?.stddev == nil)
        // A counter's first sample has no rate: empty is null.
        let counter = rows.first { $0.series.labels == Self.counter }
        #expect(counter?.windows.first == WindowStatistics(window: 3_600_000, count: 0))
    }

    @Test func aLateSampleGivesTheRowsAgainWithAHigherRevision() throws {
        var state = Self.state()
        var run = Run()
        for i in 0..<20 where i != 10 {
            let s = Self.sample(i)
            _ = try state.ingest(Self.record(s.time, s.gauge, s.counter), partition: 0, offset: Int64(i), now: s.time)
            run.take(state.advance(now: s.time).output)
        }
        let before = run.rows
        let late = Self.sample(10)
        let now = Self.sample(19).time
        let outcome = try state.ingest(Self.record(late.time, late.gauge, late.counter), partition: 0, offset: 20, now: now)
        #expect(outcome.late == 2 && outcome.accepted == 2)
        run.take(state.advance(now: now).output)
        for i in 0..<20 {
            let key = "\(Self.gauge.fingerprint) \(Self.sample(i).time)"
            let old = try #require(before[key])
            let new = try #require(run.rows[key])
            #expect(new.windows[0].count == i + 1, "row \(i)")
            #expect(i < 10 ? new.revision == old.revision : new.revision > old.revision, "row \(i)")
        }
    }

    @Test func duplicatesConflictsFutureAndAncientSamplesAreCountedAndRefused() throws {
        var state = Self.state()
        let s = Self.sample(3)
        _ = try state.ingest(Self.record(s.time, 5, 6), partition: 0, offset: 0, now: s.time)
        #expect(try state.ingest(Self.record(s.time, 5, 6), partition: 0, offset: 1, now: s.time).duplicates == 2)
        #expect(
            try state.ingest(Self.record(s.time, 9, 6), partition: 0, offset: 2, now: s.time) == IngestOutcome(duplicates: 1, conflicts: 1))
        #expect(try state.ingest(Self.record(s.time + 700_000, 5, 6), partition: 0, offset: 3, now: s.time).future == 2)
        #expect(try state.ingest(Self.record(-5, 5, 6), partition: 0, offset: 4, now: s.time).invalidTime == 2)
        #expect(throws: DecodingFailure.self) { try state.ingest([1, 2, 3], partition: 0, offset: 5, now: s.time) }
    }

    /// An owner that dies at any moment is followed by one that loads the chunks so far and replays from the offset that was needed; the rows of
    /// both together equal those of one that never died.
    @Test(arguments: 0..<12 as Range<UInt64>)
    func aSuccessorGivesTheSameRows(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let total = 700
        var records: [(bytes: [UInt8], now: Int64)] = []
        for i in 0..<total {
            let s = Self.sample(i)
            records.append((Self.record(s.time, s.gauge, s.counter), s.time))
            if i % 50 == 49 {
                let l = Self.sample(i - Int.random(in: 1...30, using: &random))
                let moved = Self.record(l.time + 1_000, l.gauge, l.counter)
                records.append((moved, s.time))
            }
        }
        var whole = Run()
        var one = Self.state()
        for (i, r) in records.enumerated() {
            _ = try one.ingest(r.bytes, partition: 0, offset: Int64(i), now: r.now)
            whole.take(one.advance(now: r.now).output)
        }
        var parts = Run()
        var from = 0
        var lastNeeded = 0
        var epoch: Int64 = 1
        while from < records.count {
            var state = Self.state(epoch: epoch)
            var chunks: [Fingerprint: [ChunkResult]] = [:]
            for chunk in parts.chunks { chunks[chunk.series.id, default: []].append(chunk) }
            for (_, list) in chunks { #expect(state.restore(list.sorted { $0.start < $1.start }, now: Self.sample(total).time).isEmpty) }
            let until = min(records.count, max(from, Int.random(in: 0...records.count, using: &random)) + 1)
            let resumed = from
            // `needed` is what the group committed: replay from there up to where the predecessor was, silently.
            for i in lastNeeded..<resumed {
                _ = try state.ingest(records[i].bytes, partition: 0, offset: Int64(i), now: records[i].now)
            }
            var latest: [Fingerprint: Int64] = [:]
            for row in parts.rows.values { latest[row.series.id] = max(latest[row.series.id] ?? 0, row.time) }
            if resumed > 0 { state.resume(latestRows: latest, now: records[resumed - 1].now) }
            for i in resumed..<until {
                _ = try state.ingest(records[i].bytes, partition: 0, offset: Int64(i), now: records[i].now)
                var isMore = true
                while isMore {
                    let step = state.advance(now: records[i].now)
                    parts.take(step.output)
                    isMore = step.isMore
                }
            }
            lastNeeded = Int(state.neededOffsets()[0] ?? 0)
            from = until
            epoch += 1
        }
        for (key, row) in whole.rows {
            let other = try #require(parts.rows[key], "seed \(seed): no row \(key)")
            // Equal but for the revision and the last digits (sums are taken in another order).
            #expect(other.windows.map(\.count) == row.windows.map(\.count), "seed \(seed) \(key)")
            #expect(other.windows.map(\.min) == row.windows.map(\.min), "seed \(seed) \(key)")
            #expect(other.windows.map(\.max) == row.windows.map(\.max), "seed \(seed) \(key)")
            for (a, b) in zip(other.windows, row.windows) {
                if let x = a.avg, let y = b.avg { #expect(abs(x - y) <= 1e-12 * max(abs(x), abs(y)), "seed \(seed) \(key)") }
            }
        }
    }

    @Test func whatIsNeededMovesOnAsChunksAreSealedAndNeverPastOpenSamples() throws {
        var state = Self.state()
        var last: Int64 = 0
        var moved = 0
        for i in 0..<600 {
            let s = Self.sample(i)
            _ = try state.ingest(Self.record(s.time, s.gauge, s.counter), partition: 0, offset: Int64(i), now: s.time)
            _ = state.advance(now: s.time)
            let needed = try #require(state.neededOffsets()[0])
            #expect(needed >= last)
            if needed > last { moved += 1 }
            last = needed
            // Every sample at or past the needed offset lies in an open chunk; at most a chunk and the lateness are open.
            #expect(Int64(i) - needed <= (1_800_000 + 600_000) / 15_000 + 1)
        }
        #expect(moved >= 4)
    }

    @Test func everySeriesHasAProfileWithinMinutesAndShortOnesSayWhy() throws {
        var options = Self.options()
        options.forecastMetrics = nil
        var state = Self.state(options: options)
        var profiles: [String: [ProfileResult]] = [:]
        var forecasts: [String: [ForecastResult]] = [:]
        for i in 0..<60 {
            let s = Self.sample(i)
            _ = try state.ingest(Self.record(s.time, s.gauge, s.counter), partition: 0, offset: Int64(i), now: s.time)
            for (_, record) in state.advance(now: s.time).output.results {
                if case .profiles(let list) = record { for p in list { profiles[p.series.labels.name, default: []].append(p) } }
                if case .forecasts(let list) = record { for f in list { forecasts[f.series.labels.name, default: []].append(f) } }
            }
        }
        #expect(profiles.keys.sorted() == ["load", "requests_total"])
        #expect(forecasts.keys.sorted() == ["load", "requests_total"])
        let first = try #require(profiles["load"]?.first)
        #expect(first.verdict == nil && first.detail["reason"]?.stringValue?.hasPrefix("too short") == true)
        let newest = try #require(forecasts["load"]?.last)
        let max = try #require(newest.max)
        let min = try #require(newest.min)
        #expect(max.expected >= min.expected && max.lower95 <= max.lower80 && max.lower80 <= max.upper80 && max.upper80 <= max.upper95)
        #expect(newest.path.count == 40 && newest.step == 15_000 && newest.horizon == 600_000)
    }

    @Test func seriesBeyondTheLimitAreRefusedAndComeInWhenThereIsRoom() throws {
        var options = Self.options()
        options.maxSeries = 2
        var state = Self.state(options: options)
        let third = SeriesSection([(LabelSet(name: "third"), .gauge), (Self.gauge, .gauge)])
        _ = try state.ingest(Self.record(Self.start, 1, 2), partition: 0, offset: 0, now: Self.start)
        let more = SamplesRecord.encode(
            source: 7, watermark: Self.start + 15_000, section: third, time: Self.start + 15_000, values: [1, 2])
        let outcome = try state.ingest(more, partition: 0, offset: 1, now: Self.start + 15_000)
        #expect(outcome == IngestOutcome(accepted: 1, overLimit: 1))
        #expect(state.seriesCount == 2)
        var isMore = true
        while isMore { isMore = state.advance(now: Self.start + 20 * 3_600_000).isMore }
        let later = Self.start + 20 * 3_600_000
        let again = SamplesRecord.encode(source: 7, watermark: later, section: third, time: later, values: [1, 2])
        #expect(try state.ingest(again, partition: 0, offset: 2, now: later).accepted == 2)
    }

    @Test func whatComesAfterASilenceCorrectsTheRowsOfTheSilence() throws {
        var state = Self.state()
        var run = Run()
        for i in 0..<10 {
            let s = Self.sample(i)
            _ = try state.ingest(Self.record(s.time, s.gauge, s.counter), partition: 0, offset: Int64(i), now: s.time)
            run.take(state.advance(now: s.time).output)
        }
        // Five minutes without a word: rows go on without samples; then all of it comes at once.
        let later = Self.sample(30).time
        run.take(state.advance(now: later).output)
        let key = "\(Self.gauge.fingerprint) \(Self.sample(20).time)"
        #expect(run.rows[key]?.windows[0].count == 10)
        for i in 10..<31 {
            let s = Self.sample(i)
            _ = try state.ingest(Self.record(s.time, s.gauge, s.counter), partition: 0, offset: Int64(i), now: later)
        }
        run.take(state.advance(now: later).output)
        #expect(run.rows[key]?.windows[0].count == 21)
    }

    @Test func aSourceThatWasSilentForHoursLosesNothing() throws {
        var state = Self.state()
        for i in 0..<10 {
            let s = Self.sample(i)
            _ = try state.ingest(Self.record(s.time, s.gauge, s.counter), partition: 0, offset: Int64(i), now: s.time)
            _ = state.advance(now: s.time)
        }
        let later = Self.sample(10).time + 5 * 3_600_000
        var isMore = true
        while isMore { isMore = state.advance(now: later).isMore }
        let s = Self.sample(300)
        #expect(try state.ingest(Self.record(s.time, 1, 2), partition: 0, offset: 10, now: later).accepted == 2)
    }

    @Test func anAbsurdFirstTimestampDoesNotBringRowsSince1970() throws {
        var state = Self.state()
        _ = try state.ingest(Self.record(1_700_000_000, 1, 2), partition: 0, offset: 0, now: Self.start)
        _ = try state.ingest(Self.record(Self.start, 1, 2), partition: 0, offset: 1, now: Self.start)
        var steps = 0
        while state.advance(now: Self.start).isMore { steps += 1 }
        #expect(steps < 100)
    }

    @Test func aClockThatWasAheadDoesNotStopTheAnalysis() throws {
        var state = Self.state()
        let ahead = Self.start + 30 * 86_400_000
        _ = try state.ingest(Self.record(ahead, 1, 2), partition: 0, offset: 0, now: ahead)
        _ = state.advance(now: ahead)
        _ = state.advance(now: Self.start)
        var rows: [WindowsResult] = []
        for i in 0..<8 {
            let s = Self.sample(i)
            #expect(
                try state.ingest(Self.record(s.time, s.gauge, s.counter), partition: 0, offset: Int64(i + 1), now: s.time).accepted == 2)
            rows += Self.rows(state.advance(now: s.time).output)
        }
        #expect(rows.contains { $0.series.labels == Self.gauge && $0.windows[0].count > 3 })
        // Nor does what was dated ahead hold back the commits, or keep series that have gone.
        for i in 8..<(14 * 240) {
            let s = Self.sample(i)
            let record =
                i < 100
                ? Self.record(s.time, s.gauge, s.counter)
                : SamplesRecord.encode(
                    source: 7, watermark: s.time, section: SeriesSection([(Self.gauge, .gauge)]), time: s.time, values: [s.gauge])
            _ = try state.ingest(record, partition: 0, offset: Int64(i + 1), now: s.time)
            _ = state.advance(now: s.time)
        }
        #expect(try #require(state.neededOffsets()[0]) > 13 * 240)
        #expect(state.seriesCount == 1)
    }

    /// Of a series whose chunks a new owner did not load, because its source lags far behind others: what is stored of it stays whole.
    @Test func aReplayDoesNotReplaceStoredChunksOfASourceThatLags() throws {
        var state = Self.state(epoch: 2)
        let stored = Self.sample(39).time
        var restoration = state.rollupRestoration
        restoration.take([ChunkSummary(series: Self.gauge.fingerprint, start: stored - 600_000, end: stored, count: 40, mean: 1)])
        state.adopt(restoration)
        var run = Run()
        var tooLate = 0
        for i in 20..<1_000 {
            let s = Self.sample(i)
            tooLate += try state.ingest(Self.record(s.time, s.gauge, s.counter), partition: 0, offset: Int64(i), now: s.time).tooLate
            run.take(state.advance(now: s.time).output)
        }
        #expect(tooLate == 20)
        let chunks = run.chunks.filter { $0.series.labels == Self.gauge }
        #expect(!chunks.isEmpty && chunks.allSatisfy { $0.end > stored })
        let first = try #require(chunks.min { $0.start < $1.start })
        #expect(try #require(ChunkCodec.decode(first.data).times.first) > stored)
    }

    @Test func aSlowSourceHasAllItsModelsToo() throws {
        var options = Self.options()
        options.forecastMetrics = nil
        var state = Self.state(options: options)
        let keys = (0..<12).map { LabelSet(name: "slow", [Label("i", "\($0)")]) }
        let section = SeriesSection(keys.map { ($0, .gauge) })
        var late: Set<Fingerprint> = []
        for i in 0..<120 {
            let time = Self.start + Int64(i) * 60_000
            let record = SamplesRecord.encode(
                source: 3, watermark: time, section: section, time: time, values: keys.indices.map { Double(i % 7 + $0) })
            _ = try state.ingest(record, partition: 0, offset: Int64(i), now: time)
            for (_, result) in state.advance(now: time).output.results where i > 90 {
                if case .forecasts(let list) = result { for forecast in list { late.insert(forecast.series.id) } }
            }
        }
        #expect(late.count == keys.count)
    }

    @Test func aTypeThatChangesTakesEffect() throws {
        var state = Self.state()
        let labels = LabelSet(name: "jobs")
        for (i, type) in [MetricType.gauge, .gauge, .counter, .counter].enumerated() {
            let time = Self.start + Int64(i) * 15_000
            let record = SamplesRecord.encode(
                source: 3, watermark: time, section: SeriesSection([(labels, type)]), time: time, values: [Double(i * 30)])
            _ = try state.ingest(record, partition: 0, offset: Int64(i), now: time)
        }
        let row = try #require(Self.rows(state.advance(now: Self.start + 45_000).output).last)
        #expect(row.series.type == .counter && row.windows[0].count == 3 && row.windows[0].avg == 2)
    }

    @Test func aSilentSourceGoesOnSlidingAndItsSeriesLeaveInTheEnd() throws {
        var state = Self.state()
        for i in 0..<4 {
            let s = Self.sample(i)
            _ = try state.ingest(Self.record(s.time, s.gauge, s.counter), partition: 0, offset: Int64(i), now: s.time)
            _ = state.advance(now: s.time)
        }
        let last = Self.sample(3).time
        // Two hours later the one-hour window is empty, the longer ones are not.
        var rows: [WindowsResult] = []
        var isMore = true
        while isMore {
            let step = state.advance(now: last + 7_200_000)
            rows += Self.rows(step.output)
            isMore = step.isMore
        }
        let gauge = try #require(rows.last { $0.series.labels == Self.gauge })
        #expect(gauge.windows.map(\.count) == [0, 4, 4])
        #expect(gauge.windows[0].max == nil && gauge.windows[1].max != nil)
        #expect(gauge.time <= last + 7_200_000 - state.options.idleTimeout)
        isMore = true
        while isMore { isMore = state.advance(now: last + 16 * 3_600_000).isMore }
        #expect(state.seriesCount == 0)
    }
}
