import Glibc
import TimeSeries

/// The running statistics of a series that anomalies show in, and a cheap forecast of the next sample. O(1) a sample.
struct AnomalyStatistics: Sendable, Equatable {
    static let short = 20.0
    static let middle = 144.0
    static let long = 400.0
    private static let forecastMemory = 24.0
    private static let errorMemory = 288.0
    /// Of the usual distance to the long mean: changes below this share of it are no matter, however rare.
    private static let indifference = 0.05
    /// As many equal samples more or less are no matter.
    private static let fewUnchanged = 8.0
    /// Samples for which one drift counts once.
    private static let driftRun: UInt8 = 80
    /// Samples are learnt as at most so many usual distances from the long mean: else one wild one would hide all that comes in a year. They are
    /// judged as they are.
    private static let farthest = 10_000.0

    var count = 0.0
    var last = 0.0
    var origin = 0.0
    /// Means of the value.
    var shortMean = 0.0
    var forecastMean = 0.0
    var middleMean = 0.0
    var longMean = 0.0
    /// Means of the distance between neighbours.
    var shortSteps = 0.0
    var longSteps = 0.0
    /// Mean distance of the value to the long mean.
    var spread = 0.0
    /// Samples since the value last changed.
    var unchanged = 0.0
    /// Mean absolute errors of the forecasts: last value, recent mean, daily profile.
    var lastError = 0.0
    var meanError = 0.0
    var dailyError = 0.0
    var dailyCount = 0.0
    var dailyResidual = 0.0
    var daily = DailyProfile()

    /// The forecast of a sample at a place in the day: the three mixed as the fourth power of their errors bids, as in the forecast pool.
    func forecast(bin: Int) -> Double {
        let profile = daily.mean(bin)
        let best = min(lastError, meanError, profile == nil || dailyCount == 0 ? .infinity : dailyError)
        func weight(_ error: Double) -> Double {
            if error <= best { return 1 }
            let ratio = best / error
            return ratio * ratio * ratio * ratio
        }
        let a = weight(lastError)
        let b = weight(meanError)
        var sum = a * last + b * forecastMean
        var total = a + b
        if let profile, dailyCount > 0 {
            let c = weight(dailyError)
            sum += c * profile
            total += c
        }
        return sum / total
    }

    mutating func start(_ value: Double, bin: Int) {
        count = 1
        last = value
        origin = value
        shortMean = value
        forecastMean = value
        middleMean = value
        longMean = value
        daily.origin = value
        daily.add(value, bin: bin)
    }

    /// Takes a sample in and judges all tails with it: the greatest surprise and its cause. After a gap, neighbours say nothing of each
    /// other.
    mutating func take(_ x: Double, bin: Int, expected: Double, afterGap: Bool, _ tails: inout TailBank) -> (Double, AnomalyCause) {
        count += 1
        let profile = daily.mean(bin)
        let reach = spread > 0 && count > Self.long ? Self.farthest * spread : .infinity
        let learnt = min(max(x, longMean - reach), longMean + reach)
        let step = min(abs(x - last), reach)
        unchanged = step == 0 ? unchanged + 1 : 0
        let residual = x - expected
        spread += (abs(learnt - longMean) - spread) / min(count, Double(TailBank.forgetting))
        let least = Self.indifference * spread
        // What was usual before this sample.
        let usual = longMean
        if afterGap { forecastMean = learnt } else { learnErrors(learnt, profile, step) }
        learnMeans(learnt, profile, step, afterGap: afterGap)
        daily.add(learnt, bin: bin)
        last = x

        var worst = (0.0, AnomalyCause.highValue)
        func judge(_ value: Double, _ scale: Double, _ cause: AnomalyCause, _ runLength: UInt8) {
            let surprise = tails.judge(Int(cause.rawValue), value, scale: scale, runLength: runLength)
            if surprise > worst.0 { worst = (surprise, cause) }
        }
        func judge(_ value: Double, _ scale: Double, _ up: AnomalyCause, _ down: AnomalyCause, _ runLength: UInt8 = 0) {
            judge(value, scale, up, runLength)
            judge(-value, scale, down, runLength)
        }
        judge(x - origin, least, .highValue, .lowValue)
        if !afterGap {
            judge(residual, least, .jumpUp, .jumpDown)
            judge(activity(x), Self.indifference, .restless, .calm)
            // A run is judged when it has doubled: what goes on is no news.
            if isPowerOfTwo(unchanged) { judge(unchanged, Self.fewUnchanged, .flat, .max) }
        }
        judge(shortMean - usual, least, .levelUp, .levelDown)
        judge(middleMean - usual, least, .driftUp, .driftDown, Self.driftRun)
        if dailyCount > 0 { judge(dailyResidual, least, .aboveDaily, .belowDaily) }
        return worst
    }

    /// True for 0 as well.
    private func isPowerOfTwo(_ count: Double) -> Bool {
        let whole = UInt64(count)
        return whole & (whole &- 1) == 0
    }

    /// Logarithm of the recent size of the steps over the usual one.
    private func activity(_ x: Double) -> Double {
        let grain = 1e-9 * abs(x)
        let usual = longSteps + grain
        return usual > 0 ? log((shortSteps + 0.01 * longSteps + grain) / usual) : 0
    }

    private mutating func learnErrors(_ x: Double, _ profile: Double?, _ step: Double) {
        let weight = 1 / min(count - 1, Self.errorMemory)
        lastError += (step - lastError) * weight
        meanError += (abs(x - forecastMean) - meanError) * weight
        guard let profile else { return }
        dailyCount = min(dailyCount + 1, Self.errorMemory)
        dailyError += (abs(x - profile) - dailyError) / dailyCount
    }

    private mutating func learnMeans(_ x: Double, _ profile: Double?, _ step: Double, afterGap: Bool) {
        shortMean += (x - shortMean) / min(count, Self.short)
        forecastMean += (x - forecastMean) / min(count, Self.forecastMemory)
        middleMean += (x - middleMean) / min(count, Self.middle)
        longMean += (x - longMean) / min(count, Self.long)
        if !afterGap {
            shortSteps += (step - shortSteps) / min(count, Self.short)
            longSteps += (step - longSteps) / min(count, Self.long)
        }
        if let profile { dailyResidual += (x - profile - dailyResidual) / min(max(dailyCount, 1), Self.short) }
    }
}
