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

    /// Makes the keyspace and the tables where they are missing. Throws `StorageError`.
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
                try await migrate(session, options, logger)
            } catch {
                await session.close()
                throw error
            }
            await session.close()
        }
    }

    /// Brings the tables to this program's version; refuses newer ones. Of several processes one does it at a time.
    static func migrate(_ session: CassandraSession, _ options: CassandraStoreOptions, _ logger: Logger) async throws {
        let keyspace = options.keyspace
        var found = try await applied(session, keyspace)
        if found == version { return }
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
            for (i, steps) in migrations(keyspace).enumerated() where i >= found {
                for step in steps { try await run(step, session, keyspace) }
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
                "INSERT INTO \(keyspace).almanac_locks (name, owner) VALUES ('migration', ?) IF NOT EXISTS USING TTL 60", [.text(owner)])
            var reader = rows.reader()
            if try reader.next(), try reader.bool(0) == true { return }
            try await Task.sleep(for: .milliseconds(500))
        }
        throw StorageError(.unavailable, "another process has been changing the tables in Cassandra for more than a minute")
    }

    func release() async throws {
        try await session.query("DELETE FROM \(keyspace).almanac_locks WHERE name = 'migration' IF owner = ?", [.text(owner)])
    }
}
