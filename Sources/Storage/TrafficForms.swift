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
        return day < -719_528 ? TrafficTotal.sinceStart : CalendarDay.text(min(day, 2_932_896))
    }
}

/// Days of the Gregorian calendar as `yyyy-MM-dd`.
enum CalendarDay {
    /// - Parameter days: since 1970-01-01.
    static func text(_ days: Int64) -> String {
        // Years that begin in March, in eras of 400 of them: leap days come last.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return padded(year, 4) + "-" + padded(month, 2) + "-" + padded(day, 2)
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = "\(number)"
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
