import HTTPKit
import Records
import Storage
import TimeSeries
import Traffic

/// `day`: of which local days totals are asked for.
enum TrafficDay: Sendable, Equatable {
    /// The newest of each route, and since the start.
    case newest
    /// The day that it is now on each route.
    case today
    /// Every day, and since the start.
    case all
    case one(String)

    init(_ query: QueryParameters) throws(Problem) {
        switch try query.single("day") {
        case nil: self = .newest
        case "today": self = .today
        case "all": self = .all
        case .some(let text):
            guard TrafficDay.start(of: text) != nil else {
                throw Problem.badParameter("day", "'\(text)' is neither a day such as 2026-01-31 nor today nor all")
            }
            self = .one(text)
        }
    }

    var hasStart: Bool { self == .newest || self == .all }

    /// What to ask the store for. Of today the days that it can be anywhere on Earth.
    func selection(now: Milliseconds) -> TrafficQuery.DaySelection {
        switch self {
        case .newest, .all: .days(from: nil, to: nil)
        case .today: .days(from: TrafficDay.text(now - 13 * 3_600_000), to: TrafficDay.text(now + 15 * 3_600_000))
        case .one(let day): .days(from: day, to: day)
        }
    }

    /// Of each route its newest day. Routes that are a whole day behind the others tell nothing of now.
    static func newest(_ rows: [TrafficTotal]) -> [TrafficTotal] {
        let newest = Dictionary(rows.map { ($0.route, $0.day ?? "") }, uniquingKeysWith: max)
        guard let last = newest.values.max(), let time = start(of: last) else { return [] }
        let first = text(time - 86_400_000)
        return rows.filter { row in row.day.map { $0 == newest[row.route] && $0 >= first } ?? false }
    }

    /// Where the day would begin in UTC; nil if the text is no day.
    private static func start(of day: String) -> Milliseconds? {
        day.utf8.count == 10 ? Timestamps.parse(day + "T00:00:00Z") : nil
    }

    /// The day in UTC.
    static func text(_ time: Milliseconds) -> String { String(Timestamps.format(time).prefix(10)) }
}

/// Which day it is on a route. The tables of the zones are made once.
struct RouteDays: Sendable {
    private var zones = ZoneTable()
    private let zone: Int
    private let routeZones: [String: Int]

    init(_ options: TrafficOptions) {
        zone = zones.index(of: options.zone)
        var indices: [String: Int] = [:]
        for (route, name) in options.routeZones { indices[route] = zones.index(of: name) }
        routeZones = indices
    }

    /// `yyyy-MM-dd`
    mutating func day(of time: Milliseconds, on route: String) -> String {
        TrafficDay.text(time + zones.offset(zone: routeZones[route] ?? zone, at: time))
    }
}
