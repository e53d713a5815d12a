import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

@testable import CassandraClient

/// A node of the tests' own, over real TCP: it shakes hands, describes a cluster, prepares statements, and answers what it is told to.
final class ScriptedNode: Sendable {
    struct Identity: Sendable {
        var host = "127.0.0.1"
        var port = 0
        var id: UInt64 = 1
        var datacenter = "dc1"
        var rack = "r1"
        var tokens: [Int64] = [0]
        var schema: UInt64 = 1
    }

    struct Statement: Sendable {
        var text: String
        /// Wire form of each value, nil for null.
        var values: [[UInt8]?]
        var pagingState: [UInt8]?
        var pageSize: Int32?
        var consistency: UInt16 = 0
        var timestamp: Int64?
        var skipsMetadata = false
        var isPrepared = false
        /// Seconds since 1970, from which lives count.
        var now: Int32?
    }

    enum Asked: Sendable {
        case options
        case query(Statement)
        case execute(Statement)
        case batch([Statement])
    }

    enum Answer: Sendable {
        case frame(Opcode, ByteBuffer)
        case error(ServerError.Code, ByteBuffer? = nil)
        case void
        case rows(ByteBuffer)
        case afterwards(Int64, Opcode, ByteBuffer)
        case onStream(Int16, Opcode, ByteBuffer)
        case bytes(ByteBuffer)
        case silence
        case disconnect
    }

    /// How bind markers of a statement are described: keyspace, table, names and types, and which make up the partition key.
    struct Markers: Sendable {
        var names: [(String, UInt16)]
        var partitionKey: [UInt16]
        var resultColumns: [(String, UInt16)] = []
    }

    struct Script: Sendable {
        var versions: Set<UInt8> = [4, 5]
        var password: String?
        /// The nodes that this one knows, itself among them, under the addresses that they announce.
        var cluster: [Identity] = []
        var replication: [String: String] = ["class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": "1"]
        var knowsPeersV2 = true
        var markers: @Sendable (String) -> Markers = { _ in Markers(names: [], partitionKey: []) }
        var answer: @Sendable (Asked) -> Answer = { _ in .void }
        /// Answers system queries and handshakes only after this many milliseconds; nil for never.
        var isMute = false
    }

    private struct State {
        var script: Script
        var prepared: [String] = []
        var isForgetful: [String: Bool] = [:]
        var channels: [ObjectIdentifier: any Channel] = [:]
        var registered: [ObjectIdentifier: NodeChannel] = [:]
        var server: (any Channel)?
        var log: [Asked] = []
        var connections = 0
        var preparations = 0
    }

    let identity: Mutex<Identity>
    private let state: Mutex<State>

    init(_ identity: Identity = Identity(), _ script: Script = Script()) {
        self.identity = Mutex(identity)
        state = Mutex(State(script: script))
    }

    var address: NodeAddress { identity.withLock { NodeAddress(host: $0.host, port: $0.port) } }
    var script: Script { state.withLock { $0.script } }
    func change(_ body: (inout Script) -> Void) { state.withLock { body(&$0.script) } }
    var connections: Int { state.withLock { $0.connections } }
    var openConnections: Int { state.withLock { $0.channels.count } }
    var preparations: Int { state.withLock { $0.preparations } }
    /// Forgets all prepared statements, as a node does when it starts again.
    func forget() { state.withLock { $0.isForgetful = Dictionary(uniqueKeysWithValues: $0.prepared.map { ($0, true) }) } }
    var executed: [Statement] {
        state.withLock { state in state.log.compactMap { if case .execute(let statement) = $0 { statement } else { nil } } }
    }
    var batches: [[Statement]] {
        state.withLock { state in state.log.compactMap { if case .batch(let items) = $0 { items } else { nil } } }
    }

    var heartbeats: Int { state.withLock { $0.log.count { if case .options = $0 { true } else { false } } } }
    /// How often a query with this text came.
    func asked(_ text: String) -> Int {
        state.withLock { $0.log.count { if case .query(let statement) = $0 { statement.text.contains(text) } else { false } } }
    }

    /// Listens; on the port it had before, if any.
    func start(tls: NIOSSLContext? = nil) async throws {
        let (host, port) = identity.withLock { ($0.host, $0.port) }
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try channel.pipeline.syncOperations.addHandler(NodeChannel(self, channel))
                }
            }
            .bind(host: host, port: port).get()
        identity.withLock { $0.port = server.localAddress?.port ?? 0 }
        state.withLock { $0.server = server }
    }

    /// Goes away as if killed.
    func stop() async {
        let (server, channels) = state.withLock { state in
            defer { state.server = nil }
            return (state.server, Array(state.channels.values))
        }
        try? await server?.close()
        for channel in channels { try? await channel.close() }
    }

    func disconnectAll() async { for channel in state.withLock({ Array($0.channels.values) }) { try? await channel.close() } }

    /// Tells those who registered.
    func announce(_ body: ByteBuffer) {
        for channel in state.withLock({ Array($0.registered.values) }) { channel.announce(body) }
    }

    func came(_ channel: any Channel) {
        state.withLock { state in
            state.channels[ObjectIdentifier(channel)] = channel
            state.connections += 1
        }
    }
    func went(_ channel: any Channel) {
        state.withLock { state in
            state.channels[ObjectIdentifier(channel)] = nil
            state.registered[ObjectIdentifier(channel)] = nil
        }
    }
    func register(_ channel: any Channel, _ handler: NodeChannel) {
        state.withLock { $0.registered[ObjectIdentifier(channel)] = handler }
    }

    func prepare(_ text: String) -> UInt32 {
        state.withLock { state in
            state.preparations += 1
            state.isForgetful[text] = nil
            if let known = state.prepared.firstIndex(of: text) { return UInt32(known) }
            state.prepared.append(text)
            return UInt32(state.prepared.count - 1)
        }
    }

    func text(_ id: [UInt8]) -> String? {
        guard id.count == 16 else { return nil }
        let number = Int(id[0]) << 24 | Int(id[1]) << 16 | Int(id[2]) << 8 | Int(id[3])
        return state.withLock { state in
            guard number < state.prepared.count, state.isForgetful[state.prepared[number]] == nil else { return nil }
            return state.prepared[number]
        }
    }

    func answer(_ asked: Asked) -> Answer {
        let script = state.withLock { state in
            state.log.append(asked)
            return state.script
        }
        if case .query(let statement) = asked, let system = system(statement.text, script) { return system }
        return script.answer(asked)
    }

    private static let nodeColumns: [(String, UInt16)] = [
        ("host_id", 0x0C), ("data_center", 0x0D), ("rack", 0x0D), ("release_version", 0x0D), ("schema_version", 0x0C), ("tokens", 0x220D),
    ]

    private func row(_ node: Identity) -> [CQLValue] {
        [
            .uuid(CQLUUID(high: 0, low: node.id)), .text(node.datacenter), .text(node.rack), .text("4.0.13"),
            .uuid(CQLUUID(high: 0, low: node.schema)), .set(node.tokens.map { .text("\($0)") }),
        ]
    }

    private func system(_ text: String, _ script: Script) -> Answer? {
        let own = identity.withLock { $0 }
        let known = script.cluster.first { $0.id == own.id } ?? own
        func bytes(_ host: String) -> CQLValue { .inet(IPAddress(host.split(separator: ".").compactMap { UInt8($0) }) ?? .none4) }
        if text.contains("FROM system.local") {
            return .rows(Reply.rows(Self.nodeColumns + [("rpc_address", 0x10)], [row(known) + [bytes(known.host)]]))
        }
        let peers = script.cluster.filter { $0.id != own.id }
        if text.contains("FROM system.peers_v2") {
            if !script.knowsPeersV2 { return .error(.invalid) }
            let columns = Self.nodeColumns + [("native_address", 0x10), ("native_port", 0x09)]
            return .rows(Reply.rows(columns, peers.map { row($0) + [bytes($0.host), .int(Int32($0.port))] }))
        }
        if text.contains("FROM system.peers") {
            let columns = Self.nodeColumns + [("rpc_address", 0x10), ("peer", 0x10)]
            return .rows(Reply.rows(columns, peers.map { row($0) + [.inet(.none4), bytes($0.host)] }))
        }
        if text.contains("replication FROM system_schema.keyspaces") {
            // map<text, text>
            let body = Reply.body { out in
                out.writeMultipleIntegers(Int32(2), Int32(1), Int32(2))
                for name in ["system_schema", "keyspaces"] { out.writeImmutableBuffer(Reply.string(name)) }
                out.writeImmutableBuffer(Reply.string("keyspace_name"))
                out.writeInteger(UInt16(0x0D))
                out.writeImmutableBuffer(Reply.string("replication"))
                out.writeMultipleIntegers(UInt16(0x21), UInt16(0x0D), UInt16(0x0D))
                out.writeInteger(Int32(1))
                CQLValue.text("k").write(into: &out)
                CQLValue.map(script.replication.map { CQLValue.Entry(.text($0.key), .text($0.value)) }).write(into: &out)
            }
            return .rows(body)
        }
        return nil
    }
}

extension IPAddress {
    static var none4: IPAddress { IPAddress([0, 0, 0, 0]) ?? { preconditionFailure("four bytes are an address") }() }
}
