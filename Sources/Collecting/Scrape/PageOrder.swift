/// The order in which a target lists its series: guesses the next row's key from the page before, so that most rows are found by one
/// comparison.
struct PageOrder {
    private(set) var keys: [Int32] = []
    private var next: [Int32] = []
    /// Place of each key in `keys`; -1 for none.
    private var places: [Int32] = []
    private var cursor = 0
    private var hasDiverged = false

    var count: Int { keys.count }

    mutating func begin(capacity: Int) {
        next.removeAll(keepingCapacity: true)
        next.reserveCapacity(capacity)
        cursor = 0
        hasDiverged = false
    }

    /// The key that stood next in the page before.
    @inline(__always)
    var expected: Int32? { cursor < keys.count ? keys[cursor] : nil }

    /// The row was the expected one.
    @inline(__always)
    mutating func accept() {
        next.append(keys[cursor])
        cursor += 1
    }

    /// The row is a known key that stands elsewhere: go on behind its old place.
    mutating func resume(at key: Int32) {
        hasDiverged = true
        next.append(key)
        if Int(key) < places.count, places[Int(key)] >= 0 { cursor = Int(places[Int(key)]) + 1 }
    }

    /// The row's key is new; the expected one may still follow.
    mutating func insert(_ key: Int32) {
        hasDiverged = true
        next.append(key)
    }

    mutating func finish(keyCount: Int) {
        guard hasDiverged || next.count != keys.count else { return }
        swap(&keys, &next)
        setPlaces(keyCount)
    }

    /// Keys have new numbers; -1 is gone.
    mutating func renumber(_ numbers: [Int32], keyCount: Int) {
        keys = keys.compactMap { numbers[Int($0)] >= 0 ? numbers[Int($0)] : nil }
        setPlaces(keyCount)
    }

    private mutating func setPlaces(_ keyCount: Int) {
        places = [Int32](repeating: -1, count: keyCount)
        for (place, key) in keys.enumerated() { places[Int(key)] = Int32(place) }
    }
}
