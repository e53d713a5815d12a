import TimeSeries

@inline(__always)
func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x61...0x66: byte - 0x57
    case 0x41...0x46: byte - 0x37
    default: nil
    }
}

enum UUIDText {
    /// 8-4-4-4-12 hexadecimal digits in any case.
    @inline(__always)
    static func read(_ text: UnsafeRawBufferPointer) -> (UInt64, UInt64)? {
        guard text.count == 36, text[8] == 0x2D, text[13] == 0x2D, text[18] == 0x2D, text[23] == 0x2D else { return nil }
        func word(_ at: Int) -> UInt64 { UInt64(littleEndian: text.loadUnaligned(fromByteOffset: at, as: UInt64.self)) }
        // Two groups of four with the hyphens between them, put together.
        let second = (word(9) & 0xFFFF_FFFF) | (word(14) << 32)
        let third = (word(19) & 0xFFFF_FFFF) | (word(24) << 32)
        guard let a = digits(word(0)), let b = digits(second), let c = digits(third), let d = digits(word(28)) else { return nil }
        return (a << 32 | b, c << 32 | d)
    }

    /// Eight hexadecimal digits at once, the first in the lowest byte.
    @inline(__always)
    private static func digits(_ w: UInt64) -> UInt64? {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        guard w & highs == 0 else { return nil }
        let lower = w | (ones &* 0x20)
        let isDigit = (w &+ ones &* 0x50) & ~(w &+ ones &* 0x46)
        let isLetter = (lower &+ ones &* 0x1F) & ~(lower &+ ones &* 0x19)
        guard (isDigit | isLetter) & highs == highs else { return nil }
        var x = (w & (ones &* 0x0F)) &+ ((isLetter & highs & ~isDigit) >> 7) &* 9
        x = ((x << 4) | (x >> 8)) & 0x00FF_00FF_00FF_00FF
        x = (x | (x >> 8)) & 0x0000_FFFF_0000_FFFF
        x = (x | (x >> 16)) & 0xFFFF_FFFF
        return UInt64(UInt32(truncatingIfNeeded: x).byteSwapped)
    }
}

enum TextCheck {
    enum Fault { case notUTF8, controlCharacter }

    /// All bytes are printable ASCII.
    @inline(__always)
    static func isPlain(_ text: UnsafeRawBufferPointer) -> Bool {
        var isPlain = true
        for byte in text where byte < 0x20 || byte > 0x7E { isPlain = false }
        return isPlain
    }

    static func check(_ text: UnsafeRawBufferPointer) -> Fault? {
        guard let text = String(validating: text, as: UTF8.self) else { return .notUTF8 }
        for scalar in text.unicodeScalars where scalar.value < 0x20 || (scalar.value >= 0x7F && scalar.value < 0xA0) {
            return .controlCharacter
        }
        return nil
    }
}

/// Dates and times as events write them.
enum TimeText {
    enum Outcome: Equatable {
        case utc(Milliseconds)
        /// Without an offset.
        case local(Milliseconds)
        case impossible
        case malformed
    }

    /// 10000-01-01.
    static let end: Milliseconds = 253_402_300_800_000

    /// Milliseconds since the epoch in digits.
    static func digits(_ text: UnsafeRawBufferPointer) -> Outcome {
        guard text.count > 0, text.count <= 18 else { return .malformed }
        var value: Int64 = 0
        for byte in text {
            guard byte >= 0x30, byte <= 0x39 else { return .malformed }
            value = value * 10 + Int64(byte - 0x30)
        }
        return .utc(value)
    }

    @inline(__always)
    static func read(_ text: UnsafeRawBufferPointer) -> Outcome {
        guard text.count >= 19, text[4] == 0x2D else { return digits(text) }
        var wrong: UInt8 = 0
        @inline(__always)
        func two(_ at: Int) -> Int64 {
            let a = text[at] &- 0x30
            let b = text[at + 1] &- 0x30
            wrong |= a > 9 || b > 9 ? 1 : 0
            return Int64(a) &* 10 &+ Int64(b)
        }
        let year = two(0) &* 100 &+ two(2)
        let month = two(5)
        let day = two(8)
        let hour = two(11)
        let minute = two(14)
        let second = two(17)
        let gap = text[10] | 0x20
        guard wrong == 0, text[7] == 0x2D, text[13] == 0x3A, text[16] == 0x3A, gap == 0x20 || gap == UInt8(ascii: "t"), text[10] != 0 else {
            return .malformed
        }
        guard month >= 1, month <= 12, day >= 1, day <= CivilTime.length(ofMonth: month, year: year), hour < 24, minute < 60, second < 60
        else { return .impossible }
        let days = CivilTime.days(year: year, month: month, day: day)
        let time = days * CivilTime.day + hour * 3_600_000 + minute * 60_000 + second * 1000
        return text.count == 19 ? .local(time) : rest(text, time)
    }

    /// Fractions and the offset.
    private static func rest(_ text: UnsafeRawBufferPointer, _ seconds: Milliseconds) -> Outcome {
        var at = 19
        var time = seconds
        if text[at] == UInt8(ascii: ".") {
            at += 1
            let first = at
            var scale: Int64 = 100
            while at < text.count, text[at] >= 0x30, text[at] <= 0x39 {
                time += Int64(text[at] - 0x30) * scale
                scale /= 10
                at += 1
            }
            guard at > first, at - first <= 9 else { return .malformed }
            if at == text.count { return .local(time) }
        }
        if text[at] | 0x20 == UInt8(ascii: "z") { return at + 1 == text.count ? .utc(time) : .malformed }
        guard text[at] == UInt8(ascii: "+") || text[at] == UInt8(ascii: "-") else { return .malformed }
        let isWest = text[at] == UInt8(ascii: "-")
        var digits: [Int64] = []
        for i in (at + 1)..<text.count {
            if text[i] == UInt8(ascii: ":") && i == at + 3 { continue }
            guard text[i] >= 0x30, text[i] <= 0x39 else { return .malformed }
            digits.append(Int64(text[i] - 0x30))
        }
        guard digits.count == 2 || digits.count == 4, text.count - at != 4 else { return .malformed }
        let hours = digits[0] * 10 + digits[1]
        let minutes = digits.count == 4 ? digits[2] * 10 + digits[3] : 0
        guard hours <= 18, minutes < 60 else { return .impossible }
        let offset = (hours * 60 + minutes) * 60_000
        return .utc(isWest ? time + offset : time - offset)
    }
}
