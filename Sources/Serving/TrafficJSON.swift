import Records
import TimeSeries

/// The forms in which the traffic leaves the API, over REST and as events alike.
enum TrafficJSON {
    static func total(_ total: TrafficTotal) -> JSONValue {
        .object(
            place(total.route, total.vehicleType) + [(key: "day", value: JSONValue(total.day))]
                + [count("vehicles", total.vehicles), count("events", total.events), count("arrivals", total.arrivals)]
                + ResultJSON.time("time", total.time) + revision(total.revision))
    }

    /// One row; the time and the length of its window stand once above all of them.
    static func windowRow(_ row: TrafficWindow) -> JSONValue { .object(windowMembers(row)) }

    /// One row that stands alone.
    static func window(_ row: TrafficWindow) -> JSONValue {
        .object(windowHead(row.window, row.time) + windowMembers(row))
    }

    static func windowHead(_ window: Milliseconds, _ time: Milliseconds) -> ResultJSON.Members {
        [(key: "window", value: .string(window.durationText)), (key: "windowMs", value: .int(window))] + ResultJSON.time("time", time)
    }

    private static func windowMembers(_ row: TrafficWindow) -> ResultJSON.Members {
        place(row.route, row.vehicleType) + [
            count("vehicles", row.vehicles), count("events", row.events), (key: "speedAvg", value: JSONValue(row.speedAvg)),
            (key: "speedP10", value: JSONValue(row.speedP10)), count("lowFuel", row.lowFuel),
        ] + revision(row.revision)
    }

    static func visit(_ visit: PointVisit) -> ResultJSON.Members {
        [(key: "point", value: .string(visit.point)), (key: "vehicle", value: .string(visit.vehicle))]
            + place(visit.route, visit.vehicleType) + [(key: "inside", value: .bool(visit.left == nil))]
            + ResultJSON.time("entered", visit.entered) + ResultJSON.time("seen", visit.seen) + optionalTime("left", visit.left)
            + [
                (key: "dwellMs", value: .int(visit.dwell)), (key: "distance", value: JSONValue(visit.distance)),
                (key: "latitude", value: JSONValue(visit.latitude)), (key: "longitude", value: JSONValue(visit.longitude)),
            ] + ResultJSON.time("time", visit.time) + revision(visit.revision)
    }

    static func alert(_ alert: TrafficAlert) -> JSONValue {
        .object(
            [(key: "rule", value: .string(alert.rule)), (key: "subject", value: .string(alert.subject))]
                + place(alert.route, alert.vehicleType) + ResultJSON.time("onset", alert.onset) + optionalTime("end", alert.end)
                + [
                    (key: "value", value: JSONValue(alert.value)), (key: "limit", value: JSONValue(alert.limit)),
                    (key: "message", value: .string(alert.message)),
                ] + ResultJSON.time("time", alert.time) + revision(alert.revision))
    }

    private static func place(_ route: String, _ vehicleType: String) -> ResultJSON.Members {
        [(key: "route", value: .string(route)), (key: "vehicleType", value: .string(vehicleType))]
    }

    private static func count(_ name: String, _ n: Int) -> (key: String, value: JSONValue) { (key: name, value: .int(Int64(n))) }

    private static func revision(_ revision: Revision) -> ResultJSON.Members { [(key: "revision", value: .int(revision.rawValue))] }

    private static func optionalTime(_ name: String, _ time: Milliseconds?) -> ResultJSON.Members {
        time.map { ResultJSON.time(name, $0) } ?? [(key: name, value: .null), (key: name + "Ms", value: .null)]
    }
}
