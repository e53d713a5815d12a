import Hummingbird
import Records
import Telemetry

/// What every process answers, whichever roles it has.
enum ProbeRoutes {
    static func routes(registry: MetricRegistry, readiness: Readiness, reload: (@Sendable () async throws -> [String])?) -> [HTTPRoute] {
        var routes: [HTTPRoute] = [
            .get("/-/healthy", access: .open) { _ in .text("healthy\n") },
            .get("/-/ready", access: .open) { ready($0, readiness) },
            .get("/metrics") { request in
                try request.query.refuseUnknown([])
                return .text(registry.render(), type: "text/plain; version=0.0.4; charset=utf-8")
            },
        ]
        if let reload {
            routes.append(HTTPRoute(.post, "/-/reload") { _ in try await reloaded(reload) })
        }
        return routes
    }

    /// Reasons may name hosts and paths: only who may read gets them.
    private static func ready(_ request: RoutedRequest, _ readiness: Readiness) -> Response {
        let waiting = readiness.waitingParts
        let parts: [(key: String, value: JSONValue)] = waiting.map { part, reason in
            (key: part, value: .string(request.role == nil ? "waiting" : reason))
        }
        let document: JSONValue = .object([
            (key: "ready", value: .bool(waiting.isEmpty)),
            (key: "waitingFor", value: .object(parts)),
        ])
        return .json(document, status: waiting.isEmpty ? .ok : .serviceUnavailable)
    }

    private static func reloaded(_ reload: @Sendable () async throws -> [String]) async throws -> Response {
        do {
            let waiting = try await reload()
            return .json(.object([(key: "reloaded", value: true), (key: "restart", value: .array(waiting.map { .string($0) }))]))
        } catch {
            throw Problem(.unprocessableContent, detail: "the configuration was not reloaded, the old one goes on: \(error)")
        }
    }
}
