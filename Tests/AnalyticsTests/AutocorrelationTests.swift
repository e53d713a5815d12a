import Foundation
import TestSupport
import Testing

@testable import Analytics

@Suite struct AutocorrelationTests {
    static let mongo = GoldenSeries.values("ms_1m/mongo-03")

    /// statsmodels acf(x, nlags=5, alpha=.05): upper end minus value.
    @Test func bartlettBounds() throws {
        let acf = try #require(autocorrelation(of: Self.mongo, lags: 5).value)
        let expected = [0, 0.03652177252402422, 0.061519675782862326, 0.07797483232762947, 0.09106369579941687, 0.10222457038567734]
        for k in 0...5 { #expect(relativeError(acf.bounds[k], expected[k]) < 1e-10) }
        #expect(acf.significantLags == [1, 2, 3, 4, 5])
    }

    @Test func defaultLagsAreThoseOfStatsmodels() {
        #expect(autocorrelation(of: Self.mongo).value?.values.count == 35)
        #expect(partialAutocorrelation(of: Self.mongo).value?.values.count == 35)
        #expect(autocorrelation(of: [1, 2, 4, 3]).value?.values.count == 4)
        #expect(Autocorrelation.defaultLags(count: 0) == 0)
        #expect(Autocorrelation.defaultLags(count: 1) == 0)
        #expect(PartialAutocorrelation.defaultLags(count: 3) == 0)
    }

    @Test func moreLagsThanThereAreIsCut() {
        #expect(autocorrelation(of: [1, 2, 4, 3], lags: 100).value?.values.count == 4)
        #expect(autocorrelation(of: [1, 2, 4, 3], lags: 0).value?.values == [1])
        #expect(autocorrelation(of: [1, 2, 4, 3], lags: -1).value == nil)
    }

    @Test(arguments: 1...10) func equalsTheDefinition(_ seed: Int) throws {
        var random = SplitMix64(seed: UInt64(seed))
        let n = Int.random(in: 2...70, using: &random)
        let x = random.noise(n)
        let mean = x.reduce(0, +) / Double(n)
        func sum(_ k: Int) -> Double { (0..<(n - k)).reduce(0) { $0 + (x[$1] - mean) * (x[$1 + k] - mean) } }
        let acf = try #require(autocorrelation(of: x, lags: n - 1).value)
        for k in 0..<n { #expect(abs(acf.values[k] - sum(k) / sum(0)) < 1e-12, "seed \(seed) lag \(k)") }
    }

    @Test func whiteNoiseHasFewSignificantLagsAndAnUnremarkableLjungBox() throws {
        var small = 0
        for seed in 1...40 {
            var random = SplitMix64(seed: UInt64(seed))
            let acf = try #require(autocorrelation(of: random.noise(500), lags: 20).value)
            #expect(acf.significantLags.count <= 6, "seed \(seed)")
            let box = try #require(ljungBox(acf).value)
            if box.pValue < 0.05 { small += 1 }
        }
        #expect(small <= 6)
    }

    @Test func ljungBoxLags() throws {
        let acf = try #require(autocorrelation(of: Self.mongo, lags: 5).value)
        #expect(relativeError(ljungBox(acf, lags: 1).value?.statistic, 2648.6490085) < 1e-9)
        #expect(relativeError(ljungBox(acf, lags: 4).value?.statistic, 9856.77719968) < 1e-9)
        #expect(ljungBox(acf, lags: 6).reason == "a lag of 6 is outside 1...5")
        #expect(ljungBox(acf, lags: 0).value == nil)
        let none = try #require(autocorrelation(of: Self.mongo, lags: 0).value)
        #expect(ljungBox(none).reason == "no lag")
    }

    @Test func partialAutocorrelationOfAnAutoregressionCutsOff() throws {
        var random = SplitMix64(seed: 11)
        let pacf = try #require(partialAutocorrelation(of: random.autoregression(0.7, count: 4000), lags: 10).value)
        #expect(abs(pacf.values[1] - 0.7) < 0.05)
        for k in 2...10 { #expect(abs(pacf.values[k]) < 0.06) }
        #expect(pacf.significantLags.first == 1)
    }

    @Test func burgFindsTheModelThatMadeTheSeries() throws {
        var random = SplitMix64(seed: 5)
        let x = random.autoregression(0.9, count: 5000).map { 100 + 3 * $0 }
        let model = try #require(burg(of: x, order: 2).value)
        #expect(abs(model.coefficients[0] - 0.9) < 0.05)
        #expect(abs(model.coefficients[1]) < 0.05)
        #expect(abs(model.variance - 9) < 0.6)
        #expect(abs(model.mean - 100) < 3)
    }

    @Test func burgOfAPerfectCycleEndsEarlyWithZeros() throws {
        let model = try #require(burg(of: (0..<200).map { $0 % 2 == 0 ? 1.0 : -1.0 }, order: 6).value)
        #expect(model.coefficients.count == 6)
        #expect(finite(model.coefficients))
        #expect(model.variance.isFinite && model.variance >= 0)
    }

    @Test func burgRefusesOrdersItCannotFit() {
        #expect(burg(of: [1, 2, 3], order: 0).reason == "an order below 1: 0")
        #expect(burg(of: [1, 2, 3], order: 2).reason == "too short: 3 of 4 samples")
    }

    /// The lagged recursion is the direct one, in other sums.
    @Test(arguments: [(60, 0.5), (400, 0.99), (2880, 0.9), (2880, 0.9999), (30, 0.0)])
    func laggedBurgIsTheDirectOne(_ shape: (count: Int, persistence: Double)) throws {
        var random = SplitMix64(seed: UInt64(shape.count))
        var x = random.autoregression(shape.persistence, count: shape.count)
        let mean = x.reduce(0, +) / Double(x.count)
        for t in x.indices { x[t] -= mean }
        let order = min(28, shape.count / 4)
        let direct = BurgRecursion(x, count: x.count, order: order)
        let lagged = try #require(BurgRecursion(lagged: x, count: x.count, order: order))
        #expect(lagged.order == order && direct.order == order)
        for i in 0..<order {
            #expect(abs(lagged.reflections[i] - direct.reflections[i]) < 1e-9, "order \(i + 1)")
            #expect(abs(lagged.variances[i + 1] / direct.variances[i + 1] - 1) < 1e-9, "order \(i + 1)")
        }
    }

    @Test func laggedBurgLeavesWhatIsNearlyPerfectToTheDirectOne() {
        let wave: [Double] = (0..<500).map { sin(2 * .pi * Double($0) / 20) }
        #expect(BurgRecursion(lagged: wave, count: wave.count, order: 25) == nil)
        #expect(BurgRecursion(lagged: [Double](repeating: 0, count: 500), count: 500, order: 4) == nil)
        #expect(BurgRecursion(lagged: [1, -1, 2], count: 3, order: 2) == nil)
    }
}
