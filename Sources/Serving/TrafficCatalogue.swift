import Records
import Storage
import TimeSeries

/// The traffic: the store for what is kept, the live rows for what is newer than it. Of one fact the winning version counts,
/// wherever it is.
struct TrafficCatalogue: Sendable {
    let store: any ResultStore
    let live: TrafficLive

    /// Newest day first, then by route and type; those since the start first of all.
    func totals(_ query: TrafficQuery) async throws -> [TrafficTotal] {
        let fresh = live.totals { total in
            (query.route ?? total.route) == total.route && (query.vehicleType ?? total.vehicleType) == total.vehicleType
                && query.day.contains(total.day)
        }
        let rows = try await store.trafficTotals(query).merged(with: fresh)
        return Array(rows.sorted(by: TrafficCatalogue.isBefore).prefix(query.limit))
    }

    private static func isBefore(_ a: TrafficTotal, _ b: TrafficTotal) -> Bool {
        (b.day ?? "~", a.route, a.vehicleType) < (a.day ?? "~", b.route, b.vehicleType)
    }

    /// By time, length, route and type; the newest rows if there are more.
    func windows(_ window: Milliseconds?, route: String?, _ range: TimeRange, limit: Int) async throws -> [TrafficWindow] {
        let fresh = live.windows { row in
            (window ?? row.window) == row.window && (route ?? row.route) == row.route && row.time > range.from && row.time <= range.to
        }
        let stored = try await store.trafficWindows(window: window, route: route, from: range.from, to: range.to, limit: limit)
        return Array(stored.merged(with: fresh).sorted(by: TrafficCatalogue.isBefore).suffix(limit))
    }

    /// Of each length the rows of its newest time, and no other: who has left the window is not there.
    func latestWindows() async throws -> [TrafficWindow] {
        let rows = try await store.latestTrafficWindows().merged(with: live.latestWindows)
        let newest = Dictionary(rows.map { ($0.window, $0.time) }, uniquingKeysWith: max)
        return rows.filter { newest[$0.window] == $0.time }.sorted(by: TrafficCatalogue.isBefore)
    }

    private static func isBefore(_ a: TrafficWindow, _ b: TrafficWindow) -> Bool {
        (a.time, a.window, a.route, a.vehicleType) < (b.time, b.window, b.route, b.vehicleType)
    }

    struct VisitQuery: Sendable {
        var point: String?
        var vehicle: String?
        /// nil: both those inside and those that have left.
        var isInside: Bool?
        var range = TimeRange(from: .min, to: .max)
        var limit: Int

        fileprivate func fits(_ visit: PointVisit) -> Bool {
            !visit.isWithdrawn && visit.entered <= range.to && (visit.left.map { $0 > range.from } ?? true)
                && (isInside.map { $0 == (visit.left == nil) } ?? true)
        }
    }

    private static let longestPage = 100_000

    /// Visits that touch the range, by entry, point and vehicle; the newest if there are more.
    func visits(_ query: VisitQuery) async throws -> [PointVisit] {
        let fresh = live.visits { (query.point ?? $0.point) == $0.point && (query.vehicle ?? $0.vehicle) == $0.vehicle }
        // The store's page counts who is inside; where only those who left are wanted it must be longer.
        var page = query.limit
        while true {
            let stored = try await store.visits(
                point: query.point, vehicle: query.vehicle, from: query.range.from, to: query.range.to, limit: page,
                insideOnly: query.isInside == true)
            let fitting = stored.merged(with: fresh).filter(query.fits)
            if fitting.count >= query.limit || stored.count < page || page >= TrafficCatalogue.longestPage {
                return fitting.sorted { ($0.entered, $0.point, $0.vehicle) < ($1.entered, $1.point, $1.vehicle) }.suffix(query.limit)
            }
            page = min(page * 4, TrafficCatalogue.longestPage)
        }
    }

    /// Alerts that touch the range, by onset, rule and subject; the newest if there are more.
    func alerts(rule: String?, subject: String?, _ range: TimeRange, limit: Int) async throws -> [TrafficAlert] {
        let fresh = live.alerts { (rule ?? $0.rule) == $0.rule && (subject ?? $0.subject) == $0.subject }
        let stored = try await store.alerts(rule: rule, subject: subject, from: range.from, to: range.to, limit: limit)
        let touching = stored.merged(with: fresh).filter { $0.onset <= range.to && ($0.end.map { $0 > range.from } ?? true) }
        return touching.sorted { ($0.onset, $0.rule, $0.subject) < ($1.onset, $1.rule, $1.subject) }.suffix(limit)
    }
}
