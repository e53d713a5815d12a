import GRDB
import Records
import TimeSeries

/// Writes one batch within a transaction.
struct BatchWriter {
    let db: Database
    let policy: HistoryPolicy
    /// Numbers of all series of the batch.
    let ids: [Fingerprint: Int64]

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
    private func id(_ series: SeriesKey) -> Int64 { ids[series.id] ?? 0 }

    /// Rows of results for the latest table, and for the history where the policy keeps them.
    private func plan<Result>(
        _ results: [Result], keeps interval: HistoryInterval,
        place: (Result) -> (series: SeriesKey, time: Milliseconds, revision: Revision),
        parts: (Result) -> [Int64]
    ) -> (latest: [PlannedRow], history: [PlannedRow]) {
        var latest: [PlannedRow] = []
        var history: [PlannedRow] = []
        for (i, result) in results.enumerated() {
            let (key, time, revision) = place(result)
            let series = id(key)
            let hour = WritePlan.hour(time)
            let keeps = interval.keeps(time)
            for (j, part) in parts(result).enumerated() {
                let version = PlannedRow.Version(time: time, revision: revision.rawValue)
                latest.append(
                    PlannedRow(key: .init(series: series, part: part), version: version, result: Int32(i), window: Int32(j)))
                if keeps {
                    history.append(
                        PlannedRow(
                            key: .init(bucket: hour, series: series, time: time, part: part), version: version, result: Int32(i),
                            window: Int32(j)))
                }
            }
        }
        return (WritePlan.reduced(latest), WritePlan.reduced(history))
    }

    // MARK: Windows

    private func writeWindows(_ results: [WindowsResult]) throws {
        if results.isEmpty { return }
        let (latest, history) = plan(
            results, keeps: policy.windows, place: { ($0.series, $0.time, $0.revision) }, parts: { $0.windows.map(\.window) })
        var statement = try SQLStatement(db, BatchWriter.windowsLatest)
        for row in latest {
            try statement.bind(row.key.series)
            try statement.bind(row.key.part)
            try statement.bind(row.version.time)
            try bind(row, of: results, &statement)
        }
        statement = try SQLStatement(db, BatchWriter.windowsHistory)
        for row in history {
            try statement.bind(row.key.bucket)
            try statement.bind(row.key.series)
            try statement.bind(row.key.time)
            try statement.bind(row.key.part)
            try bind(row, of: results, &statement)
        }
    }

    private func bind(_ row: PlannedRow, of results: [WindowsResult], _ statement: inout SQLStatement) throws {
        let window = results[Int(row.result)].windows[Int(row.window)]
        try statement.bind(row.version.revision)
        try statement.bind(window.count)
        for value in [window.min, window.max, window.avg, window.stddev, window.p50, window.p95, window.p99] { try statement.bind(value) }
        try statement.run()
    }

    // MARK: Profiles

    private func writeProfiles(_ results: [ProfileResult]) throws {
        if results.isEmpty { return }
        let (latest, history) = plan(
            results, keeps: policy.profiles, place: { ($0.series, $0.time, $0.revision) }, parts: { _ in [0] })
        var statement = try SQLStatement(db, BatchWriter.profilesLatest)
        for row in latest {
            let result = results[Int(row.result)]
            try statement.bind(row.key.series)
            try bind(result, detail: result.detail, &statement)
        }
        statement = try SQLStatement(db, BatchWriter.profilesHistory)
        for row in history {
            let result = results[Int(row.result)]
            try statement.bind(row.key.bucket)
            try statement.bind(row.key.series)
            try bind(result, detail: result.historyDetail, &statement)
        }
    }

    private func bind(_ result: ProfileResult, detail: JSONValue, _ statement: inout SQLStatement) throws {
        try statement.bind(result.time)
        try statement.bind(result.revision.rawValue)
        try statement.bind(result.verdict)
        try statement.bind(result.samples)
        try statement.bind(detail.jsonText)
        try statement.run()
    }

    // MARK: Forecasts

    private func writeForecasts(_ results: [ForecastResult]) throws {
        if results.isEmpty { return }
        let (latest, history) = plan(
            results, keeps: policy.forecasts, place: { ($0.series, $0.time, $0.revision) }, parts: { [$0.horizon] })
        var statement = try SQLStatement(db, BatchWriter.forecastsLatest)
        for row in latest {
            let result = results[Int(row.result)]
            try statement.bind(row.key.series)
            try statement.bind(row.key.part)
            try statement.bind(row.version.time)
            try bind(result, &statement)
            try statement.bind(ForecastPath.text(result.path))
            try statement.run()
        }
        statement = try SQLStatement(db, BatchWriter.forecastsHistory)
        for row in history {
            try statement.bind(row.key.bucket)
            try statement.bind(row.key.series)
            try statement.bind(row.key.time)
            try statement.bind(row.key.part)
            try bind(results[Int(row.result)], &statement)
            try statement.run()
        }
    }

    private func bind(_ result: ForecastResult, _ statement: inout SQLStatement) throws {
        try statement.bind(result.revision.rawValue)
        try statement.bind(result.step)
        for prediction in [result.max, result.min, result.avg] {
            let finite = prediction.flatMap { $0.isFinite ? $0 : nil }
            for value in finite?.values ?? [nil, nil, nil, nil, nil] { try statement.bind(value) }
        }
        try statement.bind(result.reason)
    }

    // MARK: Chunks

    private func writeChunks(_ chunks: [ChunkResult]) throws {
        if chunks.isEmpty { return }
        let rows = WritePlan.reduced(
            chunks.enumerated().map { i, chunk in
                PlannedRow(
                    key: .init(series: id(chunk.series), time: chunk.start), version: .init(time: 0, revision: chunk.revision.rawValue),
                    result: Int32(i))
            })
        var statement = try SQLStatement(db, BatchWriter.chunks)
        for row in rows {
            let chunk = chunks[Int(row.result)]
            let moments = chunk.moments
            try statement.bind(row.key.series)
            try statement.bind(chunk.start)
            try statement.bind(chunk.end)
            try statement.bind(chunk.revision.rawValue)
            try statement.bind(chunk.count)
            try statement.bind(chunk.replayOffset)
            try statement.bind(moments.count)
            let isEmpty = moments.count == 0
            for value in [moments.min, moments.max, moments.reference, moments.offset, moments.m2] {
                try statement.bind(isEmpty ? nil : value)
            }
            try statement.bind(chunk.data)
            try statement.run()
        }
    }

    // MARK: Model states

    private func writeModelStates(_ states: [ModelStateResult]) throws {
        if states.isEmpty { return }
        let rows = WritePlan.reduced(
            states.enumerated().map { i, state in
                PlannedRow(
                    key: .init(series: id(state.series)), version: .init(time: state.time, revision: state.revision.rawValue),
                    result: Int32(i))
            })
        var statement = try SQLStatement(db, BatchWriter.modelStates)
        for row in rows {
            try statement.bind(row.key.series)
            try statement.bind(row.version.time)
            try statement.bind(row.version.revision)
            try statement.bind(states[Int(row.result)].data)
            try statement.run()
        }
    }

    // MARK: Anomalies

    private func writeAnomalies(_ anomalies: [AnomalyResult]) throws {
        if anomalies.isEmpty { return }
        let rows = WritePlan.reduced(
            anomalies.enumerated().map { i, anomaly in
                PlannedRow(
                    key: .init(series: id(anomaly.series), time: anomaly.onset),
                    version: .init(time: anomaly.time, revision: anomaly.revision.rawValue), result: Int32(i))
            })
        var statement = try SQLStatement(db, BatchWriter.anomalies)
        for row in rows {
            let anomaly = anomalies[Int(row.result)]
            try statement.bind(row.key.series)
            try statement.bind(row.key.time)
            try statement.bind(row.version.time)
            try statement.bind(row.version.revision)
            if let end = anomaly.end { try statement.bind(end) } else { try statement.bind(nil as Double?) }
            for value in [anomaly.score, anomaly.expected, anomaly.seen] { try statement.bind(value) }
            try statement.bind(anomaly.cause)
            try statement.run()
        }
    }
}
