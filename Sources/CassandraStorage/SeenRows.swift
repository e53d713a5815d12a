import Records
import TimeSeries

/// What was written today already and need not be again: labels of series, and the days that they have. Lives are renewed each day.
struct SeenRows: Sendable {
    struct Day: Hashable {
        var series: Fingerprint
        var kind: String
        var day: Int32
    }

    private var today: Int32 = .min
    /// With the earliest time that was written.
    private var series: [Fingerprint: Milliseconds] = [:]
    private var days: Set<Day> = []
    private var buckets: Set<String> = []

    mutating func begin(day: Int32, limit: Int) {
        if day == today, series.count <= limit, days.count <= 4 * limit, buckets.count <= limit { return }
        self = SeenRows()
        today = day
    }

    func knows(_ id: Fingerprint) -> Bool { series[id] != nil }

    /// Whether this is earlier than what was written.
    mutating func isFirst(_ id: Fingerprint, _ time: Milliseconds) -> Bool {
        if let known = series[id], known <= time { return false }
        series[id] = time
        return true
    }

    mutating func isNew(_ day: Day) -> Bool { days.insert(day).inserted }
    mutating func isNew(bucket: String) -> Bool { buckets.insert(bucket).inserted }

    /// Takes over what another write has seen to on the same day.
    mutating func merge(_ other: SeenRows) {
        if other.today != today {
            if other.today > today { self = other }
            return
        }
        series.merge(other.series) { min($0, $1) }
        days.formUnion(other.days)
        buckets.formUnion(other.buckets)
    }
}
