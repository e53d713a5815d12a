import Records
import Storage
import TimeSeries

extension MySQLStore {
    /// Whole buckets of history go, so up to one hour more than asked for is kept. Each step is a transaction of its own, so that writes
    /// get their turn. The size limit spares the last hour of history and the last day of chunks, which analyzers start from; the
    /// size is what the server says of its tables, which it estimates.
    package func applyRetention(_ retention: StoreRetention, now: Milliseconds) async throws -> Int {
        let cutoffs = Cutoffs(
            windows: before(now, retention.windows), forecasts: before(now, retention.forecasts), profiles: before(now, retention.profiles),
            chunks: before(now, retention.chunks), anomalies: before(now, retention.anomalies))
        var removed = try await removeHistory(cutoffs).total
        removed += try await removeLatest(cutoffs)
        removed += try await removeSeries(cutoffs)
        removed += try await removeTrafficWindows(before(now, retention.trafficWindows))
        removed += try await removeTraffic(
            lastDay: StoreRetention.lastDay(endedBefore: before(now, retention.trafficTotals)), visits: before(now, retention.visits),
            alerts: before(now, retention.alerts))
        if retention.maxBytes > 0 { removed += try await shrink(to: retention.maxBytes, now: now) }
        return removed
    }

    /// What ended at or before these times may go.
    private struct Cutoffs: Sendable {
        var windows: Milliseconds
        var forecasts: Milliseconds
        var profiles: Milliseconds
        var chunks: Milliseconds
        var anomalies: Milliseconds

        var earliest: Milliseconds { min(min(windows, forecasts), min(profiles, chunks), anomalies) }
    }

    /// Rows removed, by table.
    private struct Removed: Sendable {
        var rows: [String: Int] = [:]
        var total: Int { rows.values.reduce(0, +) }
    }

    private func before(_ now: Milliseconds, _ age: Milliseconds) -> Milliseconds {
        let (time, overflow) = now.subtractingReportingOverflow(max(0, age))
        return overflow ? .min : time
    }

    private struct History: Sendable {
        var name: String
        var bucket: String
        var length: Milliseconds
        var cutoff: @Sendable (Cutoffs) -> Milliseconds
    }

    private static let histories = [
        History(name: "window_statistics", bucket: "slot", length: PlannedRow.slot, cutoff: { $0.windows }),
        History(name: "forecasts", bucket: "slot", length: PlannedRow.slot, cutoff: { $0.forecasts }),
        History(name: "profiles", bucket: "hour", length: PlannedRow.hour, cutoff: { $0.profiles }),
    ]

    /// Tables that grow with time; the others are small beside them.
    private static let large = histories.map(\.name) + ["chunks", "traffic_windows"]

    // MARK: By age

    private func removeHistory(_ cutoffs: Cutoffs) async throws -> Removed {
        var removed = Removed()
        for table in MySQLStore.histories {
            // Oldest first, from the beginning of the tree on.
            removed.rows[table.name] = try await repeated(
                "DELETE FROM `\(table.name)` WHERE `\(table.bucket)` < ? ORDER BY `\(table.bucket)` LIMIT \(step)",
                [.integer(PlannedRow.bucket(table.cutoff(cutoffs), table.length))], step)
        }
        // Chunks are large, so fewer at once.
        let few = max(1, step / 5)
        removed.rows["chunks"] = try await repeated(
            "DELETE FROM `chunks` WHERE `end_ms` <= ? ORDER BY `end_ms` LIMIT \(few)", [.integer(cutoffs.chunks)], few)
        return removed
    }

    private func removeTrafficWindows(_ cutoff: Milliseconds) async throws -> Int {
        try await repeated(
            "DELETE FROM `traffic_windows` WHERE `time_ms` <= ? ORDER BY `time_ms` LIMIT \(step)", [.integer(cutoff)], step)
    }

    /// By entry and onset first: nothing is heard of what has not begun, and the indexes begin with them.
    private func removeTraffic(lastDay: String, visits: Milliseconds, alerts: Milliseconds) async throws -> Int {
        var removed = try await repeated(
            "DELETE FROM `traffic_totals` WHERE `day` > '' AND `day` <= ? ORDER BY `day` LIMIT \(step)", [.text(lastDay)], step)
        for (table, begin, cutoff) in [("point_visits", "entered_ms", visits), ("traffic_alerts", "onset_ms", alerts)] {
            removed += try await repeated(
                "DELETE FROM `\(table)` WHERE `\(begin)` <= ? AND `time_ms` <= ? ORDER BY `\(begin)` LIMIT \(step)",
                [.integer(cutoff), .integer(cutoff)], step)
        }
        return removed
    }

    private var step: Int { max(1, options.retentionStep) }

    /// Runs a statement, each time in a transaction of its own, until it removes fewer rows than it may.
    private func repeated(_ sql: String, _ parameters: [Parameter], _ limit: Int) async throws -> Int {
        var sum = 0
        while true {
            try Task.checkCancellation()
            let count = try await writers.transaction { try $0.run(sql, parameters) }
            sum += count
            if count < limit { return sum }
        }
    }

    /// Removes the latest rows of series that have had no new ones for so long, and the incidents that nothing was
    /// heard of for so long. They are looked for without locks, which would hold
    /// up those who write the others.
    private func removeLatest(_ cutoffs: Cutoffs) async throws -> Int {
        let tables = [
            ("window_statistics_latest", cutoffs.windows), ("forecasts_latest", cutoffs.forecasts), ("profiles_latest", cutoffs.profiles),
            ("model_states", cutoffs.windows), ("anomalies", cutoffs.anomalies),
        ]
        let limit = min(step, 1000)
        var sum = 0
        for (table, cutoff) in tables {
            while true {
                try Task.checkCancellation()
                let old = try await numbers(
                    "SELECT DISTINCT `series` FROM `\(table)` WHERE `time_ms` <= ? LIMIT \(limit)", [.integer(cutoff)])
                if old.isEmpty { break }
                sum += try await writers.transaction { connection in
                    let pages = InList.pages(
                        old.map { .integer($0) }, "DELETE FROM `\(table)` WHERE `series` IN", rest: " AND `time_ms` <= ?")
                    return try pages.reduce(0) { try $0 + connection.run($1.sql, $1.parameters + [.integer(cutoff)]) }
                }
                if old.count < limit { break }
            }
        }
        return sum
    }

    private func numbers(_ sql: String, _ parameters: [Parameter]) async throws -> [Int64] {
        try await readers.run { connection in
            var numbers: [Int64] = []
            try connection.query(sql, parameters) { row in numbers.append(row.int64(0)) }
            return numbers
        }
    }

    /// Removes series that have nothing left. An hour past the earliest cutoff all their history has gone.
    private func removeSeries(_ cutoffs: Cutoffs) async throws -> Int {
        let cutoff = before(cutoffs.earliest, PlannedRow.hour)
        let unused = """
            SELECT n.`series` FROM `series_seen` n WHERE n.`last_ms` <= ?
            """
            + ["chunks", "window_statistics_latest", "forecasts_latest", "profiles_latest", "model_states", "anomalies"].map {
                " AND NOT EXISTS (SELECT 1 FROM `\($0)` t WHERE t.`series` = n.`series`)"
            }.joined() + " LIMIT \(min(step, 1000))"
        var sum = 0
        while true {
            try Task.checkCancellation()
            if try await numbers(unused, [.integer(cutoff)]).isEmpty { return sum }
            sum += try await writers.transaction { connection in
                // Writers hold this row while they use numbers: none is at work now, and all will ask for the numbers again.
                try connection.run("UPDATE `almanac_state` SET `value` = `value` + 1 WHERE `name` = 'series_epoch'")
                var gone: [Parameter] = []
                try connection.query(unused, [.integer(cutoff)]) { row in gone.append(.integer(row.int64(0))) }
                for table in [("series_seen", "series"), ("series", "id")] {
                    for (sql, parameters) in InList.pages(gone, "DELETE FROM `\(table.0)` WHERE `\(table.1)` IN") {
                        try connection.run(sql, parameters)
                    }
                }
                return gone.count
            }
        }
    }

    // MARK: By size

    private struct TableSize: Sendable {
        var bytes: Int64
        var rows: Int64
    }

    /// Hours go, oldest first, until the rows removed make up for what is too much, by the tables' average sizes: the server gives
    /// the space free only later.
    private func shrink(to maximumBytes: Int64, now: Milliseconds) async throws -> Int {
        // What the server knows of its tables may be old: measured anew.
        let tables = MySQLStore.large.map { "`\($0)`" }.joined(separator: ", ")
        try await readers.run { connection in
            try connection.query("ANALYZE NO_WRITE_TO_BINLOG TABLE \(tables)") { _ in }
        }
        let sizes = try await self.sizes()
        var excess = sizes.values.reduce(0) { $0 + $1.bytes } - maximumBytes
        var removed = 0
        let lastHour = before(now, PlannedRow.hour)
        let lastDay = before(now, 24 * PlannedRow.hour)
        while excess > 0 {
            guard let oldest = try await oldest(chunksBefore: lastDay), oldest < lastHour else { break }
            let cutoff = min((PlannedRow.bucket(oldest, PlannedRow.hour) + 1) * PlannedRow.hour, lastHour)
            var step = try await removeHistory(
                Cutoffs(windows: cutoff, forecasts: cutoff, profiles: cutoff, chunks: min(cutoff, lastDay), anomalies: .min))
            step.rows["traffic_windows"] = try await removeTrafficWindows(cutoff)
            if step.total == 0 { break }
            removed += step.total
            for (table, count) in step.rows {
                guard let size = sizes[table] else { continue }
                excess -= Int64(count) * (size.bytes / max(1, size.rows))
            }
        }
        return removed
    }

    private func sizes() async throws -> [String: TableSize] {
        try await readers.run { connection in
            var sizes: [String: TableSize] = [:]
            try connection.query(
                """
                SELECT table_name, CAST(data_length + index_length AS SIGNED), CAST(table_rows AS SIGNED) FROM information_schema.tables
                WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'
                """
            ) { row in sizes[row.text(0) ?? ""] = TableSize(bytes: row.int64(1), rows: row.int64(2)) }
            return sizes
        }
    }

    /// The time of the oldest row that the size limit may remove.
    private func oldest(chunksBefore: Milliseconds) async throws -> Milliseconds? {
        try await readers.run { connection in
            var times: [Milliseconds] = []
            for table in MySQLStore.histories {
                let bucket = try connection.integer("SELECT MIN(`\(table.bucket)`) FROM `\(table.name)`")
                if let bucket { times.append(bucket * table.length) }
            }
            if let window = try connection.integer("SELECT MIN(`time_ms`) FROM `traffic_windows`") { times.append(window) }
            if let chunk = try connection.integer("SELECT MIN(`end_ms`) FROM `chunks`"), chunk <= chunksBefore { times.append(chunk) }
            return times.min()
        }
    }
}
