import Testing

@testable import CassandraClient

@Suite struct ClusterTests {
    private func node(_ i: Int, _ datacenter: String = "a", _ rack: String = "r", _ tokens: [Int64]) -> Node {
        Node(
            id: CQLUUID(high: 0, low: UInt64(i)), address: NodeAddress(host: "n\(i)", port: 9042), datacenter: datacenter, rack: rack,
            release: "4",
            schemaVersion: nil, tokens: tokens.map { Token(value: $0) })
    }

    private func plan(_ map: ClusterMap, _ token: Int64, _ rotation: Int = 0, remote: Bool = false) -> [String] {
        map.plan(keyspace: "k", token: Token(value: token), rotation: rotation, usesRemote: remote).map(\.host)
    }

    @Test func rangesEndAtTheirTokens() {
        let nodes = (0..<4).map { node($0, "a", "r", [Int64($0) * 100]) }
        let map = ClusterMap(nodes, keyspaces: ["k": .simple(1)], localDatacenter: "a")
        #expect(plan(map, 100).first == "n1")
        #expect(plan(map, 101).first == "n2")
        #expect(plan(map, -5).first == "n0")
        #expect(plan(map, 301).first == "n0", "round the ring")
    }

    @Test func simpleStrategyTakesTheNextNodes() {
        let nodes = (0..<4).map { node($0, "a", "r", [Int64($0) * 100, Int64($0) * 100 + 1]) }
        let map = ClusterMap(nodes, keyspaces: ["k": .simple(3)], localDatacenter: "a")
        #expect(Set(plan(map, 150).prefix(3)) == ["n2", "n3", "n0"])
        #expect(Set((0..<3).map { plan(map, 150, $0)[0] }) == ["n2", "n3", "n0"], "each has its turn")
        #expect(plan(map, 150).count == 4)
        let few = ClusterMap(Array(nodes.prefix(2)), keyspaces: ["k": .simple(3)], localDatacenter: "a")
        #expect(Set(plan(few, 150)) == ["n0", "n1"])
    }

    @Test func networkTopologySpreadsOverRacks() {
        let nodes = [
            node(0, "a", "r1", [0]), node(1, "a", "r1", [100]), node(2, "a", "r2", [200]), node(3, "b", "r1", [50]),
            node(4, "b", "r1", [150]),
        ]
        let map = ClusterMap(nodes, keyspaces: ["k": .networkTopology(["a": 2, "b": 1])], localDatacenter: "a")
        #expect(Set(plan(map, -1).prefix(2)) == ["n0", "n2"], "n1 is in the rack of n0")
        #expect(plan(map, -1).count == 3)
        #expect(plan(map, -1, remote: true).count == 5)
        let all = ClusterMap(nodes, keyspaces: ["k": .networkTopology(["a": 3])], localDatacenter: "a")
        #expect(Set(plan(all, -1)) == ["n0", "n1", "n2"], "a rack a second time when each has one")
        let other = ClusterMap(nodes, keyspaces: ["k": .networkTopology(["a": 2, "b": 1])], localDatacenter: "b")
        #expect(plan(other, 60).first == "n4")
    }

    @Test func replicationFromTheTable() {
        #expect(Replication(["class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": "3"]) == .simple(3))
        #expect(
            Replication(["class": "org.apache.cassandra.locator.NetworkTopologyStrategy", "dc1": "3", "dc2": "3/1"])
                == .networkTopology(["dc1": 3, "dc2": 3]))
        #expect(Replication(["class": "org.apache.cassandra.locator.LocalStrategy"]) == .anywhere)
        #expect(Replication([:]) == .anywhere)
    }

    @Test func keysOfSeveralColumns() {
        let values: BoundValues = [.bigint(1), .text("ab"), .null, .int(-1)]
        #expect(values.routingKey([1]) == [0x61, 0x62])
        #expect(values.routingKey([3, 1]) == [0, 4, 255, 255, 255, 255, 0, 0, 2, 0x61, 0x62, 0])
        #expect(values.routingKey([2]) == nil)
        #expect(values.routingKey([9]) == nil)
        #expect(values.routingKey([]) == nil)
    }

    @Test func addresses() {
        #expect(NodeAddress("db:9043") == NodeAddress(host: "db", port: 9043))
        #expect(NodeAddress("db") == NodeAddress(host: "db", port: 9042))
        #expect(NodeAddress("[::1]:9") == NodeAddress(host: "::1", port: 9))
        #expect(NodeAddress("::1") == NodeAddress(host: "::1", port: 9042))
        for text in ["", ":1", "a:b", "a:0", "a:70000", "[::1", "a b", "[::1]x"] { #expect(NodeAddress(text) == nil, "\(text)") }
    }

    @Test func timestampsOnlyGrow() {
        let generator = TimestampGenerator(clock: { 1000 })
        #expect((0..<4).map { _ in generator.next() } == [1000, 1001, 1002, 1003])
    }

    @Test func pausesGrow() {
        var backoff = Backoff(first: 100, limit: 1000)
        #expect((0..<6).map { _ in backoff.next(random: 0) } == [100, 200, 400, 800, 1000, 1000])
        backoff.reset()
        #expect(backoff.next(random: 1) == 50)
        for _ in 0..<100 { #expect((1...1000).contains(backoff.next())) }
    }

    // MARK: Retries

    private func decide(_ code: ServerError.Code, _ detail: ServerError.Detail = .none, idempotent: Bool, attempt: Int = 1)
        -> RetryPolicy.Decision
    {
        let error = CassandraError(ServerError(code: code, number: code.rawValue, message: "", detail: detail))
        return RetryPolicy.decide(error, isIdempotent: idempotent, attempt: attempt, maximum: 3, random: 0)
    }

    @Test func retriesByWhatIsKnown() {
        let progress = ServerError.Progress(consistency: .quorum, received: 2, required: 2)
        let short = ServerError.Progress(consistency: .quorum, received: 1, required: 2)
        #expect(decide(.readTimeout, .readTimeout(progress, hasData: false), idempotent: false) == .sameNode(reason: "read timeout"))
        #expect(decide(.readTimeout, .readTimeout(short, hasData: false), idempotent: false) == .nextNode(reason: "read timeout", pause: 0))
        #expect(decide(.readTimeout, .readTimeout(short, hasData: false), idempotent: false, attempt: 2) == .giveUp)
        for type in ["CAS", "COUNTER"] {
            #expect(decide(.writeTimeout, .writeTimeout(short, writeType: type, contentions: nil), idempotent: true) == .giveUp)
        }
        #expect(decide(.writeTimeout, .writeTimeout(short, writeType: "SIMPLE", contentions: nil), idempotent: false) == .giveUp)
        #expect(
            decide(.writeTimeout, .writeTimeout(short, writeType: "SIMPLE", contentions: nil), idempotent: true)
                == .nextNode(reason: "write timeout", pause: 10))
        #expect(decide(.bootstrapping, idempotent: false) == .nextNode(reason: "bootstrapping", pause: 0))
        #expect(decide(.overloaded, idempotent: false) == .giveUp)
        #expect(decide(.unavailable, .unavailable(.quorum, required: 2, alive: 1), idempotent: false) != .giveUp)
        #expect(decide(.unavailable, .unavailable(.serial, required: 2, alive: 1), idempotent: false) == .giveUp)
        #expect(decide(.unavailable, .unavailable(.quorum, required: 2, alive: 1), idempotent: true, attempt: 2) == .giveUp)
        for code: ServerError.Code in [
            .syntaxError, .invalid, .unauthorized, .alreadyExists, .configError, .casWriteUnknown, .writeFailure,
        ] {
            #expect(decide(code, idempotent: true) == .giveUp)
        }
        let unsent = CassandraError(.connectionLost, "", hasUnknownOutcome: false)
        #expect(
            RetryPolicy.decide(unsent, isIdempotent: false, attempt: 1, maximum: 3, random: 0)
                == .nextNode(reason: "connection lost", pause: 0))
        let sent = CassandraError(.connectionLost, "", hasUnknownOutcome: true)
        #expect(RetryPolicy.decide(sent, isIdempotent: false, attempt: 1, maximum: 3, random: 0) == .giveUp)
        #expect(RetryPolicy.decide(unsent, isIdempotent: true, attempt: 3, maximum: 3, random: 0) == .giveUp)
    }
}
