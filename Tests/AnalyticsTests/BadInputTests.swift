import Foundation
import TestSupport
import Testing

@testable import Analytics

/// What every function answers to input that no formula was made for.
@Suite struct BadInputTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let values: [Double]
        /// nil: an answer is expected.
        let reason: String?
        var testDescription: String { name }
    }

    static let cases: [Case] = {
        var random = SplitMix64(seed: 17)
        let noise = random.noise(300)
        func with(_ value: Double, at index: Int) -> [Double] {
            var x = noise
            x[index] = value
            return x
        }
        let top = Double.greatestFiniteMagnitude
        return [
            Case(name: "empty", values: [], reason: "too short"),
            Case(name: "one value", values: [3], reason: "too short"),
            Case(name: "constant", values: [Double](repeating: 7.5, count: 300), reason: "constant"),
            Case(name: "all zero", values: [Double](repeating: 0, count: 300), reason: "constant"),
            Case(name: "zero of both signs", values: (0..<300).map { $0 % 2 == 0 ? 0 : -0.0 }, reason: "constant"),
            Case(name: "NaN", values: with(.nan, at: 41), reason: "not finite: sample 41"),
            Case(name: "all NaN", values: [Double](repeating: .nan, count: 300), reason: "not finite: sample 0"),
            Case(name: "infinity", values: with(.infinity, at: 299), reason: "not finite: sample 299"),
            Case(name: "minus infinity", values: with(-.infinity, at: 0), reason: "not finite: sample 0"),
            Case(name: "one ulp of noise", values: noise.map { $0 > 0 ? 1e9 : (1e9).nextUp }, reason: nil),
            Case(name: "one ulp once", values: (0..<300).map { $0 == 150 ? (0.1).nextUp : 0.1 }, reason: nil),
            Case(name: "1e9 + 1e-3 noise", values: noise.map { 1e9 + 1e-3 * $0 }, reason: nil),
            Case(name: "1e300", values: noise.map { 1e300 * $0 }, reason: nil),
            Case(name: "1e-300", values: noise.map { 1e-300 * $0 }, reason: nil),
            Case(name: "the whole range", values: noise.map { $0 > 0 ? top : -top }, reason: nil),
            Case(name: "subnormal", values: noise.map { ($0 * 10).rounded() * Double.leastNonzeroMagnitude }, reason: nil),
            Case(name: "one spike", values: (0..<300).map { $0 == 200 ? 1e12 : 0 }, reason: nil),
            Case(name: "a step at the end", values: (0..<300).map { $0 < 299 ? 1 : 2 }, reason: nil),
        ]
    }()

    static let answerable = cases.filter { $0.reason == nil }
    static let unanswerable = cases.filter { $0.reason != nil }

    @Test(arguments: unanswerable) func saysWhy(_ input: Case) throws {
        let reason = try #require(input.reason)
        let x = input.values
        let reasons = [
            autocorrelation(of: x).reason, partialAutocorrelation(of: x).reason, burg(of: x, order: 3).reason,
            augmentedDickeyFuller(of: x).reason, augmentedDickeyFuller(of: x, terms: .trend).reason,
            kpss(of: x).reason, kpss(of: x, terms: .trend).reason, stationarity(of: x).verdict.reason, profile(of: x).reason,
            forecast(x, horizon: 10).reason,
        ]
        for (i, answer) in reasons.enumerated() { #expect(answer?.hasPrefix(reason) == true, "function \(i): \(answer ?? "nil")") }
        #expect(profile(of: x).seasonality.isEmpty)
        #expect(profile(of: x).significantLags.isEmpty)
        #expect(profile(of: x).verdict.value == (reason == "constant" ? .constant : nil))
    }

    @Test(arguments: answerable) func answersFiniteNumbers(_ input: Case) throws {
        let x = input.values
        let acf = try #require(autocorrelation(of: x).value)
        #expect(finite(acf.values) && finite(acf.bounds))
        #expect(acf.values.allSatisfy { abs($0) <= 1 + 1e-12 })
        let box = try #require(ljungBox(acf).value)
        #expect(box.statistic.isFinite && 0...1 ~= box.pValue)
        let pacf = try #require(partialAutocorrelation(of: x).value)
        #expect(finite(pacf.values))
        for order in [1, 10] {
            let model = burg(of: x, order: order)
            if let model = model.value {
                #expect(finite(model.coefficients) && model.variance.isFinite && model.mean.isFinite)
            } else {
                #expect(model.reason == "out of the range of a double", "variance of \(input.name)")
            }
        }
        for terms in DeterministicTerms.allCases {
            let adf = augmentedDickeyFuller(of: x, terms: terms)
            #expect(adf.value != nil || adf.reason != nil)
            if let adf = adf.value {
                #expect(adf.statistic.isFinite && 0...1 ~= adf.pValue && adf.informationCriterion?.isFinite != false)
            }
            let test = try #require(kpss(of: x, terms: terms).value)
            #expect(test.statistic.isFinite && 0.01...0.1 ~= test.pValue)
        }
        #expect(profile(of: x).reason == nil)
    }

    @Test(arguments: answerable, [1, 10, 40]) func forecastsFiniteOrderedNumbers(_ input: Case, _ horizon: Int) throws {
        let answer = forecast(input.values, horizon: horizon)
        guard let forecast = answer.value else {
            #expect(answer.reason == "out of the range of a double")
            return
        }
        #expect(forecast.path.count == horizon)
        for prediction in forecast.path + [forecast.max, forecast.min, forecast.avg] {
            #expect(finite(prediction.quantiles))
            #expect(prediction.quantiles == prediction.quantiles.sorted())
            #expect(prediction.interval80.contains(prediction.expected))
        }
        for prediction in forecast.path + [forecast.avg] {
            #expect(forecast.min.expected <= prediction.expected && prediction.expected <= forecast.max.expected)
        }
    }

    @Test func seriesThatFollowFromTheirPast() {
        let line = (0..<200).map { 3 + 0.5 * Double($0) }
        #expect(augmentedDickeyFuller(of: line).reason == "exactly predictable from its own past")
        #expect(kpss(of: line, terms: .trend).reason == "a straight line")
        #expect(kpss(of: line).value != nil)
        let square = (0..<200).map { Double($0 % 2) }
        #expect(augmentedDickeyFuller(of: square).reason == "exactly predictable from its own past")
        #expect(stationarity(of: line).verdict.value == nil)
    }

    @Test func statisticsDoNotDependOnTheUnit() throws {
        let x = GoldenSeries.values("ms_1m/mongo-04")
        let base = profile(of: x)
        for factor in [0x1p600, 0x1p-600] {
            let other = profile(of: x.map { $0 * factor })
            #expect(other.acf == base.acf)
            #expect(other.pacf == base.pacf)
            #expect(other.kpss == base.kpss)
            #expect(other.kpssTrend == base.kpssTrend)
            #expect(other.adf.value?.statistic == base.adf.value?.statistic)
            #expect(other.adfTrend.value?.statistic == base.adfTrend.value?.statistic)
        }
    }

    @Test func shortSeriesNeverTrap() {
        var random = SplitMix64(seed: 4)
        let noise = random.noise(80)
        for n in 0...80 {
            let x = Array(noise.prefix(n))
            _ = autocorrelation(of: x)
            _ = partialAutocorrelation(of: x)
            _ = burg(of: x, order: max(1, n - 2))
            _ = stationarity(of: x)
            _ = profile(of: x, minimumSamples: 0)
            for horizon in [1, 7, 40] {
                let answer = forecast(x, horizon: horizon)
                #expect((answer.value != nil) == (n >= 10), "\(n) samples")
                if n < 10 { #expect(answer.reason == "too short: \(n) of 10 samples") }
            }
        }
    }
}
