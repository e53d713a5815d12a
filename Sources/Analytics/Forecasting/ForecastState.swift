/// The forecaster of one series between full fits: the model, the calibration of its intervals, and one forecast that waits for its
/// values. Encoded mostly 0.5 to 1.2 KB at 10 steps and under 2 KB at 40; an update costs a microsecond or two.
///
/// Samples come by `update` in the order of the series, at its step; `forecast` needs the history for the candidates, not the state.
/// One forecast per horizon is scored: the next is taken up when the last is complete, so that scores hardly overlap.
package struct ForecastState: Sendable {
    package private(set) var model: ForecastModel
    private(set) var widths: IntervalWidths
    private var pending: PendingForecast?

    package init(model: ForecastModel) {
        self.model = model
        widths = IntervalWidths()
    }

    init(model: ForecastModel, widths: IntervalWidths, pending: PendingForecast?) {
        self.model = model
        self.widths = widths
        self.pending = pending
    }

    var pendingForecast: PendingForecast? { pending }

    /// Takes a new fit; what was learnt about the width of the intervals stays in part, and so does a forecast that waits.
    package mutating func refit(_ model: ForecastModel) {
        if model.horizon != self.model.horizon { widths = IntervalWidths() } else { widths.relax() }
        // A forecast that still waits is scored all the same: with a fit every few samples a long horizon would never be complete.
        pending = pending.flatMap { $0.rescaled(from: self.model, to: model) }
        self.model = model
    }

    /// The forecast from the end of `history`, with calibrated intervals. Complexity: O(order * horizon + reach of the candidates).
    package mutating func forecast(from history: Span<Double>) -> Answer<Forecast> {
        switch model.outlook(from: history) {
        case .failure(let reason): return .none(reason)
        case .success(let outlook):
            if pending == nil && model.kind != .constant { pending = PendingForecast(outlook, horizon: model.horizon) }
            return model.forecast(outlook, widths: widths)
        }
    }

    /// Scores the value of the next step; NaN for a missing one. Complexity: O(1), at the end of a horizon O(1) more.
    package mutating func update(_ value: Double) {
        guard pending != nil else { return }
        let centered = model.scaling.center(value)
        pending?.add(Float(centered), table: model.table, to: &widths)
        if pending?.isComplete == true { pending = nil }
    }

    /// A gap of `count` steps.
    package mutating func skip(_ count: Int) {
        guard let horizon = pending?.horizon else { return }
        if count >= horizon { pending = nil } else { for _ in 0..<max(count, 0) { update(.nan) } }
    }
}

/// A forecast whose values are still to come.
struct PendingForecast: Sendable, Equatable {
    let horizon: Int
    /// Of each column.
    let centre: [Float]
    let scale: Float
    private(set) var arrived: Int
    private(set) var missing: Int
    private(set) var high: Float
    private(set) var low: Float
    private(set) var sum: Float

    init(_ outlook: ForecastModel.Outlook, horizon: Int) {
        let centre = outlook.centre.map(Float.init)
        self.init(horizon: horizon, centre: centre, scale: Float(outlook.scale), arrived: 0, missing: 0, high: 0, low: 0, sum: 0)
    }

    init(horizon: Int, centre: [Float], scale: Float, arrived: Int, missing: Int, high: Float, low: Float, sum: Float) {
        self.horizon = horizon
        self.centre = centre
        self.scale = scale
        self.arrived = arrived
        self.missing = missing
        self.high = high
        self.low = low
        self.sum = sum
    }

    /// The same forecast in the unit of another model; nil when that is of another horizon, constant, or too far away for a float.
    func rescaled(from old: ForecastModel, to new: ForecastModel) -> PendingForecast? {
        guard new.horizon == horizon, new.kind != .constant, old.kind != .constant else { return nil }
        func moved(_ value: Float) -> Float { Float(new.scaling.center(old.scaling.restore(Double(value)))) }
        let ratio = Float(new.scaling.factor * new.scaling.shrink / (old.scaling.factor * old.scaling.shrink))
        let count = Float(arrived - missing)
        let mean = count > 0 ? sum / count : 0
        let result = PendingForecast(
            horizon: horizon, centre: centre.map(moved), scale: scale * ratio, arrived: arrived, missing: missing,
            high: count > 0 ? moved(high) : 0, low: count > 0 ? moved(low) : 0, sum: count > 0 ? count * moved(mean) : 0)
        let values = result.centre + [result.scale, result.high, result.low, result.sum]
        return values.allSatisfy(\.isFinite) ? result : nil
    }

    var isComplete: Bool { arrived >= horizon }

    /// The next value, NaN when missing. Statistics are scored at the end if at most a fifth of the values are missing.
    /// - Parameter table: of the model that forecast.
    mutating func add(_ value: Float, table: ForecastTable, to widths: inout IntervalWidths) {
        guard !isComplete else { return }
        if value.isFinite {
            score(value, column: arrived, table, &widths)
            high = arrived == missing ? value : max(high, value)
            low = arrived == missing ? value : min(low, value)
            sum += value
        } else {
            missing += 1
        }
        arrived += 1
        guard isComplete, 5 * missing <= horizon else { return }
        score(high, column: horizon, table, &widths)
        score(low, column: horizon + 1, table, &widths)
        score(sum / Float(horizon - missing), column: horizon + 2, table, &widths)
    }

    private func score(_ value: Float, column: Int, _ table: ForecastTable, _ widths: inout IntervalWidths) {
        let residual = table.residual(column: column, columns: centre.count)
        let error = value - centre[column] - scale * residual.median
        let (inner, outer) = error >= 0 ? residual.above : residual.below
        let reaches = (scale * inner, scale * outer)
        widths.score(column: column, horizon: horizon, error: abs(error), reaches: reaches)
    }
}
