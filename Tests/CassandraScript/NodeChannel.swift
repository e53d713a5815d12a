import NIOCore

@testable import CassandraClient

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
            if case .silence = node.answer(.options) { return }
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
            if flags & 0x04 != 0 { statement.pageSize = try reader.int() }
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
