import Analytics
import Records
import TimeSeries

/// The forecaster of one series as the live analyzer and the analysis of a past both keep it: fitted anew when the fit is old or outdated, or
/// the step changed, and told of new values in between.
package struct SeriesForecaster: Sendable {
    package private(set) var state: ForecastState
    package private(set) var fittedAt: Milliseconds
    /// Milliseconds between the values it was fitted on.
    package let step: Milliseconds
    /// The end of the series when it was last told of new values.
    package private(set) var seenTo: Milliseconds

    /// The most steps of a path. A horizon of more samples is forecast in longer steps.
    package static let longestPath = 1_440
    /// The shortest step in which a horizon can be forecast.
    package static func leastStep(horizon: Milliseconds) -> Milliseconds {
        let path = Milliseconds(longestPath)
        return max(1, horizon / path + (horizon % path == 0 ? 0 : 1))
    }

    package init(state: ForecastState, fittedAt: Milliseconds, step: Milliseconds, seenTo: Milliseconds) {
        self.state = state
        self.fittedAt = fittedAt
        self.step = step
        self.seenTo = seenTo
    }

    /// When a forecaster is fitted anew, and when a series has ended.
    package struct Rules: Sendable {
        let horizon: Milliseconds
        let refit: Milliseconds
        let idleTimeout: Milliseconds
        /// The first fit counts as so much older, less than `refit`, so that those of many series spread.
        let spread: Milliseconds

        package init(horizon: Milliseconds, refit: Milliseconds, idleTimeout: Milliseconds, spread: Milliseconds = 0) {
            self.horizon = horizon
            self.refit = refit
            self.idleTimeout = idleTimeout
            self.spread = spread
        }
    }

    /// Makes, fits or tells the forecaster and fills in what it says. The horizon of the result is that of its path: whole steps, at least one.
    package static func forecast(
        _ forecaster: inout SeriesForecaster?, _ series: EvenSeries, cycles: [SeasonalPeriod], at t: Milliseconds, _ rules: Rules,
        into result: inout ForecastResult
    ) {
        let steps = Int(max(1, min(Milliseconds(longestPath), rules.horizon / series.step)))
        result.horizon = Milliseconds(steps) * series.step
        guard t - series.end <= max(4 * series.step, rules.idleTimeout) else {
            result.reason = "no sample since \((t - series.end) / 1000) s"
            return
        }
        // Cycles are counted in steps: those of another step wait for the next profile.
        let hasOtherStep = forecaster.map { $0.step != series.step } ?? false
        if hasOtherStep || forecaster?.state.model.horizon != steps { forecaster = nil }
        forecaster?.tell(series)
        let answer = ask(&forecaster, series, steps: steps, cycles: hasOtherStep ? [] : cycles, at: t, rules)
        result.reason = answer.reason
        guard let forecast = answer.value else { return }
        result.max = Records.Prediction(forecast.max)
        result.min = Records.Prediction(forecast.min)
        result.avg = Records.Prediction(forecast.avg)
        result.path = forecast.path.map { Records.Prediction($0) }
    }

    private static func ask(
        _ forecaster: inout SeriesForecaster?, _ series: EvenSeries, steps: Int, cycles: [SeasonalPeriod], at t: Milliseconds,
        _ rules: Rules
    ) -> Answer<Forecast> {
        let isFresh = forecaster.map { t - $0.fittedAt < rules.refit && !$0.state.model.isOutdated(for: series.values.span) } ?? false
        if !isFresh {
            // A day of an odd step is right to half a step.
            let day = Int((86_400_000 / Double(series.step)).rounded())
            let fitted = ForecastModel.fit(
                series.values.span, horizon: steps, options: ForecastOptions(detected: cycles, day: day), after: forecaster?.state.model)
            guard let model = fitted.value else {
                forecaster = nil
                return .none(fitted.reason ?? "no model")
            }
            if forecaster == nil {
                forecaster = SeriesForecaster(
                    state: ForecastState(model: model), fittedAt: t - rules.spread, step: series.step, seenTo: series.end)
            } else {
                forecaster?.state.refit(model)
                forecaster?.fittedAt = t
            }
        }
        return forecaster?.state.forecast(from: series.values.span) ?? .none("no model")
    }

    /// The values since the last look score the forecast that was made of them.
    private mutating func tell(_ series: EvenSeries) {
        let elapsed = series.end - seenTo
        if elapsed <= 0 { return }
        let count = Int((elapsed + step / 2) / step)
        if count > min(state.model.horizon, series.values.count) {
            state.skip(count)
        } else {
            for value in series.values.suffix(count) { state.update(value) }
        }
        seenTo = series.end
    }
}

extension Records.Prediction {
    package init(_ p: Analytics.Prediction) {
        self.init(
            expected: p.expected, lower80: p.interval80.lowerBound, upper80: p.interval80.upperBound, lower95: p.interval95.lowerBound,
            upper95: p.interval95.upperBound)
    }
}
