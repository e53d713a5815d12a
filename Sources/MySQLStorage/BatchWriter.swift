import Records
import Storage
import TimeSeries

/// Writes one batch within a transaction.
struct BatchWriter {
    let connection: Connection
    let options: MySQLOptions
    let errors: MySQLErrors
    /// Numbers of all series of the batch.
    let numbers: [Fingerprint: Int64]

    func write(_ batch: StoreBatch) throws {
        try writeWindows(batch.windows)
        try writeProfiles(batch.profiles)
        try writeForecasts(batch.forecasts)
        try writeChunks(batch.chunks)
        try writeModelStates(batch.modelStates)
        try writeAnomalies(batch.anomalies)
        try writeTraffic(batch)
    }

    /// The number of a series; every series of the batch has one.
    private func number(_ series: SeriesKey) -> Int64 { numbers[series.id] ?? 0 }

    private func each(_ rows: [PlannedRow], _ upsert: Upsert, _ fill: (PlannedRow, RowBatch) -> Void) throws {
        if rows.isEmpty { return }
        let writer = TableWriter(connection, upsert, rows: options.arrayRows, expected: rows.count, errors: errors)
        for row in rows {
            fill(row, writer.batch)
            try writer.endRow()
        }
        try writer.finish()
    }

    /// Rows of results for the latest table, and for the history where the policy keeps them.
    private func plan<Result>(
        _ results: [Result], keeps interval: HistoryInterval, bucket: Milliseconds = PlannedRow.slot,
        place: (Result) -> (series: SeriesKey, time: Milliseconds, revision: Revision), partCount: (Result) -> Int,
        part: (Result, Int) -> Int64
    ) -> (latest: [PlannedRow], history: [PlannedRow]) {
        var latest: [PlannedRow] = []
        var history: [PlannedRow] = []
        for (i, result) in results.enumerated() {
            let (key, time, revision) = place(result)
            let series = number(key)
            let bucket = PlannedRow.bucket(time, bucket)
            let keeps = interval.keeps(time)
            for j in 0..<partCount(result) {
                var row = PlannedRow(
                    key: .init(series: series, part: part(result, j)), time: time, revision: revision.rawValue, result: Int32(i),
                    window: Int32(j))
                latest.append(row)
                guard keeps else { continue }
                row.key.bucket = bucket
                row.key.time = time
                history.append(row)
            }
        }
        return (PlannedRow.reduced(latest), PlannedRow.reduced(history))
    }

    // MARK: Windows

    private func writeWindows(_ results: [WindowsResult]) throws {
        let (latest, history) = plan(
            results, keeps: options.history.windows, place: { ($0.series, $0.time, $0.revision) }, partCount: { $0.windows.count },
            part: { $0.windows[$1].window })
        try each(latest, BatchWriter.windowsLatest) { row, out in
            out.append(row.key.series)
            out.append(row.key.part)
            out.append(row.time)
            fill(row, results, out)
        }
        try each(history, BatchWriter.windowsHistory) { row, out in
            out.append(row.key.bucket)
            out.append(row.key.series)
            out.append(row.key.time)
            out.append(row.key.part)
            fill(row, results, out)
        }
    }

    private func fill(_ row: PlannedRow, _ results: [WindowsResult], _ out: RowBatch) {
        let window = results[Int(row.result)].windows[Int(row.window)]
        out.append(row.revision)
        out.append(window.count)
        out.append(window.min)
        out.append(window.max)
        out.append(window.avg)
        out.append(window.stddev)
        out.append(window.p50)
        out.append(window.p95)
        out.append(window.p99)
    }

    // MARK: Profiles

    private func writeProfiles(_ results: [ProfileResult]) throws {
        let (latest, history) = plan(
            results, keeps: options.history.profiles, bucket: PlannedRow.hour, place: { ($0.series, $0.time, $0.revision) },
            partCount: { _ in 1 }, part: { _, _ in 0 })
        try each(latest, BatchWriter.profilesLatest) { row, out in
            out.append(row.key.series)
            out.append(row.time)
            fill(results[Int(row.result)], detail: results[Int(row.result)].detail, out)
        }
        try each(history, BatchWriter.profilesHistory) { row, out in
            out.append(row.key.bucket)
            out.append(row.key.series)
            out.append(row.key.time)
            fill(results[Int(row.result)], detail: results[Int(row.result)].historyDetail, out)
        }
    }

    private func fill(_ result: ProfileResult, detail: JSONValue, _ out: RowBatch) {
        out.append(result.revision.rawValue)
        out.append(result.verdict)
        out.append(result.samples)
        out.append(detail.jsonText)
    }

    // MARK: Forecasts

    private func writeForecasts(_ results: [ForecastResult]) throws {
        let (latest, history) = plan(
            results, keeps: options.history.forecasts, place: { ($0.series, $0.time, $0.revision) }, partCount: { _ in 1 },
            part: { result, _ in result.horizon })
        try each(latest, BatchWriter.forecastsLatest) { row, out in
            out.append(row.key.series)
            out.append(row.key.part)
            out.append(row.time)
            fill(results[Int(row.result)], out)
            out.append(ForecastPath.text(results[Int(row.result)].path))
        }
        try each(history, BatchWriter.forecastsHistory) { row, out in
            out.append(row.key.bucket)
            out.append(row.key.series)
            out.append(row.key.time)
            out.append(row.key.part)
            fill(results[Int(row.result)], out)
        }
    }

    private func fill(_ result: ForecastResult, _ out: RowBatch) {
        out.append(result.revision.rawValue)
        out.append(result.step)
        for prediction in [result.max, result.min, result.avg] {
            let finite = prediction.flatMap { $0.isFinite ? $0 : nil }
            for value in finite?.values ?? [nil, nil, nil, nil, nil] { out.append(value) }
        }
        out.append(result.reason)
    }

    // MARK: Chunks

    private func writeChunks(_ chunks: [ChunkResult]) throws {
        let rows = PlannedRow.reduced(
            chunks.enumerated().map { i, chunk in
                PlannedRow(
                    key: .init(series: number(chunk.series), time: chunk.start), time: 0, revision: chunk.revision.rawValue,
                    result: Int32(i))
            })
        try each(rows, BatchWriter.chunks) { row, out in
            let chunk = chunks[Int(row.result)]
            let moments = chunk.moments
            out.append(row.key.series)
            out.append(chunk.start)
            out.append(chunk.revision.rawValue)
            out.append(chunk.end)
            out.append(chunk.count)
            out.append(chunk.replayOffset)
            out.append(moments.count)
            for value in [moments.min, moments.max, moments.reference, moments.offset, moments.m2] {
                out.append(moments.count == 0 ? nil : value)
            }
            out.append(chunk.data)
        }
    }

    // MARK: Model states

    private func writeModelStates(_ states: [ModelStateResult]) throws {
        let rows = PlannedRow.reduced(
            states.enumerated().map { i, state in
                PlannedRow(key: .init(series: number(state.series)), time: state.time, revision: state.revision.rawValue, result: Int32(i))
            })
        try each(rows, BatchWriter.modelStates) { row, out in
            out.append(row.key.series)
            out.append(row.time)
            out.append(row.revision)
            out.append(states[Int(row.result)].data)
        }
    }

    // MARK: Anomalies

    private func writeAnomalies(_ anomalies: [AnomalyResult]) throws {
        let rows = PlannedRow.reduced(
            anomalies.enumerated().map { i, anomaly in
                PlannedRow(
                    key: .init(series: number(anomaly.series), time: anomaly.onset), time: anomaly.time,
                    revision: anomaly.revision.rawValue, result: Int32(i))
            })
        try each(rows, BatchWriter.anomalies) { row, out in
            let anomaly = anomalies[Int(row.result)]
            out.append(row.key.series)
            out.append(anomaly.onset)
            out.append(row.time)
            out.append(row.revision)
            out.append(orNull: anomaly.end)
            for value in [anomaly.score, anomaly.expected, anomaly.seen] { out.append(value) }
            out.append(anomaly.cause)
        }
    }
}

extension BatchWriter {
    private typealias Column = (name: String, kind: RowBatch.Kind)

    private static let statistics: [Column] =
        [("count", .integer)] + ["min", "max", "avg", "stddev", "p50", "p95", "p99"].map { ($0, .double) }
    private static let profile: [Column] = [("verdict", .text), ("samples", .integer), ("detail", .text)]
    private static let forecast: [Column] =
        [("step_ms", .integer)]
        + ["max", "min", "avg"].flatMap { name in
            [name] + ["lower80", "upper80", "lower95", "upper95"].map { "\(name)_\($0)" }
        }.map { ($0, .double) } + [("reason", .text)]

    private static let windowsLatest = Upsert.results(
        "window_statistics_latest", key: ["series", "window_ms"], values: statistics, isLatest: true)
    private static let windowsHistory = Upsert.results(
        "window_statistics", key: ["slot", "series", "time_ms", "window_ms"], values: statistics, isLatest: false)
    private static let profilesLatest = Upsert.results("profiles_latest", key: ["series"], values: profile, isLatest: true)
    private static let profilesHistory = Upsert.results("profiles", key: ["hour", "series", "time_ms"], values: profile, isLatest: false)
    private static let forecastsLatest = Upsert.results(
        "forecasts_latest", key: ["series", "horizon_ms"], values: forecast + [("path", .text)], isLatest: true)
    private static let forecastsHistory = Upsert.results(
        "forecasts", key: ["slot", "series", "time_ms", "horizon_ms"], values: forecast, isLatest: false)
    private static let chunks = Upsert.results(
        "chunks", key: ["series", "start_ms"],
        values: [("end_ms", .integer), ("samples", .integer), ("replay_offset", .integer), ("count", .integer)]
            + ["min", "max", "reference", "mean_offset", "m2"].map { ($0, .double) } + [("data", .bytes)],
        isLatest: false)
    private static let modelStates = Upsert.results("model_states", key: ["series"], values: [("data", .bytes)], isLatest: true)
    private static let anomalies = Upsert.results(
        "anomalies", key: ["series", "onset_ms"],
        values: [
            ("end_ms", .integer), ("score", .double), ("expected", .double), ("seen", .double), ("cause", .text),
        ], isLatest: true)
}
