import Foundation
import TestSupport
import Testing

@testable import Analytics

@Suite struct StationarityTests {
    static let mongo = GoldenSeries.values("ms_1m/mongo-03")

    /// statsmodels 0.15.0 on the same series.
    @Test func otherLagSelections() throws {
        let bic = try #require(augmentedDickeyFuller(of: Self.mongo, lags: .bic).value)
        #expect(bic.lags == 7)
        #expect(relativeError(bic.statistic, -3.625825340064985) < 1e-8)
        #expect(relativeError(bic.informationCriterion, 19564.060559776095) < 1e-8)
        let fixed = try #require(augmentedDickeyFuller(of: Self.mongo, terms: .trend, lags: .fixed(5)).value)
        #expect(fixed.observations == 2874)
        #expect(relativeError(fixed.statistic, -4.3472785176186255) < 1e-8)
        #expect(relativeError(fixed.pValue, 0.002653998436804147) < 1e-8)
        #expect(fixed.informationCriterion == nil)
        let limited = try #require(augmentedDickeyFuller(of: Self.mongo, maximumLag: 10).value)
        #expect(limited.lags == 10)
        #expect(relativeError(limited.statistic, -3.1533363131644196) < 1e-8)
    }

    @Test func otherKPSSLags() throws {
        let legacy = try #require(kpss(of: Self.mongo, lags: .legacy).value)
        #expect(legacy.lags == 28)
        #expect(relativeError(legacy.statistic, 0.5116491356413404) < 1e-8)
        #expect(relativeError(legacy.pValue, 0.039042987468166576) < 1e-8)
        let fixed = try #require(kpss(of: Self.mongo, terms: .trend, lags: .fixed(7)).value)
        #expect(relativeError(fixed.statistic, 1.748955274287594) < 1e-8)
        #expect(fixed.pValue == 0.01)
        #expect(kpss(of: Self.mongo, lags: .fixed(-1)).value == nil)
        #expect(kpss(of: Self.mongo, lags: .fixed(2880)).reason == "a lag of 2880 is outside 0..<2880")
    }

    /// statsmodels 0.15.0 on the first 30, 4 and 6 values.
    @Test func shortSeries() throws {
        let short = Array(Self.mongo.prefix(30))
        let adf = try #require(augmentedDickeyFuller(of: short).value)
        #expect(adf.lags == 9)
        #expect(adf.observations == 20)
        #expect(relativeError(adf.statistic, -1.0472903283810147) < 1e-8)
        #expect(relativeError(adf.informationCriterion, 82.99663719369579) < 1e-8)
        #expect(relativeError(augmentedDickeyFuller(of: short, terms: .trend).value?.statistic, -0.8912722008312352) < 1e-8)
        #expect(relativeError(kpss(of: short).value?.statistic, 0.5742799334167882) < 1e-8)
        #expect(relativeError(kpss(of: short, terms: .trend).value?.statistic, 0.19341549353244328) < 1e-8)
        #expect(relativeError(augmentedDickeyFuller(of: Array(short.prefix(4))).value?.statistic, -1.3940362464700908) < 1e-8)
        #expect(
            relativeError(augmentedDickeyFuller(of: Array(short.prefix(6)), terms: .trend).value?.statistic, -3.5287056876525718) < 1e-8)
        #expect(augmentedDickeyFuller(of: Array(short.prefix(3))).reason == "too short: 3 of 4 samples")
        #expect(augmentedDickeyFuller(of: Array(short.prefix(5)), terms: .trend).reason == "too short: 5 of 6 samples")
    }

    @Test func lagsOutsideTheSampleAreRefused() {
        #expect(
            augmentedDickeyFuller(of: Array(Self.mongo.prefix(30)), lags: .fixed(14)).reason
                == "a lag of 14 is outside 0...13 for 30 samples")
        #expect(augmentedDickeyFuller(of: Self.mongo, maximumLag: -1).value == nil)
    }

    /// Every nested regression from the shared cross products against reflections of the columns themselves.
    @Test(arguments: 1...8) func sharedCrossProductsEqualTheirRegressions(_ seed: Int) throws {
        var random = SplitMix64(seed: UInt64(seed))
        let n = Int.random(in: 30...200, using: &random)
        let x = random.autoregression(seed % 2 == 0 ? 1 : 0.8, count: n)
        let levels = try CenteredSeries.make(of: x, minimum: 4).get()
        let largest = AugmentedDickeyFuller.defaultMaximumLag(count: n, terms: .trend)
        let design = DickeyFullerDesign(x.span, levels: levels, maximumLag: largest)
        for lag in [0, largest / 2, largest] {
            let rows = n - 1 - lag
            var columns: [[Double]] = [
                [Double](repeating: 1, count: rows), (lag..<(n - 1)).map { Double($0) / Double(n) }, (lag..<(n - 1)).map { x[$0] },
            ]
            for i in stride(from: 1, through: lag, by: 1) { columns.append((lag..<(n - 1)).map { x[$0 - i + 1] - x[$0 - i] }) }
            columns.append((lag..<(n - 1)).map { x[$0 + 1] - x[$0] })
            let slow = NestedLeastSquares.factor(columns: columns.flatMap { $0 }, rows: rows, size: columns.count)
            let names = [DickeyFullerDesign.Column.one, .trend, .level] + (1..<(lag + 1)).map { .difference($0) }
            let fast = design.regress(on: names, firstRow: lag)
            #expect(fast.ranks == slow.ranks)
            let unit = levels.scale * levels.scale
            for j in 1..<names.count {
                #expect(relativeError(fast.residuals[j], slow.residuals[j] * unit) < 1e-9, "seed \(seed) lag \(lag) column \(j)")
            }
        }
    }

    @Test func nearlyCollinearDesignsKeepTheirDigits() throws {
        // A smooth curve: its differences are almost a combination of each other, so cross products alone would lose everything.
        var random = SplitMix64(seed: 9)
        let x = (0..<600).map { sin(Double($0) / 50) + 1e-9 * random.normal() }
        let adf = augmentedDickeyFuller(of: x)
        let value = try #require(adf.value)
        #expect(value.statistic.isFinite)
        let moved = try #require(augmentedDickeyFuller(of: x.map { 4 * $0 }).value)
        #expect(moved.lags == value.lags)
        #expect(relativeError(moved.statistic, value.statistic) < 1e-9)
    }

    @Test func verdicts() {
        #expect(StationarityVerdict(adfRejects: true, kpssRejects: false).rawValue == "stationary")
        #expect(StationarityVerdict(adfRejects: false, kpssRejects: true).rawValue == "unit-root")
        #expect(StationarityVerdict(adfRejects: true, kpssRejects: true).rawValue == "structural-break-or-long-memory")
        #expect(StationarityVerdict(adfRejects: false, kpssRejects: false).rawValue == "inconclusive")
        #expect(StationarityVerdict.constant.rawValue == "constant")
    }

    /// Where nothing is left to test there is no value; statsmodels gives what rounding makes of it.
    @Test func noLevelIsLeftToTest() {
        let changedEarly = [Double](repeating: 4, count: 5) + [Double](repeating: 5, count: 2_875)
        #expect(augmentedDickeyFuller(of: changedEarly).value == nil)
        for count in [20, 80, 3_000] {
            #expect(augmentedDickeyFuller(of: (0..<count).map { Double($0) * 0.1 }).value == nil)
            #expect(augmentedDickeyFuller(of: (0..<count).map { 1e9 - Double($0) * 0.3 }).value == nil)
        }
        // A little noise on a line is something to test.
        var random = SplitMix64(seed: 5)
        #expect(augmentedDickeyFuller(of: random.noise(300).enumerated().map { Double($0) * 0.1 + $1 * 1e-6 }).value != nil)
    }

    @Test func verdictsOnSeriesOfKnownKind() {
        var random = SplitMix64(seed: 21)
        #expect(stationarity(of: random.noise(2000)).verdict.value == .stationary)
        #expect(stationarity(of: random.autoregression(1, count: 2000)).verdict.value == .unitRoot)
        #expect(stationarity(of: [Double](repeating: 4, count: 2000)).verdict.value == .constant)
    }

    @Test func mackinnonAtItsEnds() {
        #expect(MacKinnon.pValue(3, .constant) == 1)
        #expect(MacKinnon.pValue(-19, .constant) == 0)
        #expect(MacKinnon.pValue(1, .trend) == 1)
        #expect(MacKinnon.pValue(-17, .trend) == 0)
        // Critical values and p-values agree.
        for terms in DeterministicTerms.allCases {
            let critical = MacKinnon.criticalValues(terms, observations: 1_000_000)
            #expect(abs(MacKinnon.pValue(critical.onePercent, terms) - 0.01) < 0.001)
            #expect(abs(MacKinnon.pValue(critical.fivePercent, terms) - 0.05) < 0.002)
            #expect(abs(MacKinnon.pValue(critical.tenPercent, terms) - 0.10) < 0.003)
        }
    }
}
