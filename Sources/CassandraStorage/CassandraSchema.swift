import CassandraClient
import Logging
import Storage

/// Makes and migrates the tables. Versions are rows of `almanac_schema`; a migration is never edited once released, none drops data, and
/// each statement may run twice.
package enum CassandraSchema {
    /// One change.
    enum Step: Sendable {
        case statement(String)
        /// A column added to a table that is in use; nothing if it is there.
        case addColumn(table: String, name: String, type: String)
    }

    static func migrations(_ keyspace: String) -> [[Step]] { [version1(keyspace), version2] }
    package static let version = 2

    private static func version1(_ keyspace: String) -> [Step] {
        (CassandraTables.series(keyspace) + CassandraTables.all.flatMap { [$0.createType(keyspace), $0.createTable(keyspace)] })
            .map { .statement($0) }
    }

    /// The metric's name beside the labels, for people who look in.
    private static let version2: [Step] = [.addColumn(table: "series", name: "name", type: "text")]

    /// Makes the keyspace and the tables where they are missing, also single ones. Throws `StorageError`.
    package static func install(_ options: CassandraStoreOptions, logger: Logger = Logger(label: "cassandra")) async throws {
        try options.check()
        let errors = CassandraErrors(options)
        try await errors.translating {
            let session = try await CassandraSession.open(options.client, logger: logger)
            do {
                try await session.query(
                    """
                    CREATE KEYSPACE IF NOT EXISTS \(options.keyspace) WITH replication = \(options.replication.text) \
                    AND durable_writes = \(options.durableWrites)
                    """)
                try await migrate(session, options, logger, remakes: true)
            } catch {
                await session.close()
                throw error
            }
            await session.close()
        }
    }

    /// Brings the tables to this program's version; refuses newer ones. Of several processes one does it at a time.
    /// - Parameter remakes: tables of that version that were dropped are made again, empty.
    static func migrate(
        _ session: CassandraSession, _ options: CassandraStoreOptions, _ logger: Logger, remakes: Bool = false
    ) async throws {
        let keyspace = options.keyspace
        var found = try await applied(session, keyspace)
        let gone = remakes && found == version ? try await missing(session, keyspace) : []
        if !gone.isEmpty { logger.error("\(gone.joined(separator: ", ")) in \(keyspace) had been dropped and is made again, empty") }
        if found == version && gone.isEmpty { return }
        if found > version {
            throw StorageError(
                .schema,
                "the tables in keyspace \(keyspace) were made by a newer version (\(found), this program knows \(version)): update Almanac")
        }
        try await session.query("CREATE TABLE IF NOT EXISTS \(keyspace).almanac_locks (name text PRIMARY KEY, owner text)")
        try await session.query(
            "CREATE TABLE IF NOT EXISTS \(keyspace).almanac_schema (id int, version int, applied timestamp, PRIMARY KEY (id, version))")
        let lock = MigrationLock(session: session, keyspace: keyspace)
        try await lock.take()
        do {
            found = try await applied(session, keyspace)
            for (i, steps) in migrations(keyspace).enumerated() where i >= found || !gone.isEmpty {
                for step in steps {
                    try await lock.renew()
                    try await run(step, session, keyspace)
                }
                try await lock.renew()
                try await session.query(
                    "INSERT INTO \(keyspace).almanac_schema (id, version, applied) VALUES (0, ?, toTimestamp(now()))", [.int(Int32(i + 1))],
                    .idempotent)
                logger.info("the tables in Cassandra have version \(i + 1) now")
            }
        } catch {
            try? await lock.release()
            throw error
        }
        try await lock.release()
    }

    /// 0 where there are no tables. Throws `unavailable` where there is no keyspace: `init` may run after the roles.
    private static func applied(_ session: CassandraSession, _ keyspace: String) async throws -> Int {
        let tables = try await session.query(
            "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?",
            [.text(keyspace), .text("almanac_schema")], .idempotent)
        if tables.count == 0 {
            let spaces = try await session.query(
                "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?", [.text(keyspace)], .idempotent)
            if spaces.count == 0 { throw StorageError(.unavailable, "the keyspace \(keyspace) does not exist: run `almanac init`") }
            return 0
        }
        let rows = try await session.query("SELECT version FROM \(keyspace).almanac_schema WHERE id = 0", [], .idempotent)
        var version = 0
        var reader = rows.reader()
        while try reader.next() { version = max(version, Int(try reader.int32(0) ?? 0)) }
        return version
    }

    /// Tables that all versions up to this one make together, and that are not there.
    private static func missing(_ session: CassandraSession, _ keyspace: String) async throws -> [String] {
        let rows = try await session.query(
            "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?", [.text(keyspace)], .idempotent)
        var wanted = Set(CassandraTables.all.map(\.name) + ["series", "epochs"])
        var reader = rows.reader()
        while try reader.next() { wanted.remove(try reader.text(0) ?? "") }
        return wanted.sorted()
    }

    private static func run(_ step: Step, _ session: CassandraSession, _ keyspace: String) async throws {
        switch step {
        case .statement(let text): try await session.query(text)
        case .addColumn(let table, let name, let type):
            let found = try await session.query(
                "SELECT column_name FROM system_schema.columns WHERE keyspace_name = ? AND table_name = ? AND column_name = ?",
                [.text(keyspace), .text(table), .text(name)], .idempotent)
            if found.count == 0 { try await session.query("ALTER TABLE \(keyspace).\(table) ADD \(name) \(type)") }
        }
    }
}

/// Held by whoever migrates; ends by itself when its holder dies.
private struct MigrationLock {
    /// Seconds; far longer than a step, also one that waits for nodes to agree.
    private static let life = 60

    let session: CassandraSession
    let keyspace: String
    private let owner = "\(UInt64.random(in: 0...(.max)))"

    init(session: CassandraSession, keyspace: String) {
        self.session = session
        self.keyspace = keyspace
    }

    func take() async throws {
        for _ in 0..<150 {
            let rows = try await session.query(
                "INSERT INTO \(keyspace).almanac_locks (name, owner) VALUES ('migration', ?) IF NOT EXISTS USING TTL \(MigrationLock.life)",
                [.text(owner)])
            var reader = rows.reader()
            if try reader.next(), try reader.bool(0) == true { return }
            try await Task.sleep(for: .milliseconds(500))
        }
        throw StorageError(.unavailable, "another process has been changing the tables in Cassandra for more than a minute")
    }

    /// To be called before each step. It may be sent again: for the owner the condition holds as before.
    func renew() async throws {
        let rows = try await session.query(
            "UPDATE \(keyspace).almanac_locks USING TTL \(MigrationLock.life) SET owner = ? WHERE name = 'migration' IF owner = ?",
            [.text(owner), .text(owner)], .idempotent)
        var reader = rows.reader()
        if try reader.next(), try reader.bool(0) == true { return }
        throw StorageError(
            .unavailable, "changing the tables in Cassandra took so long that its lock ended; another process may be at it, try again")
    }

    func release() async throws {
        try await session.query("DELETE FROM \(keyspace).almanac_locks WHERE name = 'migration' IF owner = ?", [.text(owner)])
    }
}
