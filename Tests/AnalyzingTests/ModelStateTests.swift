import Analytics
import Records
import TestSupport
import Testing
import TimeSeries

@testable import Analyzing

/// What the analyzer learns of a series, and that a new owner goes on with it.
@Suite struct ModelStateTests {
    static let start: Milliseconds = 1_771_200_000_000
    static let labels = LabelSet(name: "queue_length")
    static let section = SeriesSection([(labels, .gauge)])

    static func state(epoch: Int64 = 1, _ adjust: (inout AnalyzeOptions) -> Void = { _ in }) -> AnalyzerState {
        var options = AnalyzeOptions()
        adjust(&options)
        return AnalyzerState(options: options, epoch: epoch, partitions: 1, stopwatch: { 0 })
    }

    /// A noisy level with a step up after `shift` samples; nil in a gap.
    struct Series {
        var random = SplitMix64(seed: 7)
        var shift = Int.max
        var gap = 0..<0

        mutating func value(_ i: Int) -> Double? {
            let noise = (0..<6).reduce(0.0) { sum, _ in sum + Double.random(in: -1...1, using: &random) }
            return gap.contains(i) ? nil : 50 + noise + (i >= shift ? 25 : 0)
        }
    }

    /// Feeds samples every 15 s, one step each, and hands over what comes of them.
    static func feed(
        _ state: inout AnalyzerState, _ series: inout Series, _ steps: Range<Int>, _ receive: (Int, AnalyzerOutput) throws -> Void
    ) throws {
        for i in steps {
            let time = start + Int64(i) * 15_000
            let value = series.value(i)
            if let value {
                let record = SamplesRecord.encode(source: 3, watermark: time, section: section, time: time, values: [value])
                _ = try state.ingest(record, partition: 0, offset: Int64(i), now: time)
            }
            try receive(i, state.advance(now: time).output)
        }
    }

    static func anomalies(_ output: AnalyzerOutput) -> [AnomalyResult] {
        output.results.flatMap { if case .anomalies(let list) = $0.record { list } else { [AnomalyResult]() } }
    }

    static func forecasts(_ output: AnalyzerOutput) -> [ForecastResult] {
        output.results.flatMap { if case .forecasts(let list) = $0.record { list } else { [ForecastResult]() } }
    }

    @Test func aLevelShiftIsOneIncident() throws {
        var state = Self.state()
        var series = Series(shift: 2_000)
        var found: [Milliseconds: AnomalyResult] = [:]
        try Self.feed(&state, &series, 0..<2_400) { _, output in
            for anomaly in Self.anomalies(output) { found[anomaly.onset] = anomaly }
        }
        let incident = try #require(found.values.first)
        #expect(found.count == 1)
        #expect(incident.onset == Self.start + 2_000 * 15_000)
        #expect(incident.end != nil && incident.score > 0.4)
        #expect(incident.series.labels == Self.labels)
    }

    @Test func withoutAnomaliesNoneAreLookedFor() throws {
        var state = Self.state { $0.anomalies = nil }
        var series = Series(shift: 2_000)
        try Self.feed(&state, &series, 0..<2_200) { _, output in #expect(Self.anomalies(output).isEmpty) }
        var other = Self.state { $0.anomalyMetrics = { $0 != "queue_length" } }
        var again = Series(shift: 2_000)
        try Self.feed(&other, &again, 0..<2_200) { _, output in #expect(Self.anomalies(output).isEmpty) }
    }

    /// The former owner ends in the middle of an incident; the new one gets its chunks, its model states and the open samples again.
    @Test func aNewOwnerGoesOnWithTheIncident() throws {
        var first = Self.state()
        var series = Series(shift: 2_150)
        var chunks: [ChunkResult] = []
        var newest: ModelStateResult?
        var onsets: [Milliseconds] = []
        try Self.feed(&first, &series, 0..<2_160) { _, output in
            chunks += output.chunks.flatMap(\.chunks)
            for state in output.modelStates.flatMap(\.states) { newest = state }
            onsets += Self.anomalies(output).map(\.onset)
        }
        let saved = try #require(newest)
        #expect(saved.data.count < 6_500)
        var second = Self.state(epoch: 2)
        #expect(second.restore(chunks, now: Self.start + 2_160 * 15_000).isEmpty)
        second.restore(models: [saved])
        var replay = Series(shift: 2_150)
        for i in 0..<2_160 {
            guard let value = replay.value(i) else { continue }
            let time = Self.start + Int64(i) * 15_000
            let record = SamplesRecord.encode(source: 3, watermark: time, section: Self.section, time: time, values: [value])
            _ = try second.ingest(record, partition: 0, offset: Int64(i), now: time)
        }
        second.resume(latestRows: [:], now: Self.start + 2_160 * 15_000)
        var later: [AnomalyResult] = []
        try Self.feed(&second, &replay, 2_160..<2_500) { _, output in later += Self.anomalies(output) }
        // The same incident, known by the same onset, and its end.
        #expect(Set(later.map(\.onset)) == Set(onsets))
        #expect(later.last?.end != nil)
        #expect(later.allSatisfy { $0.revision > Revision(epoch: 2, offset: 0) })
    }

    @Test func damagedModelStatesAreLearntAnew() throws {
        var state = Self.state()
        var series = Series()
        var saved: ModelStateResult?
        try Self.feed(&state, &series, 0..<600) { _, output in saved = output.modelStates.flatMap(\.states).last ?? saved }
        let good = try #require(saved)
        let options = AnomalyOptions()
        #expect(SeriesModels(decoding: good.data, anomalies: options)?.encode() == good.data)
        var random = SplitMix64(seed: 11)
        for _ in 0..<2_000 {
            var bytes = good.data
            switch Int.random(in: 0..<3, using: &random) {
            case 0: bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
            case 1: bytes[Int.random(in: bytes.indices, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
            default: bytes.insert(0, at: Int.random(in: 0...bytes.count, using: &random))
            }
            if let models = SeriesModels(decoding: bytes, anomalies: options) {
                var restored = Self.state(epoch: 3)
                var again = Series()
                try Self.feed(&restored, &again, 0..<2) { _, _ in }
                restored.restore(models: [ModelStateResult(series: good.series, time: good.time, revision: good.revision, data: bytes)])
                try Self.feed(&restored, &again, 2..<12) { _, _ in }
                _ = models
            }
        }
    }

    /// Intervals made after a level shift, a gap and a restart cover again what comes.
    @Test func coverageRecovers() throws {
        var state = Self.state()
        var series = Series(shift: 3_000, gap: 4_200..<4_230)
        var chunks: [ChunkResult] = []
        var saved: [ModelStateResult] = []
        var made: [(at: Int, forecast: ForecastResult)] = []
        var values: [Int: Double] = [:]
        var keep = Series(shift: 3_000, gap: 4_200..<4_230)
        for i in 0..<7_200 { values[i] = keep.value(i) }
        func take(_ i: Int, _ output: AnalyzerOutput) {
            chunks += output.chunks.flatMap(\.chunks)
            saved += output.modelStates.flatMap(\.states)
            for forecast in Self.forecasts(output) where forecast.max != nil { made.append((i, forecast)) }
        }
        try Self.feed(&state, &series, 0..<5_000, take)
        var second = Self.state(epoch: 2)
        let now = Self.start + 5_000 * 15_000
        #expect(second.restore(chunks, now: now).isEmpty)
        second.restore(models: saved.suffix(1))
        for i in 4_800..<5_000 {
            let time = Self.start + Int64(i) * 15_000
            let record = SamplesRecord.encode(source: 3, watermark: time, section: Self.section, time: time, values: [values[i] ?? 50])
            _ = try second.ingest(record, partition: 0, offset: Int64(i), now: time)
        }
        second.resume(latestRows: [:], now: now)
        try Self.feed(&second, &series, 5_000..<7_200, take)
        func coverage(_ range: Range<Int>) -> Double {
            var hits = 0
            var total = 0
            for (at, forecast) in made where range.contains(at) {
                for (k, step) in forecast.path.enumerated() {
                    guard let value = values[at + k + 1], at + k + 1 < range.upperBound else { continue }
                    total += 1
                    hits += step.lower80 <= value && value <= step.upper80 ? 1 : 0
                }
            }
            return Double(hits) / Double(max(total, 1))
        }
        let calm = coverage(1_500..<3_000)
        let afterShift = coverage(3_300..<4_200)
        let afterRestart = coverage(5_400..<7_200)
        for (name, share) in [("before", calm), ("after the shift", afterShift), ("after the gap and the restart", afterRestart)] {
            #expect(0.72...0.88 ~= share, "\(name): \(share)")
        }
    }
}
