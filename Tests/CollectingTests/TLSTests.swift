import Fetching
import Foundation
import TestSupport
import Testing
import TimeSeries

@testable import Collecting

private let opensslPath = "/usr/bin/openssl"

@Suite struct TLSTests {
    /// OpenSSL's own server with a certificate that only its maker trusts.
    @Test(.enabled(if: ChildProcess.isInstalled(opensslPath), "openssl is not installed"))
    func certificatesAreChecked() async throws {
        let directory = try ChildProcess.temporaryDirectory()
        let (key, certificate) = (directory + "/key.pem", directory + "/certificate.pem")
        try ChildProcess.runTool(
            opensslPath,
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                "/CN=localhost",
                "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate,
            ])
        try "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\na 1\n".write(
            toFile: directory + "/metrics", atomically: true, encoding: .utf8)
        let port = freePort()
        let server = try ChildProcess(
            opensslPath, ["s_server", "-accept", "127.0.0.1:\(port)", "-key", key, "-cert", certificate, "-HTTP"], directory: directory)
        defer { server.stop() }
        try await eventually("openssl listens: \(server.printed)") { canConnect(port) }
        func target(_ job: String, _ tls: TLSOptions) -> ScrapeTarget {
            var target = ScrapeTarget(url: "https://127.0.0.1:\(port)/metrics", job: job)
            target.interval = 1_000
            target.timeout = 1_000
            target.tls = tls
            return target
        }
        var options = CollectOptions()
        options.targets = [
            target("trusting", TLSOptions(caFile: certificate)), target("careless", TLSOptions(insecureSkipVerify: true)),
            target("careful", TLSOptions()), target("lost", TLSOptions(caFile: directory + "/nowhere.pem")),
        ]
        let bench = RoleBench(options)
        try await eventually("the trusting one is up: \(bench.role.status())") { bench.status("trusting")?.health == .up }
        try await eventually("the careless one, too") { bench.status("careless")?.health == .up }
        try await eventually("the others are down") { bench.status("careful")?.health == .down && bench.status("lost")?.health == .down }
        #expect(
            bench.status("careful")?.lastError?.contains("CERTIFICATE_VERIFY_FAILED") == true, "\(bench.status("careful")?.lastError ?? "")"
        )
        #expect(bench.status("lost")?.lastError?.contains("cannot read the CA file") == true, "\(bench.status("lost")?.lastError ?? "")")
        await bench.stop()
    }
}
