import TimeSeries

/// A binary heap: the entry with the least time first, of equal ones that with the least order. O(log n) to add and to take.
struct TimeQueue<Payload: Sendable>: Sendable {
    private struct Entry: Sendable {
        var time: Milliseconds
        var order: UInt64
        var payload: Payload

        func precedes(_ other: Entry) -> Bool { time != other.time ? time < other.time : order < other.order }
    }

    private var entries: [Entry] = []

    var count: Int { entries.count }
    /// Time of the first entry.
    var nextTime: Milliseconds? { entries.first?.time }
    var first: Payload? { entries.first?.payload }

    mutating func add(_ payload: Payload, time: Milliseconds, order: UInt64) {
        entries.append(Entry(time: time, order: order, payload: payload))
        var child = entries.count - 1
        let entry = entries[child]
        while child > 0 {
            let parent = (child - 1) / 2
            guard entry.precedes(entries[parent]) else { break }
            entries[child] = entries[parent]
            child = parent
        }
        entries[child] = entry
    }

    mutating func take() -> Payload? {
        guard let first = entries.first, let last = entries.popLast() else { return nil }
        if !entries.isEmpty { sink(last) }
        return first.payload
    }

    /// Gives the first entry another time: cheaper than to take it and to add it.
    mutating func moveFirst(to time: Milliseconds) {
        guard var first = entries.first else { return }
        first.time = time
        sink(first)
    }

    /// Puts an entry at the top, whose place is free, and lets it fall to where it belongs.
    private mutating func sink(_ entry: Entry) {
        let count = entries.count
        entries.withUnsafeMutableBufferPointer { entries in
            var parent = 0
            while true {
                var child = 2 * parent + 1
                guard child < count else { break }
                if child + 1 < count && entries[child + 1].precedes(entries[child]) { child += 1 }
                guard entries[child].precedes(entry) else { break }
                entries[parent] = entries[child]
                parent = child
            }
            entries[parent] = entry
        }
    }
}
