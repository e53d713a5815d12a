import Foundation
import Testing

@testable import CassandraClient

/// Against a Cassandra that is given: ALMANAC_TEST_CASSANDRA=host:port, and ALMANAC_TEST_CASSANDRA_USER and _PASSWORD where it asks for them.
enum RealNode {
    static let address = ProcessInfo.processInfo.environment["ALMANAC_TEST_CASSANDRA"].flatMap { NodeAddress($0) }

    static var options: CassandraOptions {
        var options = CassandraOptions(contactPoints: address.map { [$0] } ?? [])
        let environment = ProcessInfo.processInfo.environment
        if let user = environment["ALMANAC_TEST_CASSANDRA_USER"] {
            options.credentials = Credentials(user: user, password: environment["ALMANAC_TEST_CASSANDRA_PASSWORD"] ?? "")
        }
        return options
    }
}

extension Trait where Self == ConditionTrait {
    static var needsCassandra: ConditionTrait {
        .enabled(if: RealNode.address != nil, "no Cassandra is given: set ALMANAC_TEST_CASSANDRA=host:port to run these")
    }
}

@Suite(.needsCassandra, .serialized, .timeLimit(.minutes(5))) struct RealNodeTests {
    private static let keyspace = "almanac_client_test"

    private func withSession(_ adjust: (inout CassandraOptions) -> Void = { _ in }, _ body: (CassandraSession) async throws -> Void)
        async throws
    {
        var options = RealNode.options
        adjust(&options)
        let session = try await CassandraSession.open(options)
        try await session.query(
            "CREATE KEYSPACE IF NOT EXISTS \(Self.keyspace) WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        do { try await body(session) } catch {
            await session.close()
            throw error
        }
        await session.close()
    }

    @Test(arguments: ProtocolVersion.allCases) func rowsComeBack(_ version: ProtocolVersion) async throws {
        try await withSession({ $0.version = version }) { session in
            let table = "\(Self.keyspace).rows_\(version.rawValue)"
            try await session.query("DROP TABLE IF EXISTS \(table)")
            try await session.query(
                """
                CREATE TABLE \(table) (id bigint, day int, t timestamp, d double, s text, b blob, u uuid, l list<int>, m map<text, bigint>,
                PRIMARY KEY ((id, day), t))
                """)
            let insert = try await session.prepare("INSERT INTO \(table) (id, day, t, d, s, b, u, l, m) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
            #expect(insert.partitionKey == [0, 1])
            for i in 0..<100 {
                let values: BoundValues = [
                    .bigint(7), .int(3), .timestamp(Int64(i)), .double(Double(i) / 3), .text("Größe \(i)"), .blob([1, 2, 3]),
                    .uuid(CQLUUID(high: 1, low: 2)), .list([.int(1), .int(2)]), .map([CQLValue.Entry(.text("k"), .bigint(5))]),
                ]
                try await session.execute(insert, values, .idempotent)
            }
            let select = try await session.prepare("SELECT t, d, s, b, u, l, m FROM \(table) WHERE id = ? AND day = ?")
            var options = RequestOptions.idempotent
            options.pageSize = 30
            var rows: [[CQLValue]] = []
            var pages = 0
            for try await page in session.pages(select, [.bigint(7), .int(3)], options) {
                rows += try page.values()
                pages += 1
            }
            #expect(pages >= 4)
            #expect(rows.count == 100)
            #expect(rows.last?[2] == .text("Größe 99"))
            #expect(rows.last?[5] == .list([.int(1), .int(2)]))
            #expect(rows.last?[6] == .map([CQLValue.Entry(.text("k"), .bigint(5))]))
            // The columns change under a prepared statement.
            let all = try await session.prepare("SELECT * FROM \(table) WHERE id = ? AND day = ?")
            #expect(try await session.execute(all, [.bigint(7), .int(3)], .idempotent).columns.count == 9)
            try await session.query("ALTER TABLE \(table) ADD extra int")
            #expect(try await session.execute(all, [.bigint(7), .int(3)], .idempotent).columns.count == 10)
        }
    }

    @Test func tokensAreTheNodes() async throws {
        try await withSession { session in
            try await session.query("CREATE TABLE IF NOT EXISTS \(Self.keyspace).tokens (a text, b bigint, PRIMARY KEY ((a, b)))")
            let insert = try await session.prepare("INSERT INTO \(Self.keyspace).tokens (a, b) VALUES (?, ?)")
            let select = try await session.prepare("SELECT token(a, b) FROM \(Self.keyspace).tokens WHERE a = ? AND b = ?")
            for i in 0..<50 {
                let values: BoundValues = [.text("schlüssel \(i)"), .bigint(Int64(i) * -77)]
                try await session.execute(insert, values, .idempotent)
                let row = try await session.execute(select, values, .idempotent).values().first
                let token = try #require(insert.token(values))
                #expect(row == [.bigint(token.value)])
            }
        }
    }

    @Test func batchesConditionsAndTimestamps() async throws {
        try await withSession { session in
            let table = "\(Self.keyspace).facts"
            try await session.query("DROP TABLE IF EXISTS \(table)")
            try await session.query("CREATE TABLE \(table) (k bigint, c int, v double, PRIMARY KEY (k, c))")
            let insert = try await session.prepare("INSERT INTO \(table) (k, c, v) VALUES (?, ?, ?) USING TIMESTAMP ?")
            for (revision, value) in [(Int64(5), 5.0), (3, 3.0), (9, 9.0), (7, 7.0)] {
                var batch = Batch(.unlogged)
                for c in 0..<10 { batch.add(insert, [.bigint(1), .int(Int32(c)), .double(value), .bigint(revision)]) }
                try await session.execute(batch, .idempotent)
            }
            let select = try await session.prepare("SELECT v FROM \(table) WHERE k = ?")
            let rows = try await session.execute(select, [.bigint(1)]).values()
            #expect(rows == Array(repeating: [.double(9)], count: 10))
            let first = try await session.query("INSERT INTO \(table) (k, c, v) VALUES (2, 0, 1) IF NOT EXISTS").values()
            let second = try await session.query("INSERT INTO \(table) (k, c, v) VALUES (2, 0, 1) IF NOT EXISTS").values()
            #expect(first.first?.first == .boolean(true))
            #expect(second.first?.first == .boolean(false))
        }
    }

    @Test func errorsAreTheServers() async throws {
        try await withSession { session in
            func code(_ text: String) async -> ServerError.Code? {
                do { try await session.query(text) } catch { return error.serverError?.code }
                return nil
            }
            #expect(await code("SELEC 1") == .syntaxError)
            #expect(await code("SELECT * FROM \(Self.keyspace).nothing") == .invalid)
            let replication = "WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
            #expect(await code("CREATE KEYSPACE \(Self.keyspace) \(replication)") == .alreadyExists)
        }
    }
}
