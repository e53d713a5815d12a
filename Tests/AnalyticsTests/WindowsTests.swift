import TestSupport
import Testing
import TimeSeries

@testable import Analytics

/// Windows against the plain definition: all samples in a list, each window computed from scratch.
@Suite struct WindowsTests {
    static let span: Int64 = 1_800_000
    static let windows: [Int64] = [300_000, 3_600_000, 3 * 3_600_000, 12 * 3_600_000]

    /// The definition: what is analysed of a list of raw samples.
    static func analysed(_ samples: [(time: Int64, value: Double)], counter: Bool) -> [(time: Int64, value: Double)] {
        var out: [(time: Int64, value: Double)] = []
        for (i, sample) in samples.enumerated() {
            if !counter {
                if sample.value.isFinite { out.append(sample) }
                continue
            }
            guard i > 0 else { continue }
            let before = samples[i - 1]
            let increase = sample.value >= before.value ? sample.value - before.value : sample.value
            if !before.value.isFinite || !sample.value.isFinite { continue }
            let rate = increase / (Double(sample.time - before.time) / 1000)
            if rate.isFinite { out.append((sample.time, rate)) }
        }
        return out
    }

    struct Reference {
        var count = 0
        var min = 0.0
        var max = 0.0
        var mean = 0.0
        var stddev: Double?

        /// Two passes in extended precision.
        init(_ values: [Double]) {
            count = values.count
            guard count > 0 else { return }
            min = values.min() ?? 0
            max = values.max() ?? 0
            let sum = values.reduce(Float80(0)) { $0 + Float80($1) }
            let m = sum / Float80(count)
            mean = Double(m)
            let squares = values.reduce(Float80(0)) { $0 + (Float80($1) - m) * (Float80($1) - m) }
            if count > 1 { stddev = Double((squares / Float80(count - 1)).squareRoot()) }
        }
    }

    static func close(_ a: Double, _ b: Double, _ tolerance: Double, floor: Double = 0) -> Bool {
        a == b || abs(a - b) <= tolerance * Swift.max(abs(a), abs(b)) + floor
    }

    static func expectEqual(_ got: Moments, _ want: Reference, _ note: String) {
        #expect(got.count == want.count, "\(note)")
        guard want.count > 0 else { return }
        #expect(got.min == want.min && got.max == want.max, "\(note)")
        // Relative to the values, which for a mean near zero are the measure of what cancels.
        let size = Swift.max(abs(want.min), abs(want.max))
        #expect(close(got.mean, want.mean, 1e-12, floor: 1e-13 * size), "\(note): mean \(got.mean) want \(want.mean)")
        if let stddev = want.stddev {
            #expect(close(got.stddev ?? -1, stddev, 1e-9, floor: 1e-15 * size), "\(note): stddev \(got.stddev ?? -1) want \(stddev)")
        } else {
            #expect(got.stddev == nil, "\(note)")
        }
    }

    static func value(_ kind: Int, _ i: Int, _ level: inout Double, _ random: inout SplitMix64) -> Double {
        switch kind {
        case 0:
            level += Double(Int.random(in: 0...900, using: &random))
            if Int.random(in: 0..<200, using: &random) == 0 { level = 0 }
            return level
        case 1: return 1e9 + Double.random(in: -1e-3...1e-3, using: &random)
        case 2: return [0.0, 1, .nan, .infinity, -3.5, StaleMarker.value][Int.random(in: 0..<6, using: &random)]
        case 3: return 7
        default: return Double.random(in: -100...100, using: &random)
        }
    }

    /// Random samples in random disorder, evaluated while they come, sealed and expired as an analyzer would.
    @Test(arguments: 0..<24 as Range<UInt64>)
    func slidingEqualsTheBatchAnswer(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let isCounter = seed % 3 == 0
        let kind = isCounter ? (seed % 2 == 0 ? 0 : 2) : 1 + Int(seed % 4)
        var history = SampleHistory(isCounter: isCounter)
        var scratch = WindowScratch()
        var all: [(time: Int64, value: Double)] = []
        var time: Int64 = 1_700_000_000_000 + Int64.random(in: 0..<Self.span, using: &random)
        var level = 0.0
        var results: [Moments] = []
        for i in 0..<3_500 {
            time += Int.random(in: 0..<300, using: &random) == 0 ? Int64.random(in: 60_000...4_000_000, using: &random) : 15_000
            let isLate = Int.random(in: 0..<20, using: &random) == 0
            let at = isLate ? time - Int64.random(in: 1...590_000, using: &random) : time
            let v = Self.value(kind, i, &level, &random)
            let outcome = history.append(time: at, value: v)
            switch outcome {
            case .appended, .late:
                let place = all.lastIndex { $0.time < at }.map { $0 + 1 } ?? 0
                all.insert((at, v), at: place)
            case .duplicate, .conflict: #expect(all.contains { $0.time == at }, "seed \(seed)")
            case .tooLate: #expect(at <= history.sealedThrough, "seed \(seed)")
            case .farAhead: Issue.record("seed \(seed): nothing is that far")
            }
            if i % 40 == 0 {
                _ = history.seal(through: time - 600_000, span: Self.span)
                history.expire(before: time - 13 * 3_600_000)
            }
            if i % 97 == 0 || i > 3_490 {
                // On the newest sample, between samples, and in the past that late samples changed.
                for t in [time, time - 7_000, time - Int64.random(in: 0...900_000, using: &random)] {
                    history.evaluate(at: t, windows: Self.windows, scratch: &scratch, into: &results)
                    let analysed = Self.analysed(all, counter: isCounter)
                    for (w, window) in Self.windows.enumerated() {
                        let values = analysed.filter { $0.time > t - window && $0.time <= t }.map(\.value)
                        Self.expectEqual(results[w], Reference(values), "seed \(seed), sample \(i), t \(t - time), window \(window)")
                    }
                }
            }
        }
    }

    @Test(arguments: 0..<30 as Range<UInt64>)
    func quantilesAreOrderStatistics(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var history = SampleHistory(isCounter: false)
        var scratch = WindowScratch()
        var samples: [(time: Int64, value: Double)] = []
        let count = seed < 6 ? Int(seed) : Int.random(in: 10...3000, using: &random)
        for i in 0..<count {
            let time = 1_700_000_000_000 + Int64(i) * 15_000
            let value = seed % 2 == 0 ? Double(Int.random(in: 0...5, using: &random)) : Double.random(in: -1...1, using: &random)
            samples.append((time, value))
            _ = history.append(time: time, value: value)
        }
        let t = samples.last?.time ?? 1_700_000_000_000
        _ = history.seal(through: t - 600_000, span: Self.span)
        var moments: [Moments] = []
        history.evaluate(at: t, windows: Self.windows, scratch: &scratch, into: &moments)
        let got = history.quantiles(at: t, windows: Self.windows, moments: moments, scratch: &scratch)
        for (w, window) in Self.windows.enumerated() {
            let sorted = samples.filter { $0.time > t - window }.map(\.value).sorted()
            guard !sorted.isEmpty else {
                #expect(got[w] == nil)
                continue
            }
            func quantile(_ q: Double) -> Double {
                let rank = q * Double(sorted.count - 1)
                let low = Int(rank)
                let high = Swift.min(low + 1, sorted.count - 1)
                return sorted[low] + (sorted[high] - sorted[low]) * (rank - Double(low))
            }
            #expect(
                got[w] == WindowQuantiles(p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99)), "seed \(seed) window \(window)")
        }
    }

    @Test func chunksOfAnEarlierOwnerGiveTheSameAnswers() throws {
        for isCounter in [false, true] {
            var first = SampleHistory(isCounter: isCounter)
            var second = SampleHistory(isCounter: isCounter)
            var scratch = WindowScratch()
            var random = SplitMix64(seed: 5)
            let start: Int64 = 1_700_000_000_000
            var level = 0.0
            var samples: [(Int64, Double)] = []
            for i in 0..<2_900 {
                level += Double.random(in: 0...3, using: &random)
                samples.append((start + Int64(i) * 15_000, level))
            }
            for (time, value) in samples {
                #expect(first.append(time: time, value: value) == .appended)
                for chunk in first.seal(through: time - 600_000, span: Self.span) {
                    try second.restore(start: chunk.start, end: chunk.end, data: chunk.data, scratch: &scratch)
                }
            }
            // The replay gives again what the chunks hold, and it must not count twice.
            for (time, value) in samples.suffix(400) { _ = second.append(time: time, value: value) }
            var a: [Moments] = []
            var b: [Moments] = []
            let t = samples[samples.count - 1].0
            first.evaluate(at: t, windows: Self.windows, scratch: &scratch, into: &a)
            second.evaluate(at: t, windows: Self.windows, scratch: &scratch, into: &b)
            #expect(a == b)
            #expect(a[3].count == 2_880)
        }
    }

    @Test func aCounterThatRestartsCountsFromZeroAndAStaleMarkerBreaksTheRate() {
        var history = SampleHistory(isCounter: true)
        var scratch = WindowScratch()
        let t: Int64 = 1_700_000_000_000
        let raw: [Double] = [100, 160, 30, StaleMarker.value, 50, 80]
        for (i, value) in raw.enumerated() { _ = history.append(time: t + Int64(i) * 15_000, value: value) }
        let rates = history.analysedSamples(from: t - 1, to: t + 100_000, scratch: &scratch).values
        #expect(rates == [4, 2, 2])
    }

    @Test func memoryStaysSmallWithRawCountersAndSteadyTimes() {
        var history = SampleHistory(isCounter: true)
        var level = 0.0
        var random = SplitMix64(seed: 1)
        let start: Int64 = 1_700_000_000_000
        for i in 0..<4_000 {
            let time = start + Int64(i) * 15_000
            level += 15 - Double(Int.random(in: 0...20, using: &random)) / 100
            _ = history.append(time: time, value: (level * 100).rounded() / 100)
            _ = history.seal(through: time - 600_000, span: Self.span)
            history.expire(before: time - 12 * 3_600_000 - Self.span)
        }
        #expect(history.memoryBytes < 6_000, "\(history.memoryBytes) bytes")
    }
}
