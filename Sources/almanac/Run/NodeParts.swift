import Analyzing
import Collecting
import Flows
import HTTPKit
import Logging
import Notifying
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

    /// Flows of this process, and the joins that the rules of the traffic look things up in; nil where the configuration has neither.
    func flows(_ roles: Set<Role>) throws -> FlowSources? {
        let flows = roles.contains(.collect) ? configuration.flowDefinitions : []
        let joins = roles.contains(.collect) || roles.contains(.analyze) ? configuration.joinDefinitions : []
        if flows.isEmpty && joins.isEmpty { return nil }
        do {
            return try FlowSources(
                flows: flows, joins: joins, topic: configuration.topics.samples, stateDirectory: configuration.data, log: backends.log,
                coordinator: backends.coordinator,
                environment: CollectEnvironment(clock: clock, logger: Logger(label: "flows"), registry: registry), registry: registry)
        } catch {
            throw Failure("flows: \(error)")
        }
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

    /// The analysis of vehicles; nil where it is switched off.
    func traffic(joins: JoinSet?) throws -> TrafficRole? {
        guard configuration.traffic.enabled else { return nil }
        let readiness = readiness
        for stage in ["traffic", "traffic-merge"] { readiness.set(stage, waitingFor: "starting") }
        return TrafficRole(
            options: configuration.trafficOptions, topics: configuration.trafficTopics,
            groups: (Configuration.trafficGroup, Configuration.trafficMergeGroup, Configuration.storeGroup), log: backends.log,
            store: try store(), coordinator: backends.coordinator, clock: clock, metrics: registry, logger: Logger(label: "traffic"),
            joined: joins.map(TrafficJoins.lookup),
            status: { stage, reason in readiness.set(stage, waitingFor: reason) })
    }

    /// Tells webhooks of alerts; nil where there is none.
    func notify() -> (any Service)? {
        let options = configuration.notifyOptions
        if options.webhooks.isEmpty { return nil }
        let role = NotifyRole(options: options, log: backends.log, clock: clock, metrics: registry, logger: Logger(label: "notify"))
        return RoleService(name: "notify", work: { try await role.run() })
    }

    /// - Parameter drains: what the analyzer of this process has just sent is stored before the end; what others send goes on for ever.
    func storing(drains: Bool) throws -> any Service {
        let readiness = readiness
        readiness.set("storing", waitingFor: "starting")
        let role = StoreRole(
            log: backends.log, store: try store(), clock: clock, metrics: registry, logger: Logger(label: "store"),
            options: configuration.storeOptions, status: { readiness.set("storing", waitingFor: $0) })
        let results = [configuration.topics.chunks, configuration.topics.prometheusdata, configuration.topics.trafficdata]
        let log = backends.log
        return RoleService(name: "store", work: { try await role.run() }) {
            if drains { await LogDrain.wait(log, topics: results, group: Configuration.storeGroup, seconds: 3) }
        }
    }

    /// The HTTP face: all of it, or `/metrics` and the probes alone.
    /// - Parameter flows: what takes the records of flows that come by requests.
    func face(
        serves: Bool, flows: FlowIntake?, reload: @escaping @Sendable () async throws -> [String],
        onRunning: @escaping @Sendable (Int) -> Void
    ) throws -> any Service {
        let readiness = readiness
        readiness.set("listener", waitingFor: "starting")
        let running: @Sendable (Int) -> Void = { port in
            readiness.set("listener", waitingFor: nil)
            onRunning(port)
        }
        let routes = FlowRoute.routes(flows)
        if serves {
            return try ServeRole(
                options: configuration.serveOptions, store: store(), log: backends.log, clock: clock, registry: registry,
                readiness: readiness, logger: Logger(label: "serve"), reload: reload, moreRoutes: routes,
                onRunning: running)
        }
        let server = try HTTPServer(
            options: configuration.serveOptions.http, routes: routes, registry: registry, readiness: readiness, reload: reload,
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
