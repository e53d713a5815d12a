import HTTPKit
import Hummingbird
import Records
import Storage
import TimeSeries

/// `/api/v1/series` and what is below it.
struct SeriesAPI: Sendable {
    let catalogue: SeriesCatalogue
    let options: ServeOptions
    let clock: any WallClock

    static let sparklinePoints = 60

    enum Inclusion: String, CaseIterable {
        case windows, forecast, profile, sparkline
    }

    /// `{"series": [...], "next": cursor or null}`
    func list(_ request: RoutedRequest) async throws -> Response {
        try request.query.refuseUnknown(SeriesQuery.parameters + PageQuery.parameters + ["include"])
        let query = try SeriesQuery(request.query)
        let pageQuery = try PageQuery(request.query, default: options.defaultPageLimit, max: options.maxPageLimit)
        let inclusions = try inclusions(request.query)
        let page = try await catalogue.page(query, pageQuery)
        let items = try await describe(page.series, inclusions)
        let body: JSONValue = .object([
            (key: "series", value: .array(items)), (key: "next", value: JSONValue(page.next?.text)),
        ])
        return .json(body, headers: PageLink.headers(request, next: page.next))
    }

    /// The first series with all that the page shows of them; none where the store cannot answer.
    func first(_ limit: Int) async -> JSONValue {
        var items: [JSONValue] = []
        do {
            let everything = try QueryParameters(nil)
            let found = try await catalogue.page(SeriesQuery(everything), PageQuery(everything, default: limit, max: limit))
            items = try await describe(found.series, Set(Inclusion.allCases))
        } catch {
            // The page asks again by itself and says what is wrong then.
        }
        return .array(items)
    }

    /// One series, as in the list.
    func one(_ request: RoutedRequest) async throws -> Response {
        try request.query.refuseUnknown(["include"])
        let inclusions = try inclusions(request.query)
        let series = try await series(request)
        let items = try await describe([series], inclusions)
        return .json(items.first ?? .null)
    }

    private func inclusions(_ query: QueryParameters) throws(Problem) -> Set<Inclusion> {
        var found: Set<Inclusion> = []
        for text in query.values("include") {
            for name in text.split(separator: ",") {
                guard let inclusion = Inclusion(rawValue: String(name)) else {
                    let known = Inclusion.allCases.map(\.rawValue).joined(separator: ", ")
                    throw Problem.badParameter("include", "'\(name)' is not one of \(known)")
                }
                found.insert(inclusion)
            }
        }
        return found
    }

    private func describe(_ series: [StoredSeries], _ inclusions: Set<Inclusion>) async throws -> [JSONValue] {
        let ids = series.map(\.key.id)
        let windows = inclusions.contains(.windows) ? try await catalogue.latestWindows(ids) : [:]
        let forecasts = inclusions.contains(.forecast) ? try await catalogue.latestForecasts(ids) : [:]
        let profiles = inclusions.contains(.profile) ? try await catalogue.latestProfiles(ids) : [:]
        let now = clock.now()
        return series.map { series in
            let id = series.key.id
            var members = ResultJSON.series(series)
            if inclusions.contains(.windows) {
                members.append((key: "windows", value: windows[id].map { .object(ResultJSON.windows($0)) } ?? .null))
            }
            if inclusions.contains(.forecast) {
                members.append((key: "forecast", value: forecasts[id].map { .object(ResultJSON.forecast($0, path: false)) } ?? .null))
            }
            if inclusions.contains(.profile) {
                members.append((key: "profile", value: profiles[id].map { .object(ResultJSON.profileSummary($0)) } ?? .null))
            }
            if inclusions.contains(.sparkline) { members += sparkline(series.key, now: now) }
            return .object(members)
        }
    }

    private func sparkline(_ key: SeriesKey, now: Milliseconds) -> ResultJSON.Members {
        let span = options.recentSpan
        let samples = catalogue.recent.samples(of: key.id, from: now - span, to: now)
        let shown = key.type == .counter ? Rates.perSecond(samples.times, samples.values) : samples
        let line = Sparkline(times: shown.times, values: shown.values, now: now, span: span, points: SeriesAPI.sparklinePoints)
        return [
            (key: "sparkline", value: samples.times.isEmpty ? .null : ResultJSON.sparkline(line)),
            (key: "last", value: LastValue(catalogue.recent, key)?.json ?? .null),
        ]
    }

    /// The newest windows; with `from` or `to` the history.
    func windows(_ request: RoutedRequest) async throws -> Response {
        let (series, range, limit) = try await historyRequest(request)
        var results: [WindowsResult]
        if let range {
            results = try await catalogue.store.windowsHistory(series.key.id, from: range.from, to: range.to, limit: limit)
        } else {
            results = Array(try await catalogue.latestWindows([series.key.id]).values)
        }
        return answer(series, results.map { .object(ResultJSON.windows($0)) })
    }

    /// The newest forecast with its path; with `from` or `to` the history of statistics.
    func forecast(_ request: RoutedRequest) async throws -> Response {
        let (series, range, limit) = try await historyRequest(request)
        var results: [ForecastResult]
        if let range {
            results = try await catalogue.store.forecastHistory(series.key.id, from: range.from, to: range.to, limit: limit)
        } else {
            results = Array(try await catalogue.latestForecasts([series.key.id]).values)
        }
        return answer(series, results.map { .object(ResultJSON.forecast($0, path: range == nil)) })
    }

    /// The newest profile with all details.
    func profile(_ request: RoutedRequest) async throws -> Response {
        try request.query.refuseUnknown([])
        let series = try await series(request)
        let results = try await catalogue.latestProfiles([series.key.id]).values
        return answer(series, results.map { .object(ResultJSON.profile($0)) })
    }

    /// Incidents by onset; with `from` or `to` those that touch the range.
    func anomalies(_ request: RoutedRequest) async throws -> Response {
        let (series, range, limit) = try await historyRequest(request)
        let asked = range ?? TimeRange(from: .min, to: .max)
        let results = try await catalogue.anomalies(series.key.id, asked, limit: limit)
        return answer(series, results.map { .object(ResultJSON.anomaly($0)) })
    }

    /// Raw samples, or per-second rates with `as=rate`.
    func history(_ request: RoutedRequest) async throws -> Response {
        try request.query.refuseUnknown(TimeRange.parameters + ["limit", "as"])
        let now = clock.now()
        let range = try TimeRange.parse(request.query, now: now, span: 3_600_000) ?? TimeRange(from: now - 3_600_000, to: now)
        let limit = try request.query.integer("limit", in: 1...options.maxHistoryLimit, default: options.defaultHistoryLimit)
        let form = try request.query.single("as") ?? "raw"
        guard form == "raw" || form == "rate" else { throw Problem.badParameter("as", "'\(form)' is neither raw nor rate") }
        let series = try await series(request)
        let samples = try await catalogue.history(series.key.id, range, limit: limit)
        let shown = form == "rate" ? Rates.perSecond(samples.times, samples.values) : (times: samples.times, values: samples.values)
        let points = zip(shown.times, shown.values).map { JSONValue.array([.int($0), JSONValue($1)]) }
        let members =
            ResultJSON.identity(series.key)
            + [(key: "type", value: .string(series.key.type.wireName)), (key: "as", value: .string(form))]
            + ResultJSON.time("from", range.from) + ResultJSON.time("to", range.to)
            + [(key: "truncated", value: .bool(samples.isTruncated)), (key: "samples", value: .array(points))]
        return .json(.object(members))
    }

    private func historyRequest(_ request: RoutedRequest) async throws -> (StoredSeries, TimeRange?, Int) {
        try request.query.refuseUnknown(TimeRange.parameters + ["limit"])
        let range = try TimeRange.parse(request.query, now: clock.now(), span: 86_400_000)
        let limit = try request.query.integer("limit", in: 1...options.maxHistoryLimit, default: options.defaultHistoryLimit)
        return (try await series(request), range, limit)
    }

    private func answer(_ series: StoredSeries, _ results: [JSONValue]) -> Response {
        .json(.object(ResultJSON.identity(series.key) + [(key: "results", value: .array(results))]))
    }

    /// The series that the path names: by fingerprint or in Prometheus notation.
    private func series(_ request: RoutedRequest) async throws -> StoredSeries {
        let text = request.parameter("id")
        let id: Fingerprint
        if let fingerprint = Fingerprint(text) {
            id = fingerprint
        } else {
            do {
                id = try SeriesQuery.labels(notation: text).fingerprint
            } catch {
                throw Problem(
                    .badRequest, title: "Bad parameter",
                    detail: "'\(text)' is neither a series' id (32 hexadecimal digits) nor its Prometheus notation: \(error)")
            }
        }
        guard let series = try await catalogue.series(id) else {
            throw Problem.notFound("there is no series \(text); /api/v1/series?metric=... finds it by name")
        }
        return series
    }
}
