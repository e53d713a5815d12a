import Analytics
import Records
import TestSupport
import Testing
import TimeSeries

@testable import History

/// A random series: gauge or counter, gaps, staleness, values that are not finite, large offsets.
struct RandomSeries {
    var times: [Milliseconds] = []
    var values: [Double] = []
    var isCounter: Bool

    init(seed: UInt64, count: Int) {
        var generator = SplitMix64(seed: seed)
        isCounter = seed % 3 == 0
        var time: Milliseconds = 1_700_000_000_000 + Int64.random(in: 0..<900_000, using: &generator)
        let base = [0, 1e9, -5, 1e-3][Int(seed % 4)]
        let isRound = seed % 5 == 0
        var total = 0.0
        for _ in 0..<count {
            time += Int64.random(in: 0..<20, using: &generator) == 0 ? Int64.random(in: 1..<9_000_000, using: &generator) : 15_000
            if Int.random(in: 0..<30, using: &generator) == 0 { time += Int64.random(in: -14_000...14_000, using: &generator) }
            times.append(time)
            let noise = Double.random(in: -1...1, using: &generator)
            total =
                Int.random(in: 0..<200, using: &generator) == 0 ? 0 : total + (isRound ? noise.magnitude.rounded() : noise.magnitude * 7)
            switch Int.random(in: 0..<100, using: &generator) {
            case 0: values.append(StaleMarker.value)
            case 1: values.append(.infinity)
            default: values.append(isCounter ? total : base + (isRound ? (noise * 4).rounded() : noise * 1e-3))
            }
        }
    }

    var key: SeriesKey { SeriesKey(labels: LabelSet(name: "m"), type: isCounter ? .counter : .gauge) }

    /// Analyses in blocks of random sizes.
    func rows(_ options: HistoryOptions, blockSeed: UInt64) throws -> HistoryRows {
        var generator = SplitMix64(seed: blockSeed)
        var analysis = HistoryAnalysis(series: key, options: options)
        var rows = HistoryRows()
        var at = 0
        while at < times.count {
            let end = min(times.count, at + Int.random(in: 1...(blockSeed % 2 == 0 ? 40 : 5_000), using: &generator))
            try analysis.add(times: Array(times[at..<end]), values: Array(values[at..<end]), into: &rows)
            at = end
        }
        analysis.finish(into: &rows)
        return rows
    }

    func results(_ options: HistoryOptions, blockSeed: UInt64 = 1) throws -> [WindowsResult] {
        try rows(options, blockSeed: blockSeed).windowsResults(series: key, revision: Revision(rawValue: 0), windows: options.windows.count)
    }
}

/// Relative to the size of the answer, or of the values that it is the mean of: of values that cancel no sum is right to the last digits.
private func isClose(_ a: Double?, _ b: Double?, _ tolerance: Double, size: Double = 0) -> Bool {
    guard let a, let b else { return a == nil && b == nil }
    return abs(a - b) <= tolerance * max(abs(a), abs(b), size)
}

@Suite struct HistoryAnalysisTests {
    private func options(windows: [Milliseconds], every: Milliseconds, quantiles: Bool) -> HistoryOptions {
        var options = HistoryOptions()
        options.windows = windows
        options.every = every
        options.quantiles = quantiles
        options.profiles = nil
        return options
    }

    private static let shapes: [([Milliseconds], Milliseconds)] = [
        ([3_600_000, 10_800_000, 43_200_000], 300_000), ([3_600_000, 10_800_000, 43_200_000], 60_000), ([90_000, 1_000_000], 60_000),
        ([60_000], 3_600_000), ([7_000, 86_400_000], 1_000_000),
    ]

    /// Every row that the live analyzer's windows give at the same times, and no other.
    @Test(arguments: 0..<20)
    func equalsTheLiveAnalyzer(seed: Int) throws {
        let (windows, every) = HistoryAnalysisTests.shapes[seed % 5]
        let series = RandomSeries(seed: UInt64(seed), count: 3_000)
        let options = options(windows: windows, every: every, quantiles: true)
        let rows = try series.results(options)
        var history = SampleHistory(isCounter: series.isCounter)
        var scratch = WindowScratch()
        var next = 0
        var t = series.times[0] + (every - series.times[0] % every) % every
        var at = 0
        let last = series.times[series.times.count - 1]
        while t < last + every {
            while at < series.times.count, series.times[at] <= t {
                _ = history.append(time: series.times[at], value: series.values[at])
                at += 1
            }
            _ = history.seal(through: t - 600_000, span: 1_800_000)
            var moments: [Moments] = []
            history.evaluate(at: t, windows: windows, scratch: &scratch, into: &moments)
            let quantiles = history.quantiles(at: t, windows: windows, moments: moments, scratch: &scratch)
            if moments.contains(where: { $0.count > 0 }) {
                try #require(next < rows.count, "seed \(seed): the row at \(t) is missing")
                let row = rows[next]
                next += 1
                #expect(row.time == t, "seed \(seed)")
                for (i, m) in moments.enumerated() {
                    let w = row.windows[i]
                    let place = "seed \(seed), time \(t), window \(w.window): \(w) against \(m)"
                    #expect(w.count == m.count, "\(place)")
                    #expect(w.min == (m.count > 0 ? m.min : nil) && w.max == (m.count > 0 ? m.max : nil), "\(place)")
                    #expect(isClose(w.avg, m.count > 0 ? m.mean : nil, 1e-12, size: max(abs(m.min), abs(m.max))), "\(place)")
                    #expect(isClose(w.stddev, m.stddev, 1e-9), "\(place)")
                    #expect(w.p50 == quantiles[i]?.p50 && w.p95 == quantiles[i]?.p95 && w.p99 == quantiles[i]?.p99, "\(place)")
                }
            }
            t += every
        }
        #expect(next == rows.count, "seed \(seed): \(rows.count - next) rows too many")
    }

    /// Against sums over the samples of each window, in two passes.
    @Test(arguments: 20..<32)
    func equalsANaiveReference(seed: Int) throws {
        let (windows, every) = HistoryAnalysisTests.shapes[seed % 5]
        let series = RandomSeries(seed: UInt64(seed), count: 800)
        let rows = try series.results(options(windows: windows, every: every, quantiles: false))
        var analysed: [(Milliseconds, Double)] = []
        for i in series.times.indices {
            var value = series.values[i]
            if series.isCounter {
                guard i > 0 else { continue }
                let before = series.values[i - 1]
                let increase = value >= before ? value - before : value
                value = !before.isFinite || !value.isFinite ? .nan : increase / (Double(series.times[i] - series.times[i - 1]) / 1000)
            }
            if value.isFinite { analysed.append((series.times[i], value)) }
        }
        for row in rows {
            for w in row.windows {
                let values = analysed.filter { $0.0 > row.time - w.window && $0.0 <= row.time }.map(\.1)
                let place = "seed \(seed), time \(row.time), window \(w.window)"
                #expect(w.count == values.count && w.min == values.min() && w.max == values.max(), "\(place)")
                guard let first = values.first else { continue }
                let mean = first + values.reduce(0) { $0 + ($1 - first) } / Double(values.count)
                let size = values.map(abs).max() ?? 0
                #expect(isClose(w.avg, mean, 1e-12, size: size), "\(place): \(w.avg ?? .nan) against \(mean)")
                guard values.count > 1 else {
                    #expect(w.stddev == nil)
                    continue
                }
                let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
                #expect(isClose(w.stddev, (squares / Double(values.count - 1)).squareRoot(), 1e-7), "\(place)")
            }
        }
    }

    /// The same bits whatever the blocks: what comes through a pipe equals what comes from chunks.
    @Test(arguments: [0, 1, 3, 5] as [UInt64])
    func blocksDoNotMatter(seed: UInt64) throws {
        let series = RandomSeries(seed: seed, count: 12_000)
        var options = options(windows: [3_600_000, 43_200_000], every: 900_000, quantiles: true)
        options.profiles = 3_600_000
        options.forecasts = 10_800_000
        func lines(_ blockSeed: UInt64) throws -> [UInt8] {
            var writer = TransformWriter()
            _ = try series.rows(options, blockSeed: blockSeed).write(to: &writer, series: Array("m".utf8), windows: 2)
            return writer.bytes
        }
        let first = try lines(1)
        #expect(first.count > 100_000)
        for blockSeed in 2...5 as ClosedRange<UInt64> {
            let other = try lines(blockSeed)
            #expect(other == first, "seed \(seed), blocks \(blockSeed)")
        }
    }

    @Test func repeatedTimesCountOnce() throws {
        var analysis = HistoryAnalysis(
            series: SeriesKey(labels: LabelSet(name: "m"), type: .gauge),
            options: options(windows: [60_000], every: 60_000, quantiles: true))
        var rows = HistoryRows()
        try analysis.add(times: [1_000, 1_000, 1_000, 2_000], values: [5, 5, 9, 7], into: &rows)
        try analysis.add(times: [2_000, 3_000], values: [8, 6], into: &rows)
        analysis.finish(into: &rows)
        #expect(analysis.duplicates == 1 && analysis.conflicts == 2 && analysis.count == 3)
        #expect(
            rows.statistics == [WindowStatistics(window: 60_000, count: 3, min: 5, max: 7, avg: 6, stddev: 1, p50: 6, p95: 6.9, p99: 6.98)])
    }

    @Test func goingBackIsAnError() throws {
        var analysis = HistoryAnalysis(series: SeriesKey(labels: LabelSet(name: "m"), type: .gauge), options: HistoryOptions())
        var rows = HistoryRows()
        try analysis.add(times: [1_000, 2_000], values: [1, 1], into: &rows)
        let error = #expect(throws: HistoryOrderError.self) { try analysis.add(times: [3_000, 2_500], values: [1, 1], into: &rows) }
        #expect(error == HistoryOrderError(index: 1, time: 2_500, before: 3_000))
    }

    @Test func boundsChooseRowsNotTheirSamples() throws {
        let series = RandomSeries(seed: 1, count: 4_000)
        var bounded = options(windows: [3_600_000, 10_800_000], every: 300_000, quantiles: false)
        let all = try series.results(bounded)
        let (from, to) = (all[200].time, all[400].time + 1)
        bounded.from = from
        bounded.to = to
        let some = try series.results(bounded)
        let wanted = all.filter { $0.time > from && $0.time <= to }
        #expect(some.map(\.time) == wanted.map(\.time) && wanted.count > 150)
        for (a, b) in zip(some, wanted) {
            #expect(a.windows.map(\.count) == b.windows.map(\.count) && a.windows.map(\.min) == b.windows.map(\.min), "time \(a.time)")
        }
    }

    /// With an end the rows go on while a window holds a sample; without one they end with the series.
    @Test func rowsAfterTheLastSample() throws {
        var open = options(windows: [600_000], every: 60_000, quantiles: false)
        let series = { (options: HistoryOptions) throws -> [Milliseconds] in
            var analysis = HistoryAnalysis(series: SeriesKey(labels: LabelSet(name: "m"), type: .gauge), options: options)
            var rows = HistoryRows()
            try analysis.add(times: [30_000, 90_000], values: [1, 2], into: &rows)
            analysis.finish(into: &rows)
            return rows.windowsResults(series: analysis.series, revision: Revision(rawValue: 0), windows: 1).map(\.time)
        }
        #expect(try series(open) == [60_000, 120_000])
        open.to = 10_000_000
        #expect(try series(open) == (1...11).map { $0 * 60_000 })
    }

    @Test func profilesAndForecastsStandOnTheirGrids() throws {
        var options = options(windows: [3_600_000], every: 300_000, quantiles: false)
        options.profiles = 3_600_000
        options.forecasts = 7_200_000
        var series = RandomSeries(seed: 1, count: 0)
        for k in 0..<2_000 {
            series.times.append(1_700_000_000_000 + Int64(k) * 15_000)
            series.values.append(10 + Double(k % 240) * 0.1)
        }
        let rows = try series.rows(options, blockSeed: 3)
        #expect(rows.profiles.count >= 8 && rows.profiles.allSatisfy { $0.time % 3_600_000 == 0 })
        #expect(rows.forecasts.count >= 4 && rows.forecasts.allSatisfy { $0.result.time % 7_200_000 == 0 && $0.result.avg != nil })
        // A profile is what `profile(of:)` says of the same even series.
        let last = try #require(rows.profiles.last)
        let upTo = series.times.count { $0 <= last.time }
        let even = EvenSeries(times: Array(series.times[..<upTo]), values: Array(series.values[..<upTo]), span: 43_200_000)
        let expected = profile(of: even.values)
        #expect(last.samples == expected.count && last.verdict == expected.verdict.value?.rawValue)
    }
}

@Suite struct RankBitmapTests {
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func findsMembersAndNeighbours(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let capacity = [1, 63, 64, 513, 5_000, 20_000][Int(seed - 1)]
        var bitmap = RankBitmap(capacity: capacity)
        var members: Set<Int> = []
        for _ in 0..<2_000 {
            let rank = Int.random(in: 0..<capacity, using: &generator)
            if members.remove(rank) != nil {
                bitmap.remove(rank)
            } else {
                members.insert(rank)
                bitmap.insert(rank)
            }
            guard members.count > 0, Int.random(in: 0..<20, using: &generator) == 0 else { continue }
            let sorted = members.sorted()
            let k = Int.random(in: 0..<sorted.count, using: &generator)
            #expect(bitmap.member(k) == sorted[k])
            if k + 1 < sorted.count { #expect(bitmap.next(after: sorted[k]) == sorted[k + 1]) }
        }
    }

    @Test func sortsAsComparisonDoes() {
        var generator = SplitMix64(seed: 9)
        var sorter = RankSorter()
        var ranks: [UInt32] = []
        var sorted: [Double] = []
        for count in [0, 1, 2, 100, 5_000] {
            var values = (0..<count).map { _ in Double(bitPattern: UInt64.random(in: 0...UInt64.max, using: &generator)) }.filter(
                \.isFinite)
            values += values.prefix(count / 2).map { ($0 * 1e-300).rounded() }
            sorter.rank(values[...], ranks: &ranks, sorted: &sorted)
            #expect(sorted == values.sorted())
            for (i, value) in values.enumerated() { #expect(sorted[Int(ranks[i])] == value) }
            #expect(Set(ranks).count == values.count)
        }
    }
}
