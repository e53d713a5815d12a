import GRDB
import Records
import TimeSeries

extension SQLiteStore {
    package func trafficTotals(_ query: TrafficQuery) async throws -> [TrafficTotal] {
        if query.limit <= 0 { return [] }
        var conditions = Conditions()
        switch query.day {
        case .sinceStart: conditions.add("day = ?", TrafficTotal.sinceStart)
        case .days(let from, let to):
            conditions.add("day > ?", TrafficTotal.sinceStart)
            if let from { conditions.add("day >= ?", from) }
            if let to { conditions.add("day <= ?", to) }
        }
        if let route = query.route { conditions.add("route = ?", route) }
        if let type = query.vehicleType { conditions.add("vehicle_type = ?", type) }
        let sql = """
            SELECT day, route, vehicle_type, time_ms, revision, vehicles, events, arrivals FROM traffic_totals \(conditions.text)
            ORDER BY day DESC, route, vehicle_type LIMIT ?
            """
        return try await rows(sql, conditions, limit: query.limit) { row in
            let day = row.text(0) ?? TrafficTotal.sinceStart
            return TrafficTotal(
                time: row.int64(3), revision: Revision(rawValue: row.int64(4)), route: row.text(1) ?? "", vehicleType: row.text(2) ?? "",
                day: day == TrafficTotal.sinceStart ? nil : day, vehicles: row.int(5), events: row.int(6), arrivals: row.int(7))
        }
    }

    private static let windowColumns =
        "time_ms, window_ms, route, vehicle_type, revision, vehicles, events, speed_avg, speed_p10, low_fuel"

    private static func window(_ row: SQLStatement) -> TrafficWindow {
        TrafficWindow(
            time: row.int64(0), window: row.int64(1), revision: Revision(rawValue: row.int64(4)), route: row.text(2) ?? "",
            vehicleType: row.text(3) ?? "", vehicles: row.int(5), events: row.int(6), speedAvg: row.double(7), speedP10: row.double(8),
            lowFuel: row.int(9))
    }

    package func trafficWindows(
        window: Milliseconds?, route: String?, from: Milliseconds, to: Milliseconds, limit: Int
    ) async throws -> [TrafficWindow] {
        if limit <= 0 || from >= to { return [] }
        var conditions = Conditions()
        conditions.add("time_ms > ?", from)
        conditions.add("time_ms <= ?", to)
        if let window { conditions.add("window_ms = ?", window) }
        if let route { conditions.add("route = ?", route) }
        let sql = """
            SELECT \(SQLiteStore.windowColumns) FROM traffic_windows \(conditions.text)
            ORDER BY time_ms DESC, window_ms DESC, route DESC, vehicle_type DESC LIMIT ?
            """
        return try await rows(sql, conditions, limit: limit, SQLiteStore.window).reversed()
    }

    package func latestTrafficWindows() async throws -> [TrafficWindow] {
        try await read { db in
            var windows: [TrafficWindow] = []
            var rows = try SQLStatement(
                db,
                """
                SELECT \(SQLiteStore.windowColumns) FROM traffic_windows
                WHERE window_ms = ?1 AND time_ms = (SELECT max(time_ms) FROM traffic_windows WHERE window_ms = ?1)
                ORDER BY route, vehicle_type
                """)
            // From length to length by the index: there are few, and many rows of each.
            var length = try Int64.fetchOne(db, sql: "SELECT min(window_ms) FROM traffic_windows")
            while let found = length {
                defer { rows.reset() }
                try rows.bind(found)
                while try rows.step() { windows.append(SQLiteStore.window(rows)) }
                length = try Int64.fetchOne(db, sql: "SELECT min(window_ms) FROM traffic_windows WHERE window_ms > ?", arguments: [found])
            }
            return windows
        }
    }

    package func visits(
        point: String?, vehicle: String?, from: Milliseconds, to: Milliseconds, limit: Int, insideOnly: Bool
    ) async throws -> [PointVisit] {
        if limit <= 0 || from >= to { return [] }
        var conditions = Conditions()
        conditions.add("withdrawn = 0")
        if let point { conditions.add("point = ?", point) }
        if let vehicle { conditions.add("vehicle = ?", vehicle) }
        conditions.add("entered_ms <= ?", to)
        if insideOnly { conditions.add("left_ms IS NULL") } else { conditions.add("(left_ms IS NULL OR left_ms > ?)", from) }
        let sql = """
            SELECT point, entered_ms, vehicle, time_ms, revision, vehicle_type, route, seen_ms, left_ms, latitude, longitude, distance
            FROM point_visits \(conditions.text) ORDER BY entered_ms DESC, point DESC, vehicle DESC LIMIT ?
            """
        return try await rows(sql, conditions, limit: limit) { row in
            PointVisit(
                time: row.int64(3), revision: Revision(rawValue: row.int64(4)), point: row.text(0) ?? "", vehicle: row.text(2) ?? "",
                vehicleType: row.text(5) ?? "", route: row.text(6) ?? "", entered: row.int64(1), seen: row.int64(7),
                left: row.isNull(8) ? nil : row.int64(8), latitude: row.double(9) ?? .nan, longitude: row.double(10) ?? .nan,
                distance: row.double(11) ?? .nan)
        }.reversed()
    }

    package func alerts(rule: String?, subject: String?, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [TrafficAlert] {
        if limit <= 0 || from >= to { return [] }
        var conditions = Conditions()
        if let rule { conditions.add("rule = ?", rule) }
        if let subject { conditions.add("subject = ?", subject) }
        conditions.add("onset_ms <= ?", to)
        conditions.add("(end_ms IS NULL OR end_ms > ?)", from)
        let sql = """
            SELECT rule, onset_ms, subject, time_ms, revision, vehicle_type, route, end_ms, value, "limit", message
            FROM traffic_alerts \(conditions.text) ORDER BY onset_ms DESC, rule DESC, subject DESC LIMIT ?
            """
        return try await rows(sql, conditions, limit: limit) { row in
            TrafficAlert(
                time: row.int64(3), revision: Revision(rawValue: row.int64(4)), rule: row.text(0) ?? "", subject: row.text(2) ?? "",
                vehicleType: row.text(5) ?? "", route: row.text(6) ?? "", onset: row.int64(1), end: row.isNull(7) ? nil : row.int64(7),
                value: row.double(8), limit: row.double(9), message: row.text(10) ?? "")
        }.reversed()
    }

    package func checkpoint(named name: String) async throws -> Checkpoint? {
        try await read { db in
            guard let revision = try BatchWriter.completeCheckpoint(name, in: db) else { return nil }
            var rows = try SQLStatement(db, "SELECT time_ms, data FROM checkpoints WHERE name = ? AND revision = ? ORDER BY part")
            defer { rows.reset() }
            try rows.bind(name)
            try rows.bind(revision)
            var checkpoint = Checkpoint(name: name, time: 0, revision: Revision(rawValue: revision), data: [])
            while try rows.step() {
                checkpoint.time = rows.int64(0)
                checkpoint.data += rows.bytes(1)
            }
            return checkpoint
        }
    }

    // MARK: Conditions

    private enum Value: Sendable {
        case integer(Int64)
        case text(String)
    }

    /// What a row must fulfil; what is not asked for is not in the text, so that the indexes serve what is.
    private struct Conditions: Sendable {
        private var terms: [String] = []
        private(set) var values: [Value] = []

        var text: String { terms.isEmpty ? "" : "WHERE " + terms.joined(separator: " AND ") }

        mutating func add(_ term: String) { terms.append(term) }

        mutating func add(_ term: String, _ value: Int64) {
            terms.append(term)
            values.append(.integer(value))
        }

        mutating func add(_ term: String, _ value: String) {
            terms.append(term)
            values.append(.text(value))
        }
    }

    private func rows<Row: Sendable>(
        _ sql: String, _ conditions: Conditions, limit: Int, _ make: @escaping @Sendable (SQLStatement) -> Row
    ) async throws -> [Row] {
        try await read { db in
            var statement = try SQLStatement(db, sql)
            defer { statement.reset() }
            for value in conditions.values {
                switch value {
                case .integer(let number): try statement.bind(number)
                case .text(let text): try statement.bind(text)
                }
            }
            try statement.bind(limit)
            var rows: [Row] = []
            while try statement.step() { rows.append(make(statement)) }
            return rows
        }
    }
}
