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
        /// The nodes that this one knows, itself among them.
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

    fileprivate func came(_ channel: any Channel) {
        state.withLock { state in
            state.channels[ObjectIdentifier(channel)] = channel
            state.connections += 1
        }
    }
    fileprivate func went(_ channel: any Channel) {
        state.withLock { state in
            state.channels[ObjectIdentifier(channel)] = nil
            state.registered[ObjectIdentifier(channel)] = nil
        }
    }
    fileprivate func register(_ channel: any Channel, _ handler: NodeChannel) {
        state.withLock { $0.registered[ObjectIdentifier(channel)] = handler }
    }

    fileprivate func prepare(_ text: String) -> UInt32 {
        state.withLock { state in
            state.preparations += 1
            state.isForgetful[text] = nil
            if let known = state.prepared.firstIndex(of: text) { return UInt32(known) }
            state.prepared.append(text)
            return UInt32(state.prepared.count - 1)
        }
    }

    fileprivate func text(_ id: [UInt8]) -> String? {
        guard id.count == 16 else { return nil }
        let number = Int(id[0]) << 24 | Int(id[1]) << 16 | Int(id[2]) << 8 | Int(id[3])
        return state.withLock { state in
            guard number < state.prepared.count, state.isForgetful[state.prepared[number]] == nil else { return nil }
            return state.prepared[number]
        }
    }

    fileprivate func answer(_ asked: Asked) -> Answer {
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
        if text.contains("FROM system.local") { return .rows(Reply.rows(Self.nodeColumns, [row(known)])) }
        let peers = script.cluster.filter { $0.id != own.id }
        func bytes(_ host: String) -> CQLValue { .inet(IPAddress(host.split(separator: ".").compactMap { UInt8($0) }) ?? .none4) }
        if text.contains("FROM system.peers_v2") {
            if !script.knowsPeersV2 { return .error(.invalid) }
            let columns = Self.nodeColumns + [("native_address", 0x10), ("native_port", 0x09)]
            return .rows(Reply.rows(columns, peers.map { row($0) + [bytes($0.host), .int(Int32($0.port))] }))
        }
        if text.contains("FROM system.peers") {
            let columns = Self.nodeColumns + [("rpc_address", 0x10), ("peer", 0x10)]
            return .rows(Reply.rows(columns, peers.map { row($0) + [.inet(.none4), bytes($0.host)] }))
        }
        if text.contains("system_schema.keyspaces") {
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

/// One connection to the node.
final class NodeChannel: ChannelInboundHandler, @unchecked Sendable {
    // Used on its event loop only, but for `announce`, which goes there.
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let node: ScriptedNode
    private let channel: any Channel
    private var received = ByteBuffer()
    private var unwrapped = ByteBuffer()
    private var version: UInt8 = 0
    private var isSegmented = false

    init(_ node: ScriptedNode, _ channel: any Channel) {
        self.node = node
        self.channel = channel
    }

    func channelActive(context: ChannelHandlerContext) { node.came(channel) }
    func channelInactive(context: ChannelHandlerContext) { node.went(channel) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        received.writeBuffer(&bytes)
        while true {
            if isSegmented {
                while let segment = try? Segment.read(&received) {
                    var payload = segment.payload
                    unwrapped.writeBuffer(&payload)
                }
                guard take(&unwrapped) else { return }
            } else {
                guard take(&received) else { return }
            }
        }
    }

    private func take(_ bytes: inout ByteBuffer) -> Bool {
        let start = bytes.readerIndex
        guard let length = bytes.getInteger(at: start + 5, as: UInt32.self), bytes.readableBytes >= 9 + Int(length),
            let header = bytes.readMultipleIntegers(as: (UInt8, UInt8, Int16, UInt8, UInt32).self),
            let body = bytes.readSlice(length: Int(length))
        else { return false }
        handle(header.0, header.2, header.3, body)
        return true
    }

    func announce(_ body: ByteBuffer) { channel.eventLoop.execute { self.send(.event, body, -1) } }

    private func send(_ opcode: Opcode, _ body: ByteBuffer, _ stream: Int16) {
        let frame = Reply.frame(opcode, body, stream: stream, version: version)
        var out = ByteBuffer()
        if isSegmented { Segment.wrap(frame, into: &out) } else { out = frame }
        channel.writeAndFlush(out, promise: nil)
    }

    private func handle(_ version: UInt8, _ stream: Int16, _ opcode: UInt8, _ body: ByteBuffer) {
        let script = node.script
        if script.isMute { return }
        guard script.versions.contains(version) else {
            self.version = script.versions.max() ?? 4
            send(.error, Reply.error(.protocolError, "Invalid or unsupported protocol version (\(version))"), stream)
            return
        }
        self.version = version
        var reader = WireReader(body)
        switch Opcode(rawValue: opcode) {
        case .options:
            if case .silence = node.script.answer(.options) { return }
            send(.supported, Reply.supported, stream)
        case .startup:
            if script.password == nil {
                send(.ready, ByteBuffer(), stream)
            } else {
                send(.authenticate, Reply.string("PasswordAuthenticator"), stream)
            }
            isSegmented = version >= 5
        case .authResponse:
            let token = (try? reader.bytes()).flatMap { $0 }.map { Array($0.readableBytesView) } ?? []
            if token == [0] + Array("almanac".utf8) + [0] + Array((script.password ?? "").utf8) {
                send(.authSuccess, Reply.body { $0.writeInteger(Int32(-1)) }, stream)
            } else {
                send(.error, Reply.error(.badCredentials, "Provided username almanac and/or password are incorrect"), stream)
            }
        case .register:
            node.register(channel, self)
            send(.ready, ByteBuffer(), stream)
        case .prepare: prepare((try? reader.longString()) ?? "", stream)
        case .query:
            guard let text = try? reader.longString(), var statement = parameters(&reader) else { return }
            statement.text = text
            give(node.answer(.query(statement)), stream)
        case .execute:
            guard let id = try? reader.shortBytes() else { return }
            if version >= 5 { _ = try? reader.shortBytes() }
            guard var statement = parameters(&reader) else { return }
            guard let text = node.text(id) else { return unprepared(id, stream) }
            statement.text = text
            statement.isPrepared = true
            give(node.answer(.execute(statement)), stream)
        case .batch: batch(&reader, stream)
        default: send(.error, Reply.error(.protocolError, "what?"), stream)
        }
    }

    private func unprepared(_ id: [UInt8], _ stream: Int16) {
        send(.error, Reply.error(.unprepared, "never heard of it") { try? $0.writeCQLShortBytes(id) }, stream)
    }

    private func parameters(_ reader: inout WireReader) -> ScriptedNode.Statement? {
        var statement = ScriptedNode.Statement(text: "", values: [])
        do {
            statement.consistency = try reader.short()
            let flags = version >= 5 ? Int(try reader.int()) : Int(try reader.byte())
            if flags & 0x01 != 0 { statement.values = try values(&reader) }
            statement.skipsMetadata = flags & 0x02 != 0
            if flags & 0x04 != 0 { _ = try reader.int() }
            if flags & 0x08 != 0 { statement.pagingState = try reader.bytes().map { Array($0.readableBytesView) } }
            if flags & 0x10 != 0 { _ = try reader.short() }
            if flags & 0x20 != 0 { statement.timestamp = try reader.long() }
            if flags & 0x100 != 0 { statement.now = try reader.int() }
        } catch { return nil }
        return statement
    }

    private func values(_ reader: inout WireReader) throws -> [[UInt8]?] {
        var values: [[UInt8]?] = []
        for _ in 0..<(try reader.short()) { values.append(try reader.bytes().map { Array($0.readableBytesView) }) }
        return values
    }

    private func batch(_ reader: inout WireReader, _ stream: Int16) {
        do {
            _ = try reader.byte()
            var items: [ScriptedNode.Statement] = []
            for _ in 0..<(try reader.short()) {
                let kind = try reader.byte()
                let id = kind == 1 ? try reader.shortBytes() : []
                let text = kind == 1 ? node.text(id) : try reader.longString()
                guard let text else { return unprepared(id, stream) }
                items.append(ScriptedNode.Statement(text: text, values: try values(&reader), isPrepared: kind == 1))
            }
            let rest = parameters(&reader)
            for i in items.indices { items[i].now = rest?.now }
            give(node.answer(.batch(items)), stream)
        } catch { send(.error, Reply.error(.protocolError, "a batch that cannot be read"), stream) }
    }

    private func prepare(_ text: String, _ stream: Int16) {
        let markers = node.script.markers(text)
        if text.hasPrefix("NONSENSE") { return send(.error, Reply.error(.syntaxError, "no viable alternative"), stream) }
        let number = node.prepare(text)
        let body = Reply.body { out in
            func columns(_ list: [(String, UInt16)]) {
                for (name, type) in list {
                    out.writeImmutableBuffer(Reply.string(name))
                    out.writeInteger(type)
                }
            }
            out.writeInteger(Int32(4))
            out.writeInteger(UInt16(16))
            out.writeMultipleIntegers(number, UInt32(7), UInt64(9))
            if version >= 5 { try? out.writeCQLShortBytes([1, 2]) }
            out.writeMultipleIntegers(Int32(1), Int32(markers.names.count), Int32(markers.partitionKey.count))
            for index in markers.partitionKey { out.writeInteger(index) }
            for name in ["k", "t"] { out.writeImmutableBuffer(Reply.string(name)) }
            columns(markers.names)
            if markers.resultColumns.isEmpty {
                out.writeMultipleIntegers(Int32(4), Int32(0))
            } else {
                out.writeMultipleIntegers(Int32(1), Int32(markers.resultColumns.count))
                for name in ["k", "t"] { out.writeImmutableBuffer(Reply.string(name)) }
                columns(markers.resultColumns)
            }
        }
        send(.result, body, stream)
    }

    private func give(_ answer: ScriptedNode.Answer, _ stream: Int16) {
        switch answer {
        case .frame(let opcode, let body): send(opcode, body, stream)
        case .error(let code, let body): send(.error, body ?? Reply.error(code), stream)
        case .void: send(.result, Reply.void, stream)
        case .rows(let body): send(.result, body, stream)
        case .afterwards(let pause, let opcode, let body):
            channel.eventLoop.scheduleTask(in: .milliseconds(pause)) { self.send(opcode, body, stream) }
        case .onStream(let other, let opcode, let body): send(opcode, body, other)
        case .bytes(let bytes): channel.writeAndFlush(bytes, promise: nil)
        case .silence: break
        case .disconnect: channel.close(promise: nil)
        }
    }
}

/// Frames as a node sends them.
enum Reply {
    static func frame(
        _ opcode: Opcode, _ body: ByteBuffer = ByteBuffer(), stream: Int16, version: UInt8 = 4, flags: UInt8 = 0
    ) -> ByteBuffer {
        var out = ByteBuffer()
        out.writeMultipleIntegers(version | 0x80, flags, stream, opcode.rawValue, UInt32(body.readableBytes))
        out.writeImmutableBuffer(body)
        return out
    }

    static func body(_ fill: (inout ByteBuffer) -> Void) -> ByteBuffer {
        var body = ByteBuffer()
        fill(&body)
        return body
    }

    static let supported = body { $0.writeInteger(UInt16(0)) }
    static let void = body { $0.writeInteger(Int32(1)) }

    static func error(_ code: ServerError.Code, _ message: String = "no", _ more: (inout ByteBuffer) -> Void = { _ in }) -> ByteBuffer {
        body {
            $0.writeInteger(code.rawValue)
            $0.writeInteger(UInt16(message.utf8.count))
            $0.writeString(message)
            more(&$0)
        }
    }

    static func string(_ text: String) -> ByteBuffer {
        body {
            $0.writeInteger(UInt16(text.utf8.count))
            $0.writeString(text)
        }
    }

    /// A result with these columns.
    static func rows(
        _ columns: [(String, UInt16)], _ rows: [[CQLValue]], pagingState: [UInt8]? = nil, keyspace: String = "k", table: String = "t"
    ) -> ByteBuffer {
        body { out in
            out.writeMultipleIntegers(Int32(2), Int32(pagingState == nil ? 1 : 3), Int32(columns.count))
            if let pagingState { out.writeCQLBytes(pagingState) }
            for name in [keyspace, table] { out.writeImmutableBuffer(string(name)) }
            for (name, type) in columns {
                out.writeImmutableBuffer(string(name))
                if type >> 8 != 0 { out.writeMultipleIntegers(type >> 8, type & 0xFF) } else { out.writeInteger(type) }
            }
            out.writeInteger(Int32(rows.count))
            for row in rows { for value in row { value.write(into: &out) } }
        }
    }
}
