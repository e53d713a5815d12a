import TestSupport
import Testing

@testable import CassandraClient
@testable import CassandraScript

/// Sessions and statements, over real TCP with nodes of the tests' own.
@Suite(.timeLimit(.minutes(1))) struct SessionTests {
    // MARK: Opening

    @Test(arguments: [Set<UInt8>([4]), [4, 5], [5]]) func negotiates(_ versions: Set<UInt8>) async throws {
        let node = try await startedNode { $0.versions = versions }
        try await withSession(node) { session in
            #expect(session.version.rawValue == versions.max())
            let statement = try await session.prepare(SessionStatements.insert)
            try await session.execute(statement, [.bigint(1), .double(2)])
            #expect(node.executed.map(\.values) == [[[0, 0, 0, 0, 0, 0, 0, 1], [0x40, 0, 0, 0, 0, 0, 0, 0]]])
        }
    }

    @Test func aVersionThatIsTooOldIsSaid() async throws {
        let node = try await startedNode { $0.versions = [3] }
        let error = await failure { _ = try await CassandraSession.open(sessionOptions(node)) }
        #expect(error?.message.contains("does not speak version 4") == true)
        await node.stop()
    }

    @Test(arguments: [Set<UInt8>([4]), [5]]) func authenticates(_ versions: Set<UInt8>) async throws {
        let node = try await startedNode {
            $0.password = "s3cret"
            $0.versions = versions
        }
        try await withSession(node, { $0.credentials = Credentials(user: "almanac", password: "s3cret") }) { session in
            try await session.query("SELECT 1")
            var wrong = session.options
            wrong.credentials = Credentials(user: "almanac", password: "wr0ng")
            let refused = await failure { _ = try await CassandraSession.open(wrong) }
            #expect(refused?.code == .authentication)
            #expect(refused?.message.contains("wr0ng") == false)
            wrong.credentials = nil
            #expect(await failure { _ = try await CassandraSession.open(wrong) }?.code == .authentication)
        }
    }

    @Test func noNode() async throws {
        let node = try await startedNode()
        let address = node.address
        await node.stop()
        var options = CassandraOptions(contactPoints: [address])
        options.connectTimeout = 300
        #expect(await failure { _ = try await CassandraSession.open(options) }?.code == .noNodeAvailable)
        options.contactPoints = []
        #expect(await failure { _ = try await CassandraSession.open(options) }?.code == .usage)
    }

    @Test func aSilentNodeIsNotWaitedForForLong() async throws {
        let node = try await startedNode { $0.isMute = true }
        let error = await failure { _ = try await CassandraSession.open(sessionOptions(node)) }
        #expect(error?.message.contains("did not answer in time") == true)
        await node.stop()
    }

    @Test func theSecondContactPointIsTriedToo() async throws {
        let dead = try await startedNode()
        let alive = try await startedNode()
        await dead.stop()
        let session = try await CassandraSession.open(sessionOptions(dead, alive))
        try await session.query("SELECT 1")
        await session.close()
        await alive.stop()
    }

    // MARK: Statements

    @Test func rowsAndPages() async throws {
        let node = try await startedNode {
            $0.answer = { asked in
                guard case .execute(let statement) = asked else { return .void }
                let page = statement.pagingState?.first ?? 0
                let rows: [[CQLValue]] = [[.double(Double(page))], [.null]]
                return .rows(Reply.rows([("v", 7)], rows, pagingState: page < 3 ? [page + 1] : nil))
            }
        }
        try await withSession(node) { session in
            let select = try await session.prepare(SessionStatements.select)
            var seen: [[CQLValue]] = []
            for try await page in session.pages(select, [.bigint(4)]) { seen += try page.values() }
            #expect(seen.count == 8)
            #expect(seen.filter { $0 == [.null] }.count == 4)
            #expect(seen.compactMap { if case .double(let value) = $0[0] { value } else { nil } } == [0, 1, 2, 3])
            #expect(node.executed.map(\.skipsMetadata) == [true, true, true, true], "v5 need not repeat the columns")
        }
    }

    @Test func aForgottenStatementIsPreparedAgain() async throws {
        let node = try await startedNode()
        try await withSession(node) { session in
            let statement = try await session.prepare(SessionStatements.insert)
            try await session.execute(statement, [.bigint(1), .double(2)])
            #expect(node.preparations == 1)
            node.forget()
            try await session.execute(statement, [.bigint(1), .double(2)])
            #expect(node.preparations == 2)
            node.forget()
            var batch = Batch(.unlogged)
            for i in 0..<5 { batch.add(statement, [.bigint(1), .double(Double(i))]) }
            try await session.execute(batch)
            #expect(node.preparations == 3)
            #expect(node.batches.map(\.count) == [5])
        }
    }

    @Test func manyPrepareOnce() async throws {
        let node = try await startedNode()
        try await withSession(node) { session in
            let statement = try await session.prepare(SessionStatements.insert)
            node.forget()
            await withThrowingTaskGroup(of: Void.self) { group in
                for i in 0..<200 { group.addTask { try await session.execute(statement, [.bigint(Int64(i)), .double(2)]) } }
            }
            #expect(node.executed.count == 200)
            #expect(node.preparations < 10)
        }
    }

    @Test func usageIsChecked() async throws {
        let node = try await startedNode()
        try await withSession(node, { $0.maximumStatements = 1 }) { session in
            let statement = try await session.prepare(SessionStatements.insert)
            #expect(await failure { try await session.execute(statement, [.bigint(1)]) }?.code == .usage)
            #expect(await failure { _ = try await session.prepare(SessionStatements.select) }?.code == .usage)
            #expect(await failure { _ = try await session.prepare("NONSENSE") }?.serverError?.code == .syntaxError)
        }
    }
}
