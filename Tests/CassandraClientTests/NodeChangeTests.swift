import NIOCore
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import CassandraClient
@testable import CassandraScript

/// Nodes that come and go, and a schema that changes.
@Suite(.timeLimit(.minutes(1))) struct NodeChangeTests {
    @Test func aNodeGoesDownAndComesBack() async throws {
        let node = try await startedNode()
        let metrics = MetricRegistry()
        try await withSession(node, metrics: metrics) { session in
            let statement = try await session.prepare(SessionStatements.insert)
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
        let node = try await startedNode()
        try await withSession(
            node,
            {
                $0.heartbeatInterval = 50
                $0.heartbeatTimeout = 1000
            }
        ) { session in
            let before = node.heartbeats
            try await eventually("heartbeats") { node.heartbeats >= before + 6 }
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
            script.markers = SessionStatements.markers
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
        let session = try await CassandraSession.open(sessionOptions(nodes[0]))
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

        let statement = try await session.prepare(SessionStatements.insert)
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
        let near = try await startedNode()
        var identity = ScriptedNode.Identity(host: "127.0.0.2", port: near.address.port, id: 2)
        identity.datacenter = "dc2"
        let far = ScriptedNode(identity)
        try await far.start()
        let both = [near, far].map { node in node.identity.withLock { $0 } }
        near.change { $0.cluster = both }
        try await withSession(near) { session in
            let statement = try await session.prepare(SessionStatements.insert)
            for i in 0..<20 { try await session.execute(statement, [.bigint(Int64(i)), .double(2)]) }
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

    /// Tables are made.
    private static let answer: @Sendable (ScriptedNode.Asked) -> ScriptedNode.Answer = { asked in
        guard case .query(let statement) = asked, statement.text.hasPrefix("CREATE") else { return .void }
        return .frame(
            .result,
            Reply.body {
                $0.writeInteger(Int32(5))
                for text in ["CREATED", "TABLE", "k", "t"] { $0.writeImmutableBuffer(Reply.string(text)) }
            })
    }

    /// What others tell of its schema is from before it went.
    @Test func aNodeThatIsDownNeedNotAgree() async throws {
        let node = try await startedNode { $0.answer = Self.answer }
        var own = node.identity.withLock { $0 }
        own.schema = 2
        let cluster = [own, ScriptedNode.Identity(host: "127.0.0.9", port: own.port, id: 9)]
        node.change { $0.cluster = cluster }
        try await withSession(node, { $0.schemaAgreementTimeout = 20_000 }) { session in
            #expect(try await session.waitForSchemaAgreement())
            let start = Clock.now()
            try await session.query("CREATE TABLE k.t (id bigint PRIMARY KEY)")
            #expect(Clock.now() - start < 10_000)
        }
    }

    @Test func aChangeOfTheSchemaWaitsForAgreement() async throws {
        let node = try await startedNode { $0.answer = Self.answer }
        var own = node.identity.withLock { $0 }
        own.schema = 2
        var peer = ScriptedNode.Identity(host: "127.0.0.9", port: own.port, id: 9)
        peer.datacenter = "dc2"
        let apart = [own, peer]
        try await withSession(node) { session in
            node.change { $0.cluster = apart }
            let before = node.asked("FROM system.local")
            let task = Task { try await session.query("CREATE TABLE k.t (id bigint PRIMARY KEY)") }
            try await eventually("seen apart") { node.asked("FROM system.local") >= before + 2 }
            peer.schema = 2
            let agreed = [own, peer]
            let start = Clock.now()
            node.change { $0.cluster = agreed }
            _ = try await task.value
            #expect(Clock.now() - start < 1000)
        }
    }
}
