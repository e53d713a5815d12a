/// The proleptic Gregorian calendar in UTC. Algorithms: Howard Hinnant, "chrono-compatible low-level date algorithms". All O(1).
package enum CivilTime {
    package static let day: Milliseconds = 86_400_000

    /// Days since 1970-01-01; of a month from 1 to 12 and any day.
    @inlinable
    package static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = floorDivided(y, 400)
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    package static func date(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let z = days + 719_468
        let era = floorDivided(z, 146_097)
        let dayOfEra = z - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }

    @inlinable
    package static func length(ofMonth month: Int64, year: Int64) -> Int64 {
        switch month {
        case 4, 6, 9, 11: return 30
        case 2: return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: return 31
        }
    }

    /// `yyyy-MM-dd`.
    package static func text(days: Int64) -> String {
        let (year, month, day) = date(days: days)
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
    }

    /// RFC 3339 in UTC, always with milliseconds: `2026-03-01T12:00:00.250Z`.
    package static func text(_ time: Milliseconds) -> String {
        let days = floorDivided(time, day)
        let rest = time - days * day
        return "\(text(days: days))T\(padded(rest / 3_600_000, 2)):\(padded(rest / 60_000 % 60, 2)):"
            + "\(padded(rest / 1000 % 60, 2)).\(padded(rest % 1000, 3))Z"
    }

    /// With zeros in front.
    package static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = "\(value)"
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}

/// Floor of a quotient; the divisor is positive.
@inlinable
package func floorDivided(_ a: Int64, _ b: Int64) -> Int64 {
    let q = a / b
    return a < 0 && q * b != a ? q - 1 : q
}

@inlinable
package func ceilDivided(_ a: Int64, _ b: Int64) -> Int64 { -floorDivided(-a, b) }
