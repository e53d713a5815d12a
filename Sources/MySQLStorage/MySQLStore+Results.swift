import Records
import Storage
import TimeSeries

extension MySQLStore {
    package func latestWindows(_ ids: [Fingerprint]) async throws -> [WindowsResult] {
        try await latest(ids, ResultSQL.windowsLatest) { row, key in ResultRows.window(row, key) }.mapValues { rows in
            let newest = rows.map(\.time).max()
            return ResultRows.joined(rows.filter { $0.time == newest })
        }.inOrder(ids)
    }

    package func latestProfiles(_ ids: [Fingerprint]) async throws -> [ProfileResult] {
        let errors = errors
        return try await latest(ids, ResultSQL.profilesLatest) { row, key in try ResultRows.profile(row, key, errors) }.inOrder(ids)
    }

    package func latestForecasts(_ ids: [Fingerprint]) async throws -> [ForecastResult] {
        let errors = errors
        let found = try await latest(ids, ResultSQL.forecastsLatest) { row, key in
            try ResultRows.forecast(row, key, hasPath: true, errors)
        }
        return found.mapValues { rows in
            // A horizon that is no longer forecast leaves its last row behind.
            let newest = rows.map(\.time).max()
            return rows.filter { $0.time == newest }.sorted { $0.horizon < $1.horizon }
        }.inOrder(ids)
    }

    package func windowsHistory(_ id: Fingerprint, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [WindowsResult] {
        try await history(id, from, to, limit, table: "window_statistics", ResultSQL.windowsHistory) { row, key in
            ResultRows.window(row, key)
        } joined: {
            ResultRows.joined($0)
        }
    }

    package func forecastHistory(_ id: Fingerprint, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [ForecastResult] {
        let errors = errors
        return try await history(id, from, to, limit, table: "forecasts", ResultSQL.forecastsHistory) { row, key in
            try ResultRows.forecast(row, key, hasPath: false, errors)
        } joined: {
            $0
        }
    }

    /// Rows of a latest table by series; `sql` ends before the list of the series' numbers.
    private func latest<Result: Sendable>(
        _ ids: [Fingerprint], _ sql: String, _ decode: @escaping @Sendable (Row, SeriesKey) throws -> Result
    ) async throws -> [Fingerprint: [Result]] {
        if ids.isEmpty { return [:] }
        let scan = SeriesScan(errors: errors)
        return try await read { connection in
            let series = try scan.find(ids, connection)
            let keys = Dictionary(series.map { ($0.number, $0.key) }, uniquingKeysWith: { a, _ in a })
            var results: [Fingerprint: [Result]] = [:]
            for (sql, parameters) in InList.pages(keys.keys.sorted().map { .integer($0) }, sql) {
                try connection.query(sql, parameters) { row in
                    guard let key = keys[row.int64(0)] else { return }
                    results[key.id, default: []].append(try decode(row, key))
                }
            }
            return results
        }
    }

    /// Walks the slots backwards from `to`, a day at a time and passing over what the table does not have, until `limit` results are
    /// there. Each slot is one short seek: O(slots + rows).
    private func history<Result: Sendable>(
        _ id: Fingerprint, _ from: Milliseconds, _ to: Milliseconds, _ limit: Int, table: String, _ sql: String,
        _ decode: @escaping @Sendable (Row, SeriesKey) throws -> Result, joined: @escaping @Sendable ([Result]) -> [Result]
    ) async throws -> [Result] {
        if limit <= 0 || from >= to { return [] }
        let scan = SeriesScan(errors: errors)
        return try await read { connection in
            guard let (number, key) = try scan.find([id], connection).first else { return [] }
            var pages: [[Result]] = []
            var count = 0
            var before = PlannedRow.bucket(to, PlannedRow.slot) + 1
            let first = PlannedRow.bucket(from, PlannedRow.slot)
            while count < limit {
                let newest = try connection.integer("SELECT MAX(`slot`) FROM `\(table)` WHERE `slot` < ?", [.integer(before)])
                guard let slot = newest, slot >= first else { break }
                var rows: [Result] = []
                let slots = (0..<ResultSQL.slotsAtOnce).map { Parameter.integer(slot - Int64($0)) }
                try connection.query(sql, slots + [number, from, to].map { .integer($0) }) { row in rows.append(try decode(row, key)) }
                let page = joined(rows)
                count += page.count
                pages.append(page)
                before = slot - Int64(ResultSQL.slotsAtOnce) + 1
            }
            return Array(pages.reversed().joined().suffix(limit))
        }
    }
}

extension Dictionary {
    fileprivate func inOrder<Result>(_ ids: [Fingerprint]) -> [Result] where Key == Fingerprint, Value == [Result] {
        ids.flatMap { self[$0] ?? [] }
    }
}

/// The texts of the reads. The first column is the series' number.
private enum ResultSQL {
    /// A day.
    static let slotsAtOnce = 288

    private static let statistics =
        "`series`, `time_ms`, `window_ms`, `revision`, `count`, `min`, `max`, `avg`, `stddev`, `p50`, `p95`, `p99`"
    private static let forecast =
        "`series`, `time_ms`, `horizon_ms`, `revision`, `step_ms`, `reason`, "
        + ["max", "min", "avg"].flatMap { name in
            ["`\(name)`"] + ["lower80", "upper80", "lower95", "upper95"].map { "`\(name)_\($0)`" }
        }.joined(separator: ", ")
    private static let slots =
        "`slot` IN (\(repeatElement("?", count: slotsAtOnce).joined(separator: ","))) AND `series` = ? AND `time_ms` > ? AND `time_ms` <= ?"

    static let windowsLatest = "SELECT \(statistics) FROM `window_statistics_latest` WHERE `series` IN"
    static let windowsHistory = "SELECT \(statistics) FROM `window_statistics` WHERE \(slots) ORDER BY `time_ms`, `window_ms`"
    static let profilesLatest =
        "SELECT `series`, `time_ms`, `revision`, `verdict`, `samples`, `detail` FROM `profiles_latest` WHERE `series` IN"
    static let forecastsLatest = "SELECT \(forecast), `path` FROM `forecasts_latest` WHERE `series` IN"
    static let forecastsHistory = "SELECT \(forecast) FROM `forecasts` WHERE \(slots) ORDER BY `time_ms`, `horizon_ms`"
}

/// Rows back into results.
private enum ResultRows {
    /// A result with the one window of the row.
    static func window(_ row: Row, _ key: SeriesKey) -> WindowsResult {
        WindowsResult(
            series: key, time: row.int64(1), revision: Revision(rawValue: row.int64(3)),
            windows: [
                WindowStatistics(
                    window: row.int64(2), count: row.int(4), min: row.double(5), max: row.double(6), avg: row.double(7),
                    stddev: row.double(8), p50: row.double(9), p95: row.double(10), p99: row.double(11))
            ])
    }

    /// Of neighbours with one time one result, with the highest revision of its windows.
    static func joined(_ rows: [WindowsResult]) -> [WindowsResult] {
        var results: [WindowsResult] = []
        for row in rows {
            if let last = results.last, last.time == row.time {
                results[results.count - 1].revision = max(last.revision, row.revision)
                results[results.count - 1].windows += row.windows
            } else {
                results.append(row)
            }
        }
        for i in results.indices { results[i].windows.sort { $0.window < $1.window } }
        return results
    }

    static func profile(_ row: Row, _ key: SeriesKey, _ errors: MySQLErrors) throws -> ProfileResult {
        guard let text = row.text(5), let detail = try? JSONValue(parsing: Array(text.utf8)) else {
            throw errors.corrupt("the profile of series \(key.id) is not JSON")
        }
        return ProfileResult(
            series: key, time: row.int64(1), revision: Revision(rawValue: row.int64(2)), verdict: row.text(3), samples: row.int(4),
            detail: detail)
    }

    static func forecast(_ row: Row, _ key: SeriesKey, hasPath: Bool, _ errors: MySQLErrors) throws -> ForecastResult {
        var path: [Prediction] = []
        if hasPath {
            guard let stored = ForecastPath.decode(row.text(21) ?? "") else {
                throw errors.corrupt("the forecast of series \(key.id) has no readable path")
            }
            path = stored
        }
        return ForecastResult(
            series: key, time: row.int64(1), revision: Revision(rawValue: row.int64(3)), horizon: row.int64(2), step: row.int64(4),
            max: prediction(row, 6), min: prediction(row, 11), avg: prediction(row, 16), path: path, reason: row.text(5))
    }

    private static func prediction(_ row: Row, _ at: Int) -> Prediction? {
        guard let expected = row.double(at), let lower80 = row.double(at + 1), let upper80 = row.double(at + 2),
            let lower95 = row.double(at + 3), let upper95 = row.double(at + 4)
        else { return nil }
        return Prediction(expected: expected, lower80: lower80, upper80: upper80, lower95: lower95, upper95: upper95)
    }
}
