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

    var key: Key
    /// Of two rows with one key the greater version stays: by time, then by revision.
    var time: Int64
    var revision: Int64
    /// Index of the result, and of the window within it.
    var result: Int32
    var window: Int32 = 0

    /// Lengths of the buckets of time that the keys of histories start with: as far apart as the rows of one series usually are, so
    /// that new rows come behind all others and fill the pages.
    static let slot: Milliseconds = 300_000
    static let hour: Milliseconds = 3_600_000

    /// The bucket of a time, rounded down also before 1970.
    static func bucket(_ time: Milliseconds, _ length: Milliseconds) -> Int64 { time / length - (time % length < 0 ? 1 : 0) }

    /// Of each key the row with the greatest version, of equal ones the first; in the order of the keys, so that concurrent writers
    /// take their locks in one order. O(n log n).
    static func reduced(_ rows: [PlannedRow]) -> [PlannedRow] {
        let sorted = rows.sorted { a, b in
            if a.key != b.key { return a.key < b.key }
            if (a.time, a.revision) != (b.time, b.revision) { return (a.time, a.revision) > (b.time, b.revision) }
            return a.result < b.result
        }
        var kept: [PlannedRow] = []
        kept.reserveCapacity(sorted.count)
        for row in sorted where kept.last?.key != row.key { kept.append(row) }
        return kept
    }
}
