import Glibc
import TimeSeries
import Traffic

/// What the analysis must answer, computed in another way than the product does: all reports are put into order of time first, so that neither
/// lateness nor duplicates are left, and then counted with sets and sorts.
///
/// Rows are NDJSON, docs/formats/traffic-truth.md. Memory: the reports of the last while, of one window's length, and the sets of vehicles.
package struct Truth: Sendable {
    struct Key: Hashable, Comparable {
        var route: UInt8
        var type: UInt8

        static func < (a: Key, b: Key) -> Bool { (a.route, a.type) < (b.route, b.type) }
    }

    /// A vehicle's stay at a point.
    private struct Stay: Sendable {
        var entered: Milliseconds
        var last: FleetEvent
    }

    private struct Count: Sendable {
        var vehicles: Set<Int32> = []
        var events = 0
        var arrivals = 0
    }

    private let options: TrafficOptions
    private let routes: [String]
    private let types: [String]
    private let ids: [String]
    /// Of each route.
    private let zones: [FleetZone]
    /// Arrived, in any order, with duplicates.
    private var waiting: [FleetEvent] = []
    /// In order, those that some window still needs.
    private var recent: [FleetEvent] = []
    /// The next end of each window.
    private var nextEnds: [Milliseconds?]
    private var totals: [Key: Count] = [:]
    private var days: [String: [Key: Count]] = [:]
    private var lastRoutes: [Int32: UInt8] = [:]
    /// By point, then vehicle.
    private var stays: [[Int32: Stay]]
    package private(set) var accepted = 0
    package private(set) var duplicates = 0
    private var oldest: Milliseconds?
    private var newest: Milliseconds?
    /// What has become certain; whoever takes it empties it.
    package var rows: [UInt8] = []

    /// - Parameters:
    ///   - routes: the names behind `FleetEvent.route`; so `types` and, by vehicle, `ids`.
    ///   - start: any time of the simulation; time zones are known for ten years to both sides.
    package init(
        options: TrafficOptions, routes: [String], types: [String], ids: [String], start: Milliseconds
    ) throws(SimulationError) {
        self.options = options
        self.routes = routes
        self.types = types
        self.ids = ids
        var zones: [FleetZone] = []
        for route in routes { zones.append(try FleetZone(name: options.routeZones[route] ?? options.zone, around: start)) }
        self.zones = zones
        nextEnds = [Milliseconds?](repeating: nil, count: options.windows.count)
        stays = [[Int32: Stay]](repeating: [:], count: options.points.count)
    }

    /// A report that must be accepted, or that repeats one.
    package mutating func add(_ event: FleetEvent) { waiting.append(event) }

    /// No report with a time before `time` will come any more.
    package mutating func complete(before time: Milliseconds) {
        let ready = waiting.filter { $0.time < time }.sorted { ($0.time, $0.vehicle) < ($1.time, $1.vehicle) }
        waiting.removeAll { $0.time < time }
        var previous: FleetEvent?
        for event in ready {
            if let previous, previous.time == event.time && previous.vehicle == event.vehicle {
                duplicates += 1
                continue
            }
            previous = event
            accept(event)
        }
        closeWindows(before: time)
    }

    /// Everything has come: the rest of the windows and visits, and the totals.
    package mutating func finish() {
        complete(before: .max)
        for point in stays.indices {
            for (vehicle, stay) in stays[point].sorted(by: { $0.key < $1.key }) {
                let end = stay.last.time + options.points[point].timeToLive
                write(stay, of: vehicle, point, left: end < newest ?? .min ? end : nil, isOpen: true)
            }
            stays[point] = [:]
        }
        for (key, count) in totals.sorted(by: { $0.key < $1.key }) { write(count, key, day: nil) }
        for (day, counts) in days.sorted(by: { $0.key < $1.key }) {
            for (key, count) in counts.sorted(by: { $0.key < $1.key }) { write(count, key, day: day) }
        }
    }

    private mutating func accept(_ event: FleetEvent) {
        accepted += 1
        oldest = oldest ?? event.time
        newest = event.time
        recent.append(event)
        let key = Key(route: event.route, type: event.type)
        let day = zones[Int(event.route)].day(of: event.time)
        let arrivals = lastRoutes[event.vehicle].map { $0 != event.route ? 1 : 0 } ?? 0
        lastRoutes[event.vehicle] = event.route
        Truth.count(event, arrivals, &totals[key, default: Count()])
        Truth.count(event, arrivals, &days[day, default: [:]][key, default: Count()])
        for point in options.points.indices { visit(event, point) }
    }

    private static func count(_ event: FleetEvent, _ arrivals: Int, _ count: inout Count) {
        count.vehicles.insert(event.vehicle)
        count.events += 1
        count.arrivals += arrivals
    }

    // MARK: - Points

    private mutating func visit(_ event: FleetEvent, _ index: Int) {
        let point = options.points[index]
        let isInside =
            (point.routes.isEmpty || point.routes.contains(routes[Int(event.route)]))
            && (point.vehicleTypes.isEmpty || point.vehicleTypes.contains(types[Int(event.type)])) && TruthPlace.isInside(event, point.area)
        if let stay = stays[index][event.vehicle] {
            let end = stay.last.time + point.timeToLive
            if event.time <= end && isInside {
                stays[index][event.vehicle]?.last = event
                return
            }
            write(stay, of: event.vehicle, index, left: min(event.time, end), isOpen: false)
            stays[index][event.vehicle] = nil
        }
        if isInside { stays[index][event.vehicle] = Stay(entered: event.time, last: event) }
    }

    private mutating func write(_ stay: Stay, of vehicle: Int32, _ index: Int, left: Milliseconds?, isOpen: Bool) {
        let point = options.points[index]
        let last = stay.last
        var row = TruthRow("poi")
        row.text("point", point.name)
        row.text("vehicle", ids[Int(vehicle)])
        row.text("vehicleType", types[Int(last.type)])
        row.text("route", routes[Int(last.route)])
        row.number("entered", stay.entered)
        row.number("seen", last.time)
        row.number("left", left)
        row.number("dwell", last.time - stay.entered)
        row.decimal("latitude", Double(last.latitude) / 1e6)
        row.decimal("longitude", Double(last.longitude) / 1e6)
        row.decimal("distance", TruthPlace.distance(last, point.area))
        row.flag("open", isOpen)
        row.end(&rows)
    }

    // MARK: - Windows and totals

    private mutating func closeWindows(before time: Milliseconds) {
        guard !recent.isEmpty, let newest else { return }
        for (index, window) in options.windows.enumerated() {
            var from = 0
            var to = 0
            while true {
                // Ends without reports within are skipped.
                let start = nextEnds[index].map { $0 - window.length } ?? .min
                while from < recent.count && recent[from].time <= start { from += 1 }
                guard from < recent.count else { break }
                let first = TruthPlace.roundedUp(recent[from].time, window.slide)
                let end = max(nextEnds[index] ?? first, first)
                // Whether a window is open shows with the next report, or at the end.
                if end >= time || (end > newest && time != .max) { break }
                while from < recent.count && recent[from].time <= end - window.length { from += 1 }
                to = max(to, from)
                while to < recent.count && recent[to].time <= end { to += 1 }
                writeWindow(recent[from..<to], end: end, length: window.length)
                nextEnds[index] = end + window.slide
            }
        }
        let needed = zip(nextEnds, options.windows).map { end, window in end.map { $0 - window.length } ?? .min }.min() ?? .max
        recent.removeFirst(recent.prefix { $0.time <= needed }.count)
    }

    private mutating func writeWindow(_ events: ArraySlice<FleetEvent>, end: Milliseconds, length: Milliseconds) {
        for (route, onRoute) in Dictionary(grouping: events, by: \.route).sorted(by: { $0.key < $1.key }) {
            var vehicles = 0
            for (type, ofType) in Dictionary(grouping: onRoute, by: \.type).sorted(by: { $0.key < $1.key }) {
                let distinct = Set(ofType.map(\.vehicle)).count
                vehicles += distinct
                write(ofType, end, length, routes[Int(route)], types[Int(type)], vehicles: distinct)
            }
            write(onRoute, end, length, routes[Int(route)], "", vehicles: vehicles)
        }
    }

    private mutating func write(
        _ events: [FleetEvent], _ end: Milliseconds, _ length: Milliseconds, _ route: String, _ type: String, vehicles: Int
    ) {
        // Tenths of km/h.
        let speeds = events.filter(\.hasSpeed).map { Int64($0.speed) }
        let steps = speeds.map { min(400, Double($0 / 5) / 2) }.sorted()
        let sum = speeds.reduce(0, +) * 100
        var row = TruthRow("window")
        row.number("time", end)
        row.number("window", length)
        row.text("route", route)
        row.text("vehicleType", type)
        row.number("vehicles", Int64(vehicles))
        row.number("events", Int64(events.count))
        row.number("speeds", Int64(speeds.count))
        row.number("speedSum", sum)
        row.decimal("speedAvg", speeds.isEmpty ? nil : Double(sum) / Double(speeds.count) / 1000)
        // The least rank of at least a tenth.
        row.decimal("speedP10", steps.isEmpty ? nil : steps[(steps.count + 9) / 10 - 1])
        row.number("lowFuel", Int64(events.filter { Double($0.fuel) / 10 < options.lowFuel }.count))
        row.flag("open", end > newest ?? .min)
        row.end(&rows)
    }

    private mutating func write(_ count: Count, _ key: Key, day: String?) {
        var row = TruthRow("total")
        row.text("route", routes[Int(key.route)])
        row.text("vehicleType", types[Int(key.type)])
        row.text("day", day)
        row.number("vehicles", Int64(count.vehicles.count))
        row.number("events", Int64(count.events))
        row.number("arrivals", Int64(count.arrivals))
        row.end(&rows)
    }

    // MARK: - What was sent

    /// Rows of the faults, and the last row.
    package mutating func writeSummary(_ sent: DeliveryCounts) {
        for fault in Fault.allCases where sent.malformed[Int(fault.rawValue)] > 0 {
            var row = TruthRow("malformed")
            row.text("fault", fault.name)
            row.text("reason", fault.family.rawValue)
            row.number("events", Int64(sent.malformed[Int(fault.rawValue)]))
            row.end(&rows)
        }
        var row = TruthRow("summary")
        row.number("sent", Int64(sent.sent))
        row.number("accepted", Int64(accepted))
        row.number("duplicates", Int64(duplicates))
        row.number("outOfOrder", Int64(sent.outOfOrder))
        row.number("late", Int64(sent.late))
        row.number("tooLate", Int64(sent.tooLate))
        row.number("malformed", Int64(sent.malformed.reduce(0, +)))
        row.number("oldest", oldest)
        row.number("newest", newest)
        row.end(&rows)
    }
}
