import CassandraClient
import Records
import Storage
import TimeSeries

/// Kinds of days in `series_days`.
enum DayKind {
    static let windows = "windows"
    static let profiles = "profiles"
    static let forecasts = "forecasts"
    static let chunks = "chunks"
    static let anomalies = "anomalies"
}

extension WriteList {
    private typealias Tables = CassandraTables

    func life(_ time: Milliseconds, _ age: Milliseconds) -> Int32 { Stamps.life(time, age: age, now: now) }

    // MARK: Series

    /// A series outlives all that it has.
    private var seriesAge: Milliseconds {
        let ages = options.retention
        return [ages.chunks, ages.windows, ages.profiles, ages.forecasts, ages.anomalies].max() ?? ages.chunks
    }

    /// How long it is remembered when a series was first seen.
    private static let firstAge: Milliseconds = 400 * Stamps.dayLength

    mutating func addSeries(_ batch: StoreBatch, _ seen: inout SeenRows) {
        var sightings: [Fingerprint: (key: SeriesKey, first: Milliseconds, last: Milliseconds)] = [:]
        func note(_ key: SeriesKey, _ first: Milliseconds, _ last: Milliseconds) {
            guard var known = sightings[key.id] else {
                sightings[key.id] = (key, first, last)
                return
            }
            if (last, key.type.rawValue) > (known.last, known.key.type.rawValue) { known.key = key }
            known.first = min(known.first, first)
            known.last = max(known.last, last)
            sightings[key.id] = known
        }
        for result in batch.windows { note(result.series, result.time, result.time) }
        for result in batch.profiles { note(result.series, result.time, result.time) }
        for result in batch.forecasts { note(result.series, result.time, result.time) }
        for anomaly in batch.anomalies { note(anomaly.series, anomaly.onset, anomaly.time) }
        for state in batch.modelStates { note(state.series, state.time, state.time) }
        for chunk in batch.chunks { note(chunk.series, chunk.start, chunk.end) }
        for (id, sighting) in sightings { add(id, sighting.key, sighting.first, sighting.last, &seen) }
    }

    private mutating func add(_ id: Fingerprint, _ key: SeriesKey, _ first: Milliseconds, _ last: Milliseconds, _ seen: inout SeenRows) {
        func values(_ fill: (inout BoundValues) -> Void, stamp: Int64, life: Int32) -> BoundValues {
            var values = BoundValues(capacity: 256)
            values.append(SeriesRow.bucket(id))
            values.append(id.description)
            fill(&values)
            values.append(stamp)
            values.append(life)
            return values
        }
        if !seen.knows(id) {
            let labels = values(
                {
                    $0.append(SeriesRow.text(key.labels))
                    $0.append(key.labels.name)
                }, stamp: 1, life: life(last, seriesAge))
            add(statements.seriesLabels, labels)
        }
        if seen.isFirst(id, first) {
            add(
                statements.seriesFirst,
                values({ $0.append(first) }, stamp: Stamps.byTimeReversed(first), life: life(last, max(seriesAge, WriteList.firstAge))))
        }
        var fact = BoundValues()
        fact.append(Int32(key.type.rawValue))
        fact.append(last)
        add(statements.seriesSeen, values({ $0.append(fields: fact) }, stamp: Stamps.byTime(last), life: life(last, seriesAge)))
    }

    private mutating func addDay(
        _ series: String, _ id: Fingerprint, _ kind: String, _ day: Int32, end: Milliseconds, age: Milliseconds, _ seen: inout SeenRows
    ) {
        // The end of a day's chunks moves; of the others only the day matters.
        guard kind == DayKind.chunks || seen.isNew(SeenRows.Day(series: id, kind: kind, day: day)) else { return }
        var fact = fact(Revision(rawValue: 0))
        fact.append(end)
        add(Tables.seriesDays, stamp: Stamps.byTime(end), life: life(end, age), fact) {
            $0.append(series)
            $0.append(kind)
            $0.append(day)
        }
    }

    // MARK: Results

    mutating func addResults(_ batch: StoreBatch, _ seen: inout SeenRows) {
        for result in batch.windows { add(result, &seen) }
        for result in batch.profiles { add(result, &seen) }
        for result in batch.forecasts { add(result, &seen) }
        for chunk in batch.chunks { add(chunk, &seen) }
        for anomaly in batch.anomalies { add(anomaly, &seen) }
        for state in batch.modelStates { add(state) }
    }

    private mutating func add(_ result: WindowsResult, _ seen: inout SeenRows) {
        let series = result.series.id.description
        let age = options.retention.windows
        let keeps = options.history.windows.keeps(result.time)
        let day = Stamps.day(result.time)
        let life = life(result.time, age)
        for window in result.windows {
            var latest = fact(result.revision)
            latest.append(result.time)
            window.append(to: &latest)
            add(Tables.windowsLatest, stamp: Stamps.byTime(result.time), life: life, latest) {
                $0.append(series)
                $0.append(window.window)
            }
            guard keeps else { continue }
            var kept = fact(result.revision)
            window.append(to: &kept)
            add(Tables.windows, stamp: Stamps.byRevision(result.revision), life: life, kept) {
                $0.append(series)
                $0.append(day)
                $0.append(result.time)
                $0.append(window.window)
            }
        }
        if keeps { addDay(series, result.series.id, DayKind.windows, day, end: result.time, age: age, &seen) }
    }

    private mutating func add(_ result: ProfileResult, _ seen: inout SeenRows) {
        let series = result.series.id.description
        let age = options.retention.profiles
        let life = life(result.time, age)
        var latest = fact(result.revision)
        latest.append(result.time)
        result.append(detail: result.detail, to: &latest)
        add(Tables.profilesLatest, stamp: Stamps.byTime(result.time), life: life, latest) { $0.append(series) }
        guard options.history.profiles.keeps(result.time) else { return }
        let day = Stamps.day(result.time)
        var kept = fact(result.revision)
        result.append(detail: result.historyDetail, to: &kept)
        add(Tables.profiles, stamp: Stamps.byRevision(result.revision), life: life, kept) {
            $0.append(series)
            $0.append(day)
            $0.append(result.time)
        }
        addDay(series, result.series.id, DayKind.profiles, day, end: result.time, age: age, &seen)
    }

    private mutating func add(_ result: ForecastResult, _ seen: inout SeenRows) {
        let series = result.series.id.description
        let age = options.retention.forecasts
        let life = life(result.time, age)
        var latest = fact(result.revision)
        latest.append(result.time)
        result.append(to: &latest)
        latest.append(ForecastPath.text(result.path))
        add(Tables.forecastsLatest, stamp: Stamps.byTime(result.time), life: life, latest) {
            $0.append(series)
            $0.append(result.horizon)
        }
        guard options.history.forecasts.keeps(result.time) else { return }
        let day = Stamps.day(result.time)
        var kept = fact(result.revision)
        result.append(to: &kept)
        add(Tables.forecasts, stamp: Stamps.byRevision(result.revision), life: life, kept) {
            $0.append(series)
            $0.append(day)
            $0.append(result.time)
            $0.append(result.horizon)
        }
        addDay(series, result.series.id, DayKind.forecasts, day, end: result.time, age: age, &seen)
    }

    private mutating func add(_ chunk: ChunkResult, _ seen: inout SeenRows) {
        let series = chunk.series.id.description
        let age = options.retention.chunks
        let day = Stamps.day(chunk.start)
        let moments = chunk.moments
        var fact = fact(chunk.revision)
        fact.append(chunk.end)
        fact.append(chunk.count)
        fact.append(chunk.replayOffset)
        fact.append(moments.count)
        for value in [moments.min, moments.max, moments.reference, moments.offset, moments.m2] {
            fact.append(finite: moments.count == 0 ? nil : value)
        }
        fact.append(chunk.data)
        add(Tables.chunks, stamp: Stamps.byRevision(chunk.revision), life: life(chunk.end, age), fact) {
            $0.append(series)
            $0.append(day)
            $0.append(chunk.start)
        }
        addDay(series, chunk.series.id, DayKind.chunks, day, end: chunk.end, age: age, &seen)
    }

    private mutating func add(_ anomaly: AnomalyResult, _ seen: inout SeenRows) {
        let series = anomaly.series.id.description
        let age = options.retention.anomalies
        let day = Stamps.day(anomaly.onset)
        var fact = fact(anomaly.revision)
        fact.append(anomaly.time)
        fact.append(anomaly.end)
        for value in [anomaly.score, anomaly.expected, anomaly.seen] { fact.append(finite: value) }
        fact.append(anomaly.cause)
        add(Tables.anomalies, stamp: Stamps.byTime(anomaly.time), life: life(anomaly.time, age), fact) {
            $0.append(series)
            $0.append(day)
            $0.append(anomaly.onset)
        }
        // An incident that lasts keeps its day: noted each day anew.
        addDay(series, anomaly.series.id, DayKind.anomalies, day, end: anomaly.time, age: age, &seen)
    }

    private mutating func add(_ state: ModelStateResult) {
        var fact = fact(state.revision)
        fact.append(state.time)
        fact.append(state.data)
        add(Tables.modelStates, stamp: Stamps.byTime(state.time), life: life(state.time, options.retention.chunks), fact) {
            $0.append(state.series.id.description)
        }
    }
}

extension WindowStatistics {
    fileprivate func append(to fact: inout BoundValues) {
        fact.append(count)
        for value in [min, max, avg, stddev, p50, p95, p99] { fact.append(finite: value) }
    }
}

extension ProfileResult {
    fileprivate func append(detail: JSONValue, to fact: inout BoundValues) {
        fact.append(verdict)
        fact.append(samples)
        fact.append(detail.jsonText)
    }
}

extension ForecastResult {
    fileprivate func append(to fact: inout BoundValues) {
        fact.append(step)
        fact.append(reason)
        for prediction in [max, min, avg] {
            let finite = prediction.flatMap { $0.isFinite ? $0 : nil }
            for value in finite?.values ?? [nil, nil, nil, nil, nil] { fact.append(value) }
        }
    }
}
