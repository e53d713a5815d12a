import HTTPKit
import Hummingbird
import Logging
import Telemetry
import TestSupport
import Testing

/// A face that takes bodies, on a real socket: what a client sends that does not keep to HTTP, or to any time.
@Suite("Broken and slow requests")
struct BrokenRequestTests {
    private struct Face: Sendable {
        let port: Int
        let registry: MetricRegistry
        let lines: CollectingLogHandler.Lines

        /// The head of a request with a body.
        func post(_ header: String, to path: String = "/things") throws -> Socket {
            let socket = try Socket(port: port)
            socket.send("POST \(path) HTTP/1.1\r\nHost: localhost\r\n\(header)\r\n\r\n")
            return socket
        }
    }

    private func withFace(
        _ deadlines: RequestDeadlines = RequestDeadlines(), _ test: @Sendable @escaping (Face) async throws -> Void
    ) async throws {
        var options = HTTPServerOptions(port: 0)
        options.deadlines = deadlines
        let registry = MetricRegistry()
        let lines = CollectingLogHandler.Lines()
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let server = try HTTPServer(
            options: options, routes: [HTTPRoute(.post, "/things") { request in .text("\(try await request.body().count) bytes") }],
            registry: registry, readiness: Readiness(), logger: Logger(label: "test") { _ in CollectingLogHandler(lines: lines) },
            onRunning: { continuation.yield($0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            var iterator = ports.makeAsyncIterator()
            let port = try #require(await iterator.next())
            try await test(Face(port: port, registry: registry, lines: lines))
            group.cancelAll()
        }
    }

    /// An answer that ends the connection, and is the client's fault.
    private func expect(_ status: Int, from socket: Socket, of face: Face) async throws {
        try await eventually("an answer") { socket.text().contains("\"instance\"") }
        let text = socket.text()
        #expect(text.hasPrefix("HTTP/1.1 \(status) ") && text.contains("application/problem+json"), "\(text)")
        #expect(text.lowercased().contains("connection: close"), "\(text)")
        #expect(face.registry.render().contains("path=\"/things\",method=\"POST\",code=\"\(status)\"} 1"))
        #expect(!face.lines.all.contains { $0.hasPrefix("error") }, "\(face.lines.all)")
    }

    @Test(arguments: [
        "zz\r\n", "3\r\nabc\r\n5\r\nabcdefgh\r\n", "3\r\nabc\r\n0\r\n" + String(repeating: "a: b\r\n", count: 1100) + "\r\n",
    ])
    func aBodyThatIsNoneIsA400(rest: String) async throws {
        try await withFace { face in
            let socket = try face.post("Transfer-Encoding: chunked")
            socket.send(rest)
            try await expect(400, from: socket, of: face)
            #expect(face.lines.all.contains { $0.hasPrefix("debug a request's body broke off") }, "\(face.lines.all)")
        }
    }

    @Test(arguments: ["Content-Length: 10", "Transfer-Encoding: chunked"])
    func aBodyThatIsCutOffIsA400(header: String) async throws {
        try await withFace { face in
            let socket = try face.post(header)
            socket.send(header.hasPrefix("C") ? "abc" : "3\r\nabc\r\n")
            socket.endSending()
            try await expect(400, from: socket, of: face)
            try await eventually("closed") { socket.isClosed }
        }
    }

    @Test func aBodyThatDoesNotComeIsA408() async throws {
        var deadlines = RequestDeadlines()
        deadlines.sleep = { _ in }
        try await withFace(deadlines) { face in
            let socket = try face.post("Content-Length: 10")
            socket.send("abc")
            try await expect(408, from: socket, of: face)
        }
    }

    /// No answer waits for a body that it does not need, and no connection for the rest of it.
    @Test func aDribbledBodyDoesNotHoldTheConnection() async throws {
        var deadlines = RequestDeadlines()
        deadlines.head = .milliseconds(500)
        try await withFace(deadlines) { face in
            let socket = try face.post("Content-Length: 1000000", to: "/nothing")
            try await eventually("an answer") { socket.text().contains("\"instance\"") }
            #expect(socket.text().hasPrefix("HTTP/1.1 404 ") && socket.text().lowercased().contains("connection: close"))
            try await eventually("closed, whatever comes") {
                socket.send("x")
                return socket.isClosed
            }
        }
    }

    @Test func aHeadThatIsDribbledDoesNotHoldTheConnection() async throws {
        var deadlines = RequestDeadlines()
        deadlines.head = .milliseconds(500)
        try await withFace(deadlines) { face in
            let socket = try Socket(port: face.port)
            socket.get("/-/healthy")
            try await eventually("an answer") { socket.text().contains("healthy\n") }
            socket.send("GET /-/healthy HTTP/1.1\r\nX: ")
            try await eventually("closed, whatever comes") {
                socket.send("x")
                return socket.isClosed
            }
        }
    }

    @Test func bodiesThatAreReadLeaveTheConnectionOpen() async throws {
        try await withFace { face in
            let socket = try face.post("Content-Length: 3")
            socket.send("abc")
            try await eventually("an answer") { socket.text().contains("3 bytes") }
            socket.send("POST /things HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n")
            try await eventually("a second one") { socket.text().contains("4 bytes") }
            #expect(!socket.isClosed && !socket.text().lowercased().contains("connection: close"))
        }
    }
}
