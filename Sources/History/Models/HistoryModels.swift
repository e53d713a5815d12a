import Analytics
import Records
import TimeSeries

/// Profiles and forecasts of one series' past, as the live analyzer makes them of the present: a profile knows the rollup of all half hours
/// before it, a forecast the cycles of the newest profile, and a forecaster is fitted anew after a while and told of new values in between.
struct HistoryModels: Sendable {
    private let series: SeriesKey
    private let options: HistoryOptions
    private var rollup = Rollup()
    /// The half hour that is being filled.
    private var halfHour: (start: Milliseconds, sum: Moments) = (.min, Moments())
    private var cycles: [SeasonalPeriod] = []
    private var forecaster: SeriesForecaster?

    /// Length of a slot of the rollup.
    static let rollupSlot: Milliseconds = 1_800_000
    private static let revision = Revision(rawValue: 0)

    init(series: SeriesKey, options: HistoryOptions) {
        self.series = series
        self.options = options
    }

    /// A closed slot of the grid; those longer than half an hour count for the half hour in which they end.
    mutating func add(_ slot: Moments, end: Milliseconds) {
        let start = floorDivided(end - 1, HistoryModels.rollupSlot) * HistoryModels.rollupSlot
        if start != halfHour.start {
            rollup.add(start: halfHour.start, count: halfHour.sum.count, mean: halfHour.sum.mean, slot: HistoryModels.rollupSlot)
            halfHour = (start, Moments())
        }
        halfHour.sum.merge(slot)
    }

    private func even(_ samples: borrowing SampleColumn, at t: Milliseconds, span: Milliseconds) -> EvenSeries? {
        let low = samples.index(after: t - span, from: samples.dropped)
        let high = samples.index(after: t, from: low)
        if low == high { return nil }
        let range = (low - samples.dropped)..<(high - samples.dropped)
        let least = options.forecasts == nil ? 1 : SeriesForecaster.leastStep(horizon: options.forecastHorizon)
        return EvenSeries(
            times: Array(samples.times[range]), values: Array(samples.values[range]), span: span, known: forecaster?.step, least: least)
    }

    /// nil where the span holds no sample.
    mutating func profile(at t: Milliseconds, _ samples: borrowing SampleColumn) -> ProfileResult? {
        guard let even = even(samples, at: t, span: max(options.profileSpan, options.forecastSpan)) else { return nil }
        let profile = Analytics.profile(of: even.values)
        cycles = profile.seasonality
        let covered = Milliseconds(max(even.values.count - 1, 0)) * even.step
        let fast = profile.timedCycles(step: even.step, start: even.end - covered)
        // A cycle is seen in the samples if they cover it four times.
        let slow = rollup.cycles(longerThan: Double(covered) / 4, slot: HistoryModels.rollupSlot, fast: fast)
        let all = (fast + slow).sorted { $0.cycle.strength > $1.cycle.strength }
        return ProfileResult(
            series: series, time: t, revision: HistoryModels.revision, verdict: profile.verdict.value?.rawValue, samples: profile.count,
            detail: profile.json(step: even.step, filled: even.filled, cycles: all))
    }

    /// The forecast with the number of values it was made from; nil where the span holds no sample.
    mutating func forecast(at t: Milliseconds, _ samples: borrowing SampleColumn) -> (result: ForecastResult, samples: Int)? {
        guard let even = even(samples, at: t, span: max(options.profileSpan, options.forecastSpan)) else { return nil }
        var result = ForecastResult(
            series: series, time: t, revision: HistoryModels.revision, horizon: options.forecastHorizon, step: even.step)
        SeriesForecaster.forecast(
            &forecaster, even, cycles: cycles, at: t,
            .init(horizon: options.forecastHorizon, refit: options.forecastRefit, idleTimeout: 90_000), into: &result)
        return (result, even.values.count)
    }
}
