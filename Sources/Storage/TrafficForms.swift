import Records
import TimeSeries

// How results of the traffic are stored, the same in every store.

/// The key of a row of the traffic's tables, in an order in which rows that are written together lie together. By bytes, as the
/// databases compare.
package struct TrafficKey: Hashable, Comparable, Sendable {
    var numbers: [Int64]
    var names: [[UInt8]]

    init(_ numbers: [Int64] = [], _ names: String...) {
        self.numbers = numbers
        self.names = names.map { Array($0.utf8) }
    }

    package static func < (a: TrafficKey, b: TrafficKey) -> Bool {
        if a.numbers != b.numbers { return a.numbers.lexicographicallyPrecedes(b.numbers) }
        for (x, y) in zip(a.names, b.names) where x != y { return x.lexicographicallyPrecedes(y) }
        return a.names.count < b.names.count
    }
}

/// A row of which the version of the highest revision stays.
package protocol TrafficRow: Sendable {
    var key: TrafficKey { get }
    var revision: Revision { get }
}

extension TrafficTotal: TrafficRow {
    /// The day as a part of a key.
    package static let sinceStart = ""
    package var storedDay: String { day ?? TrafficTotal.sinceStart }
    package var key: TrafficKey { TrafficKey([], storedDay, route, vehicleType) }
}

extension TrafficWindow: TrafficRow {
    package var key: TrafficKey { TrafficKey([time, window], route, vehicleType) }
}

extension PointVisit: TrafficRow {
    package var key: TrafficKey { TrafficKey([entered], point, vehicle) }
}

extension TrafficAlert: TrafficRow {
    package var key: TrafficKey { TrafficKey([onset], rule, subject) }
}

extension CheckpointPart: TrafficRow {
    package var key: TrafficKey { TrafficKey([revision.rawValue, Int64(part)], name) }
}

package enum TrafficRows {
    /// Of each key the row of the highest revision, of equal ones the first; in the order of the keys, so that concurrent writers take
    /// their locks in one order. O(n log n).
    package static func reduced<Row: TrafficRow>(_ rows: [Row]) -> [Row] {
        var best: [TrafficKey: Row] = [:]
        best.reserveCapacity(rows.count)
        for row in rows {
            let key = row.key
            if let known = best[key], known.revision >= row.revision { continue }
            best[key] = row
        }
        return best.sorted { $0.key < $1.key }.map(\.value)
    }
}

extension StoreRetention {
    /// The last local day whose totals may go. A day ends up to half a day later than in UTC.
    package static func lastDay(endedBefore cutoff: Milliseconds) -> String {
        let (ended, overflow) = cutoff.subtractingReportingOverflow(36 * 3_600_000)
        let length: Milliseconds = 86_400_000
        let day = overflow ? .min / length : ended / length - (ended % length < 0 ? 1 : 0)
        // Days of other years are no days of four digits.
        return day < -719_528 ? TrafficTotal.sinceStart : CivilTime.text(days: min(day, 2_932_896))
    }
}
