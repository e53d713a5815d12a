import Foundation
import TestSupport
import Testing

@testable import Analytics

@Suite struct ForecastTests {
    @Test func constantIsForecastAsItIs() throws {
        for value in [0, -3.25, 0.1, 1e300, -Double.greatestFiniteMagnitude] {
            let answer = forecast([Double](repeating: value, count: 50), horizon: 10)
            #expect(answer.reason == "constant")
            let forecast = try #require(answer.value)
            for prediction in forecast.path + [forecast.max, forecast.min, forecast.avg] {
                #expect(prediction.expected == value)
                #expect(prediction.interval95 == value...value)
            }
        }
    }

    @Test func horizonsAreChecked() {
        #expect(forecast([1, 2, 3], horizon: 0).reason == "a horizon of 0 steps is outside 1...1440")
        #expect(forecast([1, 2, 3], horizon: -1).value == nil)
        #expect(forecast([1, 2, 3], horizon: 100_000).value == nil)
    }

    /// 120 samples at 40 steps: tried at past origins, though these hardly differ, and the intervals know that. The bounds leave four
    /// standard errors of the 80 series.
    @Test func youngSeriesAreForecastAndSayHowLittleIsKnown() throws {
        var random = SplitMix64(seed: 51)
        var (error, naive, inside) = (0.0, 0.0, [0.0, 0, 0])
        let runs = 80.0
        for run in 0..<Int(runs) {
            let x = random.autoregression(run % 2 == 0 ? 0.3 : 0.9, count: 160)
            let model = try #require(ForecastModel.fit(Array(x[..<120]).span, horizon: 40).value)
            #expect(model.kind == .pooled)
            let forecast = try #require(model.forecast(from: Array(x[..<120]).span).value)
            let next = x[120...]
            for (s, value) in next.enumerated() {
                error += abs(forecast.path[s].expected - value)
                naive += abs(x[119] - value)
            }
            let came = [next.max() ?? 0, next.min() ?? 0, next.reduce(0, +) / 40]
            for (k, prediction) in [forecast.max, forecast.min, forecast.avg].enumerated() where prediction.interval80.contains(came[k]) {
                inside[k] += 1
            }
        }
        #expect(error < 0.95 * naive, "\(error / naive)")
        for share in inside { #expect(share / runs > 0.62, "\(inside)") }
    }

    @Test func seriesThatStandStillKeepTheirLastValue() throws {
        var random = SplitMix64(seed: 6)
        var level = 10.0
        let x = (0..<1000).map { t in
            if t % 20 == 0 { level = 10 + Double(Int.random(in: 0...5, using: &random)) }
            return level
        }
        let answer = forecast(x, horizon: 10)
        #expect(answer.reason == "mostly unchanged")
        let forecast = try #require(answer.value)
        #expect(abs(forecast.path[0].expected - x[999]) < 1e-9)
    }

    /// Bursts over a floor of zero: the minimum of ten steps is that floor, exactly, though path candidates lie above it.
    @Test func aStatisticThatStandsStillIsForecastToTheDigit() throws {
        var random = SplitMix64(seed: 71)
        let x = random.noise(600).map { max($0, 0) }
        let model = try #require(ForecastModel.fit(x.span, horizon: 10).value)
        #expect(model.kind == .pooled)
        let forecast = try #require(model.forecast(from: x.span).value)
        #expect(forecast.min.expected < 1e-12)
        #expect(forecast.max.expected > 1 && forecast.path[4].expected > 0)
    }

    /// Nothing ever moved before: the path stays with the last value, the minimum is that of the floor.
    @Test func theFirstBurstLeavesTheFloorToo() throws {
        var history = [Double](repeating: 2, count: 300)
        history += [9, 9, 9, 5]
        let forecast = try #require(forecast(history, horizon: 10).value)
        #expect(forecast.min.quantiles.allSatisfy { abs($0 - 2) < 1e-6 }, "\(forecast.min)")
        #expect(forecast.path.allSatisfy { abs($0.expected - 5) < 1e-6 })
        #expect(forecast.max.expected >= 5 - 1e-6)
    }

    /// Medians and past blocks alike foresaw the floor to the digit; in the burst that has begun only the blocks still know it.
    @Test func aBurstLeavesTheFloorWhereItWas() throws {
        var history = [Double](repeating: 2, count: 300)
        // At an odd and an even place: origins lie two apart.
        (history[200], history[203]) = (40, 40)
        history += [9, 9, 9, 5]
        let low = try #require(forecast(history, horizon: 10).value).min
        #expect(low.quantiles.allSatisfy { abs($0 - 2) < 1e-6 }, "\(low)")
    }

    /// Changes at even places only, on which no sampled origin may lie: the season is exact and has to win all the same.
    @Test(arguments: [0, 1]) func rareChangesOfAnExactSeasonAreForeseen(_ shift: Int) throws {
        let x = (0..<2100).map { ($0 + shift) % 288 < 108 ? 80.0 : 20.0 }
        var options = ForecastOptions()
        options.seasonalPeriods = [288]
        for end in stride(from: 1700, to: 2090, by: 13) + [1728 - shift, 1727 - shift, 1836 - shift, 1835 - shift] {
            let forecast = try #require(forecast(Array(x[..<end]), horizon: 2, options: options).value)
            for s in 0..<2 { #expect(abs(forecast.path[s].expected - x[end + s]) < 1e-6, "origin \(end), step \(s + 1)") }
        }
    }

    /// A job each hour, of five minutes: with a day told, the hour competes where the series shows it.
    @Test func anHourlyJobIsForeseen() throws {
        let options = ForecastOptions(detected: [], day: 288)
        #expect(options.seasonalPeriods == [288] && options.hour == 12)
        #expect(ForecastOptions(detected: [], day: 24).hour == nil)
        #expect(ForecastOptions(detected: [], day: nil).hour == nil)
        #expect(ForecastOptions(detected: [SeasonalPeriod(period: 12, strength: 0.9)], day: 288).hour == nil)
        var random = SplitMix64(seed: 31)
        let x = (0..<700).map { t in 5 + 0.3 * random.normal() + (t % 12 == 3 ? 20 : 0) }
        #expect(SeasonalAutoregression.isVisible(period: 12, in: x, ahead: 1))
        #expect(!SeasonalAutoregression.isVisible(period: 11, in: x, ahead: 1))
        #expect(!SeasonalAutoregression.isVisible(period: 12, in: Array(x[..<12]), ahead: 1))
        // A horizon of an hour or more is no step of an hour.
        for ahead in [11, 12, 13, 24, 36] { #expect(SeasonalAutoregression.isVisible(period: 12, in: x, ahead: ahead)) }
        var plain = options
        plain.hour = nil
        var (error, without) = (0.0, 0.0)
        for end in 650..<690 {
            let known = Array(x[..<end])
            let model = try #require(ForecastModel.fit(known.span, horizon: 2, options: options).value)
            let pool = try #require(model.table.unpacked(horizon: 2)).pool
            #expect(pool.candidates.contains { $0.kind == .seasonalAutoregression && $0.parameters[0] == 12 }, "origin \(end)")
            let path = try #require(model.forecast(from: known.span).value).path
            let other = try #require(forecast(known, horizon: 2, options: plain).value).path
            for s in 0..<2 {
                error += abs(path[s].expected - x[end + s])
                without += abs(other[s].expected - x[end + s])
            }
        }
        #expect(error < without, "\(error / without)")
        #expect(error < 80 * 0.5, "\(error / 80)")
    }

    @Test func whatWasNeverNegativeStaysSo() throws {
        var random = SplitMix64(seed: 6)
        let x = random.noise(500).map { abs($0) }
        let forecast = try #require(forecast(x, horizon: 10).value)
        for prediction in forecast.path + [forecast.min] { #expect(prediction.interval95.lowerBound >= 0) }
    }

    @Test func unitsDoNotMatter() throws {
        let x = Array(GoldenSeries.values("ms_1m/mongo-03").suffix(600))
        let base = try #require(forecast(x, horizon: 10).value)
        let other = try #require(forecast(x.map { 1024 * $0 }, horizon: 10).value)
        for (a, b) in zip(base.path, other.path) { #expect(relativeError(1024 * a.expected, b.expected) < 1e-9) }
        #expect(relativeError(1024 * base.max.interval95.upperBound, other.max.interval95.upperBound) < 1e-9)
    }

    @Test func aModelIsGoodForLaterSamplesToo() throws {
        let x = GoldenSeries.values("ms_1m/mongo-03")
        let model = try #require(ForecastModel.fit(Array(x.prefix(1000)).span, horizon: 10).value)
        #expect(model.kind == .pooled)
        let later = try #require(model.forecast(from: Array(x.prefix(1010)).span).value)
        let refitted = try #require(forecast(Array(x.prefix(1010)), horizon: 10).value)
        let scale = refitted.avg.interval95.upperBound - refitted.avg.interval95.lowerBound
        #expect(abs(later.avg.expected - refitted.avg.expected) < 0.2 * scale)
        #expect(model.forecast(from: [1, .nan].span).reason == "not finite: sample 1")
        #expect(model.forecast(from: [Double]().span).reason == "too short: 0 of 1 samples")
    }

    /// 240 forecasts of each kind; the error of a coverage of 80 % is then about 2.6 % on independent ones.
    @Test(arguments: [0.0, 0.7, 1.0]) func coverageIsNearNominal(_ memory: Double) throws {
        var random = SplitMix64(seed: 33)
        var inside = (path80: 0.0, path95: 0.0, max80: 0.0, avg80: 0.0)
        let runs = 24
        for _ in 0..<runs {
            let x = random.autoregression(memory, count: 700)
            let forecast = try #require(forecast(Array(x.prefix(690)), horizon: 10).value)
            let next = Array(x.suffix(10))
            for (prediction, value) in zip(forecast.path, next) {
                if prediction.interval80.contains(value) { inside.path80 += 0.1 }
                if prediction.interval95.contains(value) { inside.path95 += 0.1 }
            }
            if forecast.max.interval80.contains(next.max() ?? 0) { inside.max80 += 1 }
            if forecast.avg.interval80.contains(next.reduce(0, +) / 10) { inside.avg80 += 1 }
        }
        let count = Double(runs)
        #expect(0.6...0.95 ~= inside.path80 / count)
        #expect(0.8...1 ~= inside.path95 / count)
        #expect(0.5...1 ~= inside.max80 / count)
        #expect(0.5...1 ~= inside.avg80 / count)
    }

    /// Zero for hours and bursts of any height, as writes to a disk. What the path says after a burst moves the mean off zero by a little; an
    /// interval of residuals that were exactly zero would leave out the zero that comes.
    @Test func aMeanThatReturnsToZeroIsWithinItsInterval() throws {
        var (below, count) = (0, 0)
        for seed in 0..<4 as Range<UInt64> {
            var random = SplitMix64(seed: 50 + seed)
            var (values, left): ([Double], Int) = ([], 0)
            while values.count < 1400 {
                if left == 0, Double.random(in: 0..<1, using: &random) < 0.03 { left = Int.random(in: 1...5, using: &random) }
                values.append(left > 0 ? exp(15 + 2 * random.noise(1)[0]) : 0)
                left = max(0, left - 1)
            }
            for origin in stride(from: 1000, to: 1398, by: 3) where values[origin] == 0 && values[origin + 1] == 0 {
                let forecast = try #require(forecast(Array(values[(origin - 1000)..<origin]), horizon: 2).value)
                count += 1
                if !forecast.avg.interval95.contains(0) { below += 1 }
            }
        }
        #expect(Double(below) / Double(count) < 0.02, "\(below) of \(count)")
    }

    @Test func noiseIsForecastByItsMeanAndItsMaximumIsNotThatMean() throws {
        var random = SplitMix64(seed: 12)
        let forecast = try #require(forecast(random.noise(2000).map { 50 + $0 }, horizon: 10).value)
        #expect(abs(forecast.path[4].expected - 50) < 0.5)
        // The expected maximum of ten standard normal values is 1.54.
        #expect(abs(forecast.max.expected - 51.5) < 0.4)
        #expect(abs(forecast.min.expected - 48.5) < 0.4)
        #expect(abs(forecast.path[4].interval80.upperBound - 51.28) < 0.6)
    }

    /// Real series: better than the last value in the median error over origins.
    @Test func realSeriesAreForecastBetterThanByTheirLastValue() throws {
        var ratios: [Double] = []
        for name in ["ms_1m/mongo-03", "ms_1m/ingress-05", "smd_1m/machine-1-6_d21", "smd_1m/machine-2-1_d34"] {
            let x = GoldenSeries.values(name)
            var (error, naive) = (0.0, 0.0)
            for end in stride(from: 1500, through: 2850, by: 150) {
                let forecast = try #require(forecast(Array(x[(end - 1200)..<end]), horizon: 10).value)
                for s in 0..<10 {
                    error += abs(forecast.path[s].expected - x[end + s])
                    naive += abs(x[end - 1] - x[end + s])
                }
            }
            ratios.append(error / naive)
        }
        #expect(exp(ratios.reduce(0) { $0 + log($1) } / Double(ratios.count)) < 0.97, "\(ratios)")
    }
}
