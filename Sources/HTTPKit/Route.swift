import Hummingbird
import Logging

/// A request that found its route.
package struct RoutedRequest: Sendable {
    package let request: Request
    /// The decoded `{name}` segments.
    package let parameters: [String: String]
    package let query: QueryParameters
    /// nil where the route is open and the caller showed no valid credentials.
    package let role: AccessRole?
    package let maxBodyBytes: Int
    package let logger: Logger
    /// Closes the connection at once, whatever is still to be written.
    package let closeConnection: @Sendable () -> Void
    var deadlines = RequestDeadlines()
    var progress = BodyProgress()

    /// The decoded segment of the path that the template calls `{name}`.
    package func parameter(_ name: String) -> String { parameters[name] ?? "" }
}

/// One method on one path. `path` is a template, for example `/api/v1/series/{id}`; it is also the label of the request metrics.
package struct HTTPRoute: Sendable {
    package typealias Handler = @Sendable (RoutedRequest) async throws -> Response

    package enum Access: Sendable {
        /// No credentials needed: probes.
        case open
        /// Role read for safe methods, write for the others.
        case byMethod
    }

    package let method: HTTPRequest.Method
    package let path: String
    package let access: Access
    let segments: [Segment]
    package let handler: Handler

    enum Segment: Sendable, Equatable {
        case literal(String)
        case parameter(String)
    }

    package init(_ method: HTTPRequest.Method, _ path: String, access: Access = .byMethod, handler: @escaping Handler) {
        self.method = method
        self.path = path
        self.access = access
        self.handler = handler
        segments = path.split(separator: "/").map { part in
            part.hasPrefix("{") && part.hasSuffix("}") ? .parameter(String(part.dropFirst().dropLast())) : .literal(String(part))
        }
    }

    package static func get(_ path: String, access: Access = .byMethod, handler: @escaping Handler) -> HTTPRoute {
        HTTPRoute(.get, path, access: access, handler: handler)
    }

    /// The parameters if the path fits; literals count before parameters by the order of the table.
    func match(_ path: [String]) -> [String: String]? {
        guard path.count == segments.count else { return nil }
        var found: [String: String] = [:]
        for (segment, part) in zip(segments, path) {
            switch segment {
            case .literal(let text): if text != part { return nil }
            case .parameter(let name): found[name] = part
            }
        }
        return found
    }
}

/// All routes of a face. Hummingbird's router answers 404 where the method is wrong and cannot list its routes; a face needs
/// 405 with Allow, the template for metrics, and the list for the test of the OpenAPI document.
struct RouteTable: Sendable {
    let routes: [HTTPRoute]

    enum Lookup {
        case found(HTTPRoute, [String: String])
        case wrongMethod(path: String, allowed: [HTTPRequest.Method])
        case unknown
    }

    /// O(routes). HEAD finds the GET route.
    func find(_ method: HTTPRequest.Method, _ path: [String]) -> Lookup {
        let wanted = method == .head ? HTTPRequest.Method.get : method
        var allowed: [HTTPRequest.Method] = []
        var template = ""
        for route in routes {
            guard let parameters = route.match(path) else { continue }
            if route.method == wanted { return .found(route, parameters) }
            template = route.path
            allowed.append(route.method)
            if route.method == .get { allowed.append(.head) }
        }
        return allowed.isEmpty ? .unknown : .wrongMethod(path: template, allowed: allowed)
    }
}
