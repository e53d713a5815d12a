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
    private var forecaster: Forecaster?

    private struct Forecaster: Sendable {
        var state: ForecastState
        var fittedAt: Milliseconds
        var step: Milliseconds
        /// The end of the series when it was last told of new values.
        var seenTo: Milliseconds
    }

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
        return EvenSeries(times: Array(samples.times[range]), values: Array(samples.values[range]), span: span)
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
        guard t - even.end <= max(4 * even.step, 90_000) else {
            result.reason = "no sample since \((t - even.end) / 1000) s"
            return (result, even.values.count)
        }
        let answer = ask(even, steps: Int(max(1, min(1_440, options.forecastHorizon / even.step))), at: t)
        result.reason = answer.reason
        if let forecast = answer.value {
            result.max = Records.Prediction(forecast.max)
            result.min = Records.Prediction(forecast.min)
            result.avg = Records.Prediction(forecast.avg)
            result.path = forecast.path.map { Records.Prediction($0) }
        }
        return (result, even.values.count)
    }

    private mutating func ask(_ even: EvenSeries, steps: Int, at t: Milliseconds) -> Answer<Forecast> {
        tell(even, steps: steps)
        let isFresh = forecaster.map {
            t - $0.fittedAt < options.forecastRefit && even.values.count < $0.state.model.count * 5 / 4 + 2
                && even.values.count >= $0.state.model.count * 3 / 4
        }
        if isFresh != true {
            let day = Int(exactly: Double(86_400_000) / Double(even.step))
            let fitted = ForecastModel.fit(even.values.span, horizon: steps, options: ForecastOptions(detected: cycles, day: day))
            guard let model = fitted.value else {
                forecaster = nil
                return .none(fitted.reason ?? "no model")
            }
            if forecaster == nil {
                forecaster = Forecaster(state: ForecastState(model: model), fittedAt: t, step: even.step, seenTo: even.end)
            } else {
                forecaster?.state.refit(model)
                forecaster?.fittedAt = t
            }
        }
        return forecaster?.state.forecast(from: even.values.span) ?? .none("no model")
    }

    /// The values since the last look score the forecast that was made of them. A forecaster of another step or horizon is dropped.
    private mutating func tell(_ even: EvenSeries, steps: Int) {
        guard let known = forecaster else { return }
        if known.step != even.step || known.state.model.horizon != steps {
            forecaster = nil
            return
        }
        let elapsed = even.end - known.seenTo
        if elapsed <= 0 { return }
        let count = Int((elapsed + even.step / 2) / even.step)
        if count > min(steps, even.values.count) {
            forecaster?.state.skip(count)
        } else {
            for value in even.values.suffix(count) { forecaster?.state.update(value) }
        }
        forecaster?.seenTo = even.end
    }
}

extension Records.Prediction {
    package init(_ p: Analytics.Prediction) {
        self.init(
            expected: p.expected, lower80: p.interval80.lowerBound, upper80: p.interval80.upperBound, lower95: p.interval95.lowerBound,
            upper95: p.interval95.upperBound)
    }
}
