import Records
import TimeSeries

extension PointOfInterest {
    /// Equal for points that mean the same, but for the time to live.
    var identity: String {
        "\(name)|\(area)|\(routes.sorted())|\(vehicleTypes.sorted())"
    }
}

extension TrafficRule {
    var identity: String { "\(name)|\(condition)|\(routes.sorted())|\(vehicleTypes.sorted())" }
}

extension TrafficPartition {
    /// Goes on with other options. Points and rules that are no more end, those that changed begin anew with the next event. Windows that
    /// are new, or all of them if the panes change, are given from the first one on that begins from now on.
    package mutating func apply(_ options: TrafficOptions) {
        guard options != self.options else { return }
        let pointsBefore = self.options.points.prefix(TrafficOptions.maximumPoints).map(\.identity)
        let rulesBefore = self.options.rules.prefix(TrafficOptions.maximumRules).map(\.identity)
        endStays(without: Set(options.points.map(\.identity)))
        let rules = Set(options.rules.map(\.identity))
        for id in alarms.alarms.keys.sorted() where !rules.contains(rulesBefore[Int(id & 63)]) { end(id) }
        if newest != .min { giveWindows(through: through) }
        replace(options)
        renumber(points: pointsBefore, rules: rulesBefore)
        adopt(windows)
    }

    /// Stays at points that are gone end as if nothing more had been heard.
    private mutating func endStays(without points: Set<String>) {
        let gone = Set(options.points.indices.filter { !points.contains(options.points[$0].identity) })
        guard !gone.isEmpty else { return }
        for v in stays.dirty where vehicles.vehicles[Int(v)].isDirty { flushStays(Int(v)) }
        stays.dirty = []
        for (v, list) in stays.given {
            for stay in list where stay.left == nil && gone.contains(Int(stay.point)) {
                var ended = stay
                ended.left = stay.seen + options.points[Int(stay.point)].timeToLive
                stays.visits.append(visit(Int(v), ended))
            }
        }
    }

    /// Gives points and rules, and what is known by their numbers, the numbers that they have in the options.
    mutating func renumber(points: [String], rules: [String]) {
        func moves(_ before: [String], _ after: [String]) -> [Int: Int] {
            var moved: [Int: Int] = [:]
            for (i, identity) in before.enumerated() {
                if let place = after.firstIndex(of: identity) { moved[i] = place }
            }
            return moved
        }
        let movedPoints = moves(points, options.points.prefix(TrafficOptions.maximumPoints).map(\.identity))
        let movedRules = moves(rules, options.rules.prefix(TrafficOptions.maximumRules).map(\.identity))
        for i in vehicles.places.indices {
            var mask: UInt64 = 0
            for (from, to) in movedPoints where vehicles.places[i].points >> UInt64(from) & 1 == 1 { mask |= 1 << UInt64(to) }
            vehicles.places[i].points = mask
        }
        stays.renumber(movedPoints)
        var kept: [UInt64: Alarm] = [:]
        for (id, alarm) in alarms.alarms {
            if let rule = movedRules[Int(id & 63)] { kept[(id >> 6) << 6 | UInt64(rule)] = alarm }
        }
        alarms.alarms = kept
        for k in states.indices {
            let route = keys.route(Int32(k))
            (states[k].points, states[k].rules) = masks(route: route, vehicleType: keys.type(Int32(k)))
            states[k].zone = Int32(zones.index(of: options.routeZones[route] ?? options.zone))
        }
    }

    /// Goes on with counts that were made under other options, as far as they fit.
    mutating func adopt(_ before: WindowCounts) {
        var fresh = WindowCounts(options: options, from: newest)
        defer { windows = fresh }
        guard before.pane == fresh.pane else { return }
        for row in before.panes.rows.sorted(by: { $0.index < $1.index }) where row.index != .min {
            fresh.panes.rows[fresh.panes.row(row.index)] = row
        }
        for k in fresh.kinds.indices {
            guard let old = before.kinds.first(where: { $0.window == fresh.kinds[k].window }) else { continue }
            fresh.kinds[k].from = old.from
            for row in old.ends.rows.sorted(by: { $0.index < $1.index }) where row.index != .min {
                fresh.kinds[k].ends.rows[fresh.kinds[k].ends.row(row.index)] = row
            }
        }
    }
}
