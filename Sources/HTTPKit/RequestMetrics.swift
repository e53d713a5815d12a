import Hummingbird
import Telemetry

/// Counts and times requests. The path label is the route's template, so that its values stay few.
struct RequestMetrics: Sendable {
    let registry: MetricRegistry

    private static let methods: Set<HTTPRequest.Method> = [.get, .head, .post, .put, .patch, .delete, .options]

    func record(path: String, method: HTTPRequest.Method, status: HTTPResponse.Status, seconds: Double) {
        let name = RequestMetrics.methods.contains(method) ? method.rawValue : "other"
        registry.counter(
            "almanac_http_requests_total", help: "HTTP requests answered.",
            labels: [("path", path), ("method", name), ("code", "\(status.code)")]
        ).add()
        registry.histogram(
            "almanac_http_request_duration_seconds", help: "Time from a request's head to its answer's head.", labels: [("path", path)]
        ).observe(seconds)
    }
}
