import HTTPKit
import Hummingbird
import Records
import Storage
import TimeSeries

/// `/api/v1/traffic` and what is below it, reading.
struct TrafficAPI: Sendable {
    let catalogue: TrafficCatalogue
    let options: ServeOptions
    let clock: any WallClock
    private let routeDays: RouteDays

    init(catalogue: TrafficCatalogue, options: ServeOptions, clock: any WallClock) {
        self.catalogue = catalogue
        self.options = options
        self.clock = clock
        routeDays = RouteDays(options.traffic)
    }

    /// `{"rows": [...], "truncated": false}`
    func total(_ request: RoutedRequest) async throws -> Response {
        try request.query.refuseUnknown(["route", "type", "day", "limit"])
        let day = try TrafficDay(request.query)
        let limit = try limit(request)
        var query = TrafficQuery(
            route: try request.query.single("route"), vehicleType: try request.query.single("type"), limit: limit + 1)
        let rows = try await totals(day, &query)
        return .json(
            .object([
                (key: "rows", value: .array(rows.prefix(limit).map(TrafficJSON.total))),
                (key: "truncated", value: .bool(rows.count > limit)),
            ]))
    }

    private func totals(_ day: TrafficDay, _ query: inout TrafficQuery) async throws -> [TrafficTotal] {
        var rows: [TrafficTotal] = []
        if day.hasStart {
            query.day = .sinceStart
            rows = try await catalogue.totals(query)
        }
        let now = clock.now()
        query.day = day.selection(now: now)
        let days = try await catalogue.totals(query)
        switch day {
        case .newest: rows += TrafficDay.newest(days)
        case .today:
            var routeDays = self.routeDays
            rows += days.filter { $0.day == routeDays.day(of: now, on: $0.route) }
        case .all, .one: rows += days
        }
        return rows
    }

    /// Of each length of window its newest time; the history with `from` or `to`.
    func window(_ request: RoutedRequest) async throws -> Response {
        try request.query.refuseUnknown(["window", "route", "limit"] + TimeRange.parameters)
        let window = try request.query.single("window").map { text throws(Problem) in
            guard let length = Milliseconds(durationText: text) else {
                throw Problem.badParameter("window", "'\(text)' is no length of time such as 30s, 5m or 1h")
            }
            return length
        }
        let route = try request.query.single("route")
        let limit = try limit(request)
        var rows: [TrafficWindow]
        var isTruncated = false
        if let range = try TimeRange.parse(request.query, now: clock.now(), span: 3_600_000) {
            rows = try await catalogue.windows(window, route: route, range, limit: limit + 1)
            isTruncated = rows.count > limit
            rows = rows.suffix(limit)
        } else {
            rows = try await catalogue.latestWindows().filter { (window ?? $0.window) == $0.window && (route ?? $0.route) == $0.route }
            isTruncated = rows.count > limit
            rows = Array(rows.prefix(limit))
        }
        return .json(.object([(key: "windows", value: .array(TrafficAPI.groups(rows))), (key: "truncated", value: .bool(isTruncated))]))
    }

    /// One element for each time and length, in the order of the rows; those over all types of a route apart.
    static func groups(_ rows: [TrafficWindow]) -> [JSONValue] {
        rows.chunked { ($0.time, $0.window) == ($1.time, $1.window) }.compactMap { group in
            guard let first = group.first else { return nil }
            return .object(
                TrafficJSON.windowHead(first.window, first.time) + [
                    (key: "rows", value: .array(group.filter { !$0.vehicleType.isEmpty }.map(TrafficJSON.windowRow))),
                    (key: "routes", value: .array(group.filter(\.vehicleType.isEmpty).map(TrafficJSON.windowRow))),
                ])
        }
    }

    /// `{"visits": [...], "truncated": false}`
    func poi(_ request: RoutedRequest) async throws -> Response {
        try request.query.refuseUnknown(["point", "vehicle", "inside", "limit"] + TimeRange.parameters)
        let limit = try limit(request)
        var query = TrafficCatalogue.VisitQuery(limit: limit + 1)
        query.point = try request.query.single("point")
        query.vehicle = try request.query.single("vehicle")?.lowercased()
        query.isInside = try request.query.single("inside").map { text throws(Problem) in
            guard let flag = Bool(text) else { throw Problem.badParameter("inside", "'\(text)' is neither true nor false") }
            return flag
        }
        query.range = try range(request) ?? query.range
        let visits = try await catalogue.visits(query)
        return answer("visits", visits.suffix(limit).map { .object(TrafficJSON.visit($0)) }, visits.count > limit)
    }

    /// `{"alerts": [...], "truncated": false}`
    func alerts(_ request: RoutedRequest) async throws -> Response {
        try request.query.refuseUnknown(["rule", "subject", "limit"] + TimeRange.parameters)
        let limit = try limit(request)
        let range = try range(request) ?? TimeRange(from: .min, to: .max)
        let alerts = try await catalogue.alerts(
            rule: try request.query.single("rule"), subject: try request.query.single("subject")?.lowercased(), range, limit: limit + 1)
        return answer("alerts", alerts.suffix(limit).map(TrafficJSON.alert), alerts.count > limit)
    }

    private func limit(_ request: RoutedRequest) throws(Problem) -> Int {
        try request.query.integer("limit", in: 1...options.maxHistoryLimit, default: options.defaultHistoryLimit)
    }

    private func range(_ request: RoutedRequest) throws(Problem) -> TimeRange? {
        try TimeRange.parse(request.query, now: clock.now(), span: 86_400_000)
    }

    private func answer(_ name: String, _ items: [JSONValue], _ isTruncated: Bool) -> Response {
        .json(.object([(key: name, value: .array(items)), (key: "truncated", value: .bool(isTruncated))]))
    }

    /// What the page shows before it has asked for any; null where there is none or the store cannot answer.
    func first(_ limit: Int) async -> JSONValue {
        do {
            let windows = try await catalogue.latestWindows().prefix(limit)
            var query = TrafficQuery(limit: limit)
            let totals = try await totals(.newest, &query)
            let visits = try await catalogue.visits(.init(isInside: true, limit: limit))
            let alerts = try await catalogue.alerts(rule: nil, subject: nil, TimeRange(from: .min, to: .max), limit: 50)
            if windows.isEmpty && totals.isEmpty && visits.isEmpty && alerts.isEmpty { return .null }
            return .object([
                (key: "windows", value: .array(TrafficAPI.groups(Array(windows)))),
                (key: "totals", value: .array(totals.map(TrafficJSON.total))),
                (key: "visits", value: .array(visits.map { .object(TrafficJSON.visit($0)) })),
                (key: "alerts", value: .array(alerts.map(TrafficJSON.alert))),
            ])
        } catch {
            return .null
        }
    }
}

extension Array {
    /// Runs of neighbours that belong together.
    fileprivate func chunked(_ belong: (Element, Element) -> Bool) -> [ArraySlice<Element>] {
        var chunks: [ArraySlice<Element>] = []
        var start = startIndex
        for i in indices.dropFirst() where !belong(self[i - 1], self[i]) {
            chunks.append(self[start..<i])
            start = i
        }
        return isEmpty ? [] : chunks + [self[start...]]
    }
}
