/// Numbers as the shortest decimal text that reads back to the same bits, byte for byte `description`, without a String where there is a
/// quicker way.
enum DecimalText {
    @inline(__always)
    static func append(_ value: Int64, to out: inout [UInt8]) {
        if value < 0 { out.append(UInt8(ascii: "-")) }
        appendDigits(value.magnitude, to: &out)
    }

    /// Of a finite number: `5.0`, `0.25`, `1e-05`.
    static func append(_ value: Double, to out: inout [UInt8]) {
        let magnitude = value.magnitude
        // Integers, and decimals of one to three places below 10^12: at most 15 digits, which no shorter text can replace once the zeros
        // at the end are gone.
        if magnitude < 1e12, magnitude >= 1e-3 || magnitude == 0 {
            let scaled = magnitude * 1000
            let rounded = scaled.rounded()
            if rounded / 1000 == magnitude {
                if value.sign == .minus { out.append(UInt8(ascii: "-")) }
                return appendThousandths(UInt64(rounded), to: &out)
            }
        }
        out.append(contentsOf: value.description.utf8)
    }

    private static func appendThousandths(_ value: UInt64, to out: inout [UInt8]) {
        let (whole, rest) = value.quotientAndRemainder(dividingBy: 1000)
        appendDigits(whole, to: &out)
        out.append(UInt8(ascii: "."))
        out.append(UInt8(truncatingIfNeeded: rest / 100) &+ 0x30)
        if rest % 100 == 0 { return }
        out.append(UInt8(truncatingIfNeeded: rest / 10 % 10) &+ 0x30)
        if rest % 10 != 0 { out.append(UInt8(truncatingIfNeeded: rest % 10) &+ 0x30) }
    }

    private static func appendDigits(_ value: UInt64, to out: inout [UInt8]) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var rest = value
            var at = 20
            repeat {
                at -= 1
                let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
                digits[at] = UInt8(truncatingIfNeeded: digit) &+ 0x30
                rest = quotient
            } while rest > 0
            out.append(contentsOf: UnsafeBufferPointer(rebasing: digits[at..<20]))
        }
    }
}
