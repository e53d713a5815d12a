import Glibc
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import NIOSSL
import Telemetry

/// One listening HTTP face: the given routes, the probes `/-/healthy` and `/-/ready`, and `/metrics`.
///
/// A role that serves nothing else passes no routes.
package struct HTTPServer: Sendable {
    package let options: HTTPServerOptions
    /// All routes, the probes among them.
    package let routes: [HTTPRoute]
    private let registry: MetricRegistry
    private let logger: Logger
    private let onRunning: @Sendable (Int) -> Void

    /// - Parameters:
    ///   - reload: what `POST /-/reload` does, and the sections that wait for a restart; without it there is no such path.
    ///   - onRunning: called once with the bound port.
    /// - Throws: `HTTPServerError` if the options must not be served.
    package init(
        options: HTTPServerOptions, routes: [HTTPRoute] = [], registry: MetricRegistry, readiness: Readiness,
        reload: (@Sendable () async throws -> [String])? = nil, logger: Logger, onRunning: @escaping @Sendable (Int) -> Void = { _ in }
    ) throws(HTTPServerError) {
        try options.validate()
        self.options = options
        // The first match counts: a face may put a page of its own in a probe's place, as the exporter does.
        self.routes = routes + ProbeRoutes.routes(registry: registry, readiness: readiness, reload: reload)
        self.registry = registry
        self.logger = logger
        self.onRunning = onRunning
    }

    /// Listens until graceful shutdown or cancellation; requests under way are answered first.
    /// Throws `HTTPServerError` that names the address and what to do if it cannot listen.
    package func run() async throws {
        let application = try application()
        do {
            try await application.run()
        } catch let error as IOError {
            throw HTTPServer.explain(error, options)
        } catch let error as SocketAddressError {
            throw HTTPServerError("cannot listen on \(options.address): the host name has no address here (\(error)); use an IP address")
        }
    }

    /// The Hummingbird application; tests drive it without a socket.
    package func application() throws(HTTPServerError) -> Application<HTTPFace> {
        let onRunning = self.onRunning
        return Application(
            responder: HTTPFace(options: options, routes: routes, registry: registry),
            server: try serverBuilder(),
            configuration: ApplicationConfiguration(
                address: .hostname(options.host.filter { $0 != "[" && $0 != "]" }, port: options.port),
                serverName: "almanac",
                availableConnectionsDelegate: MaximumAvailableConnections(options.maxConnections, logger: logger)),
            onServerRunning: { channel in onRunning(channel.localAddress?.port ?? 0) },
            logger: logger)
    }

    private func serverBuilder() throws(HTTPServerError) -> HTTPServerBuilder {
        let (headTimeout, idleTimeout) = (TimeAmount(options.deadlines.head), TimeAmount.seconds(options.idleTimeoutSeconds))
        let logger = logger
        let http = HTTPServerBuilder.http1(
            configuration: .init(
                additionalChannelHandlers: [StalledAnswers(idleTimeout, logger: logger), ConnectionDeadlines(headTimeout)],
                idleTimeout: idleTimeout))
        guard let tls = options.tls else { return http }
        do {
            let chain = try NIOSSLCertificate.fromPEMFile(tls.certificatePath)
            if chain.isEmpty { throw HTTPServerError("no certificate in it") }
            let key = try NIOSSLPrivateKey(file: tls.keyPath, format: .pem)
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
            configuration.minimumTLSVersion = .tlsv12
            // Building the context here finds a key that does not fit its certificate before anything listens.
            _ = try NIOSSLContext(configuration: configuration)
            return try .tls(http, tlsConfiguration: configuration)
        } catch {
            throw HTTPServerError(
                "TLS for \(options.address): certificate \(tls.certificatePath) with key \(tls.keyPath) cannot be used (\(error)); "
                    + "both must be readable PEM files that belong together")
        }
    }

    static func explain(_ error: IOError, _ options: HTTPServerOptions) -> HTTPServerError {
        switch error.errnoCode {
        case EADDRINUSE:
            HTTPServerError(
                "cannot listen on \(options.address): another program listens there; stop it or choose another port")
        case EACCES, EPERM:
            HTTPServerError(
                "cannot listen on \(options.address): ports below 1024 need privileges; "
                    + "choose a port from 1024 up or grant CAP_NET_BIND_SERVICE")
        case EADDRNOTAVAIL:
            HTTPServerError("cannot listen on \(options.address): this machine has no such address; use 127.0.0.1 or one of its own")
        default:
            HTTPServerError("cannot listen on \(options.address): \(error)")
        }
    }
}
