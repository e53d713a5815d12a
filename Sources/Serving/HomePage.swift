import HTTPKit
import Hummingbird
import Records

/// `/` and `/openapi.json`.
struct HomePage: Sendable {
    let version: String
    /// The page, cut where the nonce of its script and style goes.
    private let pieces: [ArraySlice<UInt8>]

    static let nonceMark = Array("@NONCE@".utf8)

    init(version: String) {
        self.version = version
        pieces = HomePage.split(PackageResources.index_html, at: HomePage.nonceMark)
    }

    /// The dashboard for a browser, JSON for everyone else.
    func home(_ request: RoutedRequest) throws -> Response {
        try request.query.refuseUnknown([])
        var response = wantsHTML(request.request.headers[values: .accept]) ? page() : .json(links)
        response.headers[.vary] = "Accept"
        return response
    }

    private func wantsHTML(_ accept: [String]) -> Bool {
        accept.contains { $0.lowercased().contains("text/html") }
    }

    /// Only what carries this answer's nonce runs or styles: text that slipped into the page could do neither.
    private func page() -> Response {
        var generator = SystemRandomNumberGenerator()
        let nonce = String(generator.next(), radix: 16) + String(generator.next(), radix: 16)
        let bytes = Array(pieces.joined(separator: Array(nonce.utf8)))
        var response = Response.bytes(bytes, type: "text/html; charset=utf-8")
        response.headers[.contentSecurityPolicy] =
            "default-src 'none'; script-src 'nonce-\(nonce)'; style-src 'nonce-\(nonce)'; connect-src 'self'; img-src data:; "
            + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        return response
    }

    private var links: JSONValue {
        let paths = [
            ("series", "/api/v1/series"), ("events", "/api/v1/events"), ("openapi", "/openapi.json"),
            ("all_metrics", "/all_metrics"),
            ("autocorrelation_stationarity_seasonality_metadata", "/autocorrelation_stationarity_seasonality_metadata"),
            ("max_min_avg_std_metric", "/max_min_avg_std_metric"), ("prediction_of_metric_values", "/prediction_of_metric_values"),
            ("healthy", "/-/healthy"), ("ready", "/-/ready"), ("metrics", "/metrics"),
        ]
        return .object([
            (key: "name", value: "almanac"), (key: "version", value: .string(version)),
            (key: "links", value: .object(paths.map { (key: $0.0, value: .string($0.1)) })),
        ])
    }

    func openAPI(_ request: RoutedRequest) throws -> Response {
        try request.query.refuseUnknown([])
        return .bytes(PackageResources.openapi_json, type: "application/json")
    }

    private static func split(_ bytes: [UInt8], at mark: [UInt8]) -> [ArraySlice<UInt8>] {
        var pieces: [ArraySlice<UInt8>] = []
        var start = 0
        var at = 0
        while at + mark.count <= bytes.count {
            if bytes[at] == mark[0], bytes[at..<(at + mark.count)].elementsEqual(mark) {
                pieces.append(bytes[start..<at])
                at += mark.count
                start = at
            } else {
                at += 1
            }
        }
        return pieces + [bytes[start...]]
    }
}
