import HTTPKit
import Hummingbird
import Records
import Storage
import TimeSeries

/// The four data paths that users of the original system know, in its shapes. The next page stands in a Link header, because the
/// bodies' shapes are given.
struct OriginalPaths: Sendable {
    let catalogue: SeriesCatalogue
    let options: ServeOptions

    static let parameters = SeriesQuery.parameters + PageQuery.parameters

    /// `{"0": "series", "1": ...}`
    func allMetrics(_ request: RoutedRequest) async throws -> Response {
        let (page, cursor) = try await page(request)
        let first = cursor?.index ?? 0
        let members = page.series.enumerated().map { i, series in
            (key: "\(first + i)", value: JSONValue.string(series.key.labels.description))
        }
        return answer(.object(members), page, request)
    }

    /// Per series its profile.
    func metadata(_ request: RoutedRequest) async throws -> Response {
        let (page, _) = try await page(request)
        let ids = page.series.map(\.key.id)
        let profiles = try await catalogue.latestProfiles(ids)
        let members = ids.compactMap { profiles[$0] }.map { profile in
            (key: profile.series.labels.description, value: JSONValue.object(metadata(profile)))
        }
        return answer(.object(members), page, request)
    }

    private func metadata(_ profile: ProfileResult) -> ResultJSON.Members {
        let own = ResultJSON.profileSummary(profile)
        let details = profile.detail.objectValue ?? []
        return own + details.filter { detail in !own.contains { $0.key == detail.key } }
    }

    /// `{"series,1h": {"max", "min", "avg", "std", ...}}`
    func values(_ request: RoutedRequest) async throws -> Response {
        let (page, _) = try await page(request)
        let ids = page.series.map(\.key.id)
        let results = try await catalogue.latestWindows(ids)
        var members: ResultJSON.Members = []
        for result in ids.compactMap({ results[$0] }) {
            let name = result.series.labels.description
            for window in result.windows {
                members.append((key: "\(name),\(window.window.durationText)", value: .object(statistics(window, at: result.time))))
            }
        }
        return answer(.object(members), page, request)
    }

    private func statistics(_ w: WindowStatistics, at time: Milliseconds) -> ResultJSON.Members {
        [
            (key: "max", value: JSONValue(w.max)), (key: "min", value: JSONValue(w.min)), (key: "avg", value: JSONValue(w.avg)),
            (key: "std", value: JSONValue(w.stddev)), (key: "p50", value: JSONValue(w.p50)), (key: "p95", value: JSONValue(w.p95)),
            (key: "p99", value: JSONValue(w.p99)), (key: "count", value: .int(Int64(w.count))),
        ] + ResultJSON.time("time", time)
    }

    /// Per series `{"max", "min", "avg", "intervals", ...}`
    func predictions(_ request: RoutedRequest) async throws -> Response {
        let (page, _) = try await page(request)
        let ids = page.series.map(\.key.id)
        let forecasts = try await catalogue.latestForecasts(ids)
        let members = ids.compactMap { forecasts[$0] }.map { forecast in
            (key: forecast.series.labels.description, value: JSONValue.object(prediction(forecast)))
        }
        return answer(.object(members), page, request)
    }

    private func prediction(_ forecast: ForecastResult) -> ResultJSON.Members {
        let statistics = [("max", forecast.max), ("min", forecast.min), ("avg", forecast.avg)]
        let expected = statistics.map { (key: $0.0, value: JSONValue($0.1?.expected)) }
        let intervals = statistics.map { (key: $0.0, value: $0.1.map(ResultJSON.intervals) ?? .null) }
        return expected + [
            (key: "intervals", value: .object(intervals)), (key: "reason", value: JSONValue(forecast.reason)),
            (key: "horizon", value: .string(forecast.horizon.durationText)),
        ] + ResultJSON.time("time", forecast.time)
    }

    private func page(_ request: RoutedRequest) async throws -> (SeriesCatalogue.Page, Cursor?) {
        try request.query.refuseUnknown(OriginalPaths.parameters)
        let query = try SeriesQuery(request.query)
        let page = try PageQuery(request.query, default: options.maxPageLimit, max: options.maxPageLimit)
        return (try await catalogue.page(query, page), page.cursor)
    }

    private func answer(_ body: JSONValue, _ page: SeriesCatalogue.Page, _ request: RoutedRequest) -> Response {
        .json(body, headers: PageLink.headers(request, next: page.next))
    }
}

/// The `Link` header of RFC 8288 that leads to the next page.
enum PageLink {
    static func headers(_ request: RoutedRequest, next: Cursor?) -> HTTPFields {
        guard let next else { return [:] }
        var pairs = request.query.pairs.filter { $0.name != "cursor" }
        pairs.append(("cursor", next.text))
        let query = pairs.map { "\(PercentCoding.encode($0.name))=\(PercentCoding.encode($0.value))" }.joined(separator: "&")
        return [.link: "<\(request.request.uri.path)?\(query)>; rel=\"next\""]
    }
}
