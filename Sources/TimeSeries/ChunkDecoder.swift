/// Why a chunk cannot be read.
package struct ChunkError: Error, Sendable, Equatable, CustomStringConvertible {
    package var description: String
}

/// Columns that decoding fills; keep one and use it again.
package struct ChunkBuffer: Sendable {
    package var times: [Milliseconds] = []
    package var values: [Double] = []
    /// Whether element 0 is the sample before the chunk.
    package internal(set) var hasCarry = false

    package init() {}
    package var count: Int { times.count }
}

extension ChunkCodec {
    /// Checks the checksum and decodes; the carried sample is left out.
    package static func decode(_ bytes: [UInt8]) throws(ChunkError) -> (times: [Milliseconds], values: [Double]) {
        var buffer = ChunkBuffer()
        try bytes.withUnsafeBufferPointer { (elements) throws(ChunkError) in
            let raw = UnsafeRawBufferPointer(elements)
            try verify(raw)
            try decode(raw, into: &buffer)
        }
        let skip = buffer.hasCarry && buffer.count > 0 ? 1 : 0
        return (Array(buffer.times.dropFirst(skip)), Array(buffer.values.dropFirst(skip)))
    }

    /// Throws unless the checksum is right.
    package static func verify(_ raw: UnsafeRawBufferPointer) throws(ChunkError) {
        guard raw.count >= 7 else { throw ChunkError(description: "the chunk is too short") }
        let body = UnsafeRawBufferPointer(rebasing: raw[..<(raw.count - 4)])
        let stored = UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: raw.count - 4, as: UInt32.self))
        guard CRC32C.checksum(body) == stored else { throw ChunkError(description: "the chunk's checksum is wrong: it is damaged") }
    }

    /// Decodes without checking the checksum, the carried sample included; of the samples at or before `after` only the last, as the base of a
    /// rate. Safe on any input. O(n).
    package static func decode(
        _ raw: UnsafeRawBufferPointer, into buffer: inout ChunkBuffer, after: Milliseconds = .min
    ) throws(ChunkError) {
        var reader = ChunkReader(raw: raw, end: raw.count - 4)
        guard raw.count >= 7, raw[0] == magic else { throw ChunkError(description: "not a chunk") }
        let flags = raw[1]
        reader.at = 2
        let claimed = try reader.varint()
        guard claimed <= UInt64(maximumCount) else { throw ChunkError(description: "the chunk claims \(claimed) samples") }
        let count = Int(claimed)
        buffer.hasCarry = flags & carryFlag != 0
        buffer.times.removeAll(keepingCapacity: true)
        buffer.values.removeAll(keepingCapacity: true)
        if count == 0 { return }
        let dropped = try decodeTimes(&reader, count, steady: flags & steadyFlag != 0, after: after, &buffer.times)
        if dropped > 0 { buffer.hasCarry = false }
        try decodeValues(&reader, count, dropped: dropped, &buffer.values)
    }

    private static func decodeTimes(
        _ reader: inout ChunkReader, _ count: Int, steady: Bool, after: Milliseconds, _ times: inout [Milliseconds]
    ) throws(ChunkError) -> Int {
        var time = unzigzag(try reader.varint())
        times.reserveCapacity(count)
        times.append(time)
        if steady {
            let interval = unzigzag(try reader.varint())
            var dropped = 0
            if time <= after, interval > 0 {
                let (distance, overflow) = after.subtractingReportingOverflow(time)
                dropped = overflow ? 0 : Int(min(distance / interval, Int64(count - 1)))
            }
            times.append(contentsOf: repeatElement(time, count: count - 1 - dropped))
            let first = time &+ interval &* Int64(dropped)
            times.withUnsafeMutableBufferPointer { out in
                for i in out.indices { out[i] = first &+ interval &* Int64(i) }
            }
            return dropped
        }
        var delta: Milliseconds = 0
        for _ in 1..<max(1, count) {
            delta = delta &+ unzigzag(try reader.varint())
            time = time &+ delta
            times.append(time)
        }
        if after == .min { return 0 }
        let dropped = max(0, (times.firstIndex { $0 > after } ?? count) - 1)
        times.removeFirst(dropped)
        return dropped
    }

    private static func decodeValues(
        _ reader: inout ChunkReader, _ count: Int, dropped: Int, _ values: inout [Double]
    ) throws(ChunkError) {
        values.reserveCapacity(count)
        switch ValueMode(rawValue: try reader.byte()) {
        case .constant:
            values.append(contentsOf: repeatElement(Double(bitPattern: try reader.fixed64()), count: count - dropped))
        case .decimal: try decodeIntegers(&reader, count, dropped: dropped, &values)
        case .xor:
            try decodeXOR(&reader, count, &values)
            values.removeFirst(dropped)
        case nil: throw ChunkError(description: "unknown mode of values")
        }
    }

    private static func decodeIntegers(
        _ reader: inout ChunkReader, _ count: Int, dropped: Int, _ values: inout [Double]
    ) throws(ChunkError) {
        let scale = Int(try reader.byte())
        guard scale < Decimal.powers.count else { throw ChunkError(description: "unknown decimal scale") }
        let first = unzigzag(try reader.varint())
        let least = unzigzag(try reader.varint())
        let width = Int(try reader.byte())
        guard width <= 64 else { throw ChunkError(description: "a width of \(width) bits") }
        let exceptions = try readExceptions(&reader, count - 1, width)
        let base = reader.at
        guard BitPacking.byteCount(count - 1, width: width) <= reader.end - base else {
            throw ChunkError(description: "the chunk ends too early")
        }
        let power = Decimal.powers[scale]
        let mask: UInt64 = width == 64 ? .max : (1 << UInt64(width)) - 1
        let raw = reader.raw
        values.append(contentsOf: repeatElement(0, count: count - dropped))
        values.withUnsafeMutableBufferPointer { out in
            var next = 0
            var value = first
            if dropped == 0 { out[0] = Double(value) }
            // Values whose eight bytes surely lie within the chunk need no look at its end.
            var start = 0
            if exceptions.isEmpty, width > 0, width <= 56 {
                let safe = min(count - 1, max(0, raw.count - 8 - base) * 8 / width)
                var bit = base * 8
                for i in 0..<safe {
                    let word = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: bit >> 3, as: UInt64.self))
                    value = value &+ least &+ Int64(bitPattern: (word >> UInt64(bit & 7)) & mask)
                    bit += width
                    if i + 1 >= dropped { out[i + 1 - dropped] = Double(value) }
                }
                start = safe
            }
            for i in start..<(count - 1) {
                var residual = width == 0 ? 0 : BitPacking.value(raw, base: base, index: i, width: width, mask: mask)
                if next < exceptions.count, exceptions[next].index == i {
                    residual |= exceptions[next].high << UInt64(width)
                    next += 1
                }
                value = value &+ least &+ Int64(bitPattern: residual)
                if i + 1 >= dropped { out[i + 1 - dropped] = Double(value) }
            }
            // In a loop of its own, where it runs several lanes wide.
            if scale > 0 { for i in out.indices { out[i] /= power } }
        }
    }

    private static func readExceptions(
        _ reader: inout ChunkReader, _ count: Int, _ width: Int
    ) throws(ChunkError) -> [(index: Int, high: UInt64)] {
        let claimed = try reader.varint()
        if claimed == 0 { return [] }
        guard claimed <= UInt64(count), width < 64 else { throw ChunkError(description: "too many exceptions") }
        var exceptions: [(index: Int, high: UInt64)] = []
        exceptions.reserveCapacity(Int(claimed))
        var index: UInt64 = 0
        for _ in 0..<Int(claimed) {
            let step = try reader.varint()
            index = index &+ step
            guard step <= UInt64(count), index < UInt64(count) else { throw ChunkError(description: "an exception stands past the end") }
            exceptions.append((Int(index), try reader.varint()))
        }
        return exceptions
    }

    private static func decodeXOR(_ reader: inout ChunkReader, _ count: Int, _ values: inout [Double]) throws(ChunkError) {
        var last: UInt64 = 0
        for _ in 0..<count {
            let control = try reader.byte()
            let top = Int(control >> 4)
            let bottom = Int(control & 15)
            guard top + bottom <= 8 else { throw ChunkError(description: "a wrong control byte") }
            var x: UInt64 = 0
            if top < 8 {
                for byte in bottom..<(8 - top) { x |= UInt64(try reader.byte()) << UInt64(8 * byte) }
            }
            last ^= x
            values.append(Double(bitPattern: last))
        }
    }

    private static func unzigzag(_ value: UInt64) -> Int64 { Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1) }
}

struct ChunkReader {
    let raw: UnsafeRawBufferPointer
    /// Where the checksum begins.
    let end: Int
    var at = 0

    init(raw: UnsafeRawBufferPointer, end: Int) {
        self.raw = raw
        self.end = end
    }

    mutating func byte() throws(ChunkError) -> UInt8 {
        guard at < end else { throw ChunkError(description: "the chunk ends too early") }
        defer { at += 1 }
        return raw[at]
    }

    mutating func fixed64() throws(ChunkError) -> UInt64 {
        guard at + 8 <= end else { throw ChunkError(description: "the chunk ends too early") }
        defer { at += 8 }
        return UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: at, as: UInt64.self))
    }

    mutating func varint() throws(ChunkError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try byte()
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
            if shift > 63 { throw ChunkError(description: "a varint is too long") }
        }
    }
}
