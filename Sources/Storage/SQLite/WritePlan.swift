import TimeSeries

/// A row that is to be written: where it goes and what it is made of.
struct PlannedRow: Sendable {
    /// The parts of the table's key, in its order; not every table uses all.
    struct Key: Sendable, Comparable {
        var bucket: Int64 = 0
        var series: Int64
        var time: Int64 = 0
        /// Window or horizon.
        var part: Int64 = 0

        static func < (a: Key, b: Key) -> Bool {
            (a.bucket, a.series, a.time, a.part) < (b.bucket, b.series, b.time, b.part)
        }
    }

    /// Of two rows with one key the greater version stays.
    struct Version: Sendable, Comparable {
        var time: Int64
        var revision: Int64

        static func < (a: Version, b: Version) -> Bool { (a.time, a.revision) < (b.time, b.revision) }
    }

    var key: Key
    var version: Version
    /// Index of the result, and of the window within it.
    var result: Int32
    var window: Int32 = 0
}

enum WritePlan {
    static let hour: Milliseconds = 3_600_000

    /// The hour of a time, rounded down also before 1970.
    static func hour(_ time: Milliseconds) -> Int64 { time / hour - (time % hour < 0 ? 1 : 0) }

    /// Of each key the row with the greatest version, of equal ones the first; in the order of the keys, so that the tree's pages are
    /// visited once. O(n log n).
    static func reduced(_ rows: [PlannedRow]) -> [PlannedRow] {
        let sorted = rows.sorted { a, b in
            if a.key != b.key { return a.key < b.key }
            if a.version != b.version { return a.version > b.version }
            return a.result < b.result
        }
        var kept: [PlannedRow] = []
        kept.reserveCapacity(sorted.count)
        for row in sorted where kept.last?.key != row.key { kept.append(row) }
        return kept
    }
}
