import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import NIOPosix
import Synchronization
import Telemetry
import Testing

@testable import HTTPKit

/// Bodies as bytes with some to frame them, as the codec makes them of parts.
private final class Framing: ChannelOutboundHandler {
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = ByteBuffer

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .body(var bytes) = Self.unwrapOutboundIn(data) else { return promise?.succeed() ?? () }
        bytes.writeString("\r\n")
        context.write(Self.wrapOutboundOut(bytes), promise: promise)
    }
}

/// A connection whose bytes wait until the test flushes them, and whose time passes when it says so.
private final class Connection {
    let channel = EmbeddedChannel()

    init() throws {
        try channel.pipeline.syncOperations.addHandlers([Framing(), StalledAnswers(.seconds(10))])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 5002)).wait()
    }

    deinit { _ = try? channel.finish(acceptAlreadyClosed: true) }

    var isOpen: Bool { channel.isActive }

    func write(_ bytes: Int) {
        channel.write(HTTPResponsePart.body(ByteBuffer(repeating: 0x78, count: bytes)), promise: nil)
    }

    func leave() { channel.flush() }
    func pass(_ seconds: Int64) { channel.embeddedEventLoop.advanceTime(by: .seconds(seconds)) }
}

/// How much came.
private final class Counting: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    let bytes = Mutex(0)

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let more = Self.unwrapInboundIn(data).readableBytes
        bytes.withLock { $0 += more }
    }
}

@Suite("Answers that nobody reads")
struct StalledAnswerTests {
    @Test func nothingLeavesForAnInterval() throws {
        let connection = try Connection()
        connection.write(1000)
        connection.pass(19)
        #expect(connection.isOpen)
        connection.pass(1)
        #expect(!connection.isOpen)
    }

    @Test func whatIsReadSlowlyGoesOn() throws {
        let connection = try Connection()
        for _ in 0..<50 {
            connection.write(1000)
            connection.pass(10)
            #expect(connection.isOpen)
            connection.leave()
            connection.write(1000)
        }
    }

    @Test func eventsThatAreAddedDoNotHideIt() throws {
        let connection = try Connection()
        connection.write(1000)
        for _ in 0..<20 {
            connection.pass(1)
            connection.write(100)
        }
        #expect(!connection.isOpen)
    }

    @Test func aSilentStreamOfWhichAllHasLeftStays() throws {
        let connection = try Connection()
        connection.write(1000)
        connection.leave()
        connection.pass(3600)
        #expect(connection.isOpen)
        connection.write(1000)
        connection.pass(15)
        connection.leave()
        connection.pass(3600)
        #expect(connection.isOpen)
    }

    /// Over a socket: the only place is taken by a client that does not read, and the next one gets it.
    @Test(.timeLimit(.minutes(1))) func theirPlaceIsGivenToOthers() async throws {
        try await serving(64 << 20) { port in
            let stalled = try await self.client(port)
            let answer = try await firstBytes(of: "GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", port: port)
            #expect(answer.hasPrefix("HTTP/1.1 200 "))
            try? await stalled.channel.close()
        }
    }

    /// Longer than the idle timeout after the answer was given; and the kernel of the server would take four megabytes at once, and nothing
    /// more for two timeouts.
    @Test(.timeLimit(.minutes(1)), arguments: ["close", "keep-alive"])
    func aSlowReaderGetsAllOfIt(_ connection: String) async throws {
        let bytes = 7 << 20
        try await serving(bytes) { port in
            let slow = try await self.client(port, connection)
            try await slow.channel.closeFuture.get()
            #expect(slow.received.bytes.withLock { $0 } > bytes)
        }
    }

    /// A server with one place whose `/large` answers with as many bytes, and a timeout of a second.
    private func serving(_ bytes: Int, _ body: @escaping @Sendable (Int) async throws -> Void) async throws {
        var options = HTTPServerOptions(port: 0)
        options.idleTimeoutSeconds = 1
        options.maxConnections = 1
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let large = HTTPRoute.get("/large") { _ in .text(String(repeating: "x", count: bytes)) }
        let server = try HTTPServer(
            options: options, routes: [large], registry: MetricRegistry(), readiness: Readiness(), logger: quietLogger(),
            onRunning: { continuation.yield($0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            try await body(try #require(await ports.first { _ in true }))
            group.cancelAll()
        }
    }

    /// Asks for `/large` and reads 500 KB/s of it, or nothing where no kind of connection is given.
    private func client(_ port: Int, _ connection: String? = nil) async throws -> (channel: any Channel, received: Counting) {
        let received = Counting()
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup).channelOption(.autoRead, value: false)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 10_000))
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.socketOption(.so_rcvbuf), value: 64 << 10)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(received) }
            }
            .connect(host: "127.0.0.1", port: port).get()
        try await channel.writeAndFlush(
            ByteBuffer(string: "GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: \(connection ?? "close")\r\n\r\n"))
        if connection != nil {
            channel.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(20)) { task in
                if channel.isActive { channel.read() } else { task.cancel() }
            }
        }
        return (channel, received)
    }

    private func firstBytes(of request: String, port: Int) async throws -> String {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup).connect(host: "127.0.0.1", port: port) {
            channel in
            channel.eventLoop.makeCompletedFuture { try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel) }
        }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: request))
            for try await bytes in inbound { return String(buffer: bytes) }
            return ""
        }
    }
}
