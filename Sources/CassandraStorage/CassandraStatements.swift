import CassandraClient

/// What the store has prepared on a session.
struct CassandraStatements: Sendable {
    /// By the table's name.
    let inserts: [String: PreparedStatement]
    let seriesLabels: PreparedStatement
    let seriesFirst: PreparedStatement
    let seriesSeen: PreparedStatement
    let dropCheckpoints: PreparedStatement
    private let session: CassandraSession
    private let keyspace: String

    init(_ session: CassandraSession, _ keyspace: String) async throws {
        self.session = session
        self.keyspace = keyspace
        var inserts: [String: PreparedStatement] = [:]
        for table in CassandraTables.all { inserts[table.name] = try await session.prepare(table.insert(keyspace)) }
        self.inserts = inserts
        func series(_ columns: String...) async throws -> PreparedStatement {
            let names = (["bucket", "id"] + columns).joined(separator: ", ")
            let markers = Array(repeating: "?", count: columns.count + 2).joined(separator: ", ")
            return try await session.prepare("INSERT INTO \(keyspace).series (\(names)) VALUES (\(markers)) USING TIMESTAMP ? AND TTL ?")
        }
        seriesLabels = try await series("labels", "name")
        seriesFirst = try await series("first_ms")
        seriesSeen = try await series("seen")
        dropCheckpoints = try await session.prepare("DELETE FROM \(keyspace).checkpoints USING TIMESTAMP ? WHERE name = ? AND revision < ?")
    }

    /// A read of one partition; prepared the first time.
    func select(_ table: CassandraTable, _ more: String = "") async throws -> PreparedStatement {
        try await session.prepare(table.select(keyspace, more))
    }

    func prepare(_ text: (String) -> String) async throws -> PreparedStatement { try await session.prepare(text(keyspace)) }
}
