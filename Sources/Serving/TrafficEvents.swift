import Records
import TimeSeries

/// Rows of the traffic as event data: of one record at most the newest so many, whatever it carries; REST has all of them.
enum TrafficEvents {
    static let maximumRows = 500

    static func event(_ record: TrafficRecord) -> (name: String, items: [EventItem]) {
        switch record {
        case .totals(let rows): ("traffic_total", items(rows, TrafficJSON.total))
        case .windows(let rows): ("traffic_window", items(rows, TrafficJSON.window))
        case .visits(let rows):
            // One that is withdrawn is to go from where it is shown.
            ("poi", items(rows) { .object(TrafficJSON.visit($0) + [(key: "withdrawn", value: .bool($0.isWithdrawn))]) })
        case .alerts(let rows): ("alert", items(rows, TrafficJSON.alert))
        }
    }

    private static func items<Row: TrafficRow>(_ rows: [Row], _ json: (Row) -> JSONValue) -> [EventItem] {
        var newest = rows
        if rows.count > maximumRows { newest = Array(rows.sorted { $0.time < $1.time }.suffix(maximumRows)) }
        return newest.map { EventItem(.traffic(route: $0.route, vehicleType: $0.vehicleType), json: json($0).jsonBytes) }
    }
}
