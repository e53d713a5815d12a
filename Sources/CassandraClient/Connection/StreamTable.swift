/// The streams of a connection, and who waits on each. Taking and giving back are O(1), a look at the deadlines is O(streams).
struct StreamTable<Waiter> {
    struct Occupied {
        /// Nil when nobody waits any more: the stream is *orphaned* until its response comes.
        var waiter: Waiter?
        var deadline: Int64
    }

    private var slots: [Occupied?]
    /// The streams given back; those past `fresh` were never taken.
    private var free: [Int16] = []
    private var fresh = 0
    private(set) var taken = 0
    private(set) var orphans = 0

    /// - Parameter count: how many streams, at most 32768.
    init(count: Int) { slots = Array(repeating: nil, count: min(max(1, count), 32_768)) }

    var count: Int { slots.count }
    var isFull: Bool { taken == slots.count }

    mutating func take(_ waiter: Waiter, deadline: Int64) -> Int16? {
        let stream: Int16
        if let last = free.popLast() {
            stream = last
        } else if fresh < slots.count {
            stream = Int16(truncatingIfNeeded: fresh)
            fresh += 1
        } else {
            return nil
        }
        slots[Int(stream)] = Occupied(waiter: waiter, deadline: deadline)
        taken += 1
        return stream
    }

    /// Gives the stream back. Nil when it was not taken.
    mutating func release(_ stream: Int16) -> Occupied? {
        guard stream >= 0, Int(stream) < slots.count, let occupied = slots[Int(stream)] else { return nil }
        slots[Int(stream)] = nil
        free.append(stream)
        taken -= 1
        if occupied.waiter == nil { orphans -= 1 }
        return occupied
    }

    /// Whoever waited waits no more; the stream stays taken.
    mutating func orphan(_ stream: Int16) -> Waiter? {
        guard stream >= 0, Int(stream) < slots.count, let waiter = slots[Int(stream)]?.waiter else { return nil }
        slots[Int(stream)]?.waiter = nil
        orphans += 1
        return waiter
    }

    /// The same for the first for whom `isMeant` holds. O(streams)
    mutating func orphan(where isMeant: (Waiter) -> Bool) -> Waiter? {
        for i in 0..<fresh {
            if let waiter = slots[i]?.waiter, isMeant(waiter) { return orphan(Int16(i)) }
        }
        return nil
    }

    /// Orphans all whose deadline has passed.
    mutating func expire(now: Int64) -> [Waiter] {
        if taken == orphans { return [] }
        var expired: [Waiter] = []
        for i in 0..<fresh {
            guard let slot = slots[i], slot.waiter != nil, slot.deadline <= now else { continue }
            if let waiter = orphan(Int16(i)) { expired.append(waiter) }
        }
        return expired
    }

    /// Everybody who waits, in the order of streams; nothing is taken afterwards.
    mutating func drain() -> [Waiter] {
        let waiting = slots.compactMap { $0?.waiter }
        self = StreamTable(count: slots.count)
        return waiting
    }
}
