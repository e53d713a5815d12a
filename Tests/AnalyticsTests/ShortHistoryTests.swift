import TestSupport
import Testing

@testable import Analytics

/// Series of which not three horizons are known.
struct ShortHistoryTests {
    @Test func fewSamplesAreAdmitted() throws {
        var random = SplitMix64(seed: 3)
        let x = random.autoregression(1, count: 12)
        let answer = forecast(x, horizon: 10)
        #expect(answer.reason == "short: 12 samples, too few to test a forecast on a whole horizon")
        let forecast = try #require(answer.value)
        #expect(abs(forecast.path[0].expected - x[11]) < 0.01)
        let widths = forecast.path.map { $0.interval80.upperBound - $0.interval80.lowerBound }
        #expect(widths == widths.sorted() && widths[9] > 2.5 * widths[0])
    }

    /// Of noise, the path is its level, the extremes are those of the last block, and the mean is between level and block.
    @Test func ofNoiseTheLevelTells() throws {
        let x: [Double] = [3, 9, 4, 6, 2, 7, 5, 8, 1, 6, 5, 4]
        let history = ShortHistory(x, isSticky: false)
        #expect(history.smoothing.gain == 0.08 || history.smoothing.gain == 0.2)
        #expect(history.share > 0.95)
        let forecast = try #require(forecast(x, horizon: 10).value)
        let level = x.dropFirst().reduce(x[0]) { $0 + history.smoothing.gain * ($1 - $0) }
        // Shares are kept in 255ths.
        func kept(_ share: Double) -> Double { (255 * share).rounded() / 255 }
        let share = kept(history.share)
        for prediction in forecast.path { #expect(abs(prediction.expected - share * level - (1 - share) * 4) < 1e-6) }
        #expect(abs(level - 5) < 0.7)
        #expect(abs(forecast.max.expected - 8) < 1e-6)
        #expect(abs(forecast.min.expected - 1) < 1e-6)
        // A third of the share is the level's, two thirds that of the mean of the last ten, 4.8; the rest is the last value's.
        let parts = (kept(history.share / 3), kept(history.share * 2 / 3), kept(1 - history.share))
        let mean = (parts.0 * level + parts.1 * 4.8 + parts.2 * 4) / (parts.0 + parts.1 + parts.2)
        #expect(abs(forecast.avg.expected - mean) < 1e-6)
    }

    /// Mostly still: a level between its values is none of them. The path is the last value, the mean may go either way.
    @Test(arguments: [[Double](repeating: 0, count: 56) + [10, 0, 0, 0], [Double](repeating: 5, count: 58) + [9, 9]])
    func whatStandsStillHasNoLevel(_ x: [Double]) throws {
        let forecast = try #require(forecast(x, horizon: 40).value)
        for prediction in forecast.path { #expect(abs(prediction.expected - x[59]) < 1e-6) }
        #expect(abs(forecast.min.expected - (x.suffix(40).min() ?? 0)) < 1e-6)
        let block = x.suffix(40).reduce(0, +) / 40
        #expect(abs(forecast.avg.expected - (x[59] + block) / 2) < 1e-6)
    }

    /// Every 25th sample, on average, jumps up for one sample, or the level moves for good.
    @Test(arguments: [false, true]) func intervalsOfSeriesThatMostlyStandStill(_ stays: Bool) throws {
        var random = SplitMix64(seed: 77)
        var (inside, error, naive) = (0.0, 0.0, 0.0)
        for _ in 0..<400 {
            var level = 0.0
            let x = (0..<60).map { _ in
                let jump = Double.random(in: 0..<1, using: &random) < 0.04 ? abs(random.normal()) + 1 : 0
                if stays { level += jump }
                return stays ? level : jump
            }
            guard let forecast = forecast(Array(x[..<50]), horizon: 40).value else { continue }
            for (prediction, value) in zip(forecast.path, x[50...]) {
                inside += prediction.interval80.contains(value) ? 1 : 0
                error += abs(prediction.expected - value)
                naive += abs(x[49] - value)
            }
        }
        #expect(inside / 4_000 > 0.75, "\(inside / 4_000)")
        #expect(error <= naive * (1 + 1e-6), "\(error / naive)")
    }

    /// One value out of line neither makes a level of a trend nor moves the forecast.
    @Test(arguments: [10, 30, 50, 57]) func oneOutlierDoesNotDecide(_ place: Int) throws {
        var x = (0..<60).map { 100 + Double($0) }
        x[place] = 2_000
        #expect(ShortHistory(x, isSticky: false).share < 0.05)
        let forecast = try #require(forecast(x, horizon: 40).value)
        #expect(abs(forecast.path[0].expected - 159) < 8, "\(forecast.path[0].expected)")
    }

    /// Four answers about one value are one.
    @Test func oneStepIsItsOwnExtremeAndMean() throws {
        let x: [Double] = [3, 9, 4, 6, 2, 7, 5, 8, 1, 6, 5, 9]
        let forecast = try #require(forecast(x, horizon: 1).value)
        #expect(abs(forecast.path[0].expected - 5.5) < 1)
        for statistic in [forecast.max, forecast.min, forecast.avg] { #expect(statistic == forecast.path[0]) }
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
    /// 80 and 95 % hold what they promise of steps and mean, and at least that of extremes. Four standard errors are .08 and .05, as steps
    /// of one series are alike.
    @Test(arguments: [
        Case(memory: 0, count: 12, ratio: 0.85), Case(memory: 0, count: 30, ratio: 0.8), Case(memory: 0.8, count: 30, ratio: 1),
        Case(memory: 1, count: 12, ratio: 1.03), Case(memory: 1, count: 30, ratio: 1.03),
    ])
    func pathsAndIntervalsOfFewSamples(_ test: Case) throws {
        var random = SplitMix64(seed: 21)
        let (runs, horizon) = (400, 10)
        var (error, naive, steps, means, extremes) = (0.0, 0.0, [0.0, 0.0], [0.0, 0.0], 0.0)
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
            extremes += forecast.max.interval80.contains(next.max() ?? 0) ? 0.5 : 0
            extremes += forecast.min.interval80.contains(next.min() ?? 0) ? 0.5 : 0
        }
        #expect(error < test.ratio * naive, "\(error / naive)")
        let shares = [steps[0] / Double(horizon), means[0], steps[1] / Double(horizon), means[1]].map { $0 / Double(runs) }
        #expect(shares[0] > 0.72 && shares[1] > 0.72 && shares[2] > 0.9 && shares[3] > 0.9, "\(shares)")
        #expect(shares[0] < 0.92 && shares[2] < 0.995, "\(shares)")
        #expect(extremes / Double(runs) > 0.72, "\(extremes / Double(runs))")
    }
}
