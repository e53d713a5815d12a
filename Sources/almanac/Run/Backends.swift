import CassandraStorage
import Coordination
import KafkaMessaging
import Logging
import Messaging
import MySQLStorage
import Settings
import Storage
import Telemetry
import TimeSeries
import ZooKeeperCoordination

/// What the roles stand on, as the configuration chooses it.
struct Backends: Sendable {
    var log: any MessageLog
    /// nil for roles that need none.
    var store: (any ResultStore)?
    var coordinator: any Coordinator
    /// The coordinator, if it is one of several processes.
    var service: (any CoordinationService)?

    /// Opens what these roles need. What is on other machines need not be there yet. Throws what is wrong in words.
    static func open(_ configuration: Configuration, roles: Set<Role>, registry: MetricRegistry) async throws -> Backends {
        try configuration.check(roles: roles)
        let log = try await openLog(configuration, registry)
        do {
            let store = roles.contains(where: \.needsStore) ? try openStore(configuration, registry) : nil
            let service = try openCoordination(configuration, roles, registry)
            let base: any Coordinator = service ?? standalone(configuration)
            return Backends(log: log, store: store, coordinator: fenced(base, configuration, store), service: service)
        } catch {
            await log.close()
            throw error
        }
    }

    /// Closes all at once. A database that does not answer is waited for a while only: its connections end with the process.
    func close() async {
        let (service, log, store) = (service, log, store)
        let closing = [
            Task { await service?.close() ?? () }, Task { await log.close() }, Task { await store?.close() ?? () },
        ]
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        Task {
            for task in closing { await task.value }
            end.finish()
        }
        Task {
            try? await Task.sleep(for: .seconds(3))
            end.finish()
        }
        for await _ in ends {}
    }

    static func openLog(_ configuration: Configuration, _ registry: MetricRegistry) async throws -> any MessageLog {
        let logger = Logger(label: "log")
        switch configuration.messaging.kind {
        case .embedded:
            return try await EmbeddedLog.open(configuration.embeddedLogOptions, clock: SystemClock(), metrics: registry, logger: logger)
        case .kafka:
            return try await KafkaLog.open(configuration.kafkaOptions, metrics: registry, logger: logger)
        }
    }

    static func openStore(_ configuration: Configuration, _ registry: MetricRegistry) throws -> any ResultStore {
        switch configuration.store.kind {
        case .sqlite: return try SQLiteStore(configuration.sqliteOptions)
        case .mysql: return try MySQLStore(configuration.mysqlOptions, metrics: registry, logger: Logger(label: "mysql"))
        case .cassandra:
            return try CassandraStore(configuration.cassandraOptions(), metrics: registry, logger: Logger(label: "cassandra"))
        }
    }

    private static func standalone(_ configuration: Configuration) -> StandaloneCoordinator {
        let share = configuration.coordination.shard
        return StandaloneCoordinator(directory: configuration.data, share: share.index, of: share.count)
    }

    private static func openCoordination(
        _ configuration: Configuration, _ roles: Set<Role>, _ registry: MetricRegistry
    ) throws -> (any CoordinationService)? {
        guard configuration.coordination.kind == .zookeeper else { return nil }
        let service = ZooKeeperCoordinator(
            options: try configuration.zookeeperOptions(roles), logger: Logger(label: "zookeeper"), metrics: registry)
        for role in roles.sorted(by: { $0.rawValue < $1.rawValue }) {
            service.register(
                ServiceInstance(
                    name: configuration.instanceName, role: role.rawValue, address: ConfigurationSummary.url(configuration),
                    version: Version.number))
        }
        return service
    }

    /// Where several hosts share a database, the epochs that fence analyzers are the database's: they live as long as what they fence.
    private static func fenced(_ base: any Coordinator, _ configuration: Configuration, _ store: (any ResultStore)?) -> any Coordinator {
        guard let store, configuration.store.kind != .sqlite else { return base }
        return StoreFencedCoordinator(base: base, store: store)
    }
}

/// Divides work as `base` does; epochs come from the store.
struct StoreFencedCoordinator: Coordinator {
    let base: any Coordinator
    let store: any ResultStore

    func nextEpoch(for name: String) async throws -> Int64 { try await store.nextEpoch(for: name) }
    func owns(_ name: String) -> Bool { base.owns(name) }
    func tenure(of name: String) -> Duration? { base.tenure(of: name) }
}

extension Configuration {
    /// Roles on their own need what other processes can reach.
    func check(roles: Set<Role>) throws {
        guard roles.count < Role.allCases.count else { return }
        let name = roles.map(\.rawValue).sorted().joined(separator: ", ")
        if messaging.kind == .embedded {
            throw Failure(
                "the role \(name) alone cannot reach the others: the embedded log is one process's; "
                    + "give messaging.kind: kafka, or use `almanac run`")
        }
        if store.kind == .sqlite && roles.contains(where: \.needsStore) {
            throw Failure(
                "the role \(name) alone shares no database with the others: SQLite is one process's; "
                    + "give store.kind: mysql or cassandra, or use `almanac run`")
        }
    }
}
