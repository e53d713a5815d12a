import Hummingbird
import Logging
import NIOCore
import Telemetry

/// Answers requests: guards, authentication, routing, errors as problem documents, metrics, access log, security headers.
package struct HTTPFace: HTTPResponder {
    package typealias Context = FaceContext

    private let options: HTTPServerOptions
    private let table: RouteTable
    private let authenticator: Authenticator
    private let requestGuard: RequestGuard
    private let metrics: RequestMetrics
    private let unknownPath: String

    init(options: HTTPServerOptions, routes: [HTTPRoute], registry: MetricRegistry) {
        self.options = options
        table = RouteTable(routes: routes)
        authenticator = Authenticator(options: options)
        requestGuard = RequestGuard(options: options)
        metrics = RequestMetrics(registry: registry)
        // A role that serves nothing else has no map of its paths.
        let hasMap = Set(["/", "/openapi.json"]).isSubset(of: routes.map(\.path))
        unknownPath =
            "there is nothing at this path; " + (hasMap ? "/openapi.json or / tells what there is" : "there are /metrics and /-/ready")
    }

    package func respond(to request: Request, context: FaceContext) async throws -> Response {
        let clock = ContinuousClock()
        let start = clock.now
        var template = "unmatched"
        let progress = BodyProgress()
        var response: Response
        do {
            response = try await answer(request, context, progress, template: &template)
        } catch {
            response = problem(for: error, request, context.logger).response(instance: request.uri.path)
        }
        addSecurityHeaders(&response)
        // What is left of a body would hold the connection for as long as the client likes.
        if !progress.isWhole && BodyProgress.isExpected(request.headers) { response.headers[.connection] = "close" }
        let elapsed = (clock.now - start) / .seconds(1)
        metrics.record(path: template, method: request.method, status: response.status, seconds: elapsed)
        context.logger.debug(
            "request",
            metadata: [
                "method": .string(request.method.rawValue), "path": .string(request.uri.path),
                "status": .stringConvertible(response.status.code), "seconds": .stringConvertible(elapsed),
            ])
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func answer(
        _ request: Request, _ context: FaceContext, _ progress: BodyProgress, template: inout String
    ) async throws -> Response {
        try requestGuard.checkHost(request)
        let path = try segments(of: request.uri.path)
        let role = authenticator.role(of: request.headers)
        switch table.find(request.method, path) {
        case .unknown:
            // Who may not read learns nothing about which paths there are.
            if role == nil { throw authenticator.challenge }
            throw Problem.notFound(unknownPath)
        case .wrongMethod(let known, let allowed):
            template = known
            if role == nil { throw authenticator.challenge }
            let names = allowed.map(\.rawValue).joined(separator: ", ")
            throw Problem(.methodNotAllowed, detail: "this path answers \(names)", headers: [.allow: names])
        case .found(let route, let parameters):
            template = route.path
            try authorize(route, request, role)
            try requestGuard.checkOrigin(request)
            if let length = request.headers[.contentLength].flatMap(Int.init), length > options.maxBodyBytes {
                throw HTTPFace.tooLarge(options.maxBodyBytes)
            }
            let query = try QueryParameters(request.uri.query)
            let channel = context.channel
            let routed = RoutedRequest(
                request: request, parameters: parameters, query: query, role: role, maxBodyBytes: options.maxBodyBytes,
                logger: context.logger, closeConnection: { channel.close(promise: nil) }, deadlines: options.deadlines, progress: progress)
            return try await route.handler(routed)
        }
    }

    private func authorize(_ route: HTTPRoute, _ request: Request, _ role: AccessRole?) throws(Problem) {
        if route.access == .open { return }
        guard let role else { throw authenticator.challenge }
        if !RequestGuard.isSafe(request.method) && role < .write {
            throw Problem(.forbidden, detail: "\(request.method.rawValue) needs the role write; these credentials have the role read")
        }
    }

    private func segments(of path: String) throws(Problem) -> [String] {
        var parts: [String] = []
        for part in path.split(separator: "/") {
            guard let decoded = PercentCoding.decode(part) else {
                throw Problem(.badRequest, detail: "the path has a broken percent-encoding")
            }
            parts.append(decoded)
        }
        return parts
    }

    private func problem(for error: any Error, _ request: Request, _ logger: Logger) -> Problem {
        if let problem = error as? Problem { return problem }
        if error is CancellationError { return Problem.unavailable("the server is shutting down") }
        logger.error(
            "request failed", metadata: ["path": .string(request.uri.path), "error": .string(String(describing: error))])
        return Problem(.internalServerError, detail: "the request failed here, the reason is in the server's log")
    }

    static func tooLarge(_ limit: Int) -> Problem {
        Problem(.contentTooLarge, detail: "the body is larger than \(limit) bytes", headers: [.connection: "close"])
    }

    private func addSecurityHeaders(_ response: inout Response) {
        response.headers[.xContentTypeOptions] = "nosniff"
        if response.headers[.contentSecurityPolicy] == nil {
            response.headers[.contentSecurityPolicy] = "default-src 'none'; frame-ancestors 'none'"
        }
        response.headers[.referrerPolicy] = "no-referrer"
        if response.headers[.cacheControl] == nil { response.headers[.cacheControl] = "no-store" }
    }
}
