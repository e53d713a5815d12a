import Analyzing
import Collecting
import HTTPKit
import Logging
import ServiceLifecycle
import Serving
import Settings
import Storage
import Storing
import Telemetry

/// Makes the roles of one process.
struct NodeParts {
    let configuration: Configuration
    let backends: Backends
    let registry: MetricRegistry
    let logger: Logger
    let readiness = Readiness()
    private let clock = SystemClock()

    func collect() -> CollectRole {
        CollectRole(
            options: configuration.collectOptions, log: backends.log, coordinator: backends.coordinator,
            environment: CollectEnvironment(clock: clock, logger: Logger(label: "collect"), registry: registry))
    }

    /// What a collector needs of others; nil where all of it is in this process.
    func dependencies() -> Dependencies? {
        guard configuration.messaging.kind == .kafka || backends.service != nil else { return nil }
        return Dependencies(
            log: backends.log, topic: configuration.topics.samples, coordination: backends.service, name: configuration.instanceName,
            readiness: readiness)
    }

    func analyze() throws -> any Service {
        let readiness = readiness
        readiness.set("analyze", waitingFor: "starting")
        let timeLogs = TimeLogs(directory: configuration.logsDirectory, clock: clock, metrics: registry, logger: logger)
        let role = AnalyzeRole(
            options: configuration.analyzeOptions, log: backends.log, store: try store(), coordinator: backends.coordinator, clock: clock,
            metrics: registry, logger: Logger(label: "analyze"), evaluationLog: { timeLogs.write($0) },
            status: { readiness.set("analyze", waitingFor: $0) })
        return RoleService(name: "analyze", work: { try await role.run() })
    }

    /// - Parameter drains: what the analyzer of this process has just sent is stored before the end; what others send goes on for ever.
    func storing(drains: Bool) throws -> any Service {
        let readiness = readiness
        readiness.set("storing", waitingFor: "starting")
        let role = StoreRole(
            log: backends.log, store: try store(), clock: clock, metrics: registry, logger: Logger(label: "store"),
            options: configuration.storeOptions, status: { readiness.set("storing", waitingFor: $0) })
        let results = [configuration.topics.chunks, configuration.topics.prometheusdata]
        let log = backends.log
        return RoleService(name: "store", work: { try await role.run() }) {
            if drains { await LogDrain.wait(log, topics: results, group: Configuration.storeGroup, seconds: 3) }
        }
    }

    /// The HTTP face: all of it, or `/metrics` and the probes alone.
    func face(
        serves: Bool, reload: @escaping @Sendable () async throws -> Void, onRunning: @escaping @Sendable (Int) -> Void
    ) throws -> any Service {
        let readiness = readiness
        readiness.set("listener", waitingFor: "starting")
        let running: @Sendable (Int) -> Void = { port in
            readiness.set("listener", waitingFor: nil)
            onRunning(port)
        }
        if serves {
            return try ServeRole(
                options: configuration.serveOptions, store: store(), log: backends.log, clock: clock, registry: registry,
                readiness: readiness, logger: Logger(label: "serve"), reload: reload, onRunning: running)
        }
        let server = try HTTPServer(
            options: configuration.serveOptions.http, routes: [], registry: registry, readiness: readiness, reload: reload,
            logger: Logger(label: "serve"), onRunning: running)
        return ProbeService(server: server)
    }

    private func store() throws -> any ResultStore {
        guard let store = backends.store else { throw Failure("this role needs a store, and none was opened") }
        return store
    }
}

/// `/metrics`, `/-/healthy` and `/-/ready` of a role that serves nothing else.
private struct ProbeService: Service {
    let server: HTTPServer
    func run() async throws { try await server.run() }
}
