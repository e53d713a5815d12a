import TimeSeries

/// An event that is remembered: its place is -1 outside of all points.
struct RecentEvent: Sendable {
    var time: Milliseconds
    var key: Int32
    var place: Int32
}

/// Where an event inside of points was; `points` has a bit for each of them.
struct Place: Sendable, Equatable {
    var points: UInt64
    var latitude: Double
    var longitude: Double
}

/// What is known of a vehicle on one key.
struct VehicleSlot: Sendable {
    var key: Int32
    var next: Int32
    /// Time of the newest event on the key that is remembered no more.
    var last: Milliseconds = .min
    /// Local days on which it was counted: bit i is `lastDay` - i.
    var lastDay: Int32 = .min
    var days: UInt32 = 0

    /// Counts a day; false if it was counted before.
    mutating func count(_ day: Int32) -> Bool {
        if lastDay == .min || day > lastDay {
            let shift = lastDay == .min ? 64 : Int64(day) - Int64(lastDay)
            days = shift > 31 ? 1 : days << UInt32(shift) | 1
            lastDay = day
            return true
        }
        let back = Int64(lastDay) - Int64(day)
        guard back < 32 else { return false }
        let bit = UInt32(1) << UInt32(back)
        defer { days |= bit }
        return days & bit == 0
    }
}

/// A vehicle. Its recent events, sorted, are `count` from `block + head` on in the table's events.
struct Vehicle: Sendable {
    var high: UInt64
    var low: UInt64
    var newest: Milliseconds = .min
    var lastKey: Int32 = -1
    var block: Int32 = -1
    var head: Int32 = 0
    var count: Int32 = 0
    var slots: Int32 = -1
    /// The block holds 2 << this.
    var sizeClass: UInt8 = 0
    var isUsed = true
    /// Its visits must be looked at again.
    var isDirty = false
    /// It has an alert, or something that may become one.
    var isWatched = false

    var capacity: Int32 { 2 << Int32(sizeClass) }
}

/// All vehicles of a partition by dense numbers: struct of arrays, blocks of events in one arena.
struct VehicleTable: Sendable {
    private var table: [Int32] = [Int32](repeating: -1, count: 1024)
    private let seed = UInt64.random(in: .min ... .max)
    var vehicles: [Vehicle] = []
    private var free: [Int32] = []
    var events: [RecentEvent] = []
    private var freeBlocks = [[Int32]](repeating: [], count: 28)
    var slots: [VehicleSlot] = []
    private var freeSlots: [Int32] = []
    var places: [Place] = []
    private var freePlaces: [Int32] = []

    var count: Int { vehicles.count - free.count }
    var slotCount: Int { slots.count - freeSlots.count }

    @inline(__always)
    private func hash(_ high: UInt64, _ low: UInt64) -> Int {
        let (a, b) = (high ^ seed).multipliedFullWidth(by: low ^ 0x9E37_79B9_7F4A_7C15)
        return Int(truncatingIfNeeded: mixed(a ^ b ^ low ^ (high >> 7)))
    }

    @inline(__always)
    func find(_ high: UInt64, _ low: UInt64) -> Int? {
        var slot = hash(high, low) & (table.count - 1)
        while table[slot] >= 0 {
            let v = Int(table[slot])
            if vehicles[v].low == low && vehicles[v].high == high { return v }
            slot = (slot + 1) & (table.count - 1)
        }
        return nil
    }

    mutating func add(_ high: UInt64, _ low: UInt64) -> Int {
        let v: Int
        if let reused = free.popLast() {
            v = Int(reused)
            vehicles[v] = Vehicle(high: high, low: low)
        } else {
            v = vehicles.count
            vehicles.append(Vehicle(high: high, low: low))
        }
        if count * 8 > table.count * 5 { rebuild(size: table.count * 2) } else { enter(v) }
        return v
    }

    private mutating func enter(_ v: Int) {
        var slot = hash(vehicles[v].high, vehicles[v].low) & (table.count - 1)
        while table[slot] >= 0 { slot = (slot + 1) & (table.count - 1) }
        table[slot] = Int32(v)
    }

    /// The index anew, without those that were released.
    mutating func rebuild(size: Int? = nil) {
        let size = size ?? table.count
        table = []
        table = [Int32](repeating: -1, count: size)
        for v in vehicles.indices where vehicles[v].isUsed { enter(v) }
    }

    /// Takes all memory from a vehicle but its identity.
    mutating func clear(_ v: Int) {
        for i in range(v) { release(place: events[i].place) }
        release(block: v)
        var slot = vehicles[v].slots
        while slot >= 0 {
            freeSlots.append(slot)
            slot = slots[Int(slot)].next
        }
        vehicles[v] = Vehicle(high: vehicles[v].high, low: vehicles[v].low)
    }

    /// Forgets a vehicle; the caller rebuilds the index before the next one is added.
    mutating func remove(_ v: Int) {
        clear(v)
        vehicles[v].isUsed = false
        free.append(Int32(v))
    }

    // MARK: Slots

    func slot(_ v: Int, _ key: Int32) -> Int? {
        var slot = vehicles[v].slots
        while slot >= 0 {
            if slots[Int(slot)].key == key { return Int(slot) }
            slot = slots[Int(slot)].next
        }
        return nil
    }

    mutating func addSlot(_ v: Int, _ key: Int32) -> Int {
        let made = VehicleSlot(key: key, next: vehicles[v].slots)
        let slot: Int
        if let reused = freeSlots.popLast() {
            slot = Int(reused)
            slots[slot] = made
        } else {
            slot = slots.count
            slots.append(made)
        }
        vehicles[v].slots = Int32(slot)
        return slot
    }

    // MARK: Events

    /// Where the events of a vehicle are.
    @inline(__always)
    func range(_ v: Int) -> Range<Int> {
        let start = Int(vehicles[v].block) + Int(vehicles[v].head)
        return vehicles[v].count == 0 ? 0..<0 : start..<(start + Int(vehicles[v].count))
    }

    /// The first event at or after `time`, as an index of the arena.
    func position(_ v: Int, _ time: Milliseconds) -> Int {
        let range = range(v)
        var low = range.lowerBound
        var high = range.upperBound
        while low < high {
            let middle = (low + high) / 2
            if events[middle].time < time { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// There is room for one more behind the last.
    @inline(__always)
    func hasRoom(_ v: Int) -> Bool {
        vehicles[v].block >= 0 && vehicles[v].head + vehicles[v].count < vehicles[v].capacity
    }

    /// Puts an event where its time belongs.
    @inline(__always)
    mutating func insert(_ v: Int, _ event: RecentEvent, isNewest: Bool) {
        if !hasRoom(v) { makeRoom(v) }
        var at = Int(vehicles[v].block) + Int(vehicles[v].head) + Int(vehicles[v].count)
        vehicles[v].count += 1
        if !isNewest {
            let first = Int(vehicles[v].block) + Int(vehicles[v].head)
            while at > first, events[at - 1].time > event.time {
                events[at] = events[at - 1]
                at -= 1
            }
        }
        events[at] = event
    }

    private mutating func makeRoom(_ v: Int) {
        if vehicles[v].block < 0 {
            vehicles[v].block = block(0)
            return
        }
        let old = range(v)
        if vehicles[v].head * 2 >= vehicles[v].capacity {
            for (i, from) in old.enumerated() { events[Int(vehicles[v].block) + i] = events[from] }
            vehicles[v].head = 0
            return
        }
        let larger = block(vehicles[v].sizeClass + 1)
        for (i, from) in old.enumerated() { events[Int(larger) + i] = events[from] }
        freeBlocks[Int(vehicles[v].sizeClass)].append(vehicles[v].block)
        vehicles[v].block = larger
        vehicles[v].head = 0
        vehicles[v].sizeClass += 1
    }

    private mutating func block(_ sizeClass: UInt8) -> Int32 {
        if let free = freeBlocks[Int(sizeClass)].popLast() { return free }
        let start = Int32(events.count)
        for _ in 0..<(2 << Int(sizeClass)) { events.append(RecentEvent(time: 0, key: 0, place: -1)) }
        return start
    }

    private mutating func release(block v: Int) {
        if vehicles[v].block >= 0 { freeBlocks[Int(vehicles[v].sizeClass)].append(vehicles[v].block) }
    }

    mutating func add(place: Place) -> Int32 {
        if let free = freePlaces.popLast() {
            places[Int(free)] = place
            return free
        }
        places.append(place)
        return Int32(places.count - 1)
    }

    mutating func release(place: Int32) {
        if place >= 0 { freePlaces.append(place) }
    }

    func points(_ event: RecentEvent) -> UInt64 { event.place < 0 ? 0 : places[Int(event.place)].points }
}
