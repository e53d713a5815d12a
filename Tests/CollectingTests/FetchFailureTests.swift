import Foundation
import TestSupport
import Testing

@testable import Fetching

private let opensslPath = "/usr/bin/openssl"

@Suite("Failures of requests in words")
struct FetchFailureTests {
    private func failure(_ url: String, _ tls: TLSOptions = TLSOptions()) async throws -> String {
        let fetcher = try Fetcher(tls: tls, credentials: nil, maxBodyBytes: 1 << 20)
        let failure = await #expect(throws: FetchFailure.self) { try await fetcher.fetch(url, timeout: 30_000) }
        await fetcher.close()
        return failure?.message ?? ""
    }

    @Test(arguments: ["127.0.0.1", "localhost"])
    func aRefusedConnection(host: String) async throws {
        #expect(try await failure("http://\(host):\(freePort())/metrics") == "connection refused")
    }

    /// OpenSSL's own server with a trusted certificate of another host.
    @Test(.enabled(if: ChildProcess.isInstalled(opensslPath), "openssl is not installed"), arguments: ["127.0.0.1", "localhost"])
    func aCertificateOfAnotherHost(host: String) async throws {
        let directory = try ChildProcess.temporaryDirectory()
        let (key, certificate) = (directory + "/key.pem", directory + "/certificate.pem")
        try ChildProcess.runTool(
            opensslPath,
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                "/CN=other.example", "-addext", "subjectAltName=DNS:other.example", "-keyout", key, "-out", certificate,
            ])
        let port = freePort()
        let server = try ChildProcess(
            opensslPath, ["s_server", "-accept", "127.0.0.1:\(port)", "-key", key, "-cert", certificate, "-HTTP"], directory: directory)
        defer { server.stop() }
        try await eventually("openssl listens: \(server.printed)") { canConnect(port) }
        let message = try await failure("https://\(host):\(port)/metrics", TLSOptions(caFile: certificate))
        #expect(message == "the certificate is not for \(host)")
    }

    @Test(arguments: [
        ("http://a.example:9100/metrics", "a.example"), ("https://a.example", "a.example"), ("https://u:p@a.example:1/x@y", "a.example"),
        ("https://[::1]:9100/", "::1"), ("https://a.example?q=x/y", "a.example"), ("a.example/x", "a.example"), ("", ""),
    ])
    func hosts(url: String, host: String) { #expect(FailureReason.host(of: url) == host) }
}
