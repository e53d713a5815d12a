import ArgumentParser
import HTTPKit
import HostMetrics
import Logging
import Settings
import Telemetry

struct ExporterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exporter",
        abstract: "Serve this machine's metrics for Prometheus, under node exporter's names.",
        discussion: """
            CPU, load, memory, disks, filesystems and network at /metrics, probes at /-/healthy and /-/ready. It keeps no data. \
            `almanac run` has the same metrics built in and needs no exporter for its own machine.

            Examples:
              almanac exporter
              almanac exporter --listen 127.0.0.1:9101
              curl http://127.0.0.1:9100/metrics
            """)

    @Option(help: ArgumentHelp("Where to serve.", valueName: "address:port"))
    var listen = "127.0.0.1:9100"

    @Option(
        help: ArgumentHelp("A file with the bearer token that readers must show; needed beyond loopback.", valueName: "file"),
        completion: .file())
    var tokenFile: String?

    @Option(help: ArgumentHelp("Where the host's root is mounted, in a container.", valueName: "directory"), completion: .directory)
    var rootfs = "/"

    func validate() throws {
        guard ListenAddress(listen) != nil else { throw ValidationError("--listen \(listen): give address:port such as 127.0.0.1:9100") }
    }

    func run() async throws {
        guard let address = ListenAddress(listen) else { return }
        let console = ConsoleLog.start(level: .info)
        var options = HTTPServerOptions(host: address.host, port: address.port)
        if let tokenFile { options.readTokens = [try token(tokenFile, console)] }
        let root = rootfs == "/" ? "" : rootfs
        let exporter = HostExporter(procRoot: "\(root)/proc", sysRoot: "\(root)/sys", rootfs: rootfs)
        let page = HTTPRoute.get("/metrics") { request in
            try request.query.refuseUnknown([])
            return .text(String(decoding: exporter.page(), as: UTF8.self), type: "text/plain; version=0.0.4; charset=utf-8")
        }
        var logger = Logger(label: "exporter")
        logger.logLevel = .warning
        do {
            let server = try HTTPServer(
                options: options, routes: [page], registry: MetricRegistry(), readiness: Readiness(), logger: logger,
                onRunning: { port in Output.line("almanac exporter is at http://\(ListenAddress(host: address.host, port: port))/metrics") }
            )
            try await ExporterService(server: server).runUntilSignal(logger: logger)
        } catch let error as HTTPServerError {
            throw Failure("\(error)")
        }
    }

    private func token(_ path: String, _ console: ConsoleLog) throws -> HTTPKit.Secret {
        do {
            let text = try FileText.read(path)
            let line = String(text.prefix { !$0.isNewline })
            console.hide([line])
            return HTTPKit.Secret(line)
        } catch {
            throw Failure("--token-file: \(error)")
        }
    }
}
