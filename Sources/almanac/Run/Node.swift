import Collecting
import Logging
import Messaging
import ServiceLifecycle
import Settings
import Telemetry

/// Some or all roles in one process.
final class Node: Sendable {
    private let configuration: Configuration
    private let logger: Logger
    private let backends: Backends
    private let group: ServiceGroup
    private let reloader: Reloader

    /// Opens the data directory and what the roles stand on, and makes the roles. Throws what is wrong in words.
    /// - Parameter source: reads the configuration again, for a reload.
    static func open(
        _ configuration: Configuration, roles: Set<Role>, console: ConsoleLog, source: @escaping @Sendable () -> LoadedConfiguration
    ) async throws -> Node {
        try DataDirectory.prepare(configuration.data)
        try DataDirectory.make(configuration.logsDirectory)
        let registry = MetricRegistry()
        ProcessMetrics.register(registry)
        let backends = try await Backends.open(configuration, roles: roles, registry: registry)
        do {
            return try Node(configuration, roles, console, backends, registry, source)
        } catch {
            await backends.close()
            throw error
        }
    }

    private init(
        _ configuration: Configuration, _ roles: Set<Role>, _ console: ConsoleLog, _ backends: Backends, _ registry: MetricRegistry,
        _ source: @escaping @Sendable () -> LoadedConfiguration
    ) throws {
        self.configuration = configuration
        self.backends = backends
        logger = Logger(label: "almanac")
        let parts = NodeParts(configuration: configuration, backends: backends, registry: registry, logger: logger)
        let collect = roles.contains(.collect) ? parts.collect() : nil
        let reloader = Reloader(current: configuration, logger: logger, source: source) { new in
            console.level = new.logLevel.logger
            console.hide(new.secrets)
            collect?.reload(new.collectOptions)
        }
        self.reloader = reloader
        let face = try parts.face(serves: roles.contains(.serve), reload: { try reloader.reload() }) { port in
            Node.announce(configuration, roles, port: port)
        }
        // Ended in reverse order: sources first, the HTTP face last.
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = [.init(service: face, serviceName: "serve")]
        if roles.contains(.store) { services.append(.init(service: try parts.storing(), serviceName: "store")) }
        if roles.contains(.analyze) { services.append(.init(service: try parts.analyze(), serviceName: "analyze")) }
        if let collect {
            services.append(.init(service: RoleService(name: "collect", work: { try await collect.run() }), serviceName: "collect"))
        }
        var options = ServiceGroupConfiguration(services: services, logger: Logger(label: "lifecycle"))
        options.maximumGracefulShutdownDuration = .seconds(9)
        group = ServiceGroup(configuration: options)
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

    /// Works until a signal ends it; then everything is closed. Throws what stopped it otherwise.
    func run() async throws {
        let signals = Signals()
        let (group, reloader, logger) = (self.group, self.reloader, self.logger)
        signals.listen(
            onEnd: {
                logger.info("ending: sources stop, what is in the log is analysed and stored")
                Task { await group.triggerGracefulShutdown() }
            },
            onReload: { try? reloader.reload() })
        let result = await Result { try await group.run() }
        await backends.close()
        withExtendedLifetime(signals) {}
        try result.get()
        logger.info("ended")
    }
}

extension Result where Failure == any Error {
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
