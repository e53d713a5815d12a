import Records
import TestSupport
import Testing
import TimeSeries

@testable import Analyzing

/// A day of a fleet on a simulated clock. The figures at full size come from `almanac-bench simulation`.
@Suite struct SimulationTests {
    static let start: Int64 = 1_700_006_400_000
    static let step: Milliseconds = 120_000
    static let count = 100

    /// Series as a host has them: counters, gauges, constants, steps, cycles, one that is often silent.
    static func value(_ series: Int, _ i: Int, _ random: inout SplitMix64) -> Double {
        switch series % 6 {
        case 0: return Double(i * (30 + series)) + Double.random(in: 0..<30, using: &random).rounded()
        case 1: return 50 + Double.random(in: -5...5, using: &random)
        case 2: return Double(series)
        case 3: return Double((i / 97) % 3)
        case 4: return Double(i % 15 == 0 ? 90 : 10) + Double.random(in: 0...1, using: &random)
        default: return i % 50 < 40 ? 1e9 + Double.random(in: 0...1e-3, using: &random) : .nan
        }
    }

    @Test func everySeriesHasAProfileAndTheWorkIsSpread() throws {
        var options = AnalyzeOptions()
        options.interval = Self.step
        options.windows = [3_600_000]
        options.quantiles = false
        options.forecastMetrics = { _ in false }
        // Fifteen places: six or seven profiles at each.
        options.profileInterval = 15 * Self.step
        var state = AnalyzerState(options: options, epoch: 1, partitions: 1, stopwatch: { 0 })
        let labels = (0..<Self.count).map { LabelSet(name: "metric_\($0 % 10)", [Label("host", "\($0 / 10)")]) }
        let section = SeriesSection(labels.enumerated().map { ($1, $0 % 6 == 0 ? .counter : .gauge) })
        var random = SplitMix64(seed: 5)
        var newest: [Fingerprint: ProfileResult] = [:]
        var perStep: [Int] = []
        for i in 0..<720 {
            let time = Self.start + Int64(i) * Self.step
            let values = labels.indices.map { Self.value($0, i, &random) }
            let record = SamplesRecord.encode(source: 7, watermark: time, section: section, time: time, values: values)
            _ = try state.ingest(record, partition: 0, offset: Int64(i), now: time)
            var profiles = 0
            for (_, result) in state.advance(now: time).output.results {
                guard case .profiles(let list) = result else { continue }
                profiles += list.count
                for profile in list { newest[profile.series.id] = profile }
            }
            // The first hour is that of young series, whose short profiles come more often.
            if i >= 30 { perStep.append(profiles) }
        }
        #expect(newest.count == Self.count)
        let end = Self.start + 719 * Self.step
        for profile in newest.values {
            #expect(profile.time > end - options.profileInterval)
            #expect(
                profile.verdict != nil || profile.detail["reason"]?.stringValue != nil || profile.samples > 300, "\(profile.series.labels)")
        }
        let mean = Double(perStep.reduce(0, +)) / Double(perStep.count)
        let most = perStep.max() ?? 0
        #expect(abs(mean - Double(Self.count) / 15) < 0.1)
        #expect(Double(most) <= 3 * mean, "\(most) profiles in one step, \(mean) in the mean")
        #expect(perStep.min() ?? 0 > 0)
    }
}
