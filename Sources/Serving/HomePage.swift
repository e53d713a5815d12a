import HTTPKit
import Hummingbird
import Records

/// `/` and `/openapi.json`.
struct HomePage: Sendable {
    let version: String
    /// What the page shows before it has asked for any: series and traffic, as their paths give them.
    private let initial: @Sendable () async -> JSONValue
    /// The page, cut where the first series go, each part cut where the nonce of its script and style goes.
    private let parts: [[ArraySlice<UInt8>]]

    static let nonceMark = Array("@NONCE@".utf8)
    static let dataMark = Array("@DATA@".utf8)

    init(version: String, initial: @escaping @Sendable () async -> JSONValue) {
        self.version = version
        self.initial = initial
        parts = HomePage.split(PackageResources.index_html, at: HomePage.dataMark).map {
            HomePage.split(Array($0), at: HomePage.nonceMark)
        }
    }

    /// The dashboard for a browser, JSON for everyone else.
    func home(_ request: RoutedRequest) async throws -> Response {
        try request.query.refuseUnknown([])
        var response = wantsHTML(request.request.headers[values: .accept]) ? await page() : .json(links)
        response.headers[.vary] = "Accept"
        return response
    }

    private func wantsHTML(_ accept: [String]) -> Bool {
        accept.contains { $0.lowercased().contains("text/html") }
    }

    /// Only what carries this answer's nonce runs or styles: text that slipped into the page could do neither.
    private func page() async -> Response {
        var generator = SystemRandomNumberGenerator()
        let nonce = String(generator.next(), radix: 16) + String(generator.next(), radix: 16)
        let cut = parts.map { Array($0.joined(separator: Array(nonce.utf8))) }
        let bytes = Array(cut.joined(separator: HomePage.inScript(await initial().jsonBytes)))
        var response = Response.bytes(bytes, type: "text/html; charset=utf-8")
        response.headers[.contentSecurityPolicy] =
            "default-src 'none'; script-src 'nonce-\(nonce)'; style-src 'nonce-\(nonce)'; connect-src 'self'; img-src data:; "
            + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        return response
    }

    /// JSON that cannot end the script element it stands in: `<` as an escape, which means the same.
    static func inScript(_ json: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(json.count)
        for byte in json {
            if byte == UInt8(ascii: "<") { out.append(contentsOf: "\\u003c".utf8) } else { out.append(byte) }
        }
        return out
    }

    private var links: JSONValue {
        let paths = [
            ("series", "/api/v1/series"), ("traffic", "/api/v1/traffic/window"), ("events", "/api/v1/events"),
            ("openapi", "/openapi.json"),
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
