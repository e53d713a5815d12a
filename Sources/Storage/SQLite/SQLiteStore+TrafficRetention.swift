import GRDB
import Records
import TimeSeries

/// Up to where retention removes rows of the traffic.
struct TrafficCutoffs: Sendable {
    var windows: Milliseconds
    /// Totals of this day and those before.
    var lastDay: String
    var visits: Milliseconds
    var alerts: Milliseconds
}

extension SQLiteStore {
    /// Each step is a transaction of its own.
    func removeTraffic(_ cutoffs: TrafficCutoffs) async throws -> Int {
        var removed = try await removeTrafficWindows(cutoffs.windows)
        removed += try await removeRows(
            "traffic_totals", key: "day, route, vehicle_type", "day > '' AND day <= ?", [cutoffs.lastDay])
        // By entry and onset first: nothing is heard of what has not begun, and the indexes begin with them.
        removed += try await removeRows(
            "point_visits", key: "point, entered_ms, vehicle", "entered_ms <= ? AND time_ms <= ?", [cutoffs.visits, cutoffs.visits])
        removed += try await removeRows(
            "traffic_alerts", key: "rule, onset_ms, subject", "onset_ms <= ? AND time_ms <= ?", [cutoffs.alerts, cutoffs.alerts])
        return removed
    }

    func removeTrafficWindows(_ cutoff: Milliseconds) async throws -> Int {
        try await removeRows("traffic_windows", key: "time_ms, window_ms, route, vehicle_type", "time_ms <= ?", [cutoff])
    }

    private func removeRows(
        _ table: String, key: String, _ condition: String, _ values: [any DatabaseValueConvertible & Sendable]
    ) async throws -> Int {
        let step = max(1, options.retentionStep)
        return try await repeated { db, _ in
            try db.execute(
                sql: "DELETE FROM \(table) WHERE (\(key)) IN (SELECT \(key) FROM \(table) WHERE \(condition) LIMIT \(step))",
                arguments: StatementArguments(values))
            return db.changesCount > 0 ? db.changesCount : nil
        }
    }
}
