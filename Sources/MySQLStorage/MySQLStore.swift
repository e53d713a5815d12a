import CMariaDB
import Logging
import Records
import Storage
import Synchronization
import Telemetry
import TimeSeries

/// Results in a MySQL or MariaDB database, which any number of processes may share. The tables are described in docs/formats/mysql.md.
///
/// Connects when it is first used and again whenever the connection is lost: while the server is away calls throw
/// `unavailable`. The tables are made by the first connection of the first process, or by `MySQLSchema.install`.
package final class MySQLStore: ResultStore {
    package let options: MySQLOptions
    let errors: MySQLErrors
    let readers: ConnectionPool
    let writers: ConnectionPool
    private let index: Mutex<SeriesIndex>
    /// Why the last write failed, until one succeeds.
    private let lastFailure = Mutex<StorageError?>(nil)

    /// Throws `StorageError` where the options make no sense or threads cannot be started; does not connect.
    package init(_ options: MySQLOptions, metrics: MetricRegistry = MetricRegistry(), logger: Logger = Logger(label: "mysql")) throws {
        if let fault = MySQLSchema.fault(inName: options.database) { throw StorageError(.usage, fault) }
        self.options = options
        let errors = MySQLErrors(options)
        self.errors = errors
        index = Mutex(SeriesIndex(limit: options.seriesCacheLimit))
        let opened = metrics.counter("almanac_mysql_connections_opened_total", help: "Connections made to the database server.")
        let conflicts = metrics.counter(
            "almanac_mysql_retries_total", help: "Attempts repeated, by reason.", labels: [("reason", "conflict")])
        let losses = metrics.counter(
            "almanac_mysql_retries_total", help: "Attempts repeated, by reason.", labels: [("reason", "connection lost")])
        let readiness = Readiness()
        let lockTimeout = options.statementTimeout
        let onOpen: @Sendable (Connection) throws -> Void = { connection in
            opened.add()
            if readiness.isReady { return }
            let report = try MySQLSchema.migrate(connection, errors, lockTimeout: lockTimeout, repairs: readiness.hasMissed)
            if report.hasRepaired { logger.error("tables were missing in MySQL and were made again, empty: restore them from a back-up") }
            if report.versionBefore != report.version { logger.info("the tables in MySQL have version \(report.version) now") }
            if try connection.integer("SELECT @@innodb_flush_log_at_trx_commit") != 1 {
                logger.warning("the server's innodb_flush_log_at_trx_commit is not 1: a power cut there may lose what was acknowledged")
            }
            readiness.set()
        }
        let onRetry: @Sendable (MySQLFailure) -> Void = { failure in
            (failure.isContention ? conflicts : losses).add()
            if failure.isMissingTable { readiness.miss() }
            logger.debug("MySQL: trying again after: \(failure.message)")
        }
        readers = try ConnectionPool(options, .reader, count: options.readerConnections, onOpen: onOpen, onRetry: onRetry)
        writers = try ConnectionPool(options, .writer, count: options.writerConnections, onOpen: onOpen, onRetry: onRetry)
    }

    /// Whether this process has seen the tables.
    private final class Readiness: Sendable {
        private struct State {
            var isReady = false
            var hasMissed = false
        }

        private let state = Mutex(State())
        var isReady: Bool { state.withLock { $0.isReady } }
        /// A table that had been there was missed.
        var hasMissed: Bool { state.withLock { $0.hasMissed } }
        func set() { state.withLock { $0 = State(isReady: true) } }
        func miss() { state.withLock { $0 = State(hasMissed: true) } }
    }

    package func write(_ batch: StoreBatch) async throws {
        if batch.isEmpty { return }
        do {
            let (new, epoch) = try await writers.transaction { [self] connection in try write(batch, connection) }
            if !new.isEmpty { index.withLock { $0.remember(new, epoch: epoch) } }
        } catch {
            if let failure = error as? StorageError { lastFailure.withLock { $0 = failure } }
            throw error
        }
        lastFailure.withLock { $0 = nil }
    }

    /// The numbers of series that were not known, and the epoch they hold for.
    private func write(_ batch: StoreBatch, _ connection: Connection) throws -> ([Fingerprint: Int64], Int64) {
        // Until the commit no series is removed, so that the numbers stay good.
        let epoch = try connection.integer("SELECT `value` FROM `almanac_state` WHERE `name` = 'series_epoch' LOCK IN SHARE MODE") ?? 0
        let sightings = Sighting.all(batch)
        let resolver = SeriesResolver(connection: connection, rows: options.arrayRows, errors: errors)
        let (numbers, new) = try resolver.numbers(sightings, known: index.withLock { $0 }, epoch: epoch)
        try resolver.see(sightings, numbers)
        try BatchWriter(connection: connection, options: options, errors: errors, numbers: numbers).write(batch)
        return (new, epoch)
    }

    /// Runs a read that sees one committed state.
    func read<T: Sendable>(_ body: @escaping @Sendable (Connection) throws -> T) async throws -> T {
        try await readers.transaction(body)
    }

    /// The server must answer and have the tables, and the last write must not have failed.
    package func checkHealth() async throws {
        try await readers.run { connection in _ = try connection.integer("SELECT 1 FROM `series` LIMIT 1") }
        if let failure = lastFailure.withLock({ $0 }) { throw failure }
    }

    package func close() async {
        await writers.close()
        await readers.close()
    }
}
