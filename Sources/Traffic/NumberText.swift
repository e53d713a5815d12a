/// Decimal numbers to the nearest double.
enum NumberText {
    private static let powers: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ]
    private static let integers: [UInt64] = [
        1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000, 100_000_000_000,
        1_000_000_000_000, 10_000_000_000_000, 100_000_000_000_000, 1_000_000_000_000_000, 10_000_000_000_000_000,
        100_000_000_000_000_000, 1_000_000_000_000_000_000, 10_000_000_000_000_000_000,
    ]

    /// Could stand in a number.
    @inline(__always)
    static func belongs(_ byte: UInt8) -> Bool {
        (byte >= 0x30 && byte <= 0x39) || byte == 0x2E || byte == 0x2D || byte == 0x2B || byte | 0x20 == 0x65
    }

    /// Where the number that begins at `start` ends; nil if it is none.
    static func end(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? { read(bytes, from: start)?.end }

    /// The number as JSON writes it that begins at `start`, and where it ends; nil if it is none or not finite.
    @inline(__always)
    static func read(_ bytes: UnsafeRawBufferPointer, from start: Int) -> (value: Double, end: Int)? {
        let count = bytes.count
        var at = start
        let isNegative = at < count && bytes[at] == UInt8(ascii: "-")
        if isNegative { at += 1 }
        var mantissa: UInt64 = 0
        let first = at
        while at < count, bytes[at] &- 0x30 <= 9 {
            mantissa = mantissa &* 10 &+ UInt64(bytes[at] &- 0x30)
            at += 1
        }
        var digits = at - first
        guard digits > 0, digits == 1 || bytes[first] != 0x30 else { return nil }
        var exponent = 0
        if at < count, bytes[at] == UInt8(ascii: ".") {
            at += 1
            let fraction = at
            while at < count, bytes[at] &- 0x30 <= 9 {
                mantissa = mantissa &* 10 &+ UInt64(bytes[at] &- 0x30)
                at += 1
            }
            guard at > fraction else { return nil }
            exponent = fraction - at
            digits += at - fraction
        }
        if at < count, bytes[at] | 0x20 == UInt8(ascii: "e") {
            at += 1
            var isMinus = false
            if at < count, bytes[at] == UInt8(ascii: "-") || bytes[at] == UInt8(ascii: "+") {
                isMinus = bytes[at] == UInt8(ascii: "-")
                at += 1
            }
            let power = at
            var shift = 0
            while at < count, bytes[at] &- 0x30 <= 9 {
                shift = min(100_000, shift * 10 + Int(bytes[at] &- 0x30))
                at += 1
            }
            guard at > power else { return nil }
            exponent += isMinus ? -shift : shift
        }
        let value: Double
        if digits > 19 {
            guard let slow = slow(bytes, first, at) else { return nil }
            value = slow
        } else if mantissa == 0 {
            value = 0
        } else if mantissa <= 1 << 53 && exponent >= -22 && exponent <= 22 {
            value = exponent < 0 ? Double(mantissa) / powers[-exponent] : Double(mantissa) * powers[exponent]
        } else if exponent < 0 && exponent >= -19 {
            value = quotient(mantissa, integers[-exponent])
        } else {
            guard let slow = slow(bytes, first, at) else { return nil }
            value = slow
        }
        return (isNegative ? -value : value, at)
    }

    /// m / d rounded to nearest, neither of them zero: 63 or 64 bits of the quotient, and the lowest tells of any rest.
    private static func quotient(_ m: UInt64, _ d: UInt64) -> Double {
        let up = m.leadingZeroBitCount
        let divisorUp = d.leadingZeroBitCount
        // Half of the numerator at most is below the divisor.
        let high = (m << UInt64(up)) >> 1
        let low = (m << UInt64(up)) << 63
        let (q, rest) = (d << UInt64(divisorUp)).dividingFullWidth((high, low))
        let sticky = rest == 0 ? q : q | 1
        // q = m * 2^(up + 63) / (d * 2^divisorUp)
        return Double(sticky) * Double(bitPattern: UInt64(1023 + divisorUp - up - 63) << 52)
    }

    @inline(never)
    private static func slow(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> Double? {
        let text = String(decoding: bytes[start..<end], as: UTF8.self)
        guard let value = Double(text), value.isFinite else { return nil }
        return value
    }
}
