import Foundation
import NIOSSL
import TestSupport
import Testing

@testable import CassandraClient
@testable import CassandraScript

private let openssl = "/usr/bin/openssl"

@Suite(.timeLimit(.minutes(1))) struct TLSTests {
    /// A certificate for 127.0.0.1 that only its maker trusts.
    private func certificate(_ name: String) throws -> (key: String, certificate: String) {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("almanac-tls-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let paths = (key: folder + "/key.pem", certificate: folder + "/certificate.pem")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: openssl)
        process.arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=node",
            "-addext",
            "subjectAltName=\(name)", "-keyout", paths.key, "-out", paths.certificate,
        ]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return paths
    }

    /// It takes the connection and answers nothing, TLS neither.
    @Test func aSilentNodeIsNotWaitedForForLong() async throws {
        let node = try await startedNode { $0.isMute = true }
        var options = sessionOptions(node)
        options.tls.mode = .required
        let error = await failure { _ = try await CassandraSession.open(options) }
        #expect(error?.message.contains("did not answer in time") == true, "\(String(describing: error))")
        try await eventually("the connection is closed", within: 20) { node.openConnections == 0 }
        await node.stop()
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: openssl), "openssl is not installed"))
    func certificatesAreChecked() async throws {
        for (name, isRight) in [("IP:127.0.0.1", true), ("DNS:elsewhere", false)] {
            let files = try certificate(name)
            let configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMFile(files.certificate).map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem)))
            let node = ScriptedNode()
            try await node.start(tls: try NIOSSLContext(configuration: configuration))
            func opens(_ mode: CassandraTLS.Mode, caFile: String?) async -> Bool {
                var options = CassandraOptions(contactPoints: [node.address])
                options.connectTimeout = 2000
                options.tls.mode = mode
                options.tls.caFile = caFile
                do {
                    let session = try await CassandraSession.open(options)
                    try await session.query("SELECT 1")
                    await session.close()
                    return true
                } catch { return false }
            }
            #expect(await opens(.required, caFile: nil), "whoever answers")
            #expect(await opens(.authority, caFile: files.certificate))
            #expect(await !opens(.authority, caFile: nil), "the system's authorities do not know it")
            #expect(await opens(.verified, caFile: files.certificate) == isRight)
            #expect(await !opens(.disabled, caFile: nil))
            var lost = CassandraTLS()
            lost.mode = .verified
            lost.caFile = "/nowhere.pem"
            #expect(throws: CassandraError.self) { _ = try lost.context() }
            await node.stop()
        }
    }
}
