import Foundation
import TimeSeries

/// Clock times of a zone to UTC. Remembers the last quarter of an hour, in which no zone changes its offset.
struct LocalZone {
    private static let quarter: Milliseconds = 900_000
    private static let day: Milliseconds = 86_400_000
    private let zone: TimeZone
    private var last: (quarter: Int64, offset: Milliseconds)?

    /// nil if the time zone database has no zone of this name.
    init?(_ name: String) {
        guard let zone = TimeZone(identifier: name) else { return nil }
        self.zone = zone
    }

    /// A clock time that comes twice means the first; one that a change skips is as long after the change.
    mutating func utc(_ clock: Milliseconds) -> Milliseconds {
        let quarter = clock >= 0 ? clock / LocalZone.quarter : (clock - LocalZone.quarter + 1) / LocalZone.quarter
        if let last, last.quarter == quarter { return clock - last.offset }
        let before = offset(at: clock - LocalZone.day)
        let after = offset(at: clock + LocalZone.day)
        let fitting = [before, after].filter { offset(at: clock - $0) == $0 }.max()
        let chosen = fitting ?? before
        last = (quarter, chosen)
        return clock - chosen
    }

    private func offset(at time: Milliseconds) -> Milliseconds {
        Milliseconds(zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(time) / 1_000))) * 1_000
    }
}
