import TimeSeries

/// Points in time as files write them, to milliseconds since the epoch, UTC.
enum TimeText {
    /// ISO 8601 (`2026-01-31`, `2026-01-31T12:34:56.789+01:00`, `2026-01-31 12:34`; without a zone: UTC), or a number of seconds,
    /// milliseconds, microseconds or nanoseconds since the epoch, told apart by size. nil for anything else.
    static func parse(_ text: String) -> Milliseconds? {
        iso8601(text) ?? epoch(text)
    }

    /// A number that stands for a time from 1973 to 5138.
    static func epoch(_ text: String) -> Milliseconds? {
        guard let number = Double(text), number.isFinite else { return nil }
        let size = number.magnitude
        let milliseconds: Double
        switch size {
        case 1e8..<1e11: milliseconds = number * 1000
        case 1e11..<1e14: milliseconds = number
        case 1e14..<1e17: milliseconds = number / 1000
        case 1e17..<1e20: milliseconds = number / 1e6
        default: return nil
        }
        return Milliseconds(milliseconds.rounded())
    }

    static func iso8601(_ text: String) -> Milliseconds? {
        var scanner = DigitScanner(Array(text.utf8))
        guard let year = scanner.number(4), scanner.take("-"), let month = scanner.number(2), scanner.take("-"),
            let day = scanner.number(2),
            (1...12).contains(month), day >= 1, day <= CivilTime.length(ofMonth: Int64(month), year: Int64(year))
        else { return nil }
        var time: Milliseconds = 0
        if scanner.take("T") || scanner.take("t") || scanner.take(" ") {
            guard let clock = timeOfDay(&scanner), let offset = zone(&scanner) else { return nil }
            time = clock - offset
        }
        guard scanner.isAtEnd else { return nil }
        return CivilTime.days(year: Int64(year), month: Int64(month), day: Int64(day)) * CivilTime.day + time
    }

    private static func timeOfDay(_ scanner: inout DigitScanner) -> Milliseconds? {
        guard let hour = scanner.number(2), scanner.take(":"), let minute = scanner.number(2), hour < 24, minute < 60 else { return nil }
        var seconds = 0
        var fraction: Milliseconds = 0
        if scanner.take(":") {
            guard let s = scanner.number(2), s <= 60 else { return nil }
            seconds = s
            if scanner.take(".") || scanner.take(",") {
                guard let f = scanner.fraction() else { return nil }
                fraction = f
            }
        }
        return Milliseconds((hour * 60 + minute) * 60 + seconds) * 1000 + fraction
    }

    /// Offset from UTC in milliseconds.
    private static func zone(_ scanner: inout DigitScanner) -> Milliseconds? {
        if scanner.isAtEnd || scanner.take("Z") || scanner.take("z") { return 0 }
        let sign: Milliseconds
        if scanner.take("+") { sign = 1 } else if scanner.take("-") { sign = -1 } else { return nil }
        guard let hours = scanner.number(2), hours < 24 else { return nil }
        var minutes = 0
        if !scanner.isAtEnd {
            _ = scanner.take(":")
            guard let m = scanner.number(2), m < 60 else { return nil }
            minutes = m
        }
        return sign * Milliseconds(hours * 60 + minutes) * 60_000
    }

    /// `2026-01-31 12:34:56`, UTC, with milliseconds only where there are some.
    static func format(_ time: Milliseconds) -> String {
        let days = floorDivided(time, CivilTime.day)
        let clock = time - days * CivilTime.day
        var text = "\(CivilTime.text(days: days)) "
        text += "\(padded(clock / 3_600_000, 2)):\(padded(clock / 60_000 % 60, 2)):\(padded(clock / 1000 % 60, 2))"
        if clock % 1000 != 0 { text += ".\(padded(clock % 1000, 3))" }
        return text
    }

    static func padded(_ value: Int64, _ width: Int) -> String { CivilTime.padded(value, width) }
}

private struct DigitScanner {
    private let bytes: [UInt8]
    private var at = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { at == bytes.count }

    mutating func number(_ digits: Int) -> Int? {
        guard at + digits <= bytes.count else { return nil }
        var value = 0
        for byte in bytes[at..<(at + digits)] {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int(byte - 0x30)
        }
        at += digits
        return value
    }

    /// Digits after the point as milliseconds; more than three are cut.
    mutating func fraction() -> Milliseconds? {
        var value: Milliseconds = 0
        var digits = 0
        while at < bytes.count, (0x30...0x39).contains(bytes[at]) {
            if digits < 3 { value = value * 10 + Milliseconds(bytes[at] - 0x30) }
            digits += 1
            at += 1
        }
        if digits == 0 { return nil }
        for _ in digits..<max(digits, 3) { value *= 10 }
        return value
    }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard at < bytes.count, bytes[at] == UInt8(ascii: character) else { return false }
        at += 1
        return true
    }
}
