import Glibc

/// A fitted forecaster: candidates, weights, and the quantiles of past residuals.
///
/// Fitting is the expensive half; `forecast(from:)` needs only the history and can be repeated as samples come in, until the next fit.
/// The model itself is small (mostly under 2 KB at 40 steps) and can be encoded.
package struct ForecastModel: Sendable {
    package enum Kind: UInt8, Sendable {
        case constant = 0
        /// Too few samples for a pool: see `ShortHistory`.
        case short = 1
        /// Most values equal the one before: the best candidate, nearly always the last value.
        case sticky = 2
        case pooled = 3
    }

    package let horizon: Int
    package let kind: Kind
    /// Number of samples known when it was fitted.
    package let count: Int
    /// Number of the last of them that were fitted: fewer where the series stood still before, see `Awakening`.
    let fitted: Int
    let scaling: SeriesScaling
    /// What was fitted, in the form in which it is kept and encoded.
    let table: ForecastTable

    init(horizon: Int, kind: Kind, count: Int, fitted: Int? = nil, scaling: SeriesScaling, table: ForecastTable) {
        self.horizon = horizon
        self.kind = kind
        self.count = count
        self.fitted = fitted ?? count
        self.scaling = scaling
        self.table = table
    }

    // MARK: Fitting

    /// - Parameter previous: the model before, of the same series: what had woken sleeps later than what did not wakes.
    /// - Returns: no value for a history that is empty, too short (`minimumSamples`) or not finite, or a horizon outside 1 ... 1,440.
    package static func fit(
        _ history: Span<Double>, horizon: Int, options: ForecastOptions = ForecastOptions(), after previous: ForecastModel? = nil
    ) -> Answer<ForecastModel> {
        guard 1...1_440 ~= horizon else { return .none("a horizon of \(horizon) steps is outside 1...1440") }
        let minimum = max(options.minimumSamples, 3)
        var start = Awakening.start(history, isAwake: previous?.isAwake ?? false)
        if history.count - start < minimum { start = 0 }
        switch CenteredSeries.make(of: history.extracting(start..<history.count), minimum: minimum) {
        case .success(let series):
            let model = ForecastModel(fitting: series, count: history.count, horizon: horizon, options: options)
            return .value(model, remark: model.remark)
        case .failure(.constant):
            return .value(ForecastModel(constant: history[0], count: history.count, horizon: horizon), remark: "constant")
        case .failure(.notFinite(let index)): return .none(.notFinite(index: start + index))
        case .failure(let reason): return .none(reason)
        }
    }

    /// Only what came since a standstill was fitted.
    var isAwake: Bool { fitted < count }

    /// To be fitted anew: the series was constant and is not; it has begun to move for good, or stands still again; a quarter more is known
    /// than was fitted, or a quarter less than then. Complexity: that of `Awakening.start`.
    package func isOutdated(for history: Span<Double>) -> Bool {
        let known = history.count
        guard known > 0 else { return false }
        if kind == .constant, history[known - 1] != scaling.mean { return true }
        let start = Awakening.start(history, isAwake: isAwake)
        return isAwake != (start > 0) || known - start >= fitted * 5 / 4 + 2 || known < count * 3 / 4
    }

    var remark: String? {
        switch kind {
        case .constant: "constant"
        case .short where isAwake: "began to move \(fitted) samples ago, too few to test a forecast on a whole horizon"
        case .short: "short: \(count) samples, too few to test a forecast on a whole horizon"
        case .sticky: "mostly unchanged"
        case .pooled: nil
        }
    }

    private init(constant value: Double, count: Int, horizon: Int) {
        let none = [Float](repeating: 0, count: (horizon + 3) * ResidualQuantiles.levelCount)
        // Centred, the value is zero and comes back without rounding.
        let scaling = SeriesScaling(shrink: 1, factor: 1, mean: value, floor: -.infinity)
        let table = ForecastTable(pool: ForecastPool(lastValue: horizon), residuals: ResidualQuantiles(offsets: none))
        self.init(horizon: horizon, kind: .constant, count: count, scaling: scaling, table: table)
    }

    /// - Parameter count: of the samples known; the series is the last of them.
    private init(fitting series: CenteredSeries, count: Int, horizon: Int, options: ForecastOptions) {
        let values = series.storage
        var kind = Kind.short
        var table: ForecastTable
        let isSticky = Self.isSticky(values)
        if let origins = Self.origins(count: values.count, horizon: horizon, options: options) {
            kind = isSticky ? .sticky : .pooled
            table = ForecastTable(fitting: values, origins: origins, horizon: horizon, isSticky: isSticky, options: options)
        } else {
            let history = ShortHistory(values, isSticky: isSticky)
            // Nothing was tried on whole horizons that could bound the forecast.
            let departures = [Float](repeating: .greatestFiniteMagnitude, count: horizon + 3)
            table = ForecastTable(
                pool: ForecastPool(short: history, horizon: horizon), departures: departures, residuals: history.residuals(horizon: horizon)
            )
        }
        self.init(horizon: horizon, kind: kind, count: count, fitted: series.count, scaling: SeriesScaling(series), table: table)
    }

    /// Most values equal the one before.
    private static func isSticky(_ values: [Double]) -> Bool {
        var equal = 0
        for t in 1..<values.count where values[t] == values[t - 1] { equal += 1 }
        return 2 * equal > values.count - 1
    }

    /// The last origins with a whole horizon behind them, a fifth of a horizon apart, since errors overlap; closer where there would be
    /// fewer than 60. nil when not one horizon fits between the first and the last, or there are fewer than 16.
    private static func origins(count n: Int, horizon: Int, options: ForecastOptions) -> ForecastOrigins? {
        let earliest = max(16, horizon)
        let latest = n - horizon
        guard latest - earliest >= max(horizon, 15) else { return nil }
        let stride = max(1, min(max(2, horizon / 5), (latest - earliest) / 60))
        let available = (latest - earliest) / stride + 1
        let count = min(max(options.span / stride, 180), available)
        return ForecastOrigins(first: latest - (count - 1) * stride, stride: stride, count: count)
    }

    // MARK: Forecasting

    /// The forecast from the end of `history`, which is the fitted one with any number of later values.
    package func forecast(from history: Span<Double>) -> Answer<Forecast> { forecast(from: history, widths: nil) }

    func forecast(from history: Span<Double>, widths: IntervalWidths?) -> Answer<Forecast> {
        switch outlook(from: history) {
        case .failure(let reason): return .none(reason)
        case .success(let outlook): return forecast(outlook, widths: widths)
        }
    }

    /// Centre and scale of the next values, in the unit of the model.
    func outlook(from history: Span<Double>) -> Result<Outlook, Unanswerable> {
        guard history.count > 0 else { return .failure(.tooShort(count: 0, minimum: 1)) }
        // A series that was never negative when it was fitted may have become so since.
        var floor = scaling.floor
        for t in 0..<history.count {
            guard history[t].isFinite else { return .failure(.notFinite(index: t)) }
            if history[t] < floor { floor = -.infinity }
        }
        guard let parts = table.unpacked(horizon: horizon) else { return .failure(.invalid("a damaged model")) }
        // What lies further back does not matter.
        let start = max(Awakening.start(history, isAwake: isAwake), history.count - parts.pool.reach)
        var values = [Double](repeating: 0, count: history.count - start)
        for t in values.indices {
            values[t] = scaling.center(history[start + t])
            guard values[t].isFinite else { return .failure(.overflow) }
        }
        var centre = parts.pool.forecast(values)
        RecentRange(values, horizon: horizon)?.confine(&centre, to: parts.departures)
        if kind == .short { Reconciliation.includeMean(&centre) } else { Reconciliation.combineMeans(&centre, horizon: horizon) }
        let scale = parts.scale.scales(values, origins: ForecastOrigins(first: values.count, stride: 1, count: 1))[0]
        return .success(Outlook(centre: centre, scale: scale, residuals: parts.residuals, floor: floor, awakened: awakened(values)))
    }

    struct Outlook {
        let centre: [Double]
        let scale: Double
        let residuals: ResidualQuantiles
        /// No value is forecast below it.
        let floor: Double
        /// Of a series that stood still and moves: what its last steps say, for columns of which the past knows no residual.
        let awakened: ResidualQuantiles?
    }

    /// Where nearly all residuals are those of a standstill, their quantiles are zero for as long as that is remembered, and no factor widens them.
    private func awakened(_ values: [Double]) -> ResidualQuantiles? {
        let last = values.suffix(8)
        guard kind == .sticky, last.count == 8, zip(last, last.dropFirst()).count(where: { $0 != $1 }) >= 4 else { return nil }
        // Back to where it stood still.
        var (first, still) = (values.count - 1, 0)
        for t in stride(from: values.count - 1, to: max(values.count - 60, 0), by: -1) where still < 4 {
            if values[t] == values[t - 1] { still += 1 } else { (first, still) = (t - 1, 0) }
        }
        return ShortHistory(Array(values[first...]), isSticky: true).residuals(horizon: horizon)
    }

    func forecast(_ outlook: Outlook, widths: IntervalWidths?) -> Answer<Forecast> {
        let predictions = outlook.centre.indices.map { s in
            var offsets = outlook.residuals.column(s).map { Double($0) * outlook.scale }
            if let awakened = outlook.awakened, offsets[1] == offsets[ResidualQuantiles.levelCount - 2] {
                offsets = awakened.column(s).map(Double.init)
            }
            let widened = widths?.apply(to: offsets, column: s, horizon: horizon) ?? offsets
            return prediction(outlook.centre[s], widened, floor: outlook.floor)
        }
        guard predictions.allSatisfy({ $0.quantiles.allSatisfy(\.isFinite) }) else { return .none(.overflow) }
        let agreed = Reconciliation.order(predictions)
        let path = Array(agreed[..<horizon])
        return .value(
            Forecast(horizon: horizon, max: agreed[horizon], min: agreed[horizon + 1], avg: agreed[horizon + 2], path: path), remark: remark
        )
    }

    private func prediction(_ centre: Double, _ offsets: [Double], floor: Double) -> Prediction {
        let quantiles = offsets.map { max(scaling.restore(centre + $0), floor) }
        return Prediction(expected: quantiles[ResidualQuantiles.levelCount / 2], quantiles: quantiles)
    }
}

/// Shift and scale of a series when it was fitted.
struct SeriesScaling: Sendable, Equatable {
    let shrink: Double
    let factor: Double
    let mean: Double
    /// 0 for a series that was never negative; its forecasts are not either.
    let floor: Double

    init(shrink: Double, factor: Double, mean: Double, floor: Double) {
        self.shrink = shrink
        self.factor = factor
        self.mean = mean
        self.floor = floor
    }

    init(_ series: CenteredSeries) {
        self.init(shrink: series.shrink, factor: series.factor, mean: series.mean, floor: series.min >= 0 ? 0 : -.infinity)
    }

    func center(_ x: Double) -> Double { (x * shrink - mean * shrink) * factor }

    /// At most the largest double.
    func restore(_ v: Double) -> Double {
        let top = Double.greatestFiniteMagnitude
        return Swift.min(Swift.max((v / factor + mean * shrink) / shrink, -top), top)
    }
}
