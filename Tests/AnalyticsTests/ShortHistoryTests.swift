import Testing

@testable import Analytics

/// Series of which not three horizons are known.
struct ShortHistoryTests {
    @Test func fewSamplesAreAdmitted() throws {
        var random = SeededGenerator(seed: 3)
        let x = random.autoregression(1, count: 12)
        let answer = forecast(x, horizon: 10)
        #expect(answer.reason == "short: 12 samples, not one horizon tested")
        let forecast = try #require(answer.value)
        #expect(abs(forecast.path[0].expected - x[11]) < 0.01)
        let widths = forecast.path.map { $0.interval80.upperBound - $0.interval80.lowerBound }
        #expect(widths == widths.sorted() && widths[9] > 2.5 * widths[0])
    }

    /// Of noise, the path is its level, the extremes are those of the last block, and the mean is between level and block.
    @Test func ofNoiseTheLevelTells() throws {
        let x: [Double] = [3, 9, 4, 6, 2, 7, 5, 8, 1, 6, 5, 4]
        let history = ShortHistory(x)
        #expect(history.smoothing.gain == 0.08 || history.smoothing.gain == 0.2)
        #expect(history.share > 0.95)
        let forecast = try #require(forecast(x, horizon: 10).value)
        for prediction in forecast.path { #expect(abs(prediction.expected - 5) < 0.7) }
        #expect(abs(forecast.max.expected - 8) < 1e-6)
        #expect(abs(forecast.min.expected - 1) < 1e-6)
        #expect(abs(forecast.avg.expected - 4.8) < 0.2)
    }

    @Test(arguments: [[0, 0, 1], [1, 0, 0], [5, 5, 5, 5, 5, 5, 5, 9], [1, 2, 1e300], [-1e300, 1e300, 0]])
    func theShortestAreAnswered(_ x: [Double]) throws {
        var options = ForecastOptions()
        options.minimumSamples = 3
        for horizon in [1, 10, 1440] {
            let forecast = try #require(Analytics.forecast(x, horizon: horizon, options: options).value)
            for prediction in forecast.path + [forecast.max, forecast.min, forecast.avg] {
                #expect(prediction.quantiles.allSatisfy { $0.isFinite })
                #expect(prediction.quantiles == prediction.quantiles.sorted())
            }
        }
    }

    struct Case: CustomTestStringConvertible, Sendable {
        let memory: Double
        let count: Int
        /// Highest error of the path over that of the last value.
        let ratio: Double
        var testDescription: String { "x = \(memory) x + noise, \(count) samples" }
    }

    /// 400 series each: the path is nearer than the last value where that is noise and no further off where it is all there is to know;
    /// 80 and 95 % hold what they promise of steps and mean. Four standard errors are .08 and .05, as steps of one series are alike.
    @Test(arguments: [
        Case(memory: 0, count: 12, ratio: 0.85), Case(memory: 0, count: 30, ratio: 0.8), Case(memory: 0.8, count: 30, ratio: 1),
        Case(memory: 1, count: 12, ratio: 1.03), Case(memory: 1, count: 30, ratio: 1.03),
    ])
    func pathsAndIntervalsOfFewSamples(_ test: Case) throws {
        var random = SeededGenerator(seed: 21)
        let (runs, horizon) = (400, 10)
        var (error, naive, steps, means) = (0.0, 0.0, [0.0, 0.0], [0.0, 0.0])
        for _ in 0..<runs {
            let x = random.autoregression(test.memory, count: test.count + horizon)
            let forecast = try #require(forecast(Array(x[..<test.count]), horizon: horizon).value)
            let next = x[test.count...]
            for (prediction, value) in zip(forecast.path, next) {
                error += abs(prediction.expected - value)
                naive += abs(x[test.count - 1] - value)
                steps[0] += prediction.interval80.contains(value) ? 1 : 0
                steps[1] += prediction.interval95.contains(value) ? 1 : 0
            }
            let mean = next.reduce(0, +) / Double(horizon)
            means[0] += forecast.avg.interval80.contains(mean) ? 1 : 0
            means[1] += forecast.avg.interval95.contains(mean) ? 1 : 0
        }
        #expect(error < test.ratio * naive, "\(error / naive)")
        let shares = [steps[0] / Double(horizon), means[0], steps[1] / Double(horizon), means[1]].map { $0 / Double(runs) }
        #expect(shares[0] > 0.72 && shares[1] > 0.72 && shares[2] > 0.9 && shares[3] > 0.9, "\(shares)")
        #expect(shares[0] < 0.92, "\(shares)")
    }
}
