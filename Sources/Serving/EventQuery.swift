import HTTPKit

/// Which events a listener asks for: `event` picks kinds, `metric` and `match[]` series, `route` and `type` traffic.
///
/// Who names series and no route hears nothing of the traffic, and the other way round.
struct EventQuery: Sendable {
    static let parameters = SeriesQuery.parameters + ["event", "route", "type"]
    static let seriesKinds = ["windows", "profile", "forecast", "anomaly"]
    static let trafficKinds = ["traffic_total", "traffic_window", "poi", "alert"]

    private let kinds: Set<String>
    private let series: SeriesQuery
    private let routes: Set<String>
    private let types: Set<String>
    private let namesTraffic: Bool
    /// Whether no parameter was given.
    let isAll: Bool

    init(_ query: QueryParameters) throws(Problem) {
        let known = EventQuery.seriesKinds + EventQuery.trafficKinds
        var kinds: Set<String> = []
        for text in query.values("event") {
            for name in text.split(separator: ",", omittingEmptySubsequences: false).map(String.init) {
                guard known.contains(name) else {
                    throw Problem.badParameter("event", "'\(name)' is not one of \(known.joined(separator: ", "))")
                }
                kinds.insert(name)
            }
        }
        self.kinds = kinds
        series = try SeriesQuery(query)
        routes = Set(query.values("route"))
        types = Set(query.values("type"))
        guard routes.count + types.count <= SeriesQuery.maximumSelectors else {
            throw Problem.badParameter("route", "more than \(SeriesQuery.maximumSelectors) routes and types in one request")
        }
        namesTraffic = !(routes.isEmpty && types.isEmpty)
        isAll = kinds.isEmpty && series.isAll && !namesTraffic
    }

    func wants(_ event: String, _ subject: EventItem.Subject) -> Bool {
        guard kinds.isEmpty || kinds.contains(event) else { return false }
        switch subject {
        case .series(let key): return series.isAll ? !namesTraffic : series.matches(key)
        case .traffic(let route, let vehicleType):
            guard namesTraffic else { return series.isAll }
            return (routes.isEmpty || routes.contains(route)) && (types.isEmpty || types.contains(vehicleType))
        }
    }
}
