import Foundation
import TimeSeries

/// The offsets of one time zone: `offsets[i]` from `starts[i]` on, the first since ever.
struct ZoneOffsets: Sendable {
    var starts: [Milliseconds] = [.min]
    var offsets: [Milliseconds] = [0]

    static func isKnown(_ name: String) -> Bool { TimeZone(identifier: name) != nil }

    /// From 1970 to 2100 as the system knows them; nil for a name that it does not know.
    init?(named name: String) {
        guard let zone = TimeZone(identifier: name) else { return nil }
        var at = Date(timeIntervalSince1970: 0)
        let end = Date(timeIntervalSince1970: 4_102_444_800)
        offsets = [Milliseconds(zone.secondsFromGMT(for: at)) * 1000]
        while let next = zone.nextDaylightSavingTimeTransition(after: at), next > at, next < end {
            let start = Milliseconds((next.timeIntervalSince1970 * 1000).rounded())
            let offset = Milliseconds(zone.secondsFromGMT(for: next)) * 1000
            if offset != offsets[offsets.count - 1] {
                starts.append(start)
                offsets.append(offset)
            }
            at = next
        }
    }

    init() {}
}
