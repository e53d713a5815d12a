import TimeSeries

/// A point in time as a text gives it: a date with a time of day, and perhaps how far its clock is ahead of UTC.
struct CalendarTime: Equatable {
    /// Milliseconds since the epoch as if the text were UTC.
    var clock: Milliseconds
    /// Milliseconds east of UTC; nil where the text does not say.
    var offset: Milliseconds?

    /// Reads `2026-01-31`, `2026-01-31 12:34`, `2026-01-31T12:34:56.789+01:00` and what stands between; nil for anything else. Digits
    /// below a millisecond are cut off. O(n).
    init?(_ text: String) {
        var reader = DigitReader(Array(text.utf8))
        guard let year = reader.digits(4), reader.take("-"), let month = reader.digits(2), reader.take("-"), let day = reader.digits(2),
            (1...12).contains(month), day >= 1, day <= CivilTime.length(ofMonth: month, year: year)
        else { return nil }
        clock = CivilTime.days(year: year, month: month, day: day) * CivilTime.day
        if reader.isAtEnd { return }
        guard reader.take("T") || reader.take("t") || reader.take(" "), let time = reader.timeOfDay() else { return nil }
        clock += time
        if reader.isAtEnd { return }
        guard let offset = reader.offset(), reader.isAtEnd else { return nil }
        self.offset = offset
    }
}

private struct DigitReader {
    let bytes: [UInt8]
    var at = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { at == bytes.count }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard at < bytes.count, UInt32(bytes[at]) == character.value else { return false }
        at += 1
        return true
    }

    mutating func digits(_ count: Int) -> Int64? {
        guard at + count <= bytes.count else { return nil }
        var value: Int64 = 0
        for byte in bytes[at..<(at + count)] {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int64(byte - 0x30)
        }
        at += count
        return value
    }

    /// `12:34`, `12:34:56`, `12:34:56.789`; a leap second counts as the second after it.
    mutating func timeOfDay() -> Milliseconds? {
        guard let hour = digits(2), take(":"), let minute = digits(2), hour < 24, minute < 60 else { return nil }
        var time = (hour * 60 + minute) * 60_000
        guard take(":") else { return time }
        guard let second = digits(2), second <= 60 else { return nil }
        time += second * 1_000
        guard take(".") || take(",") else { return time }
        let start = at
        var scale: Int64 = 100
        while let digit = digits(1) {
            time += digit * scale
            scale /= 10
        }
        return at > start ? time : nil
    }

    /// `Z`, `+01`, `+0100`, `+01:00`, with or without a space before.
    mutating func offset() -> Milliseconds? {
        _ = take(" ")
        if take("Z") || take("z") { return 0 }
        let isWest = take("-")
        guard isWest || take("+"), let hours = digits(2) else { return nil }
        var minutes: Int64 = 0
        if !isAtEnd {
            _ = take(":")
            guard let given = digits(2) else { return nil }
            minutes = given
        }
        guard hours < 24, minutes < 60 else { return nil }
        let offset = (hours * 60 + minutes) * 60_000
        return isWest ? -offset : offset
    }
}
