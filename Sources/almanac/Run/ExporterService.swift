import HTTPKit
import Logging
import ServiceLifecycle

/// The exporter's only service.
struct ExporterService: Service {
    var server: HTTPServer

    func run() async throws { try await server.run() }

    /// Serves until SIGTERM or SIGINT.
    func runUntilSignal(logger: Logger) async throws {
        let group = ServiceGroup(configuration: ServiceGroupConfiguration(services: [self], logger: logger))
        let signals = Signals()
        signals.listen(onEnd: { Task { await group.triggerGracefulShutdown() } }, onReload: {})
        try await group.run()
        withExtendedLifetime(signals) {}
    }
}
