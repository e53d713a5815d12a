import Records
import Storage
import TimeSeries

/// Rows of a simulation's truth and those of a store as texts that are equal where they say the same.
package enum TruthComparison {
    /// Rows of the truth in a form that those of the store have too, and the visits whose end depends on the end of the data.
    package static func rows(ofTruth truth: [UInt8]) throws -> (rows: Set<String>, open: Set<String>) {
        var rows: Set<String> = []
        var open: Set<String> = []
        for line in truth.split(separator: UInt8(ascii: "\n")) {
            let json = try JSONValue(parsing: Array(line))
            func text(_ name: String) -> String { json[name]?.stringValue ?? "-" }
            func int(_ name: String) -> String { json[name]?.int64Value.map { "\($0)" } ?? "-" }
            switch text("kind") {
            case "total":
                rows.insert(
                    "total \(text("route")) \(text("vehicleType")) \(text("day")) \(int("vehicles")) \(int("events")) \(int("arrivals"))")
            case "window":
                let speeds = "\(micro(json["speedAvg"]?.doubleValue)) \(micro(json["speedP10"]?.doubleValue))"
                rows.insert(
                    "window \(int("time")) \(int("window")) \(text("route")) \(text("vehicleType")) \(int("vehicles")) \(int("events")) "
                        + "\(speeds) \(int("lowFuel"))")
            case "poi":
                let key = "poi \(text("point")) \(text("vehicle")) \(int("entered"))"
                let isOpen = json["open"] != nil
                if isOpen { open.insert(key) }
                rows.insert(
                    "\(key) \(text("vehicleType")) \(text("route")) \(int("seen")) \(micro(json["distance"]?.doubleValue)) "
                        + (isOpen ? "open" : int("left")))
            default: break
            }
        }
        return (rows, open)
    }

    package static func rows(of store: any ResultStore, open: Set<String>) async throws -> Set<String> {
        var rows: Set<String> = []
        for days in [TrafficQuery.DaySelection.sinceStart, .days(from: nil, to: nil)] {
            var query = TrafficQuery()
            query.day = days
            query.limit = .max
            for t in try await store.trafficTotals(query) {
                rows.insert("total \(t.route) \(t.vehicleType) \(t.day ?? "-") \(t.vehicles) \(t.events) \(t.arrivals)")
            }
        }
        for w in try await store.trafficWindows(window: nil, route: nil, from: .min, to: .max, limit: .max) {
            rows.insert(
                "window \(w.time) \(w.window) \(w.route) \(w.vehicleType) \(w.vehicles) \(w.events) \(micro(w.speedAvg)) \(micro(w.speedP10)) \(w.lowFuel)"
            )
        }
        for v in try await store.visits(point: nil, vehicle: nil, from: .min, to: .max, limit: .max, insideOnly: false) {
            let key = "poi \(v.point) \(v.vehicle) \(v.entered)"
            let left = open.contains(key) ? "open" : v.left.map { "\($0)" } ?? "-"
            rows.insert("\(key) \(v.vehicleType) \(v.route) \(v.seen) \(micro(v.distance)) \(left)")
        }
        return rows
    }

    private static func micro(_ value: Double?) -> String { value.map { "\(($0 * 1e6).rounded())" } ?? "-" }

    package static func difference(_ a: Set<String>, _ b: Set<String>) -> String {
        let (missing, superfluous) = (b.subtracting(a).sorted(), a.subtracting(b).sorted())
        return
            "missing \(missing.count): \(missing.prefix(5)), superfluous \(superfluous.count): \(superfluous.prefix(5))"
    }
}
