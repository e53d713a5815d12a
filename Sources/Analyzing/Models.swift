import Analytics
import History
import Records
import TimeSeries

extension AnalyzerState {
    /// Profiles and forecasts that are due at `t`. Each series has its own place in the interval, by its fingerprint, so that the work is spread.
    mutating func evaluateModels(_ members: [Int32], after before: Milliseconds, at t: Milliseconds, _ output: inout AnalyzerOutput) {
        var profiles: [Shard: [ProfileResult]] = [:]
        var forecasts: [Shard: [ForecastResult]] = [:]
        var states: [Shard: [ModelStateResult]] = [:]
        var profileTimes = DurationCollector(keepsEach: options.timesEachSeries)
        var forecastTimes = DurationCollector(keepsEach: options.timesEachSeries)
        for id in members {
            let isProfileDue = isDue(id, after: before, at: t, interval: options.profileInterval)
            let isForecastDue = isForecast(id) && isDue(id, after: before, at: t, interval: options.forecastInterval)
            if let state = modelState(id, at: t) { states[table[id].key.id.shard, default: []].append(state) }
            if !isProfileDue && !isForecastDue { continue }
            let started = stopwatch()
            let series = evenSeries(id, at: t)
            let fetched = stopwatch()
            let shard = table[id].key.id.shard
            if isProfileDue {
                profiles[shard, default: []].append(profile(id, series, at: t))
                profileTimes.fetch += fetched - started
                profileTimes.add(stopwatch() - fetched, table[id].key)
            }
            if isForecastDue {
                let began = stopwatch()
                forecasts[shard, default: []].append(forecast(id, series, at: t))
                forecastTimes.fetch += fetched - started
                forecastTimes.add(stopwatch() - began, table[id].key)
            }
        }
        for (shard, results) in profiles { output.results.append((shard, .profiles(results))) }
        for (shard, results) in forecasts { output.results.append((shard, .forecasts(results))) }
        for (shard, results) in states { output.modelStates.append((shard, results)) }
        if !profileTimes.isEmpty { output.lines.append(profileTimes.line(.metadata, time: t)) }
        if !forecastTimes.isEmpty { output.lines.append(forecastTimes.line(.predict, time: t)) }
    }

    private func isForecast(_ id: Int32) -> Bool { options.forecastMetrics?(table[id].key.labels.name) ?? true }

    /// A young series is looked at more often: an answer after one minute is worth more than one after an hour.
    func isDue(_ id: Int32, after before: Milliseconds, at t: Milliseconds, interval: Milliseconds) -> Bool {
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
        return EvenSeries(
            times: times, values: values, span: span, known: table[id].models.forecaster?.step,
            least: isForecast(id) ? SeriesForecaster.leastStep(horizon: options.forecastHorizon) : 1)
    }

    private mutating func profile(_ id: Int32, _ series: EvenSeries, at t: Milliseconds) -> ProfileResult {
        let key = table[id].key
        let profile = Analytics.profile(of: series.values)
        table[id].models.cycles = profile.seasonality
        return ProfileResult(
            series: key, time: t, revision: revision(of: key.id.shard), verdict: profile.verdict.value?.rawValue,
            samples: profile.count,
            detail: profile.json(step: series.step, filled: series.filled, cycles: cycles(id, series, profile)))
    }

    private mutating func forecast(_ id: Int32, _ series: EvenSeries, at t: Milliseconds) -> ForecastResult {
        let key = table[id].key
        var result = ForecastResult(
            series: key, time: t, revision: revision(of: key.id.shard), horizon: options.forecastHorizon, step: series.step)
        // A first model is kept with an age that differs from series to series: refits spread over the interval.
        let spread = Milliseconds(key.id.high >> 32) % max(1, options.forecastRefit / 2)
        let rules = SeriesForecaster.Rules(
            horizon: options.forecastHorizon, refit: options.forecastRefit, idleTimeout: options.idleTimeout, spread: spread)
        SeriesForecaster.forecast(
            &table[id].models.forecaster, series, cycles: table[id].models.cycles, at: t, rules, into: &result)
        return result
    }

    // MARK: Model states

    /// The model state of a series, if it is time to send it to the store: each series at its own place in the interval.
    private mutating func modelState(_ id: Int32, at t: Milliseconds) -> ModelStateResult? {
        let savedAt = table[id].models.savedAt
        if savedAt == .min {
            if table[id].models.forecaster == nil && table[id].models.detector == nil { return nil }
            // Young series first learn; the spread keeps those of one start apart.
            table[id].models.savedAt = t - Milliseconds(table[id].key.id.high >> 32) % max(1, options.modelStateInterval)
            return nil
        }
        guard t - savedAt >= options.modelStateInterval else { return nil }
        table[id].models.savedAt = t
        let key = table[id].key
        return ModelStateResult(series: key, time: t, revision: revision(of: key.id.shard), data: table[id].models.encode())
    }

    /// Takes what an earlier owner had learnt, for series that are held.
    package mutating func restore(models states: [ModelStateResult]) {
        for state in states {
            guard let id = table.id(of: state.series.id),
                let models = SeriesModels(decoding: state.data, anomalies: options.anomalies ?? .init())
            else { continue }
            table[id].models = models
            table[id].models.savedAt = state.time
        }
    }
}
