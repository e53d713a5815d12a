import Records
import TimeSeries

/// Vehicles, events and arrivals of one key, of a day or since the start.
struct KeyCounts: Sendable, Equatable {
    var vehicles: Int64 = 0
    var events: Int64 = 0
    var arrivals: Int64 = 0
}

/// What is counted of one key, and what holds for it.
struct KeyState: Sendable {
    var zone: Int32
    /// Points and rules that look at it, a bit each.
    var points: UInt64
    var rules: UInt64
    var total = KeyCounts()
    /// The newest local day.
    var day: Int32 = .min
    var today = KeyCounts()
    var isDirty = false
}

/// A local day of a key that is not its newest.
struct KeyDay: Hashable, Sendable {
    var key: Int32
    var day: Int32
}

/// Stage 1, one partition of the topic of events, as a pure state machine: events and the time go in; partial counts, visits and
/// alerts come out. What is counted depends on the set of accepted events only, not on their order.
package struct TrafficPartition: Sendable {
    private(set) package var options: TrafficOptions
    let source: Int32
    let epoch: Int64
    var zones = ZoneTable()
    private var zone = 0
    var keys = KeyTable()
    var states: [KeyState] = []
    /// Counts of days that are not the newest of their key, and those of them that changed.
    var olderDays: [KeyDay: KeyCounts] = [:]
    var dirtyDays: Set<KeyDay> = []
    var windows: WindowCounts
    var vehicles = VehicleTable()
    /// Offset of the last event taken.
    var consumed: Int64 = -1
    /// Numbers what is given of visits and alerts: silence changes them too, without an offset of its own. Never below that of the events.
    var emission: Int64 = 0
    /// Time of the newest accepted event.
    var newest: Milliseconds = .min
    /// Wall time of the last accepted event.
    var heard: Milliseconds?
    /// Windows up to here were given.
    var through: Milliseconds = .min
    var lastSweep: Milliseconds = .min
    var stays = StayTable()
    var alarms = AlarmTable()
    var pending = PartialWriter()
    var given = GivenTimes()

    package init(options: TrafficOptions, source: Int32, epoch: Int64) {
        self.options = options
        self.source = source
        self.epoch = epoch
        windows = WindowCounts(options: options)
        zone = zones.index(of: options.zone)
    }

    package var vehicleCount: Int { vehicles.count }

    /// The offset to go on with after a checkpoint: one past the last event taken.
    package var nextOffset: Int64 { consumed + 1 }

    /// Time of the newest accepted event.
    package var newestTime: Milliseconds? { newest == .min ? nil : newest }

    /// Of the visits and alerts that are given next; `advanceRevision` comes before.
    var revision: Revision { Revision(epoch: epoch, offset: max(0, emission)) }

    /// Of one vehicle within the allowed lateness, some two a second: more would make each late one dear.
    private var maximumEvents: Int { 10_000 + Int(options.allowedLateness / 500) }

    /// The topic is another one, whose offsets begin anew.
    package mutating func forgetOffsets() { consumed = -1 }

    mutating func advanceRevision() { emission = max(emission + 1, consumed) }

    /// Events before this are refused; what is older can change no more.
    var horizon: Milliseconds { newest == .min ? .min : newest - options.allowedLateness }

    // MARK: Input

    /// Takes one event. `now` is wall time.
    /// - Parameter arrived: when the log took it, so that one that was refused as of the future is refused by a replay too.
    package mutating func ingest(
        _ bytes: UnsafeRawBufferPointer, offset: Int64, now: Milliseconds, arrived: Milliseconds? = nil, joined: JoinLookup? = nil
    ) -> EventOutcome {
        consumed = max(consumed, offset)
        var reader = EventReader(bytes)
        let event: RawEvent
        do { event = try reader.event(&zones, zone: zone) } catch { return .malformed(error.fault, error.detail) }
        if event.time > min(now, arrived ?? now) + options.futureBound { return .future }
        if newest != .min && event.time < newest - options.allowedLateness { return .tooLate }
        guard let key = reader.key(event, &keys, limit: options.maxKeys) else { return .overLimit }
        if Int(key) == states.count { addState(key) }

        let v: Int
        if let known = vehicles.find(event.high, event.low) {
            v = known
            if vehicles.vehicles[v].newest < event.time &- options.vehicleRetention { forget(v, isKept: true) }
        } else {
            if vehicles.count >= options.maxVehicles { sweep(reaching: event.time) }
            guard vehicles.count < options.maxVehicles, vehicles.slotCount < 4 * options.maxVehicles else { return .overLimit }
            v = vehicles.add(event.high, event.low)
        }
        let isNewest = vehicles.vehicles[v].count == 0 || event.time > vehicles.vehicles[v].newest
        if !isNewest {
            let at = vehicles.position(v, event.time)
            if vehicles.range(v).contains(at), vehicles.events[at].time == event.time { return .duplicate }
        }
        guard vehicles.range(v).count < maximumEvents else { return .overLimit }
        heard = now
        if event.time > newest { reach(event.time) }
        record(v, key, event, isNewest: isNewest)
        if isNewest, states[Int(key)].rules != 0 || vehicles.vehicles[v].isWatched {
            watch(v, key, event, now: now) { limit in joined.flatMap { $0(reader.whole(event), limit) } }
        }
        finish(v, key, event, isNewest: isNewest)
        return .accepted
    }

    /// Event time goes on. What would leave the rings is given before.
    @inline(__always)
    private mutating func reach(_ time: Milliseconds) {
        newest = time
        if through == .min { through = time - options.allowedLateness - 1 - windows.pane }
        if time - options.disorder > through + options.allowedLateness / 2 { giveWindows(through: time - options.disorder) }
    }

    private mutating func addState(_ key: Int32) {
        let route = keys.route(key)
        let zone = zones.index(of: options.routeZones[route] ?? options.zone)
        let masks = masks(route: route, vehicleType: keys.type(key))
        states.append(KeyState(zone: Int32(zone), points: masks.points, rules: masks.rules))
    }

    /// The points and rules that look at a key.
    func masks(route: String, vehicleType: String) -> (points: UInt64, rules: UInt64) {
        var points: UInt64 = 0
        var rules: UInt64 = 0
        for (i, point) in options.points.prefix(TrafficOptions.maximumPoints).enumerated()
        where point.takes(route: route, vehicleType: vehicleType) { points |= 1 << UInt64(i) }
        for (i, rule) in options.rules.prefix(TrafficOptions.maximumRules).enumerated()
        where (rule.routes.isEmpty || rule.routes.contains(route)) && (rule.vehicleTypes.isEmpty || rule.vehicleTypes.contains(vehicleType))
        {
            rules |= 1 << UInt64(i)
        }
        return (points, rules)
    }

    /// Sets options without their consequences; `apply` is for others.
    mutating func replace(_ options: TrafficOptions) {
        self.options = options
        zone = zones.index(of: options.zone)
    }
}
