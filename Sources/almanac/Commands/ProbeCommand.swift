import ArgumentParser
import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOSSL
import Settings

/// For the health checks of containers whose image holds no other HTTP client.
struct ProbeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "probe",
        abstract: "Ask a running almanac whether it is ready; the exit code says it.",
        discussion: """
            Exit code 0 for an answer with a status of 200 to 299, 1 for any other answer or none. Probes need no credentials.

            Examples:
              almanac probe                                      /-/ready where the configuration listens
              almanac probe http://127.0.0.1:5002/-/healthy
            """)

    @Argument(help: ArgumentHelp("What to ask; default: /-/ready where the configuration says that almanac listens.", valueName: "url"))
    var url: String?

    @Option(help: ArgumentHelp("The configuration file (variable ALMANAC_CONFIG).", valueName: "file"), completion: .file())
    var config: String?

    @Option(help: ArgumentHelp("How long to wait for the answer.", valueName: "seconds"))
    var timeout = 5.0

    func validate() throws {
        guard timeout > 0, timeout <= 3600 else { throw ValidationError("--timeout \(timeout): give seconds above 0 and up to 3600") }
    }

    func run() async throws {
        let path = config ?? Output.environment["ALMANAC_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        let asked =
            url ?? ConfigurationSummary.url(Configuration.load(path: path, environment: Output.environment, flags: []).configuration)
            + "-/ready"
        var configuration = HTTPClient.Configuration()
        // It asks itself, on the address that it was told: the name in the certificate is another.
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.certificateVerification = .none
        configuration.tlsConfiguration = tls
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let result: Result<(UInt, String), any Error>
        do {
            let response = try await client.execute(HTTPClientRequest(url: asked), timeout: .milliseconds(Int64(timeout * 1000)))
            let body = try await response.body.collect(upTo: 64 << 10)
            result = .success((response.status.code, String(buffer: body)))
        } catch {
            result = .failure(error)
        }
        try await client.shutdown()
        switch result {
        case .success((200...299, let text)): Output.line(text.trimmed)
        case .success((let code, let text)): throw Failure("\(asked) answers \(code): \(text.trimmed)")
        case .failure(let error): throw Failure("\(asked) does not answer: \(error)")
        }
    }
}

extension String {
    fileprivate var trimmed: String {
        split(whereSeparator: \.isNewline).joined(separator: " ")
    }
}
