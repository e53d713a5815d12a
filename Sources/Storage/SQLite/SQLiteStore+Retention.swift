import GRDB
import Records
import TimeSeries

extension SQLiteStore {
    /// Whole hours of history go, so up to one hour more than asked for is kept. Each step is a transaction of its own, so that writes
    /// get their turn. The size limit spares the last hour of history and the last day of chunks, which analyzers start from.
    package func applyRetention(_ retention: StoreRetention, now: Milliseconds) async throws -> Int {
        let cutoffs = Cutoffs(
            windows: before(now, retention.windows), forecasts: before(now, retention.forecasts), profiles: before(now, retention.profiles),
            chunks: before(now, retention.chunks), anomalies: before(now, retention.anomalies))
        var removed = try await removeHistory(cutoffs)
        removed += try await removeLatest(cutoffs)
        removed += try await removeSeries(cutoffs)
        removed += try await removeTraffic(
            TrafficCutoffs(
                windows: before(now, retention.trafficWindows),
                lastDay: StoreRetention.lastDay(endedBefore: before(now, retention.trafficTotals)),
                visits: before(now, retention.visits), alerts: before(now, retention.alerts)))
        if retention.maxBytes > 0 { removed += try await shrink(to: retention.maxBytes, now: now) }
        try await releaseFreePages(maximumBytes: retention.maxBytes)
        return removed
    }

    /// What ended at or before these times may go.
    struct Cutoffs: Sendable {
        var windows: Milliseconds
        var forecasts: Milliseconds
        var profiles: Milliseconds
        var chunks: Milliseconds
        var anomalies: Milliseconds

        var earliest: Milliseconds { min(min(windows, forecasts), min(profiles, chunks), anomalies) }
    }

    private func before(_ now: Milliseconds, _ age: Milliseconds) -> Milliseconds {
        let (time, overflow) = now.subtractingReportingOverflow(max(0, age))
        return overflow ? .min : time
    }

    // MARK: By age

    private func removeHistory(_ cutoffs: Cutoffs) async throws -> Int {
        try await removeHours("window_statistics", cutoffs.windows) + removeHours("forecasts", cutoffs.forecasts)
            + removeHours("profiles", cutoffs.profiles) + removeChunks(cutoffs.chunks)
    }

    /// Removes the hours that end at or before `cutoff`, oldest first, each in steps of about `retentionStep` rows.
    private func removeHours(_ table: String, _ cutoff: Milliseconds) async throws -> Int {
        let firstKept = WritePlan.hour(cutoff)
        let step = options.retentionStep
        return try await repeated { db, _ in
            guard let hour = try Int64.fetchOne(db, sql: "SELECT min(hour) FROM \(table)"), hour < firstKept else { return nil }
            let last = try Int64.fetchOne(
                db, sql: "SELECT series FROM \(table) WHERE hour = ? ORDER BY hour, series LIMIT 1 OFFSET ?", arguments: [hour, step])
            try db.execute(
                sql: "DELETE FROM \(table) WHERE hour = ? AND series <= ?", arguments: [hour, last ?? Int64.max])
            return db.changesCount
        }
    }

    private func removeChunks(_ cutoff: Milliseconds) async throws -> Int {
        // Chunks are large, so fewer at once; and `CROSS JOIN` keeps the order of the loops: one seek for each series.
        let step = max(1, options.retentionStep / 5)
        return try await overSeries { db, first, last in
            try db.execute(
                sql: """
                    DELETE FROM chunks WHERE id IN (
                        SELECT c.id FROM series s CROSS JOIN chunks c ON c.series = s.id AND c.end_ms <= ?
                        WHERE s.id BETWEEN ? AND ? LIMIT ?)
                    """, arguments: [cutoff, first, last, step])
            return db.changesCount
        }
    }

    /// Removes the latest rows of series that have had no new ones for so long, and the incidents that nothing was heard of for so long.
    private func removeLatest(_ cutoffs: Cutoffs) async throws -> Int {
        let tables = [
            ("window_statistics_latest", cutoffs.windows), ("forecasts_latest", cutoffs.forecasts), ("profiles_latest", cutoffs.profiles),
            ("model_states", cutoffs.windows), ("anomalies", cutoffs.anomalies),
        ]
        return try await overSeries { db, first, last in
            var removed = 0
            for (table, cutoff) in tables {
                try db.execute(
                    sql: "DELETE FROM \(table) WHERE series BETWEEN ? AND ? AND time_ms <= ?", arguments: [first, last, cutoff])
                removed += db.changesCount
            }
            return removed
        }
    }

    /// Removes series that have nothing left. An hour past the earliest cutoff all their history has gone.
    private func removeSeries(_ cutoffs: Cutoffs) async throws -> Int {
        let cutoff = before(cutoffs.earliest, WritePlan.hour)
        return try await overSeries { db, first, last in
            try db.execute(
                sql: """
                    DELETE FROM series WHERE id BETWEEN ? AND ?
                        AND EXISTS (SELECT 1 FROM series_seen n WHERE n.series = series.id AND n.last_ms <= ?)
                        AND NOT EXISTS (SELECT 1 FROM chunks c WHERE c.series = series.id)
                        AND NOT EXISTS (SELECT 1 FROM window_statistics_latest w WHERE w.series = series.id)
                        AND NOT EXISTS (SELECT 1 FROM forecasts_latest f WHERE f.series = series.id)
                        AND NOT EXISTS (SELECT 1 FROM profiles_latest p WHERE p.series = series.id)
                        AND NOT EXISTS (SELECT 1 FROM model_states m WHERE m.series = series.id)
                        AND NOT EXISTS (SELECT 1 FROM anomalies a WHERE a.series = series.id)
                    """, arguments: [first, last, cutoff])
            let removed = db.changesCount
            if removed > 0 {
                try db.execute(
                    sql:
                        """
                        DELETE FROM series_seen WHERE series BETWEEN ? AND ?
                            AND NOT EXISTS (SELECT 1 FROM series s WHERE s.id = series_seen.series)
                        """,
                    arguments: [first, last])
            }
            return removed
        }
    }

    // MARK: By size

    private func shrink(to maximumBytes: Int64, now: Milliseconds) async throws -> Int {
        var removed = 0
        let lastHour = before(now, WritePlan.hour)
        let lastDay = before(now, 24 * WritePlan.hour)
        while try await read({ try FileSize($0).used }) > maximumBytes {
            guard let oldest = try await read({ try SQLiteStore.oldest($0, chunksBefore: lastDay) }), oldest < lastHour else { break }
            let cutoff = min((WritePlan.hour(oldest) + 1) * WritePlan.hour, lastHour)
            let step = try await removeHistory(
                Cutoffs(windows: cutoff, forecasts: cutoff, profiles: cutoff, chunks: min(cutoff, lastDay), anomalies: .min))
            let windows = try await removeTrafficWindows(cutoff)
            if step + windows == 0 { break }
            removed += step + windows
        }
        return removed
    }

    /// The time of the oldest row that the size limit may remove.
    private static func oldest(_ db: Database, chunksBefore: Milliseconds) throws -> Milliseconds? {
        var times: [Milliseconds] = []
        for table in ["window_statistics", "forecasts", "profiles"] {
            if let hour = try Int64.fetchOne(db, sql: "SELECT min(hour) FROM \(table)") { times.append(hour * WritePlan.hour) }
        }
        if let window = try Int64.fetchOne(db, sql: "SELECT min(time_ms) FROM traffic_windows") { times.append(window) }
        let chunk = try Int64.fetchOne(
            db, sql: "SELECT min(ended) FROM (SELECT (SELECT min(c.end_ms) FROM chunks c WHERE c.series = s.id) AS ended FROM series s)")
        if let chunk, chunk <= chunksBefore { times.append(chunk) }
        return times.min()
    }

    /// Gives pages back to the file system while the file is over its limit or more than a quarter of it is free; else
    /// free pages are kept for what comes.
    private func releaseFreePages(maximumBytes: Int64) async throws {
        while true {
            try Task.checkCancellation()
            let size = try await read { try FileSize($0) }
            let isOver = maximumBytes > 0 && size.pages * size.pageSize > maximumBytes
            guard size.free > 256, isOver || size.free > size.pages / 4 else { return }
            try await transaction { db, _ in try db.execute(sql: "PRAGMA incremental_vacuum(500)") }
        }
    }

    private struct FileSize: Sendable {
        var pages: Int64
        var free: Int64
        var pageSize: Int64

        var used: Int64 { (pages - free) * pageSize }

        init(_ db: Database) throws {
            pages = try Int64.fetchOne(db, sql: "PRAGMA page_count") ?? 0
            free = try Int64.fetchOne(db, sql: "PRAGMA freelist_count") ?? 0
            pageSize = try Int64.fetchOne(db, sql: "PRAGMA page_size") ?? 4096
        }
    }

    // MARK: Steps

    /// Runs `step` in transactions of its own until it returns nil; the sum of what it returned.
    func repeated(_ step: @escaping @Sendable (Database, inout SeriesIndex) throws -> Int?) async throws -> Int {
        var sum = 0
        while true {
            try Task.checkCancellation()
            guard let count = try await transaction(step) else { return sum }
            sum += count
        }
    }

    /// Runs `step` for ranges of series' numbers, each time in a transaction of its own, until it removes nothing more. A step may remove
    /// series, so the writer's memory of them is dropped where it removed something.
    private func overSeries(_ step: @escaping @Sendable (Database, Int64, Int64) throws -> Int) async throws -> Int {
        guard let last = try await read({ try Int64.fetchOne($0, sql: "SELECT max(id) FROM series") }) else { return 0 }
        var sum = 0
        var first = try await read { try Int64.fetchOne($0, sql: "SELECT min(id) FROM series") ?? 1 }
        while first <= last {
            try Task.checkCancellation()
            let (from, to) = (first, min(last, first + 999))
            sum += try await repeated { db, index in
                let removed = try step(db, from, to)
                if removed > 0 { index.removeAll() }
                return removed > 0 ? removed : nil
            }
            first = to + 1
        }
        return sum
    }
}
