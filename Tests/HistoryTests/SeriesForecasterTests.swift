import Analytics
import Foundation
import Records
import TestSupport
import Testing
import TimeSeries

@testable import History

@Suite struct EvenSeriesTests {
    /// The steps of one series looked at again and again, each time told the step of before.
    private func steps(count: Int = 240, _ distance: (inout SplitMix64) -> Milliseconds) -> [Milliseconds] {
        var random = SplitMix64(seed: 3)
        var times: [Milliseconds] = [1_700_000_000_000]
        var known: Milliseconds?
        return (0..<count).map { _ in
            for _ in 0..<(times.count < 300 ? 300 : 4) { times.append(times[times.count - 1] + distance(&random)) }
            let series = EvenSeries(times: times, values: times.map { Double($0 % 7) }, span: 3_600_000, known: known)
            known = series.step
            return series.step
        }
    }

    @Test(arguments: [(15_000, 5), (60_000, 20), (10_000, 3), (1_000, 0), (7_000, 0)] as [(Milliseconds, Milliseconds)])
    func clocksThatJitterKeepTheirStep(_ interval: Milliseconds, _ jitter: Milliseconds) {
        let found = Set(steps { interval + Milliseconds.random(in: -jitter...jitter, using: &$0) })
        #expect(found == [max(interval, 3_600_000 / Milliseconds(EvenSeries.maximumCount))])
    }

    @Test func irregularSeriesKeepTheirStep() {
        let even = steps { Milliseconds.random(in: 20_000...40_000, using: &$0) }
        #expect(Set(even).count == 1 && (27_000...33_000).contains(even[0]))
        // Poisson: the median is ln 2 of the mean.
        let poisson = steps { random in
            let u = Double.random(in: 1e-9...1, using: &random)
            return Milliseconds(max(1, -60_000 * log(u)))
        }
        #expect(Set(poisson).count == 1 && (33_000...52_000).contains(poisson[0]))
    }

    @Test func anotherIntervalGivesAnotherStep() {
        let times = (0..<600).map { 1_700_000_000_000 + Milliseconds($0) * 12_000 }
        let values = times.map { Double($0 % 11) }
        #expect(EvenSeries(times: times, values: values, span: 7_200_000, known: 15_000).step == 12_000)
        #expect(EvenSeries(times: times, values: values, span: 7_200_000, known: 12_010).step == 12_010)
        #expect(EvenSeries(times: times, values: values, span: 7_200_000, known: 12_100).step == 12_000)
        #expect(EvenSeries(times: times, values: values, span: 7_200_000, least: 20_000).step == 20_000)
        #expect(EvenSeries(times: [1_000], values: [1], span: 7_200_000, known: 12_000).step == 12_000)
    }
}

@Suite struct SeriesForecasterTests {
    private let series = SeriesKey(labels: LabelSet(name: "load"), type: .gauge)
    private let start: Milliseconds = 1_700_000_000_000

    private func even(_ values: [Double], step: Milliseconds, horizon: Milliseconds, known: Milliseconds?) -> EvenSeries {
        EvenSeries(
            times: values.indices.map { start + Milliseconds($0) * step }, values: values, span: 43_200_000, known: known,
            least: SeriesForecaster.leastStep(horizon: horizon))
    }

    private func ask(
        _ forecaster: inout SeriesForecaster?, _ values: [Double], step: Milliseconds = 60_000, horizon: Milliseconds = 600_000
    ) -> ForecastResult {
        let even = even(values, step: step, horizon: horizon, known: forecaster?.step)
        var result = ForecastResult(series: series, time: even.end, revision: Revision(rawValue: 0), horizon: horizon, step: even.step)
        let rules = SeriesForecaster.Rules(horizon: horizon, refit: 900_000, idleTimeout: 90_000)
        SeriesForecaster.forecast(&forecaster, even, cycles: [], at: even.end, rules, into: &result)
        return result
    }

    /// With the twentieth value after the standstill, then each time a quarter more is known, and when it is over.
    @Test func aSeriesThatWokeIsFittedAsItGrows() throws {
        var random = SplitMix64(seed: 12)
        var forecaster: SeriesForecaster?
        var values = [Double](repeating: 50, count: 300)
        var fits: [Int] = []
        for k in 1...60 {
            values.append(k < 50 ? Double.random(in: 60...70, using: &random) : 50)
            let before = forecaster?.fittedAt
            let result = ask(&forecaster, values)
            if forecaster?.fittedAt != before { fits.append(k) }
            if (20..<50).contains(k) {
                let avg = try #require(result.avg)
                #expect(avg.upper80 - avg.lower80 > 0.5 && avg.expected > 59 && avg.expected < 71, "\(k)")
            }
        }
        #expect(fits == [1, 16, 20, 27, 35, 45, 56], "\(fits)")
    }

    @Test func aConstantSeriesThatMovesIsConstantNoLonger() throws {
        var forecaster: SeriesForecaster?
        var values = [Double](repeating: 50, count: 600)
        var result = ask(&forecaster, values)
        #expect(result.reason == "constant" && result.avg?.lower95 == 50 && result.avg?.upper95 == 50)
        values += [48.8]
        result = ask(&forecaster, values)
        #expect(result.reason != "constant")
        #expect(forecaster?.fittedAt == start + 600 * 60_000)
    }

    @Test(
        arguments: [(600_000, 45_000, 585_000), (600_000, 60_000, 600_000), (600_000, 900_000, 900_000)]
            as [(Milliseconds, Milliseconds, Milliseconds)])
    func theHorizonIsThatOfThePath(_ asked: Milliseconds, _ step: Milliseconds, _ given: Milliseconds) {
        var forecaster: SeriesForecaster?
        let result = ask(&forecaster, (0..<200).map { Double($0 * 31 % 17) }, step: step, horizon: asked)
        #expect(result.horizon == given && Milliseconds(result.path.count) * result.step == given)
    }

    @Test func aLongHorizonIsCoveredInLongerSteps() {
        var forecaster: SeriesForecaster?
        let week: Milliseconds = 7 * 86_400_000
        let result = ask(&forecaster, (0..<2_880).map { Double($0 * 31 % 17) }, step: 15_000, horizon: week)
        #expect(result.path.count <= SeriesForecaster.longestPath && abs(result.horizon - week) <= result.step)
        #expect(result.step >= week / Milliseconds(SeriesForecaster.longestPath))
    }

    @Test func jitterLeavesTheForecasterAlone() {
        var random = SplitMix64(seed: 4)
        var forecaster: SeriesForecaster?
        var times = (0..<600).map { start + Milliseconds($0) * 60_000 }
        var fits: Set<Milliseconds> = []
        for _ in 0..<14 {
            times.append(start + Milliseconds(times.count) * 60_000 + Milliseconds.random(in: -20...20, using: &random))
            let even = EvenSeries(times: times, values: times.map { Double($0 / 1000 % 13) }, span: 43_200_000, known: forecaster?.step)
            var result = ForecastResult(series: series, time: even.end, revision: Revision(rawValue: 0), horizon: 600_000, step: even.step)
            let rules = SeriesForecaster.Rules(horizon: 600_000, refit: 900_000, idleTimeout: 90_000)
            SeriesForecaster.forecast(&forecaster, even, cycles: [], at: even.end, rules, into: &result)
            fits.insert(forecaster?.fittedAt ?? 0)
        }
        #expect(fits.count == 1)
    }
}
