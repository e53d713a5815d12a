import Records
import TimeSeries

/// What the kinds of traffic results have in common here.
protocol TrafficRow: Sendable {
    associatedtype Key: Hashable & Sendable
    /// What the versions of one fact share.
    var key: Key { get }
    var time: Milliseconds { get }
    var revision: Revision { get }
    var route: String { get }
    var vehicleType: String { get }
    /// About how much memory it takes.
    var bytes: Int { get }
    /// Whether this version replaces `other` of the same key.
    func replaces(_ other: Self) -> Bool
}

extension TrafficRow {
    func replaces(_ other: Self) -> Bool { revision > other.revision }
}

extension TrafficTotal: TrafficRow {
    struct Key: Hashable, Sendable {
        var route: String
        var vehicleType: String
        var day: String?
    }

    var key: Key { Key(route: route, vehicleType: vehicleType, day: day) }
    var bytes: Int { 192 + 2 * (route.utf8.count + vehicleType.utf8.count) }
}

extension TrafficWindow: TrafficRow {
    struct Key: Hashable, Sendable {
        var window: Milliseconds
        var time: Milliseconds
        var route: String
        var vehicleType: String
    }

    var key: Key { Key(window: window, time: time, route: route, vehicleType: vehicleType) }
    var bytes: Int { 256 + 2 * (route.utf8.count + vehicleType.utf8.count) }
}

extension PointVisit: TrafficRow {
    struct Key: Hashable, Sendable {
        var point: String
        var vehicle: String
        var entered: Milliseconds
    }

    var key: Key { Key(point: point, vehicle: vehicle, entered: entered) }
    var bytes: Int { 320 + 2 * (point.utf8.count + vehicle.utf8.count) + route.utf8.count + vehicleType.utf8.count }
}

extension TrafficAlert: TrafficRow {
    struct Key: Hashable, Sendable {
        var rule: String
        var subject: String
        var onset: Milliseconds
    }

    var key: Key { Key(rule: rule, subject: subject, onset: onset) }
    var bytes: Int { 320 + 2 * (rule.utf8.count + subject.utf8.count) + message.utf8.count + route.utf8.count + vehicleType.utf8.count }

    func replaces(_ other: TrafficAlert) -> Bool { (time, revision) > (other.time, other.revision) }
}

extension Array where Element: TrafficRow {
    /// These with those that replace them or are not among them. O(n).
    func merged(with others: [Element]) -> [Element] {
        var found = Dictionary(map { ($0.key, $0) }, uniquingKeysWith: { $1.replaces($0) ? $1 : $0 })
        for other in others where found[other.key].map({ other.replaces($0) }) ?? true { found[other.key] = other }
        return Array(found.values)
    }
}
