import HTTPKit
import Hummingbird
import Logging
import Records
import Storage
import TimeSeries

extension ServeRole {
    /// Every path of the role that reads, probes aside.
    static func routes(
        _ catalogue: SeriesCatalogue, _ traffic: TrafficCatalogue, _ hub: EventHub, _ options: ServeOptions, _ clock: any WallClock
    ) -> [HTTPRoute] {
        let original = OriginalPaths(catalogue: catalogue, options: options)
        let api = SeriesAPI(catalogue: catalogue, options: options, clock: clock)
        let traffic = TrafficAPI(catalogue: traffic, options: options, clock: clock)
        let events = EventsHandler(hub: hub)
        let home = HomePage(version: options.version) {
            .object([(key: "series", value: await api.first(400)), (key: "traffic", value: await traffic.first(500))])
        }
        return [
            get("/", home.home),
            get("/openapi.json", home.openAPI),
            get("/all_metrics", original.allMetrics),
            get("/autocorrelation_stationarity_seasonality_metadata", original.metadata),
            get("/max_min_avg_std_metric", original.values),
            get("/prediction_of_metric_values", original.predictions),
            get("/api/v1/series", api.list),
            get("/api/v1/series/{id}", api.one),
            get("/api/v1/series/{id}/windows", api.windows),
            get("/api/v1/series/{id}/profile", api.profile),
            get("/api/v1/series/{id}/forecast", api.forecast),
            get("/api/v1/series/{id}/history", api.history),
            get("/api/v1/series/{id}/anomalies", api.anomalies),
            get("/api/v1/traffic/total", traffic.total),
            get("/api/v1/traffic/window", traffic.window),
            get("/api/v1/traffic/poi", traffic.poi),
            get("/api/v1/traffic/alerts", traffic.alerts),
            get("/api/v1/events", events.respond),
        ]
    }

    /// Every path of the role that writes.
    static func routes(_ ingest: TrafficIngest) -> [HTTPRoute] {
        [HTTPRoute(.post, "/api/v1/traffic/events", handler: ingest.respond)]
    }

    /// What the store cannot do now is a 503 without its internals; they go to the log.
    private static func get(_ path: String, _ handler: @escaping HTTPRoute.Handler) -> HTTPRoute {
        .get(path) { request in
            do {
                return try await handler(request)
            } catch let error as StorageError {
                request.logger.error("the store failed", metadata: ["path": "\(path)", "error": "\(error)"])
                if error.code == .unavailable { throw Problem.unavailable("the store does not answer now") }
                throw error
            }
        }
    }
}
