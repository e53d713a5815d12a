import Records
import Storage
import StorageContract
import Synchronization
import TestSupport
import Testing
import TimeSeries

@testable import MySQLStorage

/// Starts one server before a suite and ends it after.
struct MariaDBTrait: SuiteTrait, TestScoping {
    var settings: [String] = []

    func provideScope(for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void) async throws {
        guard MariaDBServer.isInstalled else { return try await function() }
        let server = try MariaDBServer(settings: settings)
        try await server.start()
        defer { server.kill() }
        try await MariaDBTrait.$server.withValue(server) { try await function() }
    }

    @TaskLocal static var server: MariaDBServer?

    static func current() throws -> MariaDBServer { try #require(server, "the suite has no server") }
}

extension Trait where Self == MariaDBTrait {
    static var mariaDB: MariaDBTrait { MariaDBTrait() }
    static func mariaDB(_ settings: String...) -> MariaDBTrait { MariaDBTrait(settings: settings) }
}

extension Trait where Self == ConditionTrait {
    static var needsMariaDB: ConditionTrait { .enabled(if: MariaDBServer.isInstalled, "mariadb-server is not installed") }
}

/// Counts from any task.
final class Tally: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }

    @discardableResult
    func next() -> Int {
        count.withLock {
            $0 += 1
            return $0
        }
    }
}

private let databases = Tally()

/// A name that no other test has.
func newDatabase() -> String { "almanac_\(databases.next())" }

extension MySQLOptions {
    /// Over TCP, with short waits.
    init(_ server: MariaDBServer, database: String = newDatabase()) {
        self.init()
        port = server.port
        user = MariaDBServer.user
        password = MySQLPassword(MariaDBServer.password)
        self.database = database
        connectTimeout = 5
    }
}

/// A database that is made on the first opening.
final class MySQLBackend: StoreBackend {
    let options: MySQLOptions
    private let isMade = Mutex(false)

    init(_ options: MySQLOptions) { self.options = options }

    func open() async throws -> any ResultStore { try await openStore() }

    func openStore() async throws -> MySQLStore {
        if !isMade.withLock({ $0 }) {
            _ = try await MySQLSchema.install(options)
            isMade.withLock { $0 = true }
        }
        return try MySQLStore(options)
    }
}

/// Opens a store on a database of its own, and closes it.
func withStore(
    _ server: MariaDBServer, _ adjust: (inout MySQLOptions) -> Void = { _ in }, _ body: (MySQLStore) async throws -> Void
) async throws {
    var options = MySQLOptions(server)
    adjust(&options)
    let store = try await MySQLBackend(options).openStore()
    do { try await body(store) } catch {
        await store.close()
        throw error
    }
    await store.close()
}

/// One result for each series.
func aBatch(_ keys: [SeriesKey], at time: Milliseconds, value: Double = 1) -> StoreBatch {
    StoreBatch(windows: keys.map { windows($0, at: time, value: value) })
}

/// The error that `body` throws, which must be one of a store.
func storageError(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
) async throws -> StorageError {
    let error = await #expect(throws: StorageError.self, sourceLocation: sourceLocation) { try await body() }
    let found = try #require(error, sourceLocation: sourceLocation)
    #expect(!found.message.contains("s3cret"), "the password is shown: \(found.message)", sourceLocation: sourceLocation)
    return found
}
