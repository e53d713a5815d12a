import Records
import TimeSeries

/// What the events of one key in one pane told.
struct PaneCell: Sendable, Equatable {
    var key: Int32
    var isDirty = true
    var events: Int64 = 0
    var told: Int64 = 0
    /// Sum of the speeds told, thousandths of km/h.
    var speed: Int64 = 0
    var low: Int64 = 0
    var speeds = SpeedCounts()

    init(key: Int32) { self.key = key }

    @inline(__always)
    mutating func add(speed kmh: Double, isLow: Bool) {
        events &+= 1
        if isLow { low &+= 1 }
        if kmh == kmh {
            let thousandths = Int64((kmh * 1000).rounded())
            told &+= 1
            speed &+= thousandths
            speeds.add(SpeedCounts.step(thousandths))
        }
        isDirty = true
    }

    mutating func add(_ other: PaneCell) {
        events += other.events
        told += other.told
        speed += other.speed
        low += other.low
        speeds.add(other.speeds)
    }

    /// Without the key.
    func encode(to writer: inout ByteWriter) {
        writer.varint(UInt64(events))
        writer.varint(UInt64(told))
        writer.varint(UInt64(speed))
        writer.varint(UInt64(low))
        speeds.encode(to: &writer)
    }

    init(key: Int32, decoding reader: inout ByteReader) throws(DecodingFailure) {
        self.key = key
        events = try reader.number()
        told = try reader.number()
        speed = try reader.number()
        low = try reader.number()
        speeds = try SpeedCounts(decoding: &reader)
    }
}

/// A window's end: distinct vehicles of one key in it.
struct EndCell: Sendable, Equatable {
    var key: Int32
    var isDirty = true
    var vehicles: Int32 = 0

    init(key: Int32) { self.key = key }
}

/// The cells of one step of time, at most one a key.
struct CellRow<Cell: Sendable>: Sendable {
    var index: Int64 = .min
    var isDirty = false
    var cells: [Cell] = []
    /// Where a key's cell is; -1: nowhere.
    var places: [Int32] = []

    @inline(__always)
    mutating func place(_ key: Int32, _ make: (Int32) -> Cell) -> Int {
        let k = Int(key)
        if k < places.count, places[k] >= 0 { return Int(places[k]) }
        while places.count <= k { places.append(-1) }
        places[k] = Int32(cells.count)
        cells.append(make(key))
        return cells.count - 1
    }

    mutating func begin(_ index: Int64) {
        self.index = index
        isDirty = false
        cells.removeAll(keepingCapacity: cells.count < 4096)
        for i in places.indices { places[i] = -1 }
    }
}

/// Rows of steps that follow each other, in a ring: a step's row takes the place of the one a ring's length earlier.
struct CellRing<Cell: Sendable>: Sendable {
    var rows: [CellRow<Cell>]
    private let mask: Int64

    /// Holds at least `span` steps.
    init(span: Int64) {
        var size: Int64 = 4
        while size < span && size < 1 << 22 { size *= 2 }
        rows = [CellRow<Cell>](repeating: CellRow(), count: Int(size))
        mask = size - 1
    }

    /// The place of the row of a step, emptied if it was another's.
    @inline(__always)
    mutating func row(_ index: Int64) -> Int {
        let slot = Int(index & mask)
        if rows[slot].index != index { rows[slot].begin(index) }
        return slot
    }
}

extension ByteReader {
    /// A varint that is no more than a count can be.
    mutating func number() throws(DecodingFailure) -> Int64 {
        let value = try varint()
        guard value < 1 << 62 else { throw failure("a number is out of range") }
        return Int64(value)
    }

    mutating func small() throws(DecodingFailure) -> Int32 {
        let value = try varint()
        guard value <= UInt64(Int32.max) else { throw failure("a number is out of range") }
        return Int32(value)
    }
}
