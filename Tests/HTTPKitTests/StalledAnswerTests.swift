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
        var out = ByteBuffer()
        if case .body(let bytes) = Self.unwrapOutboundIn(data) { out = ByteBuffer(string: String(buffer: bytes) + "\r\n") }
        context.write(Self.wrapOutboundOut(out), promise: promise)
    }
}

/// A connection whose bytes wait until the test flushes them, and whose time passes when it says so.
private final class Connection {
    let channel = EmbeddedChannel()

    init() throws {
        try channel.pipeline.syncOperations.addHandlers([Framing(), StalledAnswers(.seconds(10))])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 5002)).wait()
    }

    deinit {
        // A close that waits for an answer would not come back.
        channel.flush()
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    var isOpen: Bool { channel.isActive }

    func write(_ bytes: Int) {
        channel.write(HTTPResponsePart.body(ByteBuffer(repeating: 0x78, count: bytes)), promise: nil)
    }

    func answer(_ bytes: Int) {
        write(bytes)
        channel.write(HTTPResponsePart.end(nil), promise: nil)
    }

    func leave() { channel.flush() }
    func pass(_ seconds: Int64) { channel.embeddedEventLoop.advanceTime(by: .seconds(seconds)) }
}

/// Reads at a rate, or nothing where it is 0, and counts.
private final class SlowReader: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    let received = Mutex(0)
    /// An item for each read.
    let reads: AsyncStream<Void>
    private let hasRead: AsyncStream<Void>.Continuation
    private let bytesPerSecond: Int
    private let began = ContinuousClock.now

    init(bytesPerSecond: Int) {
        self.bytesPerSecond = bytesPerSecond
        (reads, hasRead) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = Self.unwrapInboundIn(data).readableBytes
        received.withLock { $0 += bytes }
        hasRead.yield()
    }

    func channelReadComplete(context: ChannelHandlerContext) { readWhatIsDue(context.channel) }

    func readWhatIsDue(_ channel: any Channel) {
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        if Double(received.withLock { $0 }) < seconds * Double(bytesPerSecond) { channel.read() }
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

    /// Whoever closes, as the idle timeout does, waits for what has not left.
    @Test(arguments: [CloseMode.all, .output]) func aCloseWaitsForAnAnswer(_ mode: CloseMode) throws {
        let connection = try Connection()
        connection.answer(1000)
        connection.channel.close(mode: mode, promise: nil)
        connection.channel.close(promise: nil)
        #expect(connection.isOpen)
        connection.leave()
        #expect(!connection.isOpen)
    }

    @Test func aCloseDoesNotWaitWhereNothingIsUnderWay() throws {
        let connection = try Connection()
        connection.answer(1000)
        connection.leave()
        connection.channel.close(promise: nil)
        #expect(!connection.isOpen)
    }

    @Test func nobodyWaitsForAClientThatReadsNothing() throws {
        let connection = try Connection()
        connection.answer(1000)
        connection.channel.close(promise: nil)
        connection.pass(20)
        #expect(!connection.isOpen)
    }

    @Test func whatComesBeforeAnExpectedCloseIsNotTaken() throws {
        let connection = try Connection()
        connection.channel.pipeline.fireChannelRead(HTTPRequestPart.end(nil))
        #expect(try connection.channel.readInbound(as: HTTPRequestPart.self) != nil)
        connection.answer(1000)
        connection.channel.close(promise: nil)
        connection.channel.pipeline.fireChannelRead(HTTPRequestPart.end(nil))
        #expect(try connection.channel.readInbound(as: HTTPRequestPart.self) == nil)
    }

    /// Told to end before the close or after it: three seconds. Cancelled, which closes the input: no time.
    @Test func anEndWaitsForAMoment() throws {
        for isEndFirst in [true, false] {
            let connection = try Connection()
            connection.answer(1000)
            if isEndFirst { connection.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
            connection.channel.close(promise: nil)
            if !isEndFirst { connection.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
            connection.pass(2)
            #expect(connection.isOpen)
            connection.pass(1)
            #expect(!connection.isOpen)
        }
        let cancelled = try Connection()
        cancelled.answer(1000)
        cancelled.channel.close(promise: nil)
        cancelled.channel.close(mode: .input, promise: nil)
        #expect(!cancelled.isOpen)
    }

    /// Over a socket: the only place is taken by a client that does not read, and the next one gets it.
    @Test(.timeLimit(.minutes(2))) func theirPlaceIsGivenToOthers() async throws {
        try await serving(64 << 20) { port in
            let stalled = try await self.client(port, bytesPerSecond: 0)
            let answer = try await firstBytes(of: "GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", port: port)
            #expect(answer.hasPrefix("HTTP/1.1 200 "))
            try? await stalled.channel.close()
        }
    }

    /// Longer than the idle timeout after the answer was given; and the kernel of the server would take four megabytes at once, and nothing
    /// more for two timeouts.
    @Test(.timeLimit(.minutes(3)), arguments: ["close", "keep-alive"])
    func aSlowReaderGetsAllOfIt(_ connection: String) async throws {
        let bytes = 6 << 20
        try await serving(bytes) { port in
            let slow = try await self.client(port, bytesPerSecond: 300_000, connection: connection)
            try await slow.channel.closeFuture.get()
            #expect(slow.reader.received.withLock { $0 } > bytes)
        }
    }

    /// As `nc -N` does: the request is all that it has to say.
    @Test(.timeLimit(.minutes(3))) func aClientThatClosesItsSideGetsAllOfIt() async throws {
        let bytes = 6 << 20
        try await serving(bytes) { port in
            let slow = try await self.client(port, bytesPerSecond: 3_000_000, closesItsSide: true)
            try await slow.channel.closeFuture.get()
            #expect(slow.reader.received.withLock { $0 } > bytes)
        }
    }

    /// A server that is told to end waits some seconds for who reads slowly, not the minutes that this one needs.
    @Test(.timeLimit(.minutes(1))) func anEndDoesNotWaitForASlowReader() async throws {
        try await serving(64 << 20, idleSeconds: 3_600) { port in
            let slow = try await self.client(port, bytesPerSecond: 20_000)
            _ = await slow.reader.reads.first { _ in true }
        }
    }

    /// A server with one place whose `/large` answers with as many bytes.
    private func serving(
        _ bytes: Int, idleSeconds: Int64 = 2, _ body: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        var options = HTTPServerOptions(port: 0)
        options.idleTimeoutSeconds = idleSeconds
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

    /// Asks for `/large` and reads so many bytes of it in a second.
    private func client(
        _ port: Int, bytesPerSecond: Int, connection: String = "close", closesItsSide: Bool = false
    ) async throws -> (channel: any Channel, reader: SlowReader) {
        let reader = SlowReader(bytesPerSecond: bytesPerSecond)
        let request = ByteBuffer(string: "GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: \(connection)\r\n\r\n")
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup).channelOption(.autoRead, value: false)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 16 << 10))
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.socketOption(.so_rcvbuf), value: 64 << 10)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(reader) }
            }
            .connect(host: "127.0.0.1", port: port)
            // At once: the server closes who says nothing for its timeout.
            .flatMap { channel in channel.writeAndFlush(request).map { channel } }
            .get()
        if closesItsSide { try await channel.close(mode: .output) }
        channel.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(20)) { task in
            if channel.isActive { reader.readWhatIsDue(channel) } else { task.cancel() }
        }
        return (channel, reader)
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
