import Records
import Storage
import Synchronization
import TimeSeries

/// The traffic's part of the model: rows by key, searched through and through.
struct TrafficModel {
    private var totals: [TrafficKey: TrafficTotal] = [:]
    private var windows: [TrafficKey: TrafficWindow] = [:]
    private var visits: [TrafficKey: PointVisit] = [:]
    private var alerts: [TrafficKey: TrafficAlert] = [:]
    private var checkpoints: [TrafficKey: CheckpointPart] = [:]

    private static func add<Row: TrafficRow>(_ rows: [Row], _ to: inout [TrafficKey: Row]) {
        for row in rows where to[row.key].map({ row.revision > $0.revision }) ?? true { to[row.key] = row }
    }

    mutating func write(_ batch: StoreBatch) {
        TrafficModel.add(batch.trafficTotals, &totals)
        TrafficModel.add(batch.trafficWindows, &windows)
        TrafficModel.add(batch.visits, &visits)
        TrafficModel.add(batch.alerts, &alerts)
        TrafficModel.add(batch.checkpoints, &checkpoints)
        for name in Set(batch.checkpoints.map(\.name)) {
            guard let newest = checkpoint(named: name)?.revision else { continue }
            checkpoints = checkpoints.filter { $0.value.name != name || $0.value.revision >= newest }
        }
    }

    func totals(_ query: TrafficQuery) -> [TrafficTotal] {
        let found = totals.values.filter { total in
            (query.route ?? total.route) == total.route && (query.vehicleType ?? total.vehicleType) == total.vehicleType
                && query.day.contains(total.day)
        }
        let sorted = found.sorted { ($1.day ?? "", $0.route, $0.vehicleType) < ($0.day ?? "", $1.route, $1.vehicleType) }
        return Array(sorted.prefix(max(0, query.limit)))
    }

    func windows(
        _ window: Milliseconds?, _ route: String?, _ from: Milliseconds, _ to: Milliseconds, _ limit: Int
    ) -> [TrafficWindow] {
        let found = windows.values.filter { row in
            (window ?? row.window) == row.window && (route ?? row.route) == row.route && row.time > from && row.time <= to
        }
        return Array(found.sorted { $0.key < $1.key }.suffix(max(0, limit)))
    }

    func latestWindows() -> [TrafficWindow] {
        let newest = Dictionary(windows.values.map { ($0.window, $0.time) }, uniquingKeysWith: max)
        return windows.values.filter { newest[$0.window] == $0.time }
            .sorted { ($0.window, $0.route, $0.vehicleType) < ($1.window, $1.route, $1.vehicleType) }
    }

    func visits(
        _ point: String?, _ vehicle: String?, _ from: Milliseconds, _ to: Milliseconds, _ limit: Int, _ insideOnly: Bool
    ) -> [PointVisit] {
        let found = visits.values.filter { visit in
            (point ?? visit.point) == visit.point && (vehicle ?? visit.vehicle) == visit.vehicle && !visit.isWithdrawn
                && visit.entered <= to && (visit.left.map { $0 > from && !insideOnly } ?? true)
        }
        return from < to ? Array(found.sorted { $0.key < $1.key }.suffix(max(0, limit))) : []
    }

    func alerts(_ rule: String?, _ subject: String?, _ from: Milliseconds, _ to: Milliseconds, _ limit: Int) -> [TrafficAlert] {
        let found = alerts.values.filter { alert in
            (rule ?? alert.rule) == alert.rule && (subject ?? alert.subject) == alert.subject && alert.onset <= to
                && (alert.end.map { $0 > from } ?? true)
        }
        return from < to ? Array(found.sorted { $0.key < $1.key }.suffix(max(0, limit))) : []
    }

    func checkpoint(named name: String) -> Checkpoint? {
        let revisions = Dictionary(grouping: checkpoints.values.filter { $0.name == name }, by: \.revision)
        let whole = revisions.filter { _, parts in parts.allSatisfy { $0.parts == parts.count } }
        guard let newest = whole.max(by: { $0.key < $1.key }) else { return nil }
        let parts = newest.value.sorted { $0.part < $1.part }
        return Checkpoint(name: name, time: parts.last?.time ?? 0, revision: newest.key, data: parts.flatMap(\.data))
    }

    mutating func applyRetention(_ retention: StoreRetention, now: Milliseconds) -> Int {
        let before = count
        windows = windows.filter { $0.value.time > now - retention.trafficWindows }
        let lastDay = StoreRetention.lastDay(endedBefore: now - retention.trafficTotals)
        totals = totals.filter { $0.value.day.map { $0 > lastDay } ?? true }
        visits = visits.filter { max($0.value.time, $0.value.entered) > now - retention.visits }
        alerts = alerts.filter { max($0.value.time, $0.value.onset) > now - retention.alerts }
        return before - count
    }

    private var count: Int { totals.count + windows.count + visits.count + alerts.count }
}

extension ModelStore {
    package func trafficTotals(_ query: TrafficQuery) async throws -> [TrafficTotal] { traffic.withLock { $0.totals(query) } }

    package func trafficWindows(
        window: Milliseconds?, route: String?, from: Milliseconds, to: Milliseconds, limit: Int
    ) async throws -> [TrafficWindow] {
        traffic.withLock { $0.windows(window, route, from, to, limit) }
    }

    package func latestTrafficWindows() async throws -> [TrafficWindow] { traffic.withLock { $0.latestWindows() } }

    package func visits(
        point: String?, vehicle: String?, from: Milliseconds, to: Milliseconds, limit: Int, insideOnly: Bool
    ) async throws -> [PointVisit] {
        traffic.withLock { $0.visits(point, vehicle, from, to, limit, insideOnly) }
    }

    package func alerts(rule: String?, subject: String?, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [TrafficAlert] {
        traffic.withLock { $0.alerts(rule, subject, from, to, limit) }
    }

    package func checkpoint(named name: String) async throws -> Checkpoint? { traffic.withLock { $0.checkpoint(named: name) } }
}
