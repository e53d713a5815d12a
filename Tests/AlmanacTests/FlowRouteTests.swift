import Collecting
import Coordination
import Fetching
import HTTPKit
import Logging
import Messaging
import NIOHTTP1
import Records
import Settings
import Telemetry
import TestSupport
import Testing

@testable import Serving
@testable import almanac

@Suite("Flows by requests")
struct FlowRouteTests {
    private struct Everything: Coordinator {
        func nextEpoch(for name: String) async throws -> Int64 { 1 }
        func owns(_ name: String) -> Bool { true }
    }

    /// One that can be asked.
    private struct Face: Sendable {
        let url: String
        let fetcher: Fetcher

        func post(_ body: String, to flow: String = "a", headers: [(String, String)] = []) async throws -> FetchedPage {
            try await fetcher.fetch(
                "\(url)/api/v1/flows/\(flow)", method: .POST, headers: headers,
                content: RequestContent(type: "application/x-www-form-urlencoded", bytes: Array(body.utf8)), timeout: 30_000)
        }
    }

    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func sources(_ yaml: String, _ log: any MessageLog) throws -> FlowSources {
        let loaded = Configuration.load(ConfigurationSources(file: ("x.yaml", yaml)))
        #expect(loaded.mistakes.isEmpty)
        let registry = MetricRegistry()
        return try FlowSources(
            flows: loaded.configuration.flowDefinitions, joins: loaded.configuration.joinDefinitions, topic: "samples", stateDirectory: nil,
            log: log, coordinator: Everything(),
            environment: CollectEnvironment(clock: SystemClock(), logger: logger, registry: registry), registry: registry)
    }

    private func withLog(_ test: (EmbeddedLog) async throws -> Void) async throws {
        let folder = try TemporaryDirectory()
        defer { withExtendedLifetime(folder) {} }
        let log = try await EmbeddedLog.open(
            EmbeddedLogOptions(directory: folder.file("log")), clock: SystemClock(), metrics: MetricRegistry(), logger: logger)
        try await test(log)
        await log.close()
    }

    /// The flow `a` on a real socket.
    private func withFace(_ test: @Sendable @escaping (Face) async throws -> Void) async throws {
        try await withLog { log in
            let routes = FlowRoute.routes(try sources("flows: [{name: a, source: {http: true}, values: {v: v}}]", log).intake)
            let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
            let server = try HTTPServer(
                options: HTTPServerOptions(port: 0), routes: routes, registry: MetricRegistry(), readiness: Readiness(), logger: logger,
                onRunning: { continuation.yield($0) })
            let fetcher = try Fetcher(tls: TLSOptions(), credentials: nil, maxBodyBytes: 1 << 20)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await server.run() }
                var iterator = ports.makeAsyncIterator()
                let port = try #require(await iterator.next())
                try await test(Face(url: "http://127.0.0.1:\(port)", fetcher: fetcher))
                group.cancelAll()
            }
            await fetcher.close()
        }
    }

    private func members(_ page: FetchedPage) throws -> JSONValue { try JSONValue(parsing: page.body) }

    @Test func encodedBodiesAreRefused() async throws {
        try await withFace { face in
            for coding in ["gzip", "br"] {
                let answer = try await face.post("{\"v\": 1}", headers: [("Content-Encoding", coding)])
                #expect(answer.status == 415 && answer.contentType == "application/problem+json")
                #expect(try members(answer)["detail"]?.stringValue?.contains("'\(coding)'") == true)
            }
            let plain = try await face.post("{\"v\": 1}", headers: [("Content-Encoding", "identity")])
            #expect(plain.status == 200)
        }
    }

    @Test func noRecordAtAllIsA400() async throws {
        try await withFace { face in
            for body in ["nonsense", "", "nonsense\nmore of it"] {
                let answer = try await face.post(body)
                #expect(answer.status == 400 && answer.contentType == "application/problem+json", "\(body)")
                let json = try members(answer)
                #expect(json["accepted"] == 0 && (json["rejected"]?.intValue ?? 0) > 0 && json["errors"]?.arrayValue?.isEmpty == false)
                #expect(json["status"] == 400 && json["instance"]?.stringValue == "/api/v1/flows/a")
            }
            let some = try await face.post("{\"v\": 1}\nnonsense")
            let json = try members(some)
            #expect(some.status == 200 && some.contentType == "application/json")
            #expect(json["accepted"] == 1 && json["rejected"] == 1)
        }
    }

    /// A test of the role serve holds all other paths against the document; this one is not among its own.
    @Test func thePathIsDescribedAsItIs() async throws {
        let document = try JSONValue(parsing: PackageResources.openapi_json)
        try await withLog { log in
            let routes = FlowRoute.routes(try sources("flows: [{name: a, source: {http: true}, values: {v: v}}]", log).intake)
            let route = try #require(routes.first)
            #expect(routes.count == 1)
            #expect(document["paths"]?[route.path]?["post"] != nil)
        }
        let responses = try #require(document["paths"]?["/api/v1/flows/{flow}"]?["post"]?["responses"])
        let schemas = try #require(document["components"]?["schemas"])
        let wanted = Set((schemas["FlowTaken"]?["required"]?.arrayValue ?? []).compactMap(\.stringValue))
        let ofErrors = Set((schemas["FlowError"]?["required"]?.arrayValue ?? []).compactMap(\.stringValue))
        #expect(!wanted.isEmpty && !ofErrors.isEmpty)
        try await withFace { face in
            let some = try await face.post("{\"v\": 1}\nnonsense")
            let json = try members(some)
            #expect(Set((json.objectValue ?? []).map(\.key)) == wanted)
            #expect(Set((json["errors"]?.arrayValue?.first?.objectValue ?? []).map(\.key)) == ofErrors)
            let none = try members(try await face.post("nonsense"))
            #expect(Set((none.objectValue ?? []).map(\.key)).isSuperset(of: wanted))
            for (answer, code) in [
                (some, 200), (try await face.post("nonsense"), 400), (try await face.post("{}", to: "b"), 404),
                (try await face.post("{}", headers: [("Content-Encoding", "gzip")]), 415),
            ] {
                #expect(answer.status == code && responses["\(code)"] != nil, "\(code)")
            }
        }
    }

    @Test func withoutAFlowThatTakesRequestsThereIsNoPath() async throws {
        #expect(FlowRoute.routes(nil).isEmpty)
        try await withLog { log in
            #expect(FlowRoute.routes(try sources("log_level: info", log).intake).isEmpty)
            let topics = try sources("flows: [{name: a, source: {topic: t}, values: {v: v}}]", log)
            #expect(FlowRoute.routes(topics.intake).isEmpty)
        }
    }
}
