import Records
import Storage
import TimeSeries

extension BatchWriter {
    func writeTraffic(_ batch: StoreBatch) throws {
        try each(batch.trafficTotals, BatchWriter.trafficTotals) { total, out in
            for name in [total.storedDay, total.route, total.vehicleType] { out.append(name) }
            out.append(total.revision.rawValue)
            out.append(total.time)
            for count in [total.vehicles, total.events, total.arrivals] { out.append(count) }
        }
        try each(batch.trafficWindows, BatchWriter.trafficWindows) { window, out in
            out.append(window.time)
            out.append(window.window)
            for name in [window.route, window.vehicleType] { out.append(name) }
            out.append(window.revision.rawValue)
            for count in [window.vehicles, window.events] { out.append(count) }
            for speed in [window.speedAvg, window.speedP10] { out.append(speed) }
            out.append(window.lowFuel)
        }
        try each(batch.visits, BatchWriter.visits) { visit, out in
            out.append(visit.point)
            out.append(visit.entered)
            out.append(visit.vehicle)
            out.append(visit.revision.rawValue)
            out.append(visit.time)
            for name in [visit.vehicleType, visit.route] { out.append(name) }
            out.append(visit.seen)
            out.append(orNull: visit.left)
            for value in [visit.latitude, visit.longitude, visit.distance] { out.append(value) }
            out.append(visit.isWithdrawn ? 1 : 0)
        }
        try each(batch.alerts, BatchWriter.alerts) { alert, out in
            out.append(alert.rule)
            out.append(alert.onset)
            out.append(alert.subject)
            out.append(alert.revision.rawValue)
            out.append(alert.time)
            for name in [alert.vehicleType, alert.route] { out.append(name) }
            out.append(orNull: alert.end)
            for value in [alert.value, alert.limit] { out.append(value) }
            out.append(alert.message)
        }
        try writeCheckpoints(batch.checkpoints)
    }

    private func each<Row: TrafficRow>(_ rows: [Row], _ upsert: Upsert, _ fill: (Row, RowBatch) -> Void) throws {
        if rows.isEmpty { return }
        let rows = TrafficRows.reduced(rows)
        let writer = TableWriter(connection, upsert, rows: options.arrayRows, expected: rows.count, errors: errors)
        for row in rows {
            fill(row, writer.batch)
            try writer.endRow()
        }
        try writer.finish()
    }

    /// Parts of older revisions go as soon as a newer one is complete, those that only now come too.
    private func writeCheckpoints(_ parts: [CheckpointPart]) throws {
        try each(parts, BatchWriter.checkpoints) { part, out in
            out.append(part.name)
            out.append(part.revision.rawValue)
            out.append(part.part)
            out.append(part.parts)
            out.append(part.time)
            out.append(part.data)
        }
        for name in Set(parts.map(\.name)).sorted() {
            guard let newest = try BatchWriter.completeCheckpoint(name, connection) else { continue }
            try connection.run("DELETE FROM `checkpoints` WHERE `name` = ? AND `revision` < ?", [.text(name), .integer(newest)])
        }
    }

    /// The newest revision of which all parts are there.
    static func completeCheckpoint(_ name: String, _ connection: Connection) throws -> Int64? {
        try connection.integer(
            """
            SELECT `revision` FROM `checkpoints` WHERE `name` = ? GROUP BY `revision`
            HAVING COUNT(*) = MAX(`parts`) AND MIN(`parts`) = MAX(`parts`) ORDER BY `revision` DESC LIMIT 1
            """, [.text(name)])
    }

    private static let trafficTotals = Upsert.revised(
        "traffic_totals", key: [("day", .text), ("route", .text), ("vehicle_type", .text)],
        values: ["time_ms", "vehicles", "events", "arrivals"].map { ($0, .integer) })
    private static let trafficWindows = Upsert.revised(
        "traffic_windows", key: [("time_ms", .integer), ("window_ms", .integer), ("route", .text), ("vehicle_type", .text)],
        values: [("vehicles", .integer), ("events", .integer), ("speed_avg", .double), ("speed_p10", .double), ("low_fuel", .integer)])
    private static let visits = Upsert.revised(
        "point_visits", key: [("point", .text), ("entered_ms", .integer), ("vehicle", .text)],
        values: [
            ("time_ms", .integer), ("vehicle_type", .text), ("route", .text), ("seen_ms", .integer), ("left_ms", .integer),
            ("latitude", .double), ("longitude", .double), ("distance", .double), ("withdrawn", .integer),
        ])
    private static let alerts = Upsert.revised(
        "traffic_alerts", key: [("rule", .text), ("onset_ms", .integer), ("subject", .text)],
        values: [
            ("time_ms", .integer), ("vehicle_type", .text), ("route", .text), ("end_ms", .integer), ("value", .double), ("limit", .double),
            ("message", .text),
        ])
    private static let checkpoints = Upsert(
        "checkpoints",
        [
            ("name", .text), ("revision", .integer), ("part", .integer), ("parts", .integer), ("time_ms", .integer), ("data", .bytes),
        ], assignments: ["`parts` = `parts`"])
}
