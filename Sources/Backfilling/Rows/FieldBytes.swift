import Glibc
import TimeSeries

/// Numbers and times out of the bytes of a field, without a String where the common forms go.
enum FieldBytes {
    private static let powers: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ]

    enum Value {
        case number(Double)
        /// No sample: the field is empty or says so.
        case missing
        case wrong
    }

    /// Decimal or scientific, rounded correctly: up to 19 digits whose value stays within 2^53 and a power of ten within 10^22 take one exact
    /// multiplication or division (Clinger, "How to read floating point numbers accurately", 1990), the rest goes to `strtod`.
    @inline(__always)
    static func value(_ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Value {
        var i = start
        let negative = i < end && base[i] == UInt8(ascii: "-")
        if negative { i &+= 1 }
        var mantissa: UInt64 = 0
        let firstDigit = i
        while i < end, base[i] &- 0x30 < 10 {
            mantissa = mantissa &* 10 &+ UInt64(base[i] &- 0x30)
            i &+= 1
        }
        var digits = i &- firstDigit
        var places = 0
        if i < end, base[i] == UInt8(ascii: ".") {
            i &+= 1
            let firstPlace = i
            while i < end, base[i] &- 0x30 < 10 {
                mantissa = mantissa &* 10 &+ UInt64(base[i] &- 0x30)
                i &+= 1
            }
            places = i &- firstPlace
            digits &+= places
        }
        guard i == end, digits > 0, digits <= 19, mantissa <= 1 << 53, places <= 22 else { return slowValue(base, start, end) }
        var value = Double(Int64(truncatingIfNeeded: mantissa))
        if places > 0 { value /= powers[places] }
        return .number(negative ? -value : value)
    }

    private static let missing: Set<String> = ["", "null", "na", "n/a", "none", "-", "nil", "\\n"]

    @inline(never)
    private static func slowValue(_ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Value {
        guard end - start <= 400 else { return .wrong }
        let text = String(decoding: UnsafeBufferPointer(start: base + start, count: end - start), as: UTF8.self)
            .split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
        var word = text.lowercased()
        if missing.contains(word) { return .missing }
        if word.hasPrefix("+") { word.removeFirst() }
        switch word {
        case "nan": return .number(.nan)
        case "inf", "infinity": return .number(.infinity)
        case "-inf", "-infinity": return .number(-.infinity)
        default: break
        }
        // A decimal comma is taken where the field has exactly one and no point.
        if word.utf8.count(where: { $0 == UInt8(ascii: ",") }) == 1, !word.utf8.contains(UInt8(ascii: ".")) {
            word = word.replacing(",", with: ".")
        }
        let isDecimal = word.utf8.allSatisfy {
            $0 &- 0x30 < 10 || $0 == UInt8(ascii: "e") || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+")
        }
        guard isDecimal, let value = Double(word) else { return .wrong }
        return .number(value)
    }

    /// A whole number of milliseconds; nil for anything else and beyond 2^53.
    @inline(__always)
    static func milliseconds(_ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Milliseconds? {
        guard let value = integer(base, start, end), value.magnitude <= 1 << 53 else { return nil }
        return value
    }

    @inline(__always)
    private static func integer(_ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int64? {
        var i = start
        let negative = i < end && base[i] == UInt8(ascii: "-")
        if negative { i &+= 1 }
        guard end &- i <= 18, i < end else { return nil }
        var value: Int64 = 0
        while i < end {
            let digit = base[i] &- 0x30
            if digit > 9 { return nil }
            value = value &* 10 &+ Int64(digit)
            i &+= 1
        }
        return negative ? -value : value
    }

    /// ISO 8601, UTC where it names no zone, or a number of seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by size
    /// (from 1973 to 5138). nil for anything else.
    @inline(__always)
    static func time(_ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Milliseconds? {
        if let number = integer(base, start, end) {
            if number >= 100_000_000_000, number < 100_000_000_000_000 { return number }
            if number >= 100_000_000, number < 100_000_000_000 { return number * 1000 }
        }
        return slowTime(base, start, end)
    }

    @inline(never)
    private static func slowTime(_ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Milliseconds? {
        var from = start
        var to = end
        while from < to, base[from] == 0x20 { from += 1 }
        while to > from, base[to - 1] == 0x20 { to -= 1 }
        if let time = calendarTime(base, from, to) { return time }
        guard case .number(let number) = value(base, from, to), number.isFinite else { return nil }
        switch number.magnitude {
        case 1e8..<1e11: return Milliseconds((number * 1000).rounded())
        case 1e11..<1e14: return Milliseconds(number.rounded())
        case 1e14..<1e17: return Milliseconds((number / 1000).rounded())
        case 1e17..<1e20: return Milliseconds((number / 1e6).rounded())
        default: return nil
        }
    }

    /// `2026-01-31`, then `T` or a blank and `12:34[:56[.789]]`, then nothing, `Z` or `+01:00`.
    private static func calendarTime(_ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Milliseconds? {
        func digits(_ at: Int, _ count: Int) -> Int64? {
            guard at + count <= end else { return nil }
            var value: Int64 = 0
            for i in at..<(at + count) {
                guard base[i] &- 0x30 < 10 else { return nil }
                value = value * 10 + Int64(base[i] &- 0x30)
            }
            return value
        }
        func has(_ at: Int, _ byte: UInt8) -> Bool { at < end && base[at] == byte }
        guard let year = digits(start, 4), has(start + 4, UInt8(ascii: "-")), let month = digits(start + 5, 2),
            has(start + 7, UInt8(ascii: "-")), let day = digits(start + 8, 2), (1...12).contains(month), day >= 1,
            day <= CivilTime.length(ofMonth: month, year: year)
        else { return nil }
        let midnight = CivilTime.days(year: year, month: month, day: day) * CivilTime.day
        var at = start + 10
        if at == end { return midnight }
        guard base[at] | 0x20 == UInt8(ascii: "t") || base[at] == 0x20, let hour = digits(at + 1, 2), has(at + 3, UInt8(ascii: ":")),
            let minute = digits(at + 4, 2), hour < 24, minute < 60
        else { return nil }
        at += 6
        var time = (hour * 60 + minute) * 60_000
        if has(at, UInt8(ascii: ":")) {
            guard let second = digits(at + 1, 2), second <= 60 else { return nil }
            time += second * 1000
            at += 3
            if has(at, UInt8(ascii: ".")) || has(at, UInt8(ascii: ",")) {
                at += 1
                var scale: Int64 = 100
                let first = at
                while let digit = digits(at, 1) {
                    time += digit * scale
                    scale /= 10
                    at += 1
                }
                if at == first { return nil }
            }
        }
        guard let offset = zone(base, at, end) else { return nil }
        return midnight + time - offset
    }

    private static func zone(_ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Milliseconds? {
        if start == end || (start + 1 == end && base[start] | 0x20 == UInt8(ascii: "z")) { return 0 }
        let sign: Milliseconds
        switch base[start] {
        case UInt8(ascii: "+"): sign = 1
        case UInt8(ascii: "-"): sign = -1
        default: return nil
        }
        var digits: [Int64] = []
        for i in (start + 1)..<end {
            if base[i] == UInt8(ascii: ":"), digits.count == 2 { continue }
            guard base[i] &- 0x30 < 10 else { return nil }
            digits.append(Int64(base[i] &- 0x30))
        }
        guard digits.count == 2 || digits.count == 4 else { return nil }
        let hours = digits[0] * 10 + digits[1]
        let minutes = digits.count == 4 ? digits[2] * 10 + digits[3] : 0
        guard hours < 24, minutes < 60 else { return nil }
        return sign * (hours * 60 + minutes) * 60_000
    }
}
