import Analytics
import Records
import TimeSeries

/// The fitted forecaster of one series, until the next fit.
struct ForecastState: Sendable {
    var model: ForecastModel
    var fittedAt: Milliseconds
    var step: Milliseconds
}

extension AnalyzerState {
    /// Profiles and forecasts that are due at `t`. Each series has its own place in the interval, by its fingerprint, so that the work is spread.
    mutating func evaluateModels(_ members: [Int32], after before: Milliseconds, at t: Milliseconds, _ output: inout AnalyzerOutput) {
        var profiles: [Shard: [ProfileResult]] = [:]
        var forecasts: [Shard: [ForecastResult]] = [:]
        var profileTimes = DurationCollector()
        var forecastTimes = DurationCollector()
        for id in members {
            let isProfileDue = isDue(id, after: before, at: t, interval: options.profileInterval)
            let isForecastDue = isForecast(id) && isDue(id, after: before, at: t, interval: options.forecastInterval)
            if !isProfileDue && !isForecastDue { continue }
            let started = stopwatch()
            let series = evenSeries(id, at: t)
            let fetched = stopwatch()
            let shard = table[id].key.id.shard
            if isProfileDue {
                profiles[shard, default: []].append(profile(id, series, at: t))
                profileTimes.fetch += fetched - started
                profileTimes.add(stopwatch() - fetched)
            }
            if isForecastDue {
                let began = stopwatch()
                forecasts[shard, default: []].append(forecast(id, series, at: t))
                forecastTimes.fetch += fetched - started
                forecastTimes.add(stopwatch() - began)
            }
        }
        for (shard, results) in profiles { output.results.append((shard, .profiles(results))) }
        for (shard, results) in forecasts { output.results.append((shard, .forecasts(results))) }
        if !profileTimes.isEmpty { output.lines.append(profileTimes.line(.metadata, time: t)) }
        if !forecastTimes.isEmpty { output.lines.append(forecastTimes.line(.predict, time: t)) }
    }

    private func isForecast(_ id: Int32) -> Bool { options.forecastMetrics?(table[id].key.labels.name) ?? true }

    /// A young series is looked at more often: an answer after one minute is worth more than one after an hour.
    private func isDue(_ id: Int32, after before: Milliseconds, at t: Milliseconds, interval: Milliseconds) -> Bool {
        let age = Milliseconds(table[id].history.headCount) * options.interval
        let period = table[id].history.isYoung ? min(interval, max(options.interval, age / 2)) : interval
        let slots = max(1, period / options.interval)
        let place = Milliseconds(table[id].key.id.high % UInt64(slots))
        // Whether the series' place came by since the last look: evaluations need not fall on every point of the grid.
        return (t / options.interval + slots - place) / slots > (before / options.interval + slots - place) / slots
    }

    private mutating func evenSeries(_ id: Int32, at t: Milliseconds) -> EvenSeries {
        let span = max(options.profileSpan, options.forecastSpan)
        let (times, values) = table[id].history.analysedSamples(from: t - span, to: t, scratch: &scratch)
        return EvenSeries(times: times, values: values, span: span)
    }

    private func profile(_ id: Int32, _ series: EvenSeries, at t: Milliseconds) -> ProfileResult {
        let key = table[id].key
        let profile = Analytics.profile(of: series.values)
        return ProfileResult(
            series: key, time: t, revision: revision(of: key.id.shard), verdict: profile.verdict.value?.rawValue,
            samples: profile.count,
            detail: profile.json(step: series.step, filled: series.filled, cycles: cycles(id, series, profile)))
    }

    private mutating func forecast(_ id: Int32, _ series: EvenSeries, at t: Milliseconds) -> ForecastResult {
        let key = table[id].key
        var result = ForecastResult(
            series: key, time: t, revision: revision(of: key.id.shard), horizon: options.forecastHorizon, step: series.step)
        guard t - series.end <= max(4 * series.step, options.idleTimeout) else {
            table[id].forecast = nil
            result.reason = "no sample since \((t - series.end) / 1000) s"
            return result
        }
        let steps = Int(max(1, min(1_440, options.forecastHorizon / series.step)))
        let answer = model(id, series, steps: steps, at: t)
        guard let forecast = answer.value else {
            result.reason = answer.reason
            return result
        }
        result.max = Records.Prediction(forecast.max)
        result.min = Records.Prediction(forecast.min)
        result.avg = Records.Prediction(forecast.avg)
        result.path = forecast.path.map { Records.Prediction($0) }
        result.reason = answer.reason
        return result
    }

    /// Uses the fitted model; fits anew when it is old, was fitted on much less, or the step changed.
    private mutating func model(_ id: Int32, _ series: EvenSeries, steps: Int, at t: Milliseconds) -> Answer<Forecast> {
        let values = series.values
        if let state = table[id].forecast, state.step == series.step, state.model.horizon == steps,
            t - state.fittedAt < options.forecastRefit, values.count < state.model.count * 5 / 4 + 2,
            values.count >= state.model.count * 3 / 4
        {
            return state.model.forecast(from: values.span)
        }
        let fitted = ForecastModel.fit(values.span, horizon: steps)
        guard let model = fitted.value else {
            table[id].forecast = nil
            return .none(fitted.reason ?? "no model")
        }
        // A model is kept with an age that differs from series to series: refits spread over the interval.
        let spread = Milliseconds(table[id].key.id.high >> 32) % max(1, options.forecastRefit / 2)
        let isFirst = table[id].forecast == nil
        table[id].forecast = ForecastState(model: model, fittedAt: isFirst ? t - spread : t, step: series.step)
        return model.forecast(from: values.span)
    }
}

extension Records.Prediction {
    init(_ p: Analytics.Prediction) {
        self.init(
            expected: p.expected, lower80: p.interval80.lowerBound, upper80: p.interval80.upperBound, lower95: p.interval95.lowerBound,
            upper95: p.interval95.upperBound)
    }
}
