import CassandraClient
import Records
import Storage
import TimeSeries

/// Kinds of buckets in `traffic_buckets`.
enum BucketKind {
    static let totals = "totals"
    static let windows = "windows"
    static let visits = "visits"
    static let alerts = "alerts"
    /// The one partition of `traffic_windows_newest`.
    static let newest = "newest"
}

extension WriteList {
    private typealias Tables = CassandraTables

    mutating func addTraffic(_ batch: StoreBatch, _ seen: inout SeenRows) {
        for total in batch.trafficTotals { add(total, &seen) }
        for window in batch.trafficWindows { add(window, &seen) }
        for (length, time) in Dictionary(batch.trafficWindows.map { ($0.window, $0.time) }, uniquingKeysWith: max) {
            addNewest(length, time)
        }
        for visit in batch.visits { add(visit, &seen) }
        for alert in batch.alerts { add(alert, &seen) }
        for part in batch.checkpoints { add(part) }
    }

    private mutating func addBucket(_ kind: String, _ bucket: Int64, _ time: Milliseconds, age: Milliseconds, _ seen: inout SeenRows) {
        guard seen.isNew(bucket: "\(kind) \(bucket)") else { return }
        var fact = fact(Revision(rawValue: 0))
        fact.append(time)
        add(Tables.trafficBuckets, stamp: Stamps.byTime(time), life: life(time, age), fact) {
            $0.append(kind)
            $0.append(bucket)
        }
    }

    private mutating func add(_ total: TrafficTotal, _ seen: inout SeenRows) {
        let age = options.retention.trafficTotals
        var fact = fact(total.revision)
        fact.append(total.time)
        for count in [total.vehicles, total.events, total.arrivals] { fact.append(count) }
        let life = total.day == nil ? Stamps.forever : life(total.time, age)
        add(Tables.trafficTotals, stamp: Stamps.byRevision(total.revision), life: life, fact) {
            for name in [total.day ?? DayNumber.sinceStart, total.route, total.vehicleType] { $0.append(name) }
        }
        if let bucket = total.day.flatMap({ DayNumber.number($0) }) { addBucket(BucketKind.totals, bucket, total.time, age: age, &seen) }
    }

    private mutating func add(_ window: TrafficWindow, _ seen: inout SeenRows) {
        let age = options.retention.trafficWindows
        let hour = Stamps.hour(window.time)
        var fact = fact(window.revision)
        for count in [window.vehicles, window.events] { fact.append(count) }
        for speed in [window.speedAvg, window.speedP10] { fact.append(finite: speed) }
        fact.append(window.lowFuel)
        add(Tables.trafficWindows, stamp: Stamps.byRevision(window.revision), life: life(window.time, age), fact) {
            $0.append(hour)
            $0.append(window.time)
            $0.append(window.window)
            $0.append(window.route)
            $0.append(window.vehicleType)
        }
        addBucket(BucketKind.windows, Int64(hour), window.time, age: age, &seen)
    }

    private mutating func addNewest(_ length: Milliseconds, _ time: Milliseconds) {
        var fact = fact(Revision(rawValue: 0))
        fact.append(time)
        add(Tables.trafficWindowsNewest, stamp: Stamps.byTime(time), life: life(time, options.retention.trafficWindows), fact) {
            $0.append(BucketKind.newest)
            $0.append(length)
        }
    }

    private mutating func add(_ visit: PointVisit, _ seen: inout SeenRows) {
        let age = options.retention.visits
        let day = Stamps.day(visit.entered)
        let newest = max(visit.time, visit.entered)
        var fact = fact(visit.revision)
        fact.append(visit.time)
        for name in [visit.vehicleType, visit.route] { fact.append(name) }
        fact.append(visit.seen)
        fact.append(visit.left)
        for value in [visit.latitude, visit.longitude, visit.distance] { fact.append(finite: value) }
        fact.append(Int32(visit.isWithdrawn ? 1 : 0))
        add(Tables.visits, stamp: Stamps.byRevision(visit.revision), life: life(newest, age), fact) {
            $0.append(day)
            $0.append(visit.entered)
            $0.append(visit.point)
            $0.append(visit.vehicle)
        }
        addBucket(BucketKind.visits, Int64(day), newest, age: age, &seen)
    }

    private mutating func add(_ alert: TrafficAlert, _ seen: inout SeenRows) {
        let age = options.retention.alerts
        let day = Stamps.day(alert.onset)
        let newest = max(alert.time, alert.onset)
        var fact = fact(alert.revision)
        fact.append(alert.time)
        for name in [alert.vehicleType, alert.route] { fact.append(name) }
        fact.append(alert.end)
        for value in [alert.value, alert.limit] { fact.append(finite: value) }
        fact.append(alert.message)
        add(Tables.alerts, stamp: Stamps.byRevision(alert.revision), life: life(newest, age), fact) {
            $0.append(day)
            $0.append(alert.onset)
            $0.append(alert.rule)
            $0.append(alert.subject)
        }
        addBucket(BucketKind.alerts, Int64(day), newest, age: age, &seen)
    }

    /// Without an end: a state must outlive any pause of who goes on with it. Older ones are dropped when a newer one is complete.
    private mutating func add(_ part: CheckpointPart) {
        var fact = fact(part.revision)
        fact.append(part.time)
        fact.append(part.data)
        add(Tables.checkpoints, stamp: Stamps.byRevision(part.revision), life: Stamps.forever, fact) {
            $0.append(part.name)
            $0.append(part.revision.rawValue)
            $0.append(Int32(clamping: part.parts))
            $0.append(Int32(clamping: part.part))
        }
    }
}

/// A local day, `yyyy-MM-dd`, as a number that sorts as the day: 20251014.
enum DayNumber {
    /// The partition of the totals since the start; a partition's key must not be empty.
    static let sinceStart = "start"

    static func number(_ text: String) -> Int64? {
        let parts = text.split(separator: "-").compactMap { Int64($0) }
        return parts.count == 3 ? parts[0] * 10_000 + parts[1] * 100 + parts[2] : nil
    }

    static func text(_ number: Int64) -> String {
        func padded(_ value: Int64, _ digits: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }
        return "\(padded(number / 10_000, 4))-\(padded(number / 100 % 100, 2))-\(padded(number % 100, 2))"
    }
}
