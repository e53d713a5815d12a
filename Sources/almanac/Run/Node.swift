import Analyzing
import Collecting
import Coordination
import HTTPKit
import Logging
import Messaging
import ServiceLifecycle
import Serving
import Settings
import Storage
import Storing
import Telemetry
import TimeSeries

/// All roles in one process on the embedded log and SQLite.
final class Node: Sendable {
    private let configuration: Configuration
    private let console: ConsoleLog
    private let logger: Logger
    private let log: EmbeddedLog
    private let store: SQLiteStore
    private let collect: CollectRole
    private let group: ServiceGroup
    private let reloader: Reloader

    /// Opens the data directory, the log and the database, and makes the roles. Throws what is wrong in words.
    /// - Parameter source: reads the configuration again, for a reload.
    static func open(_ configuration: Configuration, console: ConsoleLog, source: @escaping @Sendable () -> LoadedConfiguration)
        async throws -> Node
    {
        try DataDirectory.prepare(configuration.data)
        try DataDirectory.make(configuration.logsDirectory)
        let registry = MetricRegistry()
        ProcessMetrics.register(registry)
        let log = try await EmbeddedLog.open(
            configuration.embeddedLogOptions, clock: SystemClock(), metrics: registry, logger: Logger(label: "log"))
        do {
            let store = try SQLiteStore(configuration.sqliteOptions)
            return try Node(configuration, console, log, store, registry, source)
        } catch {
            await log.close()
            throw error
        }
    }

    private init(
        _ configuration: Configuration, _ console: ConsoleLog, _ log: EmbeddedLog, _ store: SQLiteStore, _ registry: MetricRegistry,
        _ source: @escaping @Sendable () -> LoadedConfiguration
    ) throws {
        self.configuration = configuration
        self.console = console
        self.log = log
        self.store = store
        logger = Logger(label: "almanac")
        let clock = SystemClock()
        let readiness = Readiness(waitingFor: ["analyze", "storing", "listener"])
        let coordinator = StandaloneCoordinator(directory: configuration.data)
        let collect = CollectRole(
            options: configuration.collectOptions, log: log, coordinator: coordinator,
            environment: CollectEnvironment(clock: clock, logger: Logger(label: "collect"), registry: registry))
        self.collect = collect
        let reloader = Reloader(current: configuration, logger: logger, source: source) { new in
            console.level = new.logLevel.logger
            console.hide(new.secrets)
            collect.reload(new.collectOptions)
        }
        self.reloader = reloader
        let timeLogs = TimeLogs(directory: configuration.logsDirectory, clock: clock, metrics: registry, logger: logger)
        let analyze = AnalyzeRole(
            options: configuration.analyzeOptions, log: log, store: store, coordinator: coordinator, clock: clock, metrics: registry,
            logger: Logger(label: "analyze"), evaluationLog: { timeLogs.write($0) }, status: { readiness.set("analyze", waitingFor: $0) })
        let storing = StoreRole(
            log: log, store: store, clock: clock, metrics: registry, logger: Logger(label: "store"), options: configuration.storeOptions,
            status: { readiness.set("storing", waitingFor: $0) })
        let serve = try ServeRole(
            options: configuration.serveOptions, store: store, log: log, clock: clock, registry: registry, readiness: readiness,
            logger: Logger(label: "serve"), reload: { try reloader.reload() },
            onRunning: { port in
                readiness.set("listener", waitingFor: nil)
                Node.announce(configuration, port: port)
            })
        group = Node.group(configuration, log, serve, storing, analyze, collect)
    }

    /// Ended in reverse order: sources first, the HTTP face last.
    private static func group(
        _ configuration: Configuration, _ log: EmbeddedLog, _ serve: ServeRole, _ storing: StoreRole, _ analyze: AnalyzeRole,
        _ collect: CollectRole
    ) -> ServiceGroup {
        let results = [configuration.topics.chunks, configuration.topics.prometheusdata]
        let roles: [(String, any Service)] = [
            ("serve", serve),
            (
                "store",
                RoleService(name: "store", work: { try await storing.run() }) {
                    await LogDrain.wait(log, topics: results, group: Configuration.storeGroup, seconds: 3)
                }
            ),
            ("analyze", RoleService(name: "analyze", work: { try await analyze.run() })),
            ("collect", RoleService(name: "collect", work: { try await collect.run() })),
        ]
        var options = ServiceGroupConfiguration(
            services: roles.map { .init(service: $0.1, serviceName: $0.0) }, logger: Logger(label: "lifecycle"))
        options.maximumGracefulShutdownDuration = .seconds(9)
        return ServiceGroup(configuration: options)
    }

    private static func announce(_ configuration: Configuration, port: Int) {
        let url = ConfigurationSummary.url(configuration, port: port)
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
        await log.close()
        await store.close()
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
