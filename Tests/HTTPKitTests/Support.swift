import Hummingbird
import HummingbirdTesting
import Logging
import Records
import Telemetry

@testable import HTTPKit

func quietLogger() -> Logger { Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }) }

/// A face with a few routes, driven without a socket.
func withFace<Value: Sendable>(
    _ options: HTTPServerOptions = HTTPServerOptions(), registry: MetricRegistry = MetricRegistry(), readiness: Readiness = Readiness(),
    reload: (@Sendable () async throws -> [String])? = nil, _ test: @Sendable (any TestClientProtocol) async throws -> Value
) async throws -> Value {
    let server = try HTTPServer(
        options: options, routes: sampleRoutes, registry: registry, readiness: readiness, reload: reload, logger: quietLogger())
    return try await server.application().test(.router, test)
}

struct InternalDetail: Error {
    let password = "hunter2"
}

let sampleRoutes: [HTTPRoute] = [
    .get("/things/{name}") { request in
        try request.query.refuseUnknown(["size"])
        let size = try request.query.integer("size", in: 1...10, default: 5)
        return .json(.object([(key: "name", value: .string(request.parameter("name"))), (key: "size", value: .int(Int64(size)))]))
    },
    HTTPRoute(.post, "/things") { request in .text("\(try await request.body().count)") },
    .get("/broken") { _ in throw InternalDetail() },
]

extension TestResponse {
    var text: String { String(buffer: body) }
    var json: JSONValue? { try? JSONValue(parsing: Array(body.readableBytesView)) }
}
