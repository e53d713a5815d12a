import Glibc

/// Samples of one series, in order of time, in few bytes. docs/formats/chunk.md has the picture.
///
/// Times: a first one and a steady interval, or varint differences of differences. Values: constant; decimal integers (value x 10^s, exact) as
/// differences in a fixed bit width with a few exceptions (the PFOR of Zukowski et al., 2006); or bytes of the XOR with the value before.
package enum ChunkCodec {
    static let magic: UInt8 = 0xC1
    static let carryFlag: UInt8 = 1
    static let steadyFlag: UInt8 = 2
    /// Upper bound of samples in one chunk: what a decoder is ready to believe.
    package static let maximumCount = 1 << 22

    enum ValueMode: UInt8 {
        case constant = 0
        case decimal = 1
        case xor = 2
    }

    /// Encodes samples with strictly increasing times. With `carry` the first sample is the one before the chunk (the base of a counter's
    /// first rate) and not a part of it. O(n).
    package static func encode(times: [Milliseconds], values: [Double], carry: Bool = false) -> [UInt8] {
        let count = min(times.count, values.count)
        var out: [UInt8] = []
        out.reserveCapacity(32 + count)
        let interval = steadyInterval(times, count)
        out.append(magic)
        out.append((carry ? carryFlag : 0) | (interval != nil ? steadyFlag : 0))
        appendVarint(UInt64(count), &out)
        if count > 0 {
            encodeTimes(times, count, interval, &out)
            encodeValues(values, count, &out)
        }
        let crc = out.withUnsafeBytes { CRC32C.checksum($0) }
        for i in 0..<4 { out.append(UInt8(truncatingIfNeeded: crc >> UInt32(8 * i))) }
        return out
    }

    private static func steadyInterval(_ times: [Milliseconds], _ count: Int) -> Milliseconds? {
        guard count > 1 else { return 0 }
        let interval = times[1] &- times[0]
        for i in 1..<count where times[i] &- times[i - 1] != interval { return nil }
        return interval
    }

    private static func encodeTimes(_ times: [Milliseconds], _ count: Int, _ interval: Milliseconds?, _ out: inout [UInt8]) {
        appendVarint(zigzag(times[0]), &out)
        if let interval { return appendVarint(zigzag(interval), &out) }
        var last: Milliseconds = 0
        for i in 1..<count {
            let delta = times[i] &- times[i - 1]
            appendVarint(zigzag(delta &- last), &out)
            last = delta
        }
    }

    private static func encodeValues(_ values: [Double], _ count: Int, _ out: inout [UInt8]) {
        let first = values[0].bitPattern
        if (1..<count).allSatisfy({ values[$0].bitPattern == first }) {
            out.append(ValueMode.constant.rawValue)
            for i in 0..<8 { out.append(UInt8(truncatingIfNeeded: first >> UInt64(8 * i))) }
            return
        }
        if let scale = Decimal.commonScale(values, count) {
            let integers = Decimal.integers(values, count, scale: scale)
            let mark = out.count
            out.append(ValueMode.decimal.rawValue)
            out.append(UInt8(scale))
            encodeIntegers(integers, &out)
            // Noise in many digits is shorter as XOR.
            if out.count - mark <= count * 6 { return }
            out.removeSubrange(mark...)
        }
        out.append(ValueMode.xor.rawValue)
        encodeXOR(values, count, &out)
    }

    /// First integer, then differences above their minimum, packed in the width that makes the whole shortest.
    private static func encodeIntegers(_ integers: [Int64], _ out: inout [UInt8]) {
        var deltas: [Int64] = []
        deltas.reserveCapacity(integers.count)
        for i in 1..<integers.count { deltas.append(integers[i] - integers[i - 1]) }
        let least = deltas.min() ?? 0
        let residuals = deltas.map { UInt64(bitPattern: $0 &- least) }
        let width = bestWidth(residuals)
        appendVarint(zigzag(integers[0]), &out)
        appendVarint(zigzag(least), &out)
        out.append(UInt8(width))
        let exceptions = width == 64 ? [] : residuals.indices.filter { residuals[$0] >> UInt64(width) != 0 }
        appendVarint(UInt64(exceptions.count), &out)
        var last = 0
        for index in exceptions {
            appendVarint(UInt64(index - last), &out)
            appendVarint(residuals[index] >> UInt64(width), &out)
            last = index
        }
        BitPacking.pack(residuals, width: width, into: &out)
    }

    private static func bestWidth(_ residuals: [UInt64]) -> Int {
        var lengths = [Int](repeating: 0, count: 65)
        for residual in residuals { lengths[64 - residual.leadingZeroBitCount] += 1 }
        var best = 64
        var bestBits = Int.max
        var exceptions = 0
        var exceptionBits = 0
        for width in stride(from: 64, through: 0, by: -1) {
            let bits = residuals.count * width + exceptionBits + exceptions * 8
            if bits <= bestBits {
                bestBits = bits
                best = width
            }
            // One bit less: values of exactly this length become exceptions; all exceptions carry about one bit more.
            exceptions += lengths[width]
            exceptionBits += lengths[width] * 8 + exceptions * 8 / 7
        }
        return best
    }

    /// Per value a byte (zero bytes at the top, zero bytes at the bottom of the XOR with the value before) and what is between.
    private static func encodeXOR(_ values: [Double], _ count: Int, _ out: inout [UInt8]) {
        var last: UInt64 = 0
        for i in 0..<count {
            let bits = values[i].bitPattern
            let x = bits ^ last
            last = bits
            if x == 0 {
                out.append(0x80)
                continue
            }
            let top = x.leadingZeroBitCount / 8
            let bottom = x.trailingZeroBitCount / 8
            out.append(UInt8(top << 4 | bottom))
            for byte in bottom..<(8 - top) { out.append(UInt8(truncatingIfNeeded: x >> UInt64(8 * byte))) }
        }
    }

    static func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: (value << 1) ^ (value >> 63)) }

    static func appendVarint(_ value: UInt64, _ out: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            out.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        out.append(UInt8(rest))
    }
}

/// Doubles that are decimals with few digits behind the point, as exact integers.
enum Decimal {
    static let powers: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ]
    /// Integers below 2^53 and powers of ten up to 10^22 are exact doubles, so their quotient is the correctly rounded decimal.
    private static let limit = 9_007_199_254_740_992.0

    /// The least s for which every value is an integer divided by 10^s, to the bit; nil if there is none.
    static func commonScale(_ values: [Double], _ count: Int) -> Int? {
        var scale = 0
        for i in 0..<count {
            while !fits(values[i], scale) {
                scale += 1
                if scale >= powers.count { return nil }
            }
        }
        // A later value may have raised the scale past what an earlier, larger one can take.
        return (0..<count).allSatisfy { fits(values[$0], scale) } ? scale : nil
    }

    private static func fits(_ value: Double, _ scale: Int) -> Bool {
        // Minus zero has no integer.
        if value == 0 && value.sign == .minus { return false }
        let scaled = (value * powers[scale]).rounded()
        guard scaled.magnitude < limit else { return false }
        return (scaled / powers[scale]).bitPattern == value.bitPattern
    }

    static func integers(_ values: [Double], _ count: Int, scale: Int) -> [Int64] {
        (0..<count).map { Int64((values[$0] * powers[scale]).rounded()) }
    }
}
