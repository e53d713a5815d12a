import Records
import Storage
import TimeSeries

/// Write timestamps and lifetimes of rows.
enum Stamps {
    /// Of two rows with one key the one of the greater time stays, whatever the revision: the latest tables.
    static func byTime(_ time: Milliseconds) -> Int64 { clamped(time) + half }
    /// The one of the smaller time stays.
    static func byTimeReversed(_ time: Milliseconds) -> Int64 { half - clamped(time) }
    /// The one of the higher revision stays.
    static func byRevision(_ revision: Revision) -> Int64 { min(max(0, revision.rawValue), .max - 1) }

    /// Far enough for all times, and below the microseconds of today: what people write or delete by hand wins.
    private static let half: Int64 = 1 << 50
    private static func clamped(_ time: Milliseconds) -> Int64 { min(max(time, 1 - half), half - 1) }

    static let dayLength: Milliseconds = 86_400_000
    static let hourLength: Milliseconds = 3_600_000

    /// The bucket of a time, rounded down also before 1970.
    static func bucket(_ time: Milliseconds, _ length: Milliseconds) -> Int64 { time / length - (time % length < 0 ? 1 : 0) }
    static func day(_ time: Milliseconds) -> Int32 { Int32(clamping: bucket(time, dayLength)) }
    static func hour(_ time: Milliseconds) -> Int32 { Int32(clamping: bucket(time, hourLength)) }
    /// The last bucket that may hold rows with a time of at most `time`.
    static func range(_ from: Milliseconds, _ to: Milliseconds) -> ClosedRange<Int32>? { from < to ? day(from)...day(to) : nil }

    /// Seconds from `now` (seconds since 1970) until the end of the day on which a row of this time is as old as `age`. Of one fact that is
    /// written twice on a day both end together, so that neither replaces the other for ending later.
    static func life(_ time: Milliseconds, age: Milliseconds, now: Int32) -> Int32 {
        let seconds = Int64(now)
        let begin = max(seconds, min(time / 1000, seconds + 86_400))
        let end = (begin + min(max(0, age) / 1000, longest)) / 86_400 * 86_400 + 86_400
        return Int32(min(longest, max(1, end - seconds)))
    }

    /// What Cassandra takes: twenty years, less two days for the clocks.
    private static let longest: Int64 = 20 * 365 * 86_400 - 172_800
    /// Without an end.
    static let forever: Int32 = 0
}
