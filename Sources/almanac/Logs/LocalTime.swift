import Glibc
import TimeSeries

/// Times as logs write them, in the machine's zone.
enum LocalTime {
    /// `2026-01-31 12:34:56,789`, as Python's `%(asctime)s`; `separator` stands before the milliseconds.
    static func text(_ time: Milliseconds, separator: Character = ",") -> String {
        let seconds = time >= 0 ? time / 1000 : (time - 999) / 1000
        var whole = time_t(seconds)
        var parts = tm()
        localtime_r(&whole, &parts)
        func two(_ value: Int32) -> String { TimeText.padded(Int64(value), 2) }
        let date = "\(TimeText.padded(Int64(parts.tm_year) + 1900, 4))-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
        return
            "\(date) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
            + "\(separator)\(TimeText.padded(time - seconds * 1000, 3))"
    }
}
