import GRDB
import Records
import TimeSeries

extension BatchWriter {
    func writeTraffic(_ batch: StoreBatch) throws {
        try writeTotals(batch.trafficTotals)
        try writeTrafficWindows(batch.trafficWindows)
        try writeVisits(batch.visits)
        try writeAlerts(batch.alerts)
        try writeCheckpoints(batch.checkpoints)
    }

    private func each<Row: TrafficRow>(_ rows: [Row], _ sql: String, _ bind: (Row, inout SQLStatement) throws -> Void) throws {
        if rows.isEmpty { return }
        var statement = try SQLStatement(db, sql)
        for row in TrafficRows.reduced(rows) {
            try bind(row, &statement)
            try statement.run()
        }
    }

    private func writeTotals(_ totals: [TrafficTotal]) throws {
        try each(totals, BatchWriter.trafficTotals) { total, statement in
            for name in [total.storedDay, total.route, total.vehicleType] { try statement.bind(name) }
            try statement.bind(total.time)
            try statement.bind(total.revision.rawValue)
            for count in [total.vehicles, total.events, total.arrivals] { try statement.bind(count) }
        }
    }

    private func writeTrafficWindows(_ windows: [TrafficWindow]) throws {
        try each(windows, BatchWriter.trafficWindows) { window, statement in
            try statement.bind(window.time)
            try statement.bind(window.window)
            for name in [window.route, window.vehicleType] { try statement.bind(name) }
            try statement.bind(window.revision.rawValue)
            for count in [window.vehicles, window.events] { try statement.bind(count) }
            for speed in [window.speedAvg, window.speedP10] { try statement.bind(speed) }
            try statement.bind(window.lowFuel)
        }
    }

    private func writeVisits(_ visits: [PointVisit]) throws {
        try each(visits, BatchWriter.visits) { visit, statement in
            try statement.bind(visit.point)
            try statement.bind(visit.entered)
            try statement.bind(visit.vehicle)
            try statement.bind(visit.time)
            try statement.bind(visit.revision.rawValue)
            for name in [visit.vehicleType, visit.route] { try statement.bind(name) }
            try statement.bind(visit.seen)
            try bind(visit.left, &statement)
            for value in [visit.latitude, visit.longitude, visit.distance] { try statement.bind(value) }
            try statement.bind(visit.isWithdrawn ? 1 : 0)
        }
    }

    private func writeAlerts(_ alerts: [TrafficAlert]) throws {
        try each(alerts, BatchWriter.alerts) { alert, statement in
            try statement.bind(alert.rule)
            try statement.bind(alert.onset)
            try statement.bind(alert.subject)
            try statement.bind(alert.time)
            try statement.bind(alert.revision.rawValue)
            for name in [alert.vehicleType, alert.route] { try statement.bind(name) }
            try bind(alert.end, &statement)
            for value in [alert.value, alert.limit] { try statement.bind(value) }
            try statement.bind(alert.message)
        }
    }

    /// Parts of older revisions go as soon as a newer one is complete, those that only now come too.
    private func writeCheckpoints(_ parts: [CheckpointPart]) throws {
        try each(parts, BatchWriter.checkpoints) { part, statement in
            try statement.bind(part.name)
            try statement.bind(part.revision.rawValue)
            try statement.bind(part.part)
            try statement.bind(part.parts)
            try statement.bind(part.time)
            try statement.bind(part.data)
        }
        for name in Set(parts.map(\.name)).sorted() {
            guard let newest = try BatchWriter.completeCheckpoint(name, in: db) else { continue }
            try db.execute(sql: "DELETE FROM checkpoints WHERE name = ? AND revision < ?", arguments: [name, newest])
        }
    }

    /// The newest revision of which all parts are there.
    static func completeCheckpoint(_ name: String, in db: Database) throws -> Int64? {
        try Int64.fetchOne(
            db,
            sql: """
                SELECT revision FROM checkpoints WHERE name = ? GROUP BY revision HAVING count(*) = max(parts) AND min(parts) = max(parts)
                ORDER BY revision DESC LIMIT 1
                """, arguments: [name])
    }

    private func bind(_ time: Milliseconds?, _ statement: inout SQLStatement) throws {
        if let time { try statement.bind(time) } else { try statement.bind(nil as Double?) }
    }
}
