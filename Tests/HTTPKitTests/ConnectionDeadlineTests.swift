import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Testing

@testable import HTTPKit

/// A connection whose time passes when the test says so.
private final class Connection {
    let channel: EmbeddedChannel

    init() throws {
        channel = EmbeddedChannel(handler: ConnectionDeadlines(.seconds(10)))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 5002)).wait()
    }

    deinit { _ = try? channel.finish(acceptAlreadyClosed: true) }

    var isOpen: Bool { channel.isActive }

    func pass(_ seconds: Int64) { channel.embeddedEventLoop.advanceTime(by: .seconds(seconds)) }

    /// Bytes that make no part.
    func bytes() { channel.pipeline.fireChannelReadComplete() }

    func head() throws {
        try channel.writeInbound(HTTPRequestPart.head(HTTPRequest(method: .post, scheme: "http", authority: "localhost", path: "/")))
    }

    func body() throws { try channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: "x"))) }
    func end() throws { try channel.writeInbound(HTTPRequestPart.end(nil)) }

    func beginAnswer(_ headers: HTTPFields = [:]) throws {
        try channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: .ok, headerFields: headers)))
    }

    func endAnswer() throws { try channel.writeOutbound(HTTPResponsePart.end(nil)) }

    func exchange() throws {
        try head()
        try end()
        try beginAnswer()
        try endAnswer()
    }
}

@Suite("Deadlines of a connection")
struct ConnectionDeadlineTests {
    @Test func theFirstHeadHasTenSeconds() throws {
        let connection = try Connection()
        connection.pass(5)
        connection.bytes()
        connection.pass(4)
        #expect(connection.isOpen)
        connection.pass(1)
        #expect(!connection.isOpen)
    }

    @Test func aLaterHeadHasTenSecondsFromItsFirstBytes() throws {
        let connection = try Connection()
        try connection.exchange()
        connection.pass(3600)
        #expect(connection.isOpen, "waiting between two requests is the idle timeout's")
        for _ in 0..<9 {
            connection.bytes()
            connection.pass(1)
        }
        #expect(connection.isOpen)
        connection.bytes()
        connection.pass(1)
        #expect(!connection.isOpen, "more bytes do not give more time")
    }

    @Test func aHeadInTimeEndsTheDeadline() throws {
        let connection = try Connection()
        for _ in 0..<3 {
            connection.bytes()
            connection.pass(9)
            try connection.exchange()
            connection.pass(60)
            #expect(connection.isOpen)
        }
    }

    @Test func aStreamOfEventsIsNotClosed() throws {
        let connection = try Connection()
        try connection.head()
        try connection.end()
        try connection.beginAnswer()
        // A stray line feed of the client.
        connection.bytes()
        connection.pass(7200)
        #expect(connection.isOpen)
        try connection.endAnswer()
        connection.pass(9)
        #expect(connection.isOpen)
        connection.pass(1)
        #expect(!connection.isOpen)
    }

    @Test func piecesOfABodyAreNotPiecesOfAHead() throws {
        let connection = try Connection()
        try connection.head()
        connection.bytes()
        connection.pass(3600)
        #expect(connection.isOpen)
        try connection.end()
    }

    @Test func theLastAnswerEndsTheConnection() throws {
        let connection = try Connection()
        try connection.head()
        try connection.end()
        try connection.beginAnswer([.connection: "close"])
        #expect(connection.isOpen)
        try connection.endAnswer()
        #expect(!connection.isOpen)
    }

    @Test func aBodyThatNobodyReadsHoldsNothing() throws {
        let connection = try Connection()
        try connection.head()
        try connection.beginAnswer([.connection: "Close"])
        try connection.endAnswer()
        for _ in 0..<9 {
            try connection.body()
            connection.pass(1)
        }
        #expect(connection.isOpen, "the client may read the answer first")
        try connection.body()
        connection.pass(1)
        #expect(!connection.isOpen)
    }

    @Test func theRestOfABodyThatComesEndsItSooner() throws {
        let connection = try Connection()
        try connection.head()
        try connection.beginAnswer([.connection: "close"])
        try connection.endAnswer()
        try connection.body()
        #expect(connection.isOpen)
        try connection.end()
        #expect(!connection.isOpen)
    }

    @Test func theEndOfTheInputEndsItSooner() throws {
        let connection = try Connection()
        try connection.head()
        try connection.beginAnswer([.connection: "close"])
        try connection.endAnswer()
        connection.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(!connection.isOpen)
    }
}
