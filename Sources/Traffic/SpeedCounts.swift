import Records

/// How often each speed was told, in steps of 0.5 km/h up to 400: only the range of steps that occur has memory.
struct SpeedCounts: Sendable, Equatable {
    static let steps = 801
    private(set) var low = 0
    private(set) var counts: [UInt32] = []

    /// Thousandths of km/h to the step at or below.
    @inline(__always)
    static func step(_ thousandths: Int64) -> Int { min(steps - 1, Int(thousandths / 500)) }

    @inline(__always)
    mutating func add(_ step: Int) {
        let i = step - low
        if i >= 0 && i < counts.count { counts[i] &+= 1 } else { widen(step, 1) }
    }

    mutating func add(_ other: SpeedCounts) {
        for (i, count) in other.counts.enumerated() where count > 0 {
            let at = other.low + i - low
            if at >= 0 && at < counts.count { counts[at] &+= count } else { widen(other.low + i, count) }
        }
    }

    @inline(never)
    private mutating func widen(_ step: Int, _ count: UInt32) {
        if counts.isEmpty {
            low = step & ~15
            counts = [UInt32](repeating: 0, count: 16)
        } else {
            let newLow = min(low, step & ~15)
            let newEnd = max(low + counts.count, (step | 15) + 1)
            var wider = [UInt32](repeating: 0, count: newEnd - newLow)
            for (i, value) in counts.enumerated() { wider[low + i - newLow] = value }
            low = newLow
            counts = wider
        }
        counts[step - low] &+= count
    }

    /// Nearest rank of the tenth percentile of `total` speeds, km/h.
    func p10(of total: Int) -> Double? {
        guard total > 0 else { return nil }
        var rest = (total + 9) / 10
        for (i, count) in counts.enumerated() {
            rest -= Int(count)
            if rest <= 0 { return Double(low + i) / 2 }
        }
        return nil
    }

    func encode(to writer: inout ByteWriter) {
        writer.varint(counts.reduce(0) { $0 + ($1 > 0 ? 1 : 0) })
        var last = 0
        for (i, count) in counts.enumerated() where count > 0 {
            writer.varint(low + i - last)
            writer.varint(Int(count))
            last = low + i
        }
    }

    init() {}

    init(decoding reader: inout ByteReader) throws(DecodingFailure) {
        var step = 0
        for _ in 0..<(try reader.count(ofAtLeast: 2)) {
            let gap = try reader.varint()
            let count = try reader.varint()
            guard gap < UInt64(SpeedCounts.steps - step), count <= UInt64(UInt32.max) else {
                throw reader.failure("a count of speeds is out of range")
            }
            step += Int(gap)
            if count > 0 { addMany(step, UInt32(count)) }
        }
    }

    private mutating func addMany(_ step: Int, _ count: UInt32) {
        let i = step - low
        if i >= 0 && i < counts.count { counts[i] &+= count } else { widen(step, count) }
    }
}
