import Analyzing
import Collecting
import Coordination
import Logging
import Messaging
import ServiceLifecycle
import Settings
import Synchronization
import Telemetry

/// Some or all roles in one process.
final class Node: Sendable {
    private let configuration: Configuration
    private let logger: Logger
    private let backends: Backends
    private let group: ServiceGroup
    private let reloader: Reloader

    /// Opens the data directory and what the roles stand on, and makes the roles. Throws what is wrong in words.
    /// - Parameters:
    ///   - simulatedVehicles: how many report to this process from within it; nil for none.
    ///   - central: takes the configuration that all processes share, where there is one.
    ///   - source: reads the configuration again, for a reload.
    static func open(
        _ configuration: Configuration, roles: Set<Role>, simulatedVehicles: Int? = nil, console: ConsoleLog, central: CentralFile,
        source: @escaping @Sendable () -> LoadedConfiguration
    ) async throws -> Node {
        try DataDirectory.prepare(configuration.data)
        try DataDirectory.make(configuration.logsDirectory)
        let registry = MetricRegistry()
        ProcessMetrics.register(registry)
        let backends = try await Backends.open(configuration, roles: roles, registry: registry)
        do {
            return try Node(configuration, roles, simulatedVehicles, console, backends, registry, central, source)
        } catch {
            await backends.close()
            throw error
        }
    }

    private init(
        _ configuration: Configuration, _ roles: Set<Role>, _ simulatedVehicles: Int?, _ console: ConsoleLog, _ backends: Backends,
        _ registry: MetricRegistry, _ central: CentralFile, _ source: @escaping @Sendable () -> LoadedConfiguration
    ) throws {
        self.configuration = configuration
        self.backends = backends
        logger = Logger(label: "almanac")
        let parts = NodeParts(configuration: configuration, backends: backends, registry: registry, logger: logger)
        let collect = roles.contains(.collect) ? parts.collect() : nil
        let flows = try parts.flows(roles)
        let traffic = roles.contains(.analyze) ? try parts.traffic(joins: flows?.joins) : nil
        let reloader = Reloader(current: configuration, logger: logger, source: source) { new in
            console.level = new.logLevel.logger
            console.hide(new.secrets)
            collect?.reload(new.collectOptions)
            traffic?.reload(new.trafficOptions)
        }
        self.reloader = reloader
        let face = try parts.face(serves: roles.contains(.serve), flows: flows?.intake, reload: { try reloader.reload() }) { port in
            Node.announce(configuration, roles, port: port)
        }
        // Ended in reverse order: sources first, the HTTP face last.
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = [.init(service: face, serviceName: "serve")]
        if roles.contains(.store) {
            services.append(.init(service: try parts.storing(drains: roles.contains(.analyze)), serviceName: "store"))
        }
        if roles.contains(.serve), let notify = parts.notify() { services.append(.init(service: notify, serviceName: "notify")) }
        if roles.contains(.analyze) { services.append(.init(service: try parts.analyze(), serviceName: "analyze")) }
        if let traffic {
            services.append(.init(service: RoleService(name: "traffic", work: { try await traffic.run() }), serviceName: "traffic"))
        }
        if let flows { services.append(.init(service: RoleService(name: "flows", work: { await flows.run() }), serviceName: "flows")) }
        if let service = backends.service {
            let watch = Node.watchCentral(service, central, reloader, Logger(label: "almanac"))
            services.append(.init(service: RoleService(name: "central", work: watch), serviceName: "central"))
        }
        if let collect {
            if let dependencies = parts.dependencies() {
                dependencies.start()
                services.append(.init(service: RoleService(name: "ready", work: { await dependencies.watch() }), serviceName: "ready"))
            }
            services.append(.init(service: RoleService(name: "collect", work: { try await collect.run() }), serviceName: "collect"))
        }
        if let simulatedVehicles {
            let fleet = LiveFleet(vehicles: simulatedVehicles, log: backends.log, topic: configuration.topics.events)
            services.append(.init(service: RoleService(name: "simulation", work: { try await fleet.run() }), serviceName: "simulation"))
        }
        var options = ServiceGroupConfiguration(services: services, logger: Logger(label: "lifecycle"))
        options.maximumGracefulShutdownDuration = .seconds(9)
        group = ServiceGroup(configuration: options)
    }

    /// Takes each new shared configuration over, unless it has mistakes; those are logged.
    private static func watchCentral(
        _ service: any CoordinationService, _ central: CentralFile, _ reloader: Reloader, _ logger: Logger
    ) -> @Sendable () async -> Void {
        {
            for await shared in service.watchConfiguration() {
                logger.notice("the configuration in ZooKeeper has version \(shared.version)")
                try? central.take(shared) { try reloader.reload() }
            }
            // Closed before the process ends: nothing is to be watched any more.
            while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
        }
    }

    private static func announce(_ configuration: Configuration, _ roles: Set<Role>, port: Int) {
        let url = ConfigurationSummary.url(configuration, port: port)
        guard roles.count == Role.allCases.count else {
            let names = Role.allCases.filter(roles.contains).map(\.rawValue).joined(separator: ", ")
            return Output.line("almanac \(Version.number) \(names) is at \(url) on \(ConfigurationSummary.backends(configuration))")
        }
        let sources = ConfigurationSummary.sources(configuration.collect)
        Output.line(
            "almanac \(Version.number) is at \(url) watching \(sources); data in \(configuration.data)"
        )
    }

    /// How long the roles may take to end by themselves.
    private static let patience = Duration.seconds(4)

    /// Works until a signal ends it; then everything is closed. Throws what stopped it otherwise.
    func run() async throws {
        let signals = Signals()
        let (group, reloader, logger, backends) = (self.group, self.reloader, self.logger, self.backends)
        let mayWaitInVain = configuration.messaging.kind == .kafka
        let isEnding = Atomic<Bool>(false)
        signals.listen(
            onEnd: {
                logger.info("ending: sources stop, what is in the log is analysed and stored")
                isEnding.store(true, ordering: .relaxed)
                Task { await group.triggerGracefulShutdown() }
                // What still waits for a broker then waits in vain: closing the log ends it.
                if mayWaitInVain {
                    Task {
                        try await Task.sleep(for: Node.patience)
                        await backends.log.close()
                    }
                }
            },
            onReload: { _ = try? reloader.reload() })
        let result = await Result { try await group.run() }
        await backends.close()
        withExtendedLifetime(signals) {}
        do { try result.get() } catch  where isEnding.load(ordering: .relaxed) && Node.isOfClosedLog(error) {
            logger.info("ended with work left that the log did not take; what was acknowledged is there")
        }
        logger.info("ended")
    }

    /// Whether it comes of the log that was closed under roles: one says so, or ends before its turn.
    private static func isOfClosedLog(_ error: any Error) -> Bool {
        if let error = error as? MessagingError { return error.code == .closed }
        return (error as? ServiceGroupError)?.errorCode == .serviceFinishedUnexpectedly
    }
}

extension Result where Failure == any Error {
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
