import TimeSeries

/// How an accepted event changes the counts.
extension TrafficPartition {
    /// Counts an event before it joins the vehicle's others.
    @inline(__always)
    mutating func record(_ v: Int, _ key: Int32, _ event: RawEvent, isNewest: Bool) {
        let k = Int(key)
        let time = event.time
        let local = zones.day(zone: Int(states[k].zone), at: time)
        let vehicle = vehicles.vehicles[v]
        var isNew = false
        var isNewOfDay = false
        if isNewest, vehicle.lastKey == key {
            windows.count(key, time: time, before: vehicle.newest, after: .max)
            // On the day of the event before it was counted with that.
            if vehicle.newest < local.from { isNewOfDay = countDay(v, key, Int32(truncatingIfNeeded: local.day)).day }
        } else {
            let near = neighbours(v, key, time, isNewest: isNewest)
            windows.count(key, time: time, before: near.before, after: near.after)
            (isNew, isNewOfDay) = countDay(v, key, Int32(truncatingIfNeeded: local.day))
        }
        windows.add(key, time: time, speed: event.speed, isLow: event.fuel < options.lowFuel)
        states[k].total.events += 1
        if isNew { states[k].total.vehicles += 1 }
        states[k].isDirty = true
        change(key, Int32(truncatingIfNeeded: local.day)) { counts in
            counts.events += 1
            if isNewOfDay { counts.vehicles += 1 }
        }
        if !isNewest || (vehicle.count > 0 && vehicle.lastKey != key) { countArrivals(v, key, event.time, isNewest: isNewest) }
    }

    /// The counts of a day.
    @inline(__always)
    private mutating func change(_ key: Int32, _ day: Int32, _ body: (inout KeyCounts) -> Void) {
        let k = Int(key)
        if states[k].day == day {
            body(&states[k].today)
        } else if day > states[k].day {
            if states[k].day != .min {
                olderDays[KeyDay(key: key, day: states[k].day)] = states[k].today
                dirtyDays.insert(KeyDay(key: key, day: states[k].day))
            }
            states[k].day = day
            states[k].today = olderDays.removeValue(forKey: KeyDay(key: key, day: day)) ?? KeyCounts()
            body(&states[k].today)
        } else {
            body(&olderDays[KeyDay(key: key, day: day), default: KeyCounts()])
            dirtyDays.insert(KeyDay(key: key, day: day))
        }
    }

    /// Whether the vehicle is new on the key, since the start and on the day.
    @inline(never)
    private mutating func countDay(_ v: Int, _ key: Int32, _ day: Int32) -> (start: Bool, day: Bool) {
        if let slot = vehicles.slot(v, key) { return (false, vehicles.slots[slot].count(day)) }
        let slot = vehicles.addSlot(v, key)
        return (true, vehicles.slots[slot].count(day))
    }

    /// The vehicle's nearest events of the key before and after a time.
    @inline(never)
    private func neighbours(
        _ v: Int, _ key: Int32, _ time: Milliseconds, isNewest: Bool
    ) -> (before: Milliseconds, after: Milliseconds) {
        let range = vehicles.range(v)
        let at = isNewest ? range.upperBound : vehicles.position(v, time)
        var before = Milliseconds.min
        var after = Milliseconds.max
        var i = at
        while i > range.lowerBound {
            i -= 1
            if vehicles.events[i].key == key {
                before = vehicles.events[i].time
                break
            }
        }
        if before == .min, let slot = vehicles.slot(v, key) { before = vehicles.slots[slot].last }
        i = at
        while i < range.upperBound {
            if vehicles.events[i].key == key {
                after = vehicles.events[i].time
                break
            }
            i += 1
        }
        return (before, after)
    }

    // MARK: Arrivals

    /// An event between two others takes away the arrival of the later one, if it was one, and may bring two.
    @inline(never)
    private mutating func countArrivals(_ v: Int, _ key: Int32, _ time: Milliseconds, isNewest: Bool) {
        let range = vehicles.range(v)
        let at = isNewest ? range.upperBound : vehicles.position(v, time)
        let before = at > range.lowerBound ? vehicles.events[at - 1] : nil
        let after = at < range.upperBound ? vehicles.events[at] : nil
        if let before, isOther(before.key, key) { arrive(key, time, 1) }
        guard let after else { return }
        let was = before.map { isOther($0.key, after.key) } ?? false
        let isNow = isOther(key, after.key)
        if was != isNow { arrive(after.key, after.time, isNow ? 1 : -1) }
    }

    private func isOther(_ a: Int32, _ b: Int32) -> Bool { keys.names[Int(a)].route != keys.names[Int(b)].route }

    private mutating func arrive(_ key: Int32, _ time: Milliseconds, _ change: Int64) {
        states[Int(key)].total.arrivals += change
        states[Int(key)].isDirty = true
        let day = Int32(truncatingIfNeeded: zones.day(zone: Int(states[Int(key)].zone), at: time).day)
        self.change(key, day) { $0.arrivals += change }
    }

    // MARK: Remembering

    /// Remembers an event that was counted.
    @inline(__always)
    mutating func finish(_ v: Int, _ key: Int32, _ event: RawEvent, isNewest: Bool) {
        var place: Int32 = -1
        if states[Int(key)].points != 0 { place = self.place(key, event) }
        // Before the vehicle is marked: folding gives its stays and takes the mark away.
        if !vehicles.hasRoom(v) { fold(v) }
        if place >= 0 || !stays.isEmpty { prepareStay(v, event.time, place, isNewest: isNewest) }
        vehicles.insert(v, RecentEvent(time: event.time, key: key, place: place), isNewest: isNewest)
        if isNewest {
            vehicles.vehicles[v].newest = event.time
            vehicles.vehicles[v].lastKey = key
        }
    }

    private mutating func place(_ key: Int32, _ event: RawEvent) -> Int32 {
        let inside = inside(key, event)
        guard inside != 0 else { return -1 }
        return vehicles.add(place: Place(points: inside, latitude: event.latitude, longitude: event.longitude))
    }

    /// The points that an event is inside of, a bit each.
    func inside(_ key: Int32, _ event: RawEvent) -> UInt64 {
        var rest = states[Int(key)].points
        var inside: UInt64 = 0
        while rest != 0 {
            let i = rest.trailingZeroBitCount
            rest &= rest - 1
            if options.points[i].contains(latitude: event.latitude, longitude: event.longitude) { inside |= 1 << UInt64(i) }
        }
        return inside
    }

    /// Forgets events that no event to come can precede, but the newest of them, which is the one before the next.
    mutating func fold(_ v: Int) {
        let horizon = horizon
        let range = vehicles.range(v)
        guard range.count > 1, vehicles.events[range.lowerBound + 1].time < horizon else { return }
        if vehicles.vehicles[v].isDirty { flushStays(v) }
        var at = range.lowerBound
        while at + 1 < range.upperBound, vehicles.events[at + 1].time < horizon {
            let event = vehicles.events[at]
            if let slot = vehicles.slot(v, event.key) { vehicles.slots[slot].last = max(vehicles.slots[slot].last, event.time) }
            stays.fold(v, event, vehicles, options.points)
            vehicles.release(place: event.place)
            at += 1
        }
        let gone = Int32(at - range.lowerBound)
        vehicles.vehicles[v].head += gone
        vehicles.vehicles[v].count -= gone
    }

    /// Forgets a vehicle, or all but its identity.
    mutating func forget(_ v: Int, isKept: Bool) {
        if vehicles.vehicles[v].isDirty { flushStays(v) }
        stays.forget(v)
        endAlarms(v)
        if isKept { vehicles.clear(v) } else { vehicles.remove(v) }
    }

    /// Forgets vehicles not heard for long. Costs a look at every vehicle, so it is done when event time has come some way since.
    mutating func sweep(reaching time: Milliseconds) {
        let time = max(time, newest)
        if lastSweep != .min && time - lastSweep < options.vehicleRetention / 64 { return }
        lastSweep = time
        var isChanged = false
        for v in vehicles.vehicles.indices
        where vehicles.vehicles[v].isUsed && vehicles.vehicles[v].newest < time &- options.vehicleRetention {
            forget(v, isKept: false)
            isChanged = true
        }
        if isChanged { vehicles.rebuild() }
    }
}
