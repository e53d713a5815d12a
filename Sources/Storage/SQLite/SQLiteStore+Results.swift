import GRDB
import Records
import TimeSeries

extension SQLiteStore {
    package func latestWindows(_ ids: [Fingerprint]) async throws -> [WindowsResult] {
        try await latest(ids, ResultSQL.windowsLatest) { key, rows in try ResultRows.windows(key, &rows).last.map { [$0] } ?? [] }
    }

    package func latestProfiles(_ ids: [Fingerprint]) async throws -> [ProfileResult] {
        let errors = errors
        return try await latest(ids, ResultSQL.profilesLatest) { key, rows in
            try rows.step() ? [ResultRows.profile(key, rows, errors)] : []
        }
    }

    package func latestForecasts(_ ids: [Fingerprint]) async throws -> [ForecastResult] {
        let errors = errors
        return try await latest(ids, ResultSQL.forecastsLatest) { key, rows in
            let all = try ResultRows.forecasts(key, &rows, withPath: true, errors)
            // A horizon that is no longer forecast leaves its last row behind.
            let newest = all.map(\.time).max()
            return all.filter { $0.time == newest }
        }
    }

    package func windowsHistory(_ id: Fingerprint, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [WindowsResult] {
        try await history(id, from, to, limit, table: "window_statistics", ResultSQL.windowsHistory) { key, rows in
            try ResultRows.windows(key, &rows)
        }
    }

    package func forecastHistory(_ id: Fingerprint, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [ForecastResult] {
        let errors = errors
        return try await history(id, from, to, limit, table: "forecasts", ResultSQL.forecastsHistory) { key, rows in
            try ResultRows.forecasts(key, &rows, withPath: false, errors)
        }
    }

    /// Runs `sql`, whose one parameter is the series' number, for each series there is.
    private func latest<Result: Sendable>(
        _ ids: [Fingerprint], _ sql: String, _ decode: @escaping @Sendable (SeriesKey, inout SQLStatement) throws -> [Result]
    ) async throws -> [Result] {
        let errors = errors
        return try await read { db in
            var results: [Result] = []
            var rows = try SQLStatement(db, sql)
            defer { rows.reset() }
            for id in ids {
                guard let (number, key) = try SeriesScan.find(id, in: db, errors) else { continue }
                rows.reset()
                try rows.bind(number)
                results += try decode(key, &rows)
            }
            return results
        }
    }

    /// Walks the hours backwards from `to`, passing over hours that the table does not have, until `limit` rows are there.
    /// Each hour is one short seek: O(hours + rows).
    private func history<Result: Sendable>(
        _ id: Fingerprint, _ from: Milliseconds, _ to: Milliseconds, _ limit: Int, table: String, _ sql: String,
        _ decode: @escaping @Sendable (SeriesKey, inout SQLStatement) throws -> [Result]
    ) async throws -> [Result] {
        if limit <= 0 || from >= to { return [] }
        let errors = errors
        return try await read { db in
            guard let (number, key) = try SeriesScan.find(id, in: db, errors) else { return [] }
            var before = try SQLStatement(db, "SELECT max(hour) FROM \(table) WHERE hour < ?")
            var rows = try SQLStatement(db, sql)
            defer {
                before.reset()
                rows.reset()
            }
            var pages: [[Result]] = []
            var count = 0
            var hour = WritePlan.hour(to) + 1
            let first = WritePlan.hour(from)
            while count < limit {
                try before.bind(hour)
                guard try before.step(), !before.isNull(0), before.int64(0) >= first else { break }
                hour = before.int64(0)
                before.reset()
                for value in [hour, number, from, to] { try rows.bind(value) }
                let page = try decode(key, &rows)
                rows.reset()
                count += page.count
                pages.append(page)
            }
            return Array(pages.reversed().joined().suffix(limit))
        }
    }
}

/// The texts of the reads.
private enum ResultSQL {
    private static let statistics = "time_ms, window_ms, revision, count, min, max, avg, stddev, p50, p95, p99"
    private static let forecast = """
        time_ms, horizon_ms, revision, step_ms, reason, max, max_lower80, max_upper80, max_lower95, max_upper95,
        min, min_lower80, min_upper80, min_lower95, min_upper95, avg, avg_lower80, avg_upper80, avg_lower95, avg_upper95
        """

    static let windowsLatest = "SELECT \(statistics) FROM window_statistics_latest WHERE series = ? ORDER BY time_ms, window_ms"
    static let windowsHistory = """
        SELECT \(statistics) FROM window_statistics WHERE hour = ? AND series = ? AND time_ms > ? AND time_ms <= ?
        ORDER BY time_ms, window_ms
        """
    static let profilesLatest = "SELECT time_ms, revision, verdict, samples, detail FROM profiles_latest WHERE series = ?"
    static let forecastsLatest = "SELECT \(forecast), path FROM forecasts_latest WHERE series = ? ORDER BY horizon_ms"
    static let forecastsHistory = """
        SELECT \(forecast) FROM forecasts WHERE hour = ? AND series = ? AND time_ms > ? AND time_ms <= ? ORDER BY time_ms, horizon_ms
        """
}

/// Rows back into results.
private enum ResultRows {
    /// One result for each time; its revision is the highest of its windows.
    static func windows(_ key: SeriesKey, _ rows: inout SQLStatement) throws -> [WindowsResult] {
        var results: [WindowsResult] = []
        while try rows.step() {
            let time = rows.int64(0)
            let revision = Revision(rawValue: rows.int64(2))
            if results.last?.time != time { results.append(WindowsResult(series: key, time: time, revision: revision, windows: [])) }
            let at = results.count - 1
            results[at].revision = max(results[at].revision, revision)
            results[at].windows.append(
                WindowStatistics(
                    window: rows.int64(1), count: rows.int(3), min: rows.double(4), max: rows.double(5), avg: rows.double(6),
                    stddev: rows.double(7), p50: rows.double(8), p95: rows.double(9), p99: rows.double(10)))
        }
        return results
    }

    static func profile(_ key: SeriesKey, _ row: SQLStatement, _ errors: SQLiteErrors) throws -> ProfileResult {
        guard let text = row.text(4), let detail = try? JSONValue(parsing: Array(text.utf8)) else {
            throw StorageError(.corrupt, errors.corruptText("the profile of series \(key.id) is not JSON"))
        }
        return ProfileResult(
            series: key, time: row.int64(0), revision: Revision(rawValue: row.int64(1)), verdict: row.text(2), samples: row.int(3),
            detail: detail)
    }

    static func forecasts(
        _ key: SeriesKey, _ rows: inout SQLStatement, withPath: Bool, _ errors: SQLiteErrors
    ) throws -> [ForecastResult] {
        var results: [ForecastResult] = []
        while try rows.step() {
            var path: [Prediction] = []
            if withPath {
                guard let stored = ForecastPath.decode(rows.text(20) ?? "") else {
                    throw StorageError(.corrupt, errors.corruptText("the forecast of series \(key.id) has no readable path"))
                }
                path = stored
            }
            results.append(
                ForecastResult(
                    series: key, time: rows.int64(0), revision: Revision(rawValue: rows.int64(2)), horizon: rows.int64(1),
                    step: rows.int64(3), max: prediction(rows, 5), min: prediction(rows, 10), avg: prediction(rows, 15), path: path,
                    reason: rows.text(4)))
        }
        return results
    }

    private static func prediction(_ row: SQLStatement, _ at: Int32) -> Prediction? {
        guard let expected = row.double(at), let lower80 = row.double(at + 1), let upper80 = row.double(at + 2),
            let lower95 = row.double(at + 3), let upper95 = row.double(at + 4)
        else { return nil }
        return Prediction(expected: expected, lower80: lower80, upper80: upper80, lower95: lower95, upper95: upper95)
    }
}
