import NIOCore
import Synchronization
import Telemetry
import Testing

@testable import CassandraClient
@testable import CassandraScript

/// Over real TCP, with nodes of the tests' own.
@Suite(.timeLimit(.minutes(1))) struct SessionTests {
    private static let insert = "INSERT INTO k.t (id, v) VALUES (?, ?)"
    private static let select = "SELECT v FROM k.t WHERE id = ?"

    static let markers: @Sendable (String) -> ScriptedNode.Markers = { text in
        if text == insert { return ScriptedNode.Markers(names: [("id", 2), ("v", 7)], partitionKey: [0]) }
        if text == select { return ScriptedNode.Markers(names: [("id", 2)], partitionKey: [0], resultColumns: [("v", 7)]) }
        return ScriptedNode.Markers(names: [], partitionKey: [])
    }

    private func options(_ nodes: ScriptedNode...) -> CassandraOptions {
        var options = CassandraOptions(contactPoints: nodes.map(\.address))
        options.connectTimeout = 1500
        options.attemptTimeout = 600
        options.requestTimeout = 5000
        options.reconnectFirst = 10
        options.reconnectLimit = 50
        options.refreshPause = 20
        options.tick = 10
        return options
    }

    private func node(_ adjust: (inout ScriptedNode.Script) -> Void = { _ in }) async throws -> ScriptedNode {
        var script = ScriptedNode.Script()
        script.markers = Self.markers
        adjust(&script)
        let node = ScriptedNode(ScriptedNode.Identity(), script)
        try await node.start()
        return node
    }

    private func withSession(
        _ node: ScriptedNode, _ adjust: (inout CassandraOptions) -> Void = { _ in }, metrics: MetricRegistry = MetricRegistry(),
        _ body: (CassandraSession) async throws -> Void
    ) async throws {
        var options = options(node)
        adjust(&options)
        let session = try await CassandraSession.open(options, metrics: metrics)
        do { try await body(session) } catch {
            await session.close()
            await node.stop()
            throw error
        }
        await session.close()
        await node.stop()
    }

    private func failure(_ body: () async throws -> Void) async -> CassandraError? {
        do { try await body() } catch { return error as? CassandraError }
        return nil
    }

    private func eventually(_ what: String, within milliseconds: Int = 4000, _ condition: () async -> Bool) async throws {
        for _ in 0..<(milliseconds / 10) {
            if await condition() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("did not come about: \(what)")
    }

    // MARK: Opening

    @Test(arguments: [Set<UInt8>([4]), [4, 5], [5]]) func negotiates(_ versions: Set<UInt8>) async throws {
        let node = try await node { $0.versions = versions }
        try await withSession(node) { session in
            #expect(session.version.rawValue == versions.max())
            let statement = try await session.prepare(Self.insert)
            try await session.execute(statement, [.bigint(1), .double(2)])
            #expect(node.executed.map(\.values) == [[[0, 0, 0, 0, 0, 0, 0, 1], [0x40, 0, 0, 0, 0, 0, 0, 0]]])
        }
    }

    @Test func aVersionThatIsTooOldIsSaid() async throws {
        let node = try await node { $0.versions = [3] }
        let error = await failure { _ = try await CassandraSession.open(options(node)) }
        #expect(error?.message.contains("does not speak version 4") == true)
        await node.stop()
    }

    @Test(arguments: [Set<UInt8>([4]), [5]]) func authenticates(_ versions: Set<UInt8>) async throws {
        let node = try await node {
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
        let node = try await node()
        let address = node.address
        await node.stop()
        var options = CassandraOptions(contactPoints: [address])
        options.connectTimeout = 300
        #expect(await failure { _ = try await CassandraSession.open(options) }?.code == .noNodeAvailable)
        options.contactPoints = []
        #expect(await failure { _ = try await CassandraSession.open(options) }?.code == .usage)
    }

    @Test func aSilentNodeIsNotWaitedForForLong() async throws {
        let node = try await node { $0.isMute = true }
        let error = await failure { _ = try await CassandraSession.open(options(node)) }
        #expect(error?.message.contains("did not answer in time") == true)
        await node.stop()
    }

    @Test func theSecondContactPointIsTriedToo() async throws {
        let dead = try await node()
        let alive = try await node()
        await dead.stop()
        let session = try await CassandraSession.open(options(dead, alive))
        try await session.query("SELECT 1")
        await session.close()
        await alive.stop()
    }

    // MARK: Statements

    @Test func rowsAndPages() async throws {
        let node = try await node {
            $0.answer = { asked in
                guard case .execute(let statement) = asked else { return .void }
                let page = statement.pagingState?.first ?? 0
                let rows: [[CQLValue]] = [[.double(Double(page))], [.null]]
                return .rows(Reply.rows([("v", 7)], rows, pagingState: page < 3 ? [page + 1] : nil))
            }
        }
        try await withSession(node) { session in
            let select = try await session.prepare(Self.select)
            var seen: [[CQLValue]] = []
            for try await page in session.pages(select, [.bigint(4)]) { seen += try page.values() }
            #expect(seen.count == 8)
            #expect(seen.filter { $0 == [.null] }.count == 4)
            #expect(seen.compactMap { if case .double(let value) = $0[0] { value } else { nil } } == [0, 1, 2, 3])
            #expect(node.executed.map(\.skipsMetadata) == [true, true, true, true], "v5 need not repeat the columns")
        }
    }

    @Test func aForgottenStatementIsPreparedAgain() async throws {
        let node = try await node()
        try await withSession(node) { session in
            let statement = try await session.prepare(Self.insert)
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
        let node = try await node()
        try await withSession(node) { session in
            let statement = try await session.prepare(Self.insert)
            node.forget()
            await withThrowingTaskGroup(of: Void.self) { group in
                for i in 0..<200 { group.addTask { try await session.execute(statement, [.bigint(Int64(i)), .double(2)]) } }
            }
            #expect(node.executed.count == 200)
            #expect(node.preparations < 10)
        }
    }

    @Test func usageIsChecked() async throws {
        let node = try await node()
        try await withSession(node, { $0.maximumStatements = 1 }) { session in
            let statement = try await session.prepare(Self.insert)
            #expect(await failure { try await session.execute(statement, [.bigint(1)]) }?.code == .usage)
            #expect(await failure { _ = try await session.prepare(Self.select) }?.code == .usage)
            #expect(await failure { _ = try await session.prepare("NONSENSE") }?.serverError?.code == .syntaxError)
        }
    }

    // MARK: Errors and retries

    /// Answers with these, one after the other, then with success.
    private func errors(_ answers: [ScriptedNode.Answer]) -> @Sendable (ScriptedNode.Asked) -> ScriptedNode.Answer {
        let left = Answers(answers)
        return { asked in
            switch asked {
            case .execute, .batch: left.next() ?? .void
            default: .void
            }
        }
    }

    private final class Answers: Sendable {
        private let left: Mutex<[ScriptedNode.Answer]>
        init(_ answers: [ScriptedNode.Answer]) { left = Mutex(answers) }
        func next() -> ScriptedNode.Answer? { left.withLock { $0.isEmpty ? nil : $0.removeFirst() } }
    }

    private static let writeTimeout = Reply.error(.writeTimeout) {
        $0.writeMultipleIntegers(UInt16(6), Int32(1), Int32(2))
        $0.writeImmutableBuffer(Reply.string("SIMPLE"))
    }

    @Test func whatMayBeSentTwiceIsSentAgain() async throws {
        let answers: [(String, ScriptedNode.Answer, harmless: Bool)] = [
            ("overloaded", .error(.overloaded), false), ("bootstrapping", .error(.bootstrapping), true),
            ("write timeout", .error(.writeTimeout, Self.writeTimeout), false), ("connection lost", .disconnect, false),
            ("timeout", .silence, false),
        ]
        for (reason, answer, harmless) in answers {
            for isIdempotent in [true, false] {
                let node = try await node { $0.answer = errors([answer]) }
                let metrics = MetricRegistry()
                // So that the second attempt finds a connection after the first was lost.
                try await withSession(node, { $0.connectionsPerNode = 2 }, metrics: metrics) { session in
                    let statement = try await session.prepare(Self.insert)
                    // Of the two and the one for events the handshake is over, too.
                    try await eventually("two connections") {
                        metrics.render().contains("almanac_cassandra_connections_opened_total 3\n")
                    }
                    var options = RequestOptions()
                    options.isIdempotent = isIdempotent
                    let error = await failure { try await session.execute(statement, [.bigint(1), .double(2)], options) }
                    #expect((error == nil) == (isIdempotent || harmless), "\(reason), idempotent \(isIdempotent): \(error?.message ?? "")")
                    if let error { #expect(error.hasUnknownOutcome, "\(reason)") }
                    #expect(
                        metrics.render().contains("almanac_cassandra_retries_total{reason=\"\(reason)\"} 1") == (error == nil),
                        "\(reason) \(isIdempotent)")
                    let timestamps = node.executed.map(\.timestamp)
                    #expect(timestamps.count == (error == nil ? 2 : 1))
                    #expect(Set(timestamps).count == 1, "both attempts bear one timestamp")
                }
            }
        }
    }

    @Test func attemptsEnd() async throws {
        let node = try await node { $0.answer = { if case .execute = $0 { .error(.overloaded) } else { .void } } }
        try await withSession(node) { session in
            let statement = try await session.prepare(Self.insert)
            let error = await failure { try await session.execute(statement, [.bigint(1), .double(2)], .idempotent) }
            #expect(error?.serverError?.code == .overloaded)
            #expect(node.executed.count == 3)
        }
    }

    @Test func aLateAnswerHarmsNobody() async throws {
        let node = try await node { $0.answer = errors([.afterwards(900, .error, Reply.error(.overloaded))]) }
        try await withSession(node) { session in
            let statement = try await session.prepare(Self.insert)
            #expect(await failure { try await session.execute(statement, [.bigint(1), .double(2)]) }?.code == .timeout)
            for i in 0..<50 {
                try await session.execute(statement, [.bigint(Int64(i)), .double(2)])
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(node.connections == 2, "control and one more: none was lost")
        }
    }

    @Test func framesThatMakeNoSense() async throws {
        let broken: [ScriptedNode.Answer] = [
            .onStream(999, .result, Reply.void), .bytes(ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\n")),
            .bytes(ByteBuffer(bytes: [0x84, 0, 0, 0, 8, 0x7F, 0xFF, 0xFF, 0xFF])),
            .frame(.result, ByteBuffer(bytes: [0, 0, 0, 2, 0, 0, 0, 1, 0x7F])), .frame(.result, ByteBuffer()),
            .frame(.error, ByteBuffer(bytes: [0, 0, 0x11])), .frame(.ready, ByteBuffer()),
            .frame(.result, ByteBuffer(bytes: [0, 0, 0, 99])),
        ]
        for answer in broken {
            let node = try await node {
                $0.answer = errors([answer])
                $0.versions = [4]
            }
            try await withSession(node) { session in
                let statement = try await session.prepare(Self.insert)
                let error = await failure { try await session.execute(statement, [.bigint(1), .double(2)]) }
                #expect(error?.code == .protocolViolation, "\(answer): \(error?.message ?? "no error")")
                try await eventually("connected again") { !session.connectedNodes.isEmpty }
                try await session.execute(statement, [.bigint(1), .double(2)])
            }
        }
    }

    @Test func aFullQueueIsRefused() async throws {
        let node = try await node { $0.answer = { if case .execute = $0 { .silence } else { .void } } }
        try await withSession(
            node,
            {
                $0.maximumStreams = 4
                $0.maximumQueue = 2
                $0.maximumAttempts = 1
            }
        ) { session in
            let statement = try await session.prepare(Self.insert)
            let codes = await withTaskGroup(of: CassandraError.Code?.self) { group in
                for i in 0..<10 {
                    group.addTask { await failure { try await session.execute(statement, [.bigint(Int64(i)), .double(2)]) }?.code }
                }
                return await group.reduce(into: [CassandraError.Code?]()) { $0.append($1) }
            }
            #expect(codes.filter { $0 == .busy }.count == 4)
            #expect(codes.filter { $0 == .timeout }.count == 6)
        }
    }

    @Test func cancelling() async throws {
        let node = try await node { $0.answer = { if case .execute = $0 { .silence } else { .void } } }
        try await withSession(node, { $0.attemptTimeout = 60_000 }) { session in
            let statement = try await session.prepare(Self.insert)
            let task = Task { await failure { try await session.execute(statement, [.bigint(1), .double(2)], .idempotent) }?.code }
            try await eventually("asked") { node.executed.count == 1 }
            task.cancel()
            #expect(await task.value == .cancelled)
        }
    }

    // MARK: Nodes that come and go

    @Test func aNodeGoesDownAndComesBack() async throws {
        let node = try await node()
        let metrics = MetricRegistry()
        try await withSession(node, metrics: metrics) { session in
            let statement = try await session.prepare(Self.insert)
            try await session.execute(statement, [.bigint(1), .double(2)])
            await node.stop()
            try await eventually("noticed") { session.connectedNodes.isEmpty }
            #expect(
                await failure { try await session.execute(statement, [.bigint(1), .double(2)], .idempotent) }?.code == .noNodeAvailable)
            node.forget()
            try await node.start()
            try await eventually("connected again") { !session.connectedNodes.isEmpty }
            try await session.execute(statement, [.bigint(1), .double(2)])
            #expect(metrics.render().contains("almanac_cassandra_connections_lost_total 1"))
        }
    }

    @Test func silenceIsFoundOutByTheHeartbeat() async throws {
        let node = try await node()
        try await withSession(
            node,
            {
                $0.heartbeatInterval = 50
                $0.heartbeatTimeout = 1000
            }
        ) { session in
            try await Task.sleep(for: .milliseconds(300))
            #expect(node.connections == 2, "answered heartbeats end nothing")
            node.change { $0.isMute = true }
            try await eventually("given up") { session.connectedNodes.isEmpty }
            node.change { $0.isMute = false }
            try await eventually("connected again") { !session.connectedNodes.isEmpty }
        }
    }

    /// Three nodes on three addresses; keys go to the nodes that hold them.
    @Test(arguments: [true, false]) func aClusterOfThree(_ knowsPeersV2: Bool) async throws {
        var nodes: [ScriptedNode] = []
        var port = 0
        for i in 1...3 {
            var script = ScriptedNode.Script()
            script.markers = Self.markers
            script.knowsPeersV2 = knowsPeersV2
            let third = Int64.max / 3 * 2
            let identity = ScriptedNode.Identity(
                host: "127.0.0.\(i)", port: port, id: UInt64(i), rack: "r\(i)", tokens: [Int64.min &+ third &* Int64(i - 1) &+ 1])
            let node = ScriptedNode(identity, script)
            try await node.start()
            port = node.address.port
            nodes.append(node)
        }
        let identities = nodes.map { node in node.identity.withLock { $0 } }
        for node in nodes { node.change { $0.cluster = Array(identities.prefix(2)) } }
        let session = try await CassandraSession.open(options(nodes[0]))
        try await eventually("two nodes") { session.connectedNodes.count == 2 }
        // A third one joins.
        for node in nodes { node.change { $0.cluster = identities } }
        nodes[0].announce(
            Reply.body {
                for text in ["TOPOLOGY_CHANGE", "NEW_NODE"] { $0.writeImmutableBuffer(Reply.string(text)) }
                $0.writeBytes([4, 127, 0, 0, 3])
                $0.writeInteger(Int32(port))
            })
        try await eventually("three nodes") { session.connectedNodes.count == 3 }
        #expect(session.cluster?.nodes.map(\.rack).sorted() == ["r1", "r2", "r3"])

        let statement = try await session.prepare(Self.insert)
        for i in 0..<300 { try await session.execute(statement, [.bigint(Int64(i)), .double(1)]) }
        for node in nodes {
            let own = node.identity.withLock { $0 }
            #expect(node.executed.count > 50)
            for asked in node.executed {
                let token = Token(key: try #require(asked.values[0]))
                let owner = identities.sorted { $0.tokens[0] < $1.tokens[0] }.first { $0.tokens[0] >= token.value } ?? identities[0]
                #expect(owner.id == own.id)
            }
        }

        // The node with the control connection dies: another one is asked, and the others take over its requests.
        for node in nodes.dropFirst() { node.change { $0.cluster = Array(identities.dropFirst()) } }
        await nodes[0].stop()
        try await eventually("one fewer") { session.connectedNodes.count == 2 }
        for i in 0..<50 { try await session.execute(statement, [.bigint(Int64(i)), .double(1)], .idempotent) }
        try await eventually("the cluster is seen from another node") { session.cluster?.nodes.count == 2 }
        await session.close()
        for node in nodes { await node.stop() }
    }

    @Test func otherDatacentresAreLeftAlone() async throws {
        let near = try await node()
        var identity = ScriptedNode.Identity(host: "127.0.0.2", port: near.address.port, id: 2)
        identity.datacenter = "dc2"
        let far = ScriptedNode(identity)
        try await far.start()
        let both = [near, far].map { node in node.identity.withLock { $0 } }
        near.change { $0.cluster = both }
        try await withSession(near) { session in
            try await Task.sleep(for: .milliseconds(50))
            #expect(session.connectedNodes == [near.address])
            #expect(far.connections == 0)
            var other = session.options
            other.usesRemoteDatacenters = true
            let wide = try await CassandraSession.open(other)
            try await eventually("both") { wide.connectedNodes.count == 2 }
            await wide.close()
            other.localDatacenter = "dc3"
            other.usesRemoteDatacenters = false
            #expect(await failure { _ = try await CassandraSession.open(other) }?.message.contains("dc3") == true)
        }
        await far.stop()
    }

    @Test func aChangeOfTheSchemaWaitsForAgreement() async throws {
        let node = try await node {
            $0.answer = { asked in
                guard case .query(let statement) = asked, statement.text.hasPrefix("CREATE") else { return .void }
                return .frame(
                    .result,
                    Reply.body {
                        $0.writeInteger(Int32(5))
                        for text in ["CREATED", "TABLE", "k", "t"] { $0.writeImmutableBuffer(Reply.string(text)) }
                    })
            }
        }
        var own = node.identity.withLock { $0 }
        own.schema = 2
        var peer = ScriptedNode.Identity(host: "127.0.0.9", port: own.port, id: 9)
        peer.datacenter = "dc2"
        let apart = [own, peer]
        try await withSession(node) { session in
            node.change { $0.cluster = apart }
            let task = Task { try await session.query("CREATE TABLE k.t (id bigint PRIMARY KEY)") }
            try await Task.sleep(for: .milliseconds(300))
            peer.schema = 2
            let agreed = [own, peer]
            let start = Clock.now()
            node.change { $0.cluster = agreed }
            _ = try await task.value
            #expect(Clock.now() - start < 1000)
        }
    }
}
