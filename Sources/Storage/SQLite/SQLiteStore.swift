import Foundation
import GRDB
import Records
import Synchronization
import TimeSeries

/// The default store: one SQLite file in WAL mode with `synchronous=FULL`, one writer, several readers.
///
/// Writes go through one queue, one transaction each; reads see the last committed state and never wait for writes. The tables are
/// described in docs/formats/sqlite.md.
package final class SQLiteStore: ResultStore {
    package let options: SQLiteStoreOptions
    let pool: DatabasePool
    let errors: SQLiteErrors
    /// Taken by the transaction under way and put back once it has committed, so that one that fails leaves nothing of itself.
    private let index: Mutex<SeriesIndex>
    /// Why the last write failed, until one succeeds.
    private let lastFailure = Mutex<StorageError?>(nil)
    private let file: FileIdentity?

    /// Opens the file, or makes it, and brings its schema up to date.
    ///
    /// Throws `StorageError`: `unavailable` where the file cannot be opened or written, `corrupt` where it is damaged or no database,
    /// `schema` where a newer program wrote it, `usage` where it is another program's database. None of these changes the file.
    package init(_ options: SQLiteStoreOptions) throws {
        self.options = options
        errors = SQLiteErrors(path: options.path)
        index = Mutex(SeriesIndex(limit: options.seriesCacheLimit))
        do {
            if !options.isReadOnly { try SQLiteStore.makeDirectory(of: options.path) }
            pool = try DatabasePool(path: options.path, configuration: SQLiteStore.configuration(options, errors))
            try options.isReadOnly ? SQLiteStore.check(pool, errors) : SQLiteStore.prepare(pool, errors)
        } catch {
            throw errors.translated(error)
        }
        file = FileIdentity(path: options.path)
    }

    private static func makeDirectory(of path: String) throws {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        } catch {
            throw StorageError(
                .unavailable, "the directory \(directory) for the database cannot be made: \(error.localizedDescription). Check the path")
        }
    }

    private static func configuration(_ options: SQLiteStoreOptions, _ errors: SQLiteErrors) -> Configuration {
        var configuration = Configuration()
        configuration.label = "almanac.store"
        configuration.readonly = options.isReadOnly
        configuration.foreignKeysEnabled = false
        configuration.busyMode = .timeout(options.busyTimeout)
        configuration.maximumReaderCount = max(1, options.maximumReaders)
        let cacheKilobytes = max(64, options.cacheBytes / 1024)
        configuration.prepareDatabase { db in
            if db.configuration.readonly {
                try db.execute(sql: "PRAGMA cache_size = -\(max(64, cacheKilobytes / 4))")
                return
            }
            try db.execute(sql: "PRAGMA cache_size = -\(cacheKilobytes)")
            try claim(db, errors)
        }
        return configuration
    }

    /// Marks a new file as ours, and refuses another program's before anything in it changes. Both pragmas work only before
    /// the first table is made.
    private static func claim(_ db: Database, _ errors: SQLiteErrors) throws {
        if try Int.fetchOne(db, sql: "PRAGMA page_count") == 0 {
            try db.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
            try db.execute(sql: "PRAGMA application_id = \(SQLiteSchema.applicationID)")
        } else if try Int32.fetchOne(db, sql: "PRAGMA application_id") != SQLiteSchema.applicationID {
            throw errors.foreign()
        }
    }

    /// That a file which is only read has the tables of this program as they are now.
    private static func check(_ pool: DatabasePool, _ errors: SQLiteErrors) throws {
        let migrator = SQLiteSchema.migrator
        try pool.read { db in
            if try Int32.fetchOne(db, sql: "PRAGMA application_id") != SQLiteSchema.applicationID { throw errors.foreign() }
            if try migrator.hasBeenSuperseded(db) { throw errors.newer(migrator.migrations.last ?? "none") }
            if try !migrator.hasCompletedMigrations(db) { throw errors.older() }
        }
    }

    private static func prepare(_ pool: DatabasePool, _ errors: SQLiteErrors) throws {
        let migrator = SQLiteSchema.migrator
        try pool.writeWithoutTransaction { db in
            // GRDB sets NORMAL when it turns WAL on: a commit would not outlive a power cut.
            try db.execute(sql: "PRAGMA synchronous = FULL")
            try db.execute(sql: "PRAGMA wal_autocheckpoint = 4000")
            try db.execute(sql: "PRAGMA journal_size_limit = 67108864")
            if try migrator.hasBeenSuperseded(db) { throw errors.newer(migrator.migrations.last ?? "none") }
        }
        try migrator.migrate(pool)
    }

    package func write(_ batch: StoreBatch) async throws {
        if batch.isEmpty { return }
        let policy = options.history
        try await transaction { db, index in
            let ids = try index.resolve(batch, in: db)
            try BatchWriter(db: db, policy: policy, ids: ids).write(batch)
        }
        lastFailure.withLock { $0 = nil }
    }

    /// Runs a transaction on the writer.
    func transaction<T: Sendable>(_ body: @escaping @Sendable (Database, inout SeriesIndex) throws -> T) async throws -> T {
        do {
            let value = try await pool.writeWithoutTransaction { [self] db in
                var working = takeIndex()
                var value: T?
                try db.inTransaction(.immediate) {
                    value = try body(db, &working)
                    return .commit
                }
                putBack(working)
                return value
            }
            guard let value else { throw StorageError(.unavailable, "the transaction on \(options.path) was given up") }
            return value
        } catch {
            throw noted(error)
        }
    }

    private func takeIndex() -> SeriesIndex {
        index.withLock { kept in
            let taken = kept
            kept = SeriesIndex(limit: options.seriesCacheLimit)
            return taken
        }
    }

    private func putBack(_ working: SeriesIndex) { index.withLock { $0 = working } }

    /// Runs a read on one of the readers; it sees one committed state.
    func read<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws -> T {
        do { return try await pool.read(body) } catch { throw errors.translated(error) }
    }

    private func noted(_ error: any Error) -> any Error {
        let translated = errors.translated(error)
        if let failure = translated as? StorageError { lastFailure.withLock { $0 = failure } }
        return translated
    }

    /// Besides answering, the file must still be the one that was opened, and the last write must not have failed.
    package func checkHealth() async throws {
        if FileIdentity(path: options.path) != file {
            throw StorageError(.unavailable, "the database file \(options.path) was moved or deleted while it is open; start again")
        }
        _ = try await read { db in try Int.fetchOne(db, sql: "SELECT 1 FROM series LIMIT 1") }
        if let failure = lastFailure.withLock({ $0 }) { throw failure }
    }

    /// Moves the write-ahead log into the file and closes it.
    package func close() async {
        _ = try? await pool.writeWithoutTransaction { db in try db.checkpoint(.truncate) }
        try? pool.close()
    }
}

/// Tells whether a path still names the same file.
private struct FileIdentity: Sendable, Equatable {
    let device: UInt64
    let inode: UInt64

    init?(path: String) {
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
            let device = attributes[.systemNumber] as? NSNumber, let inode = attributes[.systemFileNumber] as? NSNumber
        else { return nil }
        self.device = device.uint64Value
        self.inode = inode.uint64Value
    }
}
