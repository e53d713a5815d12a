import CassandraClient
import Records
import Storage
import TimeSeries

extension CassandraStore {
    private typealias Tables = CassandraTables

    /// One row of window statistics.
    struct WindowRow: Sendable {
        var time: Milliseconds
        var revision: Revision
        var statistics: WindowStatistics
    }

    func windowRows(_ id: Fingerprint, _ connected: Connected) async throws -> [WindowRow] {
        let select = try await connected.statements.select(Tables.windowsLatest)
        return try await rows(connected, select, [.text(id.description)]) { row in
            guard let window = try row.int64(0), var fact = row.fields(1) else { return nil }
            let revision = try fact.revision()
            let time = try fact.int64() ?? 0
            return WindowRow(time: time, revision: revision, statistics: try fact.statistics(window))
        }
    }

    /// Each row of a newest result together with its series; series that are not there have none.
    private func latest<Result: Sendable>(
        _ ids: [Fingerprint], _ read: @escaping @Sendable (Fingerprint, Connected) async throws -> (SeriesKey) throws -> [Result]
    ) async throws -> [Result] {
        try await errors.translating {
            let connected = try await connected()
            let found = try await concurrently(ids) { id -> [Result] in
                async let series = self.find(id, connected)
                let make = try await read(id, connected)
                guard let key = try await series?.key else { return [] }
                return try make(key)
            }
            return found.flatMap { $0 }
        }
    }

    package func latestWindows(_ ids: [Fingerprint]) async throws -> [WindowsResult] {
        try await latest(ids) { id, connected in
            let rows = try await self.windowRows(id, connected)
            return { key in CassandraStore.results(key, rows).last.map { [$0] } ?? [] }
        }
    }

    /// One result for each time; its revision is the highest of its windows.
    private static func results(_ key: SeriesKey, _ rows: [WindowRow]) -> [WindowsResult] {
        var results: [WindowsResult] = []
        for row in rows.sorted(by: { ($0.time, $0.statistics.window) < ($1.time, $1.statistics.window) }) {
            if results.last?.time != row.time {
                results.append(WindowsResult(series: key, time: row.time, revision: row.revision, windows: []))
            }
            let last = results.count - 1
            results[last].revision = max(results[last].revision, row.revision)
            results[last].windows.append(row.statistics)
        }
        return results
    }

    package func latestProfiles(_ ids: [Fingerprint]) async throws -> [ProfileResult] {
        let errors = errors
        return try await latest(ids) { id, connected in
            let select = try await connected.statements.select(Tables.profilesLatest)
            typealias Row = (Milliseconds, Revision, String?, Int, String)
            let rows: [Row] = try await self.rows(connected, select, [.text(id.description)]) { row in
                guard var fact = row.fields(0) else { return nil }
                let revision = try fact.revision()
                let time = try fact.int64() ?? 0
                return (time, revision, try fact.text(), Int(try fact.int64() ?? 0), try fact.text() ?? "")
            }
            return { key in
                try rows.map { time, revision, verdict, samples, text in
                    guard let detail = try? JSONValue(parsing: Array(text.utf8)) else {
                        throw errors.corrupt("the profile of series \(id) is not JSON")
                    }
                    return ProfileResult(series: key, time: time, revision: revision, verdict: verdict, samples: samples, detail: detail)
                }
            }
        }
    }

    package func latestForecasts(_ ids: [Fingerprint]) async throws -> [ForecastResult] {
        let errors = errors
        return try await latest(ids) { id, connected in
            let select = try await connected.statements.select(Tables.forecastsLatest)
            let rows: [(ForecastRow, String)] = try await self.rows(connected, select, [.text(id.description)]) { row in
                guard let horizon = try row.int64(0), var fact = row.fields(1) else { return nil }
                let revision = try fact.revision()
                let time = try fact.int64() ?? 0
                return (try fact.forecast(time: time, revision: revision, horizon: horizon), try fact.text() ?? "")
            }
            return { key in
                // A horizon that is no longer forecast leaves its last row behind.
                let newest = rows.map(\.0.time).max()
                return try rows.filter { $0.0.time == newest }.sorted { $0.0.horizon < $1.0.horizon }.map { row, text in
                    guard let path = ForecastPath.decode(text) else {
                        throw errors.corrupt("the forecast of series \(id) has no readable path")
                    }
                    return row.result(key, path: path)
                }
            }
        }
    }

    // MARK: Histories

    /// The days of a series that a history has, the newest first, with where their rows end.
    func days(
        _ id: Fingerprint, _ kind: String, from: Int32, to: Int32, _ connected: Connected
    ) async throws -> [(day: Int32, end: Milliseconds)] {
        let select = try await connected.statements.select(Tables.seriesDays, "AND kind = ? AND day >= ? AND day <= ?")
        let found: [(day: Int32, end: Milliseconds)] = try await rows(
            connected, select, [.text(id.description), .text(kind), .int(from), .int(to)]
        ) { row in
            guard let day = try row.int32(1), var fact = row.fields(2) else { return nil }
            _ = try fact.revision()
            return (day, try fact.int64() ?? .max)
        }
        return found.reversed()
    }

    /// Days that are read at once.
    private static let dayStep = 8

    /// Walks the days backwards until `limit` results are there; the results of each day are in order.
    func walk<Result: Sendable>(
        _ days: [Int32], limit: Int, _ read: @escaping @Sendable (Int32) async throws -> [Result]
    ) async throws -> [Result] {
        var pages: [[Result]] = []
        var count = 0
        var next = 0
        while next < days.count, count < limit {
            try Task.checkCancellation()
            // A day alone first: often it is enough.
            let step = Array(days[next..<min(next + (next == 0 ? 2 : CassandraStore.dayStep), days.count)])
            for page in try await concurrently(step, read) {
                pages.append(page)
                count += page.count
            }
            next += step.count
        }
        return Array(pages.reversed().joined().suffix(limit))
    }

    package func windowsHistory(_ id: Fingerprint, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [WindowsResult] {
        guard limit > 0, let range = Stamps.range(from, to) else { return [] }
        return try await errors.translating {
            let connected = try await connected()
            guard let key = try await find(id, connected)?.key else { return [] }
            let days = try await days(id, DayKind.windows, from: range.lowerBound, to: range.upperBound, connected).map(\.day)
            let select = try await connected.statements.select(Tables.windows, "AND time_ms > ? AND time_ms <= ?")
            return try await walk(days, limit: limit) { day in
                let values: BoundValues = [.text(id.description), .int(day), .bigint(from), .bigint(to)]
                let rows: [WindowRow] = try await self.rows(connected, select, values) { row in
                    guard let time = try row.int64(0), let window = try row.int64(1), var fact = row.fields(2) else { return nil }
                    let revision = try fact.revision()
                    return WindowRow(time: time, revision: revision, statistics: try fact.statistics(window))
                }
                return CassandraStore.results(key, rows)
            }
        }
    }

    package func forecastHistory(_ id: Fingerprint, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [ForecastResult] {
        guard limit > 0, let range = Stamps.range(from, to) else { return [] }
        return try await errors.translating {
            let connected = try await connected()
            guard let key = try await find(id, connected)?.key else { return [] }
            let days = try await days(id, DayKind.forecasts, from: range.lowerBound, to: range.upperBound, connected).map(\.day)
            let select = try await connected.statements.select(Tables.forecasts, "AND time_ms > ? AND time_ms <= ?")
            return try await walk(days, limit: limit) { day in
                let values: BoundValues = [.text(id.description), .int(day), .bigint(from), .bigint(to)]
                return try await self.rows(connected, select, values) { row in
                    guard let time = try row.int64(0), let horizon = try row.int64(1), var fact = row.fields(2) else { return nil }
                    let revision = try fact.revision()
                    return try fact.forecast(time: time, revision: revision, horizon: horizon).result(key, path: [])
                }
            }
        }
    }

    package func anomalies(of id: Fingerprint, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [AnomalyResult] {
        if limit <= 0 || from >= to { return [] }
        return try await errors.translating {
            let connected = try await connected()
            guard let key = try await find(id, connected)?.key else { return [] }
            // One that lasts may have begun on any day.
            let days = try await days(id, DayKind.anomalies, from: .min, to: Stamps.day(to), connected).map(\.day)
            let select = try await connected.statements.select(Tables.anomalies, "AND onset_ms <= ?")
            return try await walk(days, limit: limit) { day in
                try await self.rows(connected, select, [.text(id.description), .int(day), .bigint(to)]) { row in
                    guard let onset = try row.int64(0), var fact = row.fields(1) else { return nil }
                    let revision = try fact.revision()
                    let time = try fact.int64() ?? 0
                    let end = try fact.int64()
                    if let end, end <= from { return nil }
                    return AnomalyResult(
                        series: key, time: time, revision: revision, onset: onset, end: end, score: try fact.double() ?? 0,
                        expected: try fact.double(), seen: try fact.double(), cause: try fact.text() ?? "")
                }
            }
        }
    }
}

/// A forecast without its series.
struct ForecastRow: Sendable {
    var time: Milliseconds
    var revision: Revision
    var horizon: Milliseconds
    var step: Milliseconds
    var reason: String?
    var max: Prediction?
    var min: Prediction?
    var avg: Prediction?

    func result(_ key: SeriesKey, path: [Prediction]) -> ForecastResult {
        ForecastResult(
            series: key, time: time, revision: revision, horizon: horizon, step: step, max: max, min: min, avg: avg, path: path,
            reason: reason)
    }
}

extension FieldReader {
    /// The two fields in front of every fact.
    mutating func revision() throws -> Revision {
        let revision = Revision(rawValue: try int64() ?? 0)
        _ = try int64()
        return revision
    }

    fileprivate mutating func statistics(_ window: Milliseconds) throws -> WindowStatistics {
        WindowStatistics(
            window: window, count: Int(try int64() ?? 0), min: try double(), max: try double(), avg: try double(), stddev: try double(),
            p50: try double(), p95: try double(), p99: try double())
    }

    fileprivate mutating func forecast(time: Milliseconds, revision: Revision, horizon: Milliseconds) throws -> ForecastRow {
        ForecastRow(
            time: time, revision: revision, horizon: horizon, step: try int64() ?? 0, reason: try text(), max: try prediction(),
            min: try prediction(), avg: try prediction())
    }

    private mutating func prediction() throws -> Prediction? {
        var values: [Double] = []
        for _ in 0..<5 { if let value = try double() { values.append(value) } }
        guard values.count == 5 else { return nil }
        return Prediction(expected: values[0], lower80: values[1], upper80: values[2], lower95: values[3], upper95: values[4])
    }
}
