import Records
import TimeSeries

/// A rule that holds for a vehicle.
struct Alarm: Sendable, Equatable {
    var since: Milliseconds
    /// Time of the last event for which it held.
    var last: Milliseconds
    var key: Int32
    var value: Double
    var limit: Double
    var isGiven: Bool
}

/// Rules that hold, by vehicle and rule.
struct AlarmTable: Sendable {
    var alarms: [UInt64: Alarm] = [:]
    /// Found and not yet fetched.
    var alerts: [TrafficAlert] = []
    var lastScan: Milliseconds = .min

    static func key(_ v: Int, _ rule: Int) -> UInt64 { UInt64(v) << 6 | UInt64(rule) }
}

extension TrafficPartition {
    /// Looks at an event that is newer than all others of its vehicle, before it joins them.
    @inline(never)
    mutating func watch(_ v: Int, _ key: Int32, _ event: RawEvent, now: Milliseconds, field: (String) -> Double?) {
        var isWatched = false
        for (i, rule) in options.rules.prefix(TrafficOptions.maximumRules).enumerated() {
            let isMeant = states[Int(key)].rules >> UInt64(i) & 1 == 1
            guard isMeant || vehicles.vehicles[v].isWatched else { continue }
            let id = AlarmTable.key(v, i)
            switch rule.condition {
            case .speedAbove(let limit, let duration):
                if isMeant && event.speed.isNaN { break }
                let allowed: Double?
                switch limit {
                case .value(let value): allowed = value
                case .field(let name, let standard): allowed = isMeant ? field(name) ?? standard : nil
                }
                let holds = isMeant && allowed.map { event.speed > $0 } ?? false
                follow(id, rule, v, key, event.time, value: event.speed, limit: allowed ?? 0, holds: holds, for: duration)
            case .fuelBelow(let limit):
                if isMeant && event.fuel.isNaN { break }
                let holds = isMeant && event.fuel < limit
                follow(id, rule, v, key, event.time, value: event.fuel, limit: limit, holds: holds, for: 0)
            case .enters(let name):
                if isMeant { enter(name, rule, v, key, event) }
            }
            if alarms.alarms[id] != nil { isWatched = true }
        }
        vehicles.vehicles[v].isWatched = isWatched
    }

    private mutating func follow(
        _ id: UInt64, _ rule: TrafficRule, _ v: Int, _ key: Int32, _ time: Milliseconds, value: Double, limit: Double, holds: Bool,
        for duration: Milliseconds
    ) {
        if holds {
            var alarm = alarms.alarms[id] ?? Alarm(since: time, last: time, key: key, value: value, limit: limit, isGiven: false)
            alarm.last = time
            alarm.key = key
            alarm.value = value
            alarm.limit = limit
            if !alarm.isGiven && time - alarm.since >= duration {
                alarm.isGiven = true
                give(rule, v, alarm, time: time, end: nil)
            }
            alarms.alarms[id] = alarm
        } else if var alarm = alarms.alarms[id] {
            alarms.alarms[id] = nil
            guard alarm.isGiven else { return }
            if !value.isNaN { alarm.value = value }
            give(rule, v, alarm, time: time, end: time)
        }
    }

    private mutating func enter(_ name: String, _ rule: TrafficRule, _ v: Int, _ key: Int32, _ event: RawEvent) {
        guard let point = options.points.prefix(TrafficOptions.maximumPoints).firstIndex(where: { $0.name == name }) else { return }
        guard inside(key, event) >> UInt64(point) & 1 == 1 else { return }
        let range = vehicles.range(v)
        if let last = range.isEmpty ? nil : vehicles.events[range.upperBound - 1], vehicles.points(last) >> UInt64(point) & 1 == 1,
            event.time - last.time <= options.points[point].timeToLive
        {
            return
        }
        advanceRevision()
        alarms.alerts.append(
            TrafficAlert(
                time: event.time, revision: revision, rule: rule.name, subject: title(v), vehicleType: keys.type(key),
                route: keys.route(key), onset: event.time, end: event.time, value: nil, limit: nil, message: "entered \(name)"))
    }

    private func title(_ v: Int) -> String { VehicleID(high: vehicles.vehicles[v].high, low: vehicles.vehicles[v].low).description }

    private mutating func give(_ rule: TrafficRule, _ v: Int, _ alarm: Alarm, time: Milliseconds, end: Milliseconds?) {
        let limit = short(alarm.limit)
        let message: String
        switch rule.condition {
        case .speedAbove where end != nil:
            message = "speed was above \(limit) km/h" + lasting(time - alarm.since)
        case .speedAbove(_, let duration):
            message = "speed \(short(alarm.value)) km/h above \(limit)" + lasting(max(duration, alarm.last - alarm.since))
        case .fuelBelow where end != nil: message = "fuel was below \(limit) %"
        case .fuelBelow: message = "fuel \(short(alarm.value)) % below \(limit) %"
        case .enters(let point): message = "entered \(point)"
        }
        advanceRevision()
        alarms.alerts.append(
            TrafficAlert(
                time: time, revision: revision, rule: rule.name, subject: title(v), vehicleType: keys.type(alarm.key),
                route: keys.route(alarm.key), onset: alarm.since, end: end, value: alarm.value, limit: alarm.limit, message: message))
    }

    private func lasting(_ time: Milliseconds) -> String { time > 0 ? " for \(short(Double(time) / 1000)) s" : "" }

    /// One digit behind the point at most.
    private func short(_ value: Double) -> String {
        let tenths = (value * 10).rounded() / 10
        return tenths == tenths.rounded() && tenths.magnitude < 1e15 ? "\(Int64(tenths))" : "\(tenths)"
    }

    // MARK: Ends without an event

    /// The vehicle is forgotten: what held ended with its last event.
    mutating func endAlarms(_ v: Int) {
        guard vehicles.vehicles[v].isWatched else { return }
        for i in options.rules.indices.prefix(TrafficOptions.maximumRules) { end(AlarmTable.key(v, i)) }
        vehicles.vehicles[v].isWatched = false
    }

    mutating func end(_ id: UInt64) {
        guard let alarm = alarms.alarms.removeValue(forKey: id), alarm.isGiven else { return }
        give(options.rules[Int(id & 63)], Int(id >> 6), alarm, time: alarm.last, end: alarm.last)
    }

    /// Vehicles in silence.
    mutating func endSilentAlarms() {
        guard through > alarms.lastScan &+ 1_000 || alarms.lastScan == .min else { return }
        alarms.lastScan = through
        for id in alarms.alarms.filter({ through > $0.value.last + options.alertSilence }).keys.sorted() { end(id) }
    }
}
