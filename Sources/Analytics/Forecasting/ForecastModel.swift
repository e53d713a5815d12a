import Glibc

/// A fitted forecaster: candidates, weights, and the quantiles of past residuals.
///
/// Fitting is the expensive half; `forecast(from:)` needs only the history and can be repeated as samples come in, until the next fit.
package struct ForecastModel: Sendable {
    package enum Kind: Sendable, Equatable {
        case constant
        /// Too few samples for a pool: last value, intervals of a random walk.
        case short
        /// Most values equal the one before: last value.
        case sticky
        case pooled
    }

    package let horizon: Int
    package let kind: Kind
    /// Number of samples fitted.
    package let count: Int
    /// Shift and scale of the values when fitted.
    private let series: Scaling
    private let pool: ForecastPool
    private let pathResiduals: ResidualQuantiles
    private let statisticResiduals: ResidualQuantiles
    /// 0 for a series that was never negative; its forecasts are not either.
    private let floor: Double

    private struct Scaling: Sendable {
        let shrink: Double
        let factor: Double
        let mean: Double

        func center(_ x: Double) -> Double { (x * shrink - mean * shrink) * factor }

        /// At most the largest double.
        func restore(_ v: Double) -> Double {
            let top = Double.greatestFiniteMagnitude
            return Swift.min(Swift.max((v / factor + mean * shrink) / shrink, -top), top)
        }
    }

    // MARK: Fitting

    /// - Returns: no value for a history that is empty, too short (`minimumSamples`) or not finite, or a horizon outside 1 ... 1,440.
    package static func fit(
        _ history: Span<Double>, horizon: Int, options: ForecastOptions = ForecastOptions()
    ) -> Answer<ForecastModel> {
        guard 1...1_440 ~= horizon else { return .none("a horizon of \(horizon) steps is outside 1...1440") }
        switch CenteredSeries.make(of: history, minimum: max(options.minimumSamples, 3)) {
        case .success(let series):
            let model = ForecastModel(fitting: series, horizon: horizon, options: options)
            return .value(model, remark: model.remark)
        case .failure(.constant):
            return .value(ForecastModel(constant: history[0], count: history.count, horizon: horizon), remark: "constant")
        case .failure(let reason): return .none(reason)
        }
    }

    private var remark: String? {
        switch kind {
        case .constant: "constant"
        case .short: "short: \(count) samples, last value"
        case .sticky: "mostly unchanged: last value"
        case .pooled: nil
        }
    }

    private init(constant value: Double, count: Int, horizon: Int) {
        self.horizon = horizon
        self.count = count
        kind = .constant
        // Centred, the value is zero and comes back without rounding.
        series = Scaling(shrink: 1, factor: 1, mean: value)
        pool = Self.lastValueOnly(horizon: horizon)
        let none = [Double](repeating: 0, count: ResidualQuantiles.levelCount)
        pathResiduals = ResidualQuantiles(offsets: (0..<horizon).flatMap { _ in none })
        statisticResiduals = ResidualQuantiles(offsets: none + none + none)
        floor = -.infinity
    }

    private init(fitting series: CenteredSeries, horizon: Int, options: ForecastOptions) {
        self.horizon = horizon
        count = series.count
        self.series = Scaling(shrink: series.shrink, factor: series.factor, mean: series.mean)
        floor = series.min >= 0 ? 0 : -.infinity
        let values = series.storage
        guard let origins = Self.origins(count: values.count, horizon: horizon, options: options) else {
            kind = .short
            pool = Self.lastValueOnly(horizon: horizon)
            (pathResiduals, statisticResiduals) = RandomWalkIntervals.residuals(values, horizon: horizon)
            return
        }
        let actual = ForecastPool.Actual(values, origins, horizon: horizon)
        var pool: ForecastPool
        var trials: ForecastPool.Trials
        if Self.isSticky(values) {
            kind = .sticky
            pool = Self.lastValueOnly(horizon: horizon)
            trials = pool.trials(values, origins)
        } else {
            kind = .pooled
            pool = ForecastPool(fitting: values, horizon: horizon, options: options)
            trials = pool.trials(values, origins)
            let recency = (0..<origins.count).map { exp2(Double(origins[$0] - origins.last) / options.halfLife) }
            pool.weigh(&trials, actual: actual, recency: recency, sharpness: options.sharpness)
        }
        let pooled = pool.pooled(trials, count: origins.count)
        let stride = Double(origins.stride)
        pathResiduals = ResidualQuantiles(forecasts: pooled.paths, actual: actual.paths, width: horizon) { Double($0 + 1) / stride }
        statisticResiduals = ResidualQuantiles(forecasts: pooled.statistics, actual: actual.statistics, width: 3) { _ in
            Double(horizon) / stride
        }
        self.pool = pool
    }

    private static func lastValueOnly(horizon: Int) -> ForecastPool {
        var pool = ForecastPool(paths: [LastValue()], blocks: [], horizon: horizon)
        pool.trustLastValue()
        return pool
    }

    /// Most values equal the one before.
    private static func isSticky(_ values: [Double]) -> Bool {
        var equal = 0
        for t in 1..<values.count where values[t] == values[t - 1] { equal += 1 }
        return 2 * equal > values.count - 1
    }

    /// The last origins with a whole horizon behind them, thinned for long horizons, whose errors overlap; nil when there are fewer than 20.
    private static func origins(count n: Int, horizon: Int, options: ForecastOptions) -> ForecastOrigins? {
        let earliest = max(16, horizon)
        let latest = n - horizon
        let stride = max(1, horizon / 10)
        let available = (latest - earliest) / stride + 1
        let count = min(max(options.origins / stride, 20), available)
        guard latest >= earliest, count >= 20 else { return nil }
        return ForecastOrigins(first: latest - (count - 1) * stride, stride: stride, count: count)
    }

    // MARK: Forecasting

    /// The forecast from the end of `history`, which is the fitted one with any number of later values.
    package func forecast(from history: Span<Double>) -> Answer<Forecast> {
        guard history.count > 0 else { return .none(.tooShort(count: 0, minimum: 1)) }
        var values = [Double](repeating: 0, count: history.count)
        for t in 0..<history.count {
            let value = series.center(history[t])
            guard value.isFinite else { return .none(.notFinite(index: t)) }
            values[t] = value
        }
        let origin = ForecastOrigins(first: values.count, stride: 1, count: 1)
        var trials = pool.trials(values, origin)
        pool.correct(&trials)
        let centre = pool.pooled(trials, count: 1)
        let path = (0..<horizon).map { prediction(centre.paths[$0], pathResiduals.column($0)) }
        let statistics = (0..<3).map { prediction(centre.statistics[$0], statisticResiduals.column($0)) }
        guard path.allSatisfy(Self.isFinite), statistics.allSatisfy(Self.isFinite) else { return .none(.overflow) }
        let ordered = Self.ordered(statistics)
        return .value(Forecast(horizon: horizon, max: ordered[0], min: ordered[1], avg: ordered[2], path: path), remark: remark)
    }

    private func prediction(_ centre: Double, _ offsets: ArraySlice<Double>) -> Prediction {
        let quantiles = offsets.map { max(series.restore(centre + $0), floor) }
        return Prediction(expected: quantiles[ResidualQuantiles.levelCount / 2], quantiles: quantiles)
    }

    private static func isFinite(_ prediction: Prediction) -> Bool { prediction.quantiles.allSatisfy(\.isFinite) }

    /// min <= avg <= max, which three separate forecasts do not promise.
    private static func ordered(_ statistics: [Prediction]) -> [Prediction] {
        let (high, low, mean) = (statistics[0], statistics[1], statistics[2])
        func bound(_ prediction: Prediction, _ bound: (Double, Double) -> Double, _ other: Prediction) -> Prediction {
            let quantiles = zip(prediction.quantiles, other.quantiles).map(bound)
            return Prediction(expected: bound(prediction.expected, other.expected), quantiles: quantiles)
        }
        return [bound(high, Swift.max, mean), bound(low, Swift.min, mean), mean]
    }
}
