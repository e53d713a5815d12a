import Foundation
import Glibc
import Hummingbird
import NIOCore
import Synchronization
import Telemetry
import Testing

@testable import HTTPKit

@Suite("A listening server")
struct ServerTests {
    /// Runs a server on a port of the system's choice for as long as `body` takes.
    private func withServer(
        _ options: HTTPServerOptions = HTTPServerOptions(port: 0), _ body: @Sendable @escaping (Int) async throws -> Void
    ) async throws {
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let server = try HTTPServer(
            options: options, routes: sampleRoutes, registry: MetricRegistry(), readiness: Readiness(), logger: quietLogger(),
            onRunning: { continuation.yield($0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            var iterator = ports.makeAsyncIterator()
            let port = try #require(await iterator.next())
            #expect(port > 0)
            try await body(port)
            group.cancelAll()
        }
    }

    @Test func aTakenPortIsNamed() async throws {
        try await withServer { port in
            let second = try HTTPServer(
                options: HTTPServerOptions(port: port), registry: MetricRegistry(), readiness: Readiness(), logger: quietLogger())
            let error = await #expect(throws: HTTPServerError.self) { try await second.run() }
            #expect(error?.message.contains("127.0.0.1:\(port)") == true)
            #expect(error?.message.contains("another program") == true)
        }
    }

    @Test(arguments: [(EACCES, "below 1024"), (EADDRINUSE, "another program"), (EADDRNOTAVAIL, "no such address"), (EIO, "cannot listen")])
    func listenErrorsAreExplained(code: Int32, part: String) {
        let error = HTTPServer.explain(IOError(errnoCode: code, reason: "bind"), HTTPServerOptions(port: 80))
        #expect(error.message.contains("127.0.0.1:80"))
        #expect(error.message.contains(part))
    }

    @Test func anAddressOfAnotherMachine() async throws {
        var options = HTTPServerOptions(host: "203.0.113.7", port: 0)
        options.readTokens = [Secret("t")]
        let server = try HTTPServer(options: options, registry: MetricRegistry(), readiness: Readiness(), logger: quietLogger())
        let error = await #expect(throws: HTTPServerError.self) { try await server.run() }
        #expect(error?.message.contains("203.0.113.7") == true)
    }

    /// With a certificate made for the test, and curl as the client.
    @Test(
        .enabled(
            if: ["/usr/bin/openssl", "/usr/bin/curl"].allSatisfy { FileManager.default.isExecutableFile(atPath: $0) },
            "needs openssl and curl"))
    func answersOverTLS() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("almanac-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        func path(_ name: String) -> String { directory.appendingPathComponent(name).path }
        for name in ["a", "b"] {
            let arguments = [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                "/CN=localhost",
            ]
            _ = try run(
                "/usr/bin/openssl",
                arguments + ["-addext", "subjectAltName=DNS:localhost", "-keyout", path("\(name).key"), "-out", path("\(name).pem")])
        }
        var options = HTTPServerOptions(port: 0)
        options.tls = TLSFiles(certificatePath: path("a.pem"), keyPath: path("a.key"))
        let certificate = path("a.pem")
        try await withServer(options) { port in
            let text = try run("/usr/bin/curl", ["-sS", "--cacert", certificate, "https://localhost:\(port)/-/healthy"])
            #expect(text == "healthy\n")
        }
        options.tls = TLSFiles(certificatePath: path("a.pem"), keyPath: path("b.key"))
        let mixed = try HTTPServer(options: options, registry: MetricRegistry(), readiness: Readiness(), logger: quietLogger())
        let error = #expect(throws: HTTPServerError.self) { _ = try mixed.application() }
        #expect(error?.message.contains("belong together") == true)
    }

    @Test func missingTLSFilesAreNamed() throws {
        var options = HTTPServerOptions(port: 0)
        options.tls = TLSFiles(certificatePath: "/nowhere/cert.pem", keyPath: "/nowhere/key.pem")
        let server = try HTTPServer(options: options, registry: MetricRegistry(), readiness: Readiness(), logger: quietLogger())
        let error = #expect(throws: HTTPServerError.self) { _ = try server.application() }
        #expect(error?.message.contains("/nowhere/cert.pem") == true)
    }
}

/// What a command prints; throws if it fails.
private func run(_ command: String, _ arguments: [String]) throws -> String {
    struct Failed: Error { let message: String }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: command)
    process.arguments = arguments
    let output = Pipe()
    let errors = Pipe()
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    if process.terminationStatus != 0 {
        throw Failed(message: String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self))
    }
    return text
}
