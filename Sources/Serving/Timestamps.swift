import TimeSeries

/// Times as people and clients write them.
enum Timestamps {
    /// `2026-03-01T12:00:00.250Z`: UTC, always with milliseconds. O(1).
    static func format(_ time: Milliseconds) -> String { CivilTime.text(time) }

    /// Reads epoch milliseconds (whole numbers from 1e11 up), epoch seconds with or without a fraction, or RFC 3339; nil for anything else.
    static func parse(_ text: String) -> Milliseconds? {
        let bytes = Array(text.utf8)
        if bytes.count > 10, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-") { return parseRFC3339(bytes) }
        if let whole = Int64(text) {
            if whole.magnitude >= 100_000_000_000 { return whole.magnitude <= UInt64(latest) ? whole : nil }
            return whole * 1000
        }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }),
            let seconds = Double(text), seconds.magnitude <= Double(latest / 1000)
        else { return nil }
        return Int64((seconds * 1000).rounded())
    }

    /// End of the year 9999.
    static let latest: Milliseconds = 253_402_300_799_999

    private static func parseRFC3339(_ bytes: [UInt8]) -> Milliseconds? {
        guard bytes.count >= 20, bytes[10] | 0x20 == UInt8(ascii: "t"), bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
            let year = number(bytes, 0, 4), let month = number(bytes, 5, 2), let day = number(bytes, 8, 2),
            let hour = number(bytes, 11, 2), let minute = number(bytes, 14, 2), let second = number(bytes, 17, 2),
            (1...12).contains(month), day >= 1, day <= CivilTime.length(ofMonth: month, year: year), hour < 24, minute < 60, second <= 60
        else { return nil }
        var at = 19
        var millis: Int64 = 0
        if bytes[at] == UInt8(ascii: ".") {
            at += 1
            var scale: Int64 = 100
            let start = at
            while at < bytes.count, (0x30...0x39).contains(bytes[at]) {
                millis += Int64(bytes[at] - 0x30) * scale
                scale /= 10
                at += 1
            }
            if at == start { return nil }
        }
        guard let offset = zone(bytes, at) else { return nil }
        let seconds = CivilTime.days(year: year, month: month, day: day) * 86_400 + hour * 3600 + minute * 60 + second - offset
        return seconds * 1000 + millis
    }

    /// Seconds east of UTC of `Z`, `+hh:mm` or `-hh:mm` that ends the text.
    private static func zone(_ bytes: [UInt8], _ at: Int) -> Int64? {
        guard at < bytes.count else { return nil }
        if bytes[at] | 0x20 == UInt8(ascii: "z") { return at + 1 == bytes.count ? 0 : nil }
        guard bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-"), at + 6 == bytes.count, bytes[at + 3] == UInt8(ascii: ":"),
            let hours = number(bytes, at + 1, 2), let minutes = number(bytes, at + 4, 2), hours < 24, minutes < 60
        else { return nil }
        let offset = hours * 3600 + minutes * 60
        return bytes[at] == UInt8(ascii: "-") ? -offset : offset
    }

    private static func number(_ bytes: [UInt8], _ at: Int, _ count: Int) -> Int64? {
        var value: Int64 = 0
        for byte in bytes[at..<(at + count)] {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int64(byte - 0x30)
        }
        return value
    }
}

extension Milliseconds {
    /// A length of time in the largest unit that divides it: `12h`, `90s`, `15m`, `250ms`.
    var durationText: String {
        if self > 0 {
            if self % 3_600_000 == 0 { return "\(self / 3_600_000)h" }
            if self % 60_000 == 0 { return "\(self / 60_000)m" }
            if self % 1000 == 0 { return "\(self / 1000)s" }
        }
        return "\(self)ms"
    }

    /// Reads what `durationText` writes, and any other whole number of its units, also days; nil for anything else and for nothing.
    init?(durationText text: String) {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let units: [Substring: Milliseconds] = ["ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000]
        guard let count = Milliseconds(digits), count > 0, let unit = units[text.dropFirst(digits.count)] else { return nil }
        let (length, isTooLong) = count.multipliedReportingOverflow(by: unit)
        guard !isTooLong else { return nil }
        self = length
    }
}
