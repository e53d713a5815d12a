import Coordination
import Logging
import Messaging
import Settings
import Storage
import Telemetry
import TimeSeries

/// What the roles stand on, as the configuration chooses it.
struct Backends: Sendable {
    var log: any MessageLog
    /// nil for roles that need none.
    var store: (any ResultStore)?
    var coordinator: any Coordinator

    /// Opens what these roles need. What is on other machines need not be there yet. Throws what is wrong in words.
    static func open(_ configuration: Configuration, roles: Set<Role>, registry: MetricRegistry) async throws -> Backends {
        try configuration.check(roles: roles)
        let log = try await openLog(configuration, registry)
        do {
            let store = roles.contains(where: \.needsStore) ? try openStore(configuration, registry) : nil
            return Backends(log: log, store: store, coordinator: coordinator(configuration, registry))
        } catch {
            await log.close()
            throw error
        }
    }

    func close() async {
        await log.close()
        await store?.close()
    }

    private static func openLog(_ configuration: Configuration, _ registry: MetricRegistry) async throws -> any MessageLog {
        try await EmbeddedLog.open(
            configuration.embeddedLogOptions, clock: SystemClock(), metrics: registry, logger: Logger(label: "log"))
    }

    private static func openStore(_ configuration: Configuration, _ registry: MetricRegistry) throws -> any ResultStore {
        try SQLiteStore(configuration.sqliteOptions)
    }

    private static func coordinator(_ configuration: Configuration, _ registry: MetricRegistry) -> any Coordinator {
        let share = configuration.coordination.shard
        return StandaloneCoordinator(directory: configuration.data, share: share.index, of: share.count)
    }
}

extension Configuration {
    /// Roles on their own need what other processes can reach.
    func check(roles: Set<Role>) throws {
        guard roles.count < Role.allCases.count else { return }
        let name = roles.map(\.rawValue).sorted().joined(separator: ", ")
        if messaging.kind == .embedded {
            throw Failure(
                "the role \(name) alone cannot reach the others: the embedded log is one process's; give messaging.kind: kafka, or use `almanac run`"
            )
        }
        if store.kind == .sqlite && roles.contains(where: \.needsStore) {
            throw Failure(
                "the role \(name) alone shares no database with the others: SQLite is one process's; give store.kind: mysql, or use `almanac run`"
            )
        }
    }
}
