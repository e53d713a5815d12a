import Foundation
import TestSupport
import Testing

@testable import Analytics

@Suite struct ForecastCandidateTests {
    let ramp = (0..<40).map(Double.init)

    private func candidates(_ x: [Double]) throws -> [any ForecastCandidate] {
        [
            LastValue(), RecentMedian(width: 5), RecentMedian(width: 60), ExponentialSmoothing(gain: 0.3),
            try #require(WinsorisedAutoregression(fitting: x)), try #require(DifferenceAutoregression(fitting: x)),
            try #require(LogAutoregression(fitting: x)), try #require(SeasonalAutoregression(fitting: x, period: 24)),
        ]
    }

    /// No candidate looks past its origin: values from it on can be anything.
    @Test func candidatesReadOnlyThePast() throws {
        var random = SplitMix64(seed: 2)
        let x = random.autoregression(0.8, count: 200)
        var changed = x
        for t in 150..<200 { changed[t] = 1e6 }
        let all = try candidates(x)
        let kinds = Set(all.map(\.kind))
        #expect(kinds == Set(CandidateKind.allCases))
        for candidate in all {
            #expect(candidate.path(x, origin: 150, horizon: 10) == candidate.path(changed, origin: 150, horizon: 10), "\(candidate.kind)")
            // Many origins in one call are the same as one at a time.
            let origins = ForecastOrigins(first: 100, stride: 5, count: 11)
            var rows = [Double](repeating: .nan, count: 110)
            candidate.forecast(x, origins: origins, horizon: 10, into: &rows)
            for i in 0..<11 {
                let row = Array(rows[(10 * i)..<(10 * i + 10)])
                #expect(distance(row, candidate.path(x, origin: origins[i], horizon: 10)) < 1e-9, "\(candidate.kind) from \(origins[i])")
            }
        }
    }

    private func distance(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) } }

    /// The parameters are all there is to a candidate, and garbage makes none or one that works.
    @Test func candidatesAreMadeAgainFromTheirParameters() throws {
        var random = SplitMix64(seed: 4)
        let x = random.autoregression(0.8, count: 400)
        for candidate in try candidates(x) {
            let again = try #require(candidate.kind.make(candidate.parameters))
            let (path, same) = (candidate.path(x, origin: 400, horizon: 12), again.path(x, origin: 400, horizon: 12))
            #expect(distance(path, same) < 1e-4, "\(candidate.kind)")
            // Only the last `reach` values matter.
            let tail = Array(x.suffix(candidate.reach))
            let short = candidate.path(tail, origin: tail.count, horizon: 12)
            #expect(distance(short, path) < 1e-4, "\(candidate.kind)")
        }
        for kind in CandidateKind.allCases {
            #expect(kind.make([.nan]) == nil)
            for parameters: [Float] in [[], [-1], [1e30, 1e30, 1e30, 1e30], [0, 0, 0, 0, 0]] {
                _ = kind.make(parameters)?.path(x, origin: 400, horizon: 5)
            }
        }
    }

    @Test func lastValue() {
        #expect(LastValue().path(ramp, origin: 11, horizon: 3) == [10, 10, 10])
    }

    @Test func recentMedianIgnoresAnOutlier() {
        #expect(RecentMedian(width: 5).path([1, 2, 3, 900, 5], origin: 5, horizon: 2) == [3, 3])
        #expect(RecentMedian(width: 4).path([9, 1, 2, 3, 900], origin: 5, horizon: 1) == [2.5])
        #expect(RecentMedian(width: 5).path([4, 2], origin: 2, horizon: 1) == [3])
    }

    /// The window that slides against a sort at each place.
    @Test func slidingMedianIsThatOfASort() {
        var random = SplitMix64(seed: 21)
        // Many ties.
        let x = (0..<300).map { _ in Double(Int.random(in: 0...9, using: &random)) }
        for width in [1, 2, 7, 60] {
            let origins = ForecastOrigins(first: 3, stride: 3, count: 99)
            var medians = [Double](repeating: 0, count: 99)
            RecentMedian(width: width).forecast(x, origins: origins, horizon: 1, into: &medians)
            for i in 0..<99 {
                let sorted = x[max(0, origins[i] - width)..<origins[i]].sorted()
                let (below, above) = (sorted[(sorted.count - 1) / 2], sorted[sorted.count / 2])
                let median = (below + above) / 2
                #expect(medians[i] == median, "width \(width), origin \(origins[i])")
            }
        }
    }

    @Test func autoregressionIteratesItsEquation() throws {
        var random = SplitMix64(seed: 8)
        let x = random.autoregression(0.9, count: 400)
        // The band from -2 to 2, the mean 0.5, two coefficients.
        let candidate = try #require(WinsorisedAutoregression(parameters: [-2, 2, 0.5, 0.75, -0.25]))
        var values = x.map { min(max($0, -2), 2) - 0.5 }
        for _ in 0..<13 { values.append(0.75 * values[values.count - 1] - 0.25 * values[values.count - 2]) }
        for (a, b) in zip(candidate.path(x, origin: 400, horizon: 13), values.suffix(13)) { #expect(abs(a - 0.5 - b) < 1e-10) }
        #expect(WinsorisedAutoregression(parameters: [2, -2, 0]) == nil)
    }

    /// Bursts of a hundred standard deviations: the plain coefficient shrinks to nothing, this one stays, and a burst is not carried on.
    @Test func burstsDoNotBendTheWinsorisedAutoregression() throws {
        var random = SplitMix64(seed: 41)
        var x = random.autoregression(0.8, count: 2_000)
        let clean = try #require(WinsorisedAutoregression(fitting: x, maximumOrder: 1)).coefficients[0]
        #expect(abs(clean - 0.8) < 0.05)
        for t in stride(from: 40, to: 1_999, by: 80) { x[t] += 160 }
        x[1_999] = 160
        let plain = try #require(AutoregressiveOrder.fit(x, maximumOrder: 1))
        #expect((plain.first ?? 0) < 0.2)
        let candidate = try #require(WinsorisedAutoregression(fitting: x, maximumOrder: 1))
        #expect(candidate.coefficients[0] > 0.6, "\(candidate.coefficients)")
        #expect(candidate.path(x, origin: 2_000, horizon: 1)[0] < 8)
    }

    @Test func autoregressionOfDifferencesGoesOnWithASlope() throws {
        var random = SplitMix64(seed: 8)
        let x = (0..<400).map { 0.5 * Double($0) + 0.01 * random.normal() }
        let path = try #require(DifferenceAutoregression(fitting: x)).path(x, origin: 400, horizon: 10)
        // Burg shrinks towards a slope of zero, slowly.
        #expect(abs(path[0] - 200) < 0.3)
        #expect(path[9] > 203 && path[9] < 205.5)
    }

    @Test func tooShortForAnAutoregression() {
        #expect(WinsorisedAutoregression(fitting: []) == nil)
        #expect(WinsorisedAutoregression(fitting: [1, -1, 1]) == nil)
        #expect(LogAutoregression(fitting: [2, 2, 2]) == nil)
        #expect(SeasonalAutoregression(fitting: ramp, period: 21) == nil)
        #expect(SeasonalAutoregression(fitting: ramp, period: 1) == nil)
    }

    /// Of exp of an autoregression the logarithm is forecast, so the path tends to the median, far below the mean.
    @Test func logarithmsAreForecastsOfTheMedian() throws {
        var random = SplitMix64(seed: 18)
        let x = random.autoregression(0.3, count: 3_000).map { exp(0.8 * $0) }
        let far = try #require(LogAutoregression(fitting: x)).path(x, origin: 3_000, horizon: 30)[29]
        let mean = x.reduce(0, +) / 3_000
        let median = x.sorted()[1_500]
        #expect(abs(far - median) < 0.1 * median, "\(far), median \(median), mean \(mean)")
        #expect(mean > 1.25 * median)
    }

    @Test func aCycleIsRepeated() throws {
        var random = SplitMix64(seed: 9)
        let cycle = random.noise(24).map { 10 * $0 }
        let x = (0..<240).map { cycle[$0 % 24] + 0.01 * random.normal() }
        let candidate = try #require(SeasonalAutoregression(fitting: x, period: 24))
        #expect(candidate.cycles == 4)
        for (s, value) in candidate.path(x, origin: 240, horizon: 60).enumerated() { #expect(abs(value - cycle[s % 24]) < 0.1) }
    }

    @Test func smoothingByHandAndItsGainByTheData() throws {
        // 0, 0.5, 1.25
        #expect(ExponentialSmoothing(gain: 0.5).path(ramp, origin: 3, horizon: 1) == [1.25])
        #expect(ExponentialSmoothing(fitting: [1, 2, 3], horizon: 4) == nil)
        var random = SplitMix64(seed: 5)
        #expect(try #require(ExponentialSmoothing(fitting: random.noise(500), horizon: 10)).gain < 0.2)
        #expect(try #require(ExponentialSmoothing(fitting: random.autoregression(1, count: 500), horizon: 10)).gain > 0.4)
    }

    private func block(_ candidate: BlockCandidate, _ x: [Double], origin: Int, horizon: Int) -> BlockStatistics {
        let origins = ForecastOrigins(first: origin, stride: 1, count: 1)
        let blocks = PastBlocks(x, origins: origins, horizon: horizon, depth: BlockCandidate.depth)
        return candidate.forecast(blocks, origin: origin)
    }

    @Test func pastBlocks() {
        #expect(block(.last, ramp, origin: 20, horizon: 5) == BlockStatistics(max: 19, min: 15, avg: 17))
        #expect(block(.meanOfEight, ramp, origin: 40, horizon: 5) == BlockStatistics(max: 21.5, min: 17.5, avg: 19.5))
        #expect(block(.medianOfEight, ramp, origin: 40, horizon: 5) == BlockStatistics(max: 21.5, min: 17.5, avg: 19.5))
        var burst = ramp
        burst[38] = 1_000
        #expect(block(.medianOfEight, burst, origin: 40, horizon: 5) == BlockStatistics(max: 21.5, min: 17.5, avg: 19.5))
        // No whole block yet: what there is.
        #expect(block(.last, ramp, origin: 4, horizon: 5) == BlockStatistics(max: 3, min: 0, avg: 1.5))
        // Many origins share blocks; each still has its own.
        let origins = ForecastOrigins(first: 24, stride: 2, count: 6)
        let shared = PastBlocks(ramp, origins: origins, horizon: 3, depth: 8)
        for i in 0..<6 {
            for candidate in BlockCandidate.allCases {
                #expect(candidate.forecast(shared, origin: origins[i]) == block(candidate, ramp, origin: origins[i], horizon: 3))
            }
        }
    }

    @Test func residualQuantilesTakeTheConformalRanks() {
        // 99 residuals 1...99: level a has rank 100 a.
        let actual = (1...99).map(Double.init).shuffled()
        let none = [Double](repeating: 0, count: 99)
        let ones = [Double](repeating: 1, count: 99)
        let widening = IntervalWidening(independent: 19, statistic: nil)
        let quantiles = ResidualQuantiles(forecasts: none, actual: actual, width: 1, scales: ones, widening: [widening])
        for (place, rank) in [2.0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 98].enumerated() {
            // 18 degrees of freedom.
            let factor = place == 0 || place == 10 ? 1.04 + 1.8 / 18 : 1.02 + 0.9 / 18
            #expect(abs(Double(quantiles.column(0)[place]) - (50 + factor * (rank - 50))) < 1e-4)
        }
        #expect(quantiles.isAscending)
        #expect(ResidualQuantiles.ranks(1) == [Int](repeating: 0, count: 11))
    }

    /// Errors of a series whose steps are ten times as large every other 200 samples.
    @Test func localScaleFollowsTheVolatility() {
        var random = SplitMix64(seed: 31)
        var x = [0.0]
        for t in 1..<2_000 { x.append(x[t - 1] * 0.9 + random.normal() * (t / 200 % 2 == 0 ? 1 : 10)) }
        let origins = ForecastOrigins(first: 600, stride: 2, count: 690)
        let errors = (0..<690).map { abs(x[origins[$0] + 1] - x[origins[$0]]) }
        let scale = LocalScale(fitting: x, origins: origins, errors: errors)
        func at(_ t: Int) -> Double { scale.scales(x, origins: ForecastOrigins(first: t, stride: 1, count: 1))[0] }
        #expect(at(1_999) > 3 * at(1_790))
        #expect(LocalScale(parameters: scale.parameters)?.parameters == scale.parameters)
        let calm = LocalScale(fitting: x, origins: origins, errors: [Double](repeating: 0, count: 690))
        #expect(calm == .one)
    }
}
