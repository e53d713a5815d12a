import Records
import TimeSeries

/// What was given, and when.
struct GivenTimes: Sendable {
    var totalsTime: Milliseconds?
    var totalsWall: Milliseconds?
    var staysWall: Milliseconds?
    var progress: TrafficPartial.Progress?
    var progressNewest: Milliseconds = .min
}

extension TrafficPartition {
    /// Lets time go on. With `force` everything that is held back is given.
    package mutating func advance(now: Milliseconds, force: Bool = false) -> TrafficOutput {
        let since = heard ?? now
        heard = since
        let isIdle = now - since >= options.idleTimeout
        if newest != .min {
            var limit = newest - options.disorder
            let last = newest + options.longestWindow
            // In silence event time follows the wall clock from the newest event on, until no window holds an event any more.
            if isIdle { limit = max(limit, min(newest + (now - since) - options.disorder, last)) }
            if force { limit = last }
            giveWindows(through: limit)
        }
        giveTotals(now: now, force: force)
        if force || now - (given.staysWall ?? .min / 2) >= 1_000 {
            given.staysWall = now
            flushAllStays()
            endSilentAlarms()
        }
        if newest != .min, lastSweep == .min || newest - lastSweep >= options.vehicleRetention / 16 { sweep(reaching: newest) }

        var output = TrafficOutput()
        var partials = pending
        output.partials = partials.take(self)
        pending = partials
        (output.visits, stays.visits) = (stays.visits, [])
        (output.alerts, alarms.alerts) = (alarms.alerts, [])
        output.progress = progress(isIdle: isIdle || force)
        return output
    }

    /// Gives what changed in windows up to a time.
    mutating func giveWindows(through limit: Milliseconds) {
        through = max(through, limit)
        var writer = pending
        let keys = keys
        pending = PartialWriter()
        windows.give(
            through: through,
            pane: { index, cell in
                writer.add(3, route: keys.names[Int(cell.key)].route, type: keys.type(cell.key)) {
                    $0.signed(index)
                    cell.encode(to: &$0)
                }
            },
            end: { kind, index, cell in
                writer.add(4, route: keys.names[Int(cell.key)].route, type: keys.type(cell.key)) {
                    $0.varint(UInt64(kind.window.length))
                    $0.varint(UInt64(kind.window.slide))
                    $0.signed(index)
                    $0.varint(Int(cell.vehicles))
                }
            })
        pending = writer
    }

    private mutating func giveTotals(now: Milliseconds, force: Bool) {
        guard newest != .min else { return }
        let isDue =
            given.totalsTime.map { newest >= $0 + options.smallestSlide } ?? true
            || given.totalsWall.map { now >= $0 + 10_000 } ?? true
        guard isDue || force else { return }
        given.totalsTime = newest
        given.totalsWall = now
        // A day is over for sure when no event of it can come; offsets are below a day.
        let lastDay = floorDivided(horizon, CivilTime.day) - 3
        for k in states.indices where states[k].isDirty {
            states[k].isDirty = false
            give(Int32(k), nil, states[k].total)
            if states[k].day != .min, states[k].day >= lastDay { give(Int32(k), states[k].day, states[k].today) }
        }
        for day in dirtyDays.sorted(by: { ($0.key, $0.day) < ($1.key, $1.day) }) {
            if day.day >= lastDay, let counts = olderDays[day] { give(day.key, day.day, counts) }
        }
        dirtyDays = []
        olderDays = olderDays.filter { Int64($0.key.day) >= lastDay }
    }

    private mutating func give(_ key: Int32, _ day: Int32?, _ counts: KeyCounts) {
        pending.add(day == nil ? 1 : 2, route: keys.names[Int(key)].route, type: keys.type(key)) {
            if let day { $0.signed(Int64(day)) }
            counts.encode(to: &$0)
        }
    }

    /// How far this partition has come, if that is news.
    private mutating func progress(isIdle: Bool) -> [UInt8] {
        let progress = TrafficPartial.Progress(through: newest == .min ? nil : through, isIdle: isIdle)
        if given.progress == progress && given.progressNewest == newest { return [] }
        given.progress = progress
        given.progressNewest = newest
        var writer = ByteWriter()
        TrafficPartial.begin(&writer, kind: 2, self)
        writer.signed(progress.through ?? .min)
        writer.u8(isIdle ? 1 : 0)
        return writer.bytes
    }
}
