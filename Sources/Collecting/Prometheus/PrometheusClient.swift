import Fetching
import NIOHTTP1
import Records
import Telemetry
import TimeSeries

/// Why a server gave no samples, with what to do about it.
enum PrometheusFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// The piece of time is too much for the server or for a limit here: ask for less.
    case tooMuch(String)
    case timeout(String)
    /// The query or the access is wrong; the same request will fail again.
    case refused(String)
    case unavailable(String)

    var description: String {
        switch self {
        case .tooMuch(let text), .timeout(let text), .refused(let text), .unavailable(let text): text
        }
    }

    /// Whether a shorter piece may succeed.
    var wantsLess: Bool {
        switch self {
        case .tooMuch, .timeout: true
        case .refused, .unavailable: false
        }
    }
}

/// The few calls of Prometheus' HTTP API that are needed (https://prometheus.io/docs/prometheus/latest/querying/api/).
struct PrometheusClient: Sendable {
    private let base: String
    private let fetcher: Fetcher
    private let timeout: Milliseconds
    private let maxSamples: Int
    private let metrics: CollectMetrics

    init(_ options: PrometheusOptions, metrics: CollectMetrics) throws(FetchFailure) {
        var base = options.baseURL
        while base.hasSuffix("/") { base.removeLast() }
        self.base = base
        fetcher = try Fetcher.make(tls: options.tls, credentials: options.credentials, maxBodyBytes: options.maxBodyBytes).get()
        timeout = options.timeout
        maxSamples = options.maxPieceSamples
        self.metrics = metrics
    }

    func close() async { await fetcher.close() }

    /// The server's clock.
    func now() async throws -> Milliseconds {
        let answer = try await ask("query", [("query", "time()")])
        guard let json = try? JSONValue(parsing: answer.body), let result = json["data"]?["result"]?.arrayValue, result.count == 2,
            let seconds = result[1].stringValue.flatMap(Double.init), seconds.magnitude < 1e12
        else { throw PrometheusFailure.unavailable("\(redacted(base)) did not tell its time; is it a Prometheus server?") }
        return Milliseconds((seconds * 1_000).rounded(.down))
    }

    /// Raw samples of (from, to]; those of `from` itself come too where the server's ranges are closed (before 3.0).
    func samples(_ selector: String, after from: Milliseconds, upTo to: Milliseconds) async throws -> MatrixColumns {
        let query = "\(selector)[\(max(1, to - from))ms]"
        return try await matrix("query", [("query", query), ("time", seconds(to)), ("timeout", "\(timeout)ms")], query)
    }

    /// Values of an expression at `start`, `start + step`, up to `end`.
    func values(_ expr: String, from start: Milliseconds, through end: Milliseconds, step: Milliseconds) async throws -> MatrixColumns {
        let parameters = [
            ("query", expr), ("start", seconds(start)), ("end", seconds(end)), ("step", seconds(step)), ("timeout", "\(timeout)ms"),
        ]
        return try await matrix("query_range", parameters, expr)
    }

    /// The types that the server's targets declare.
    func types() async throws -> DeclaredTypes {
        let answer = try await ask("metadata", [], method: .GET)
        do {
            return DeclaredTypes(try JSONValue(parsing: answer.body))
        } catch {
            throw PrometheusFailure.unavailable("the metadata of \(redacted(base)) is not JSON: \(error)")
        }
    }

    /// The labels of the series that have samples between the times and match one of the selectors.
    func series(_ selectors: [String], from: Milliseconds, to: Milliseconds) async throws -> [LabelSet] {
        let parameters = selectors.map { ("match[]", $0) } + [("start", seconds(from)), ("end", seconds(to))]
        let answer = try await ask("series", parameters)
        guard let data = (try? JSONValue(parsing: answer.body))?["data"]?.arrayValue else {
            throw PrometheusFailure.unavailable("the list of series of \(redacted(base)) cannot be read")
        }
        return data.map { one in
            LabelSet((one.objectValue ?? []).compactMap { name, value in value.stringValue.map { Label(name, $0) } })
        }
    }

    private func matrix(_ path: String, _ parameters: [(String, String)], _ query: String) async throws -> MatrixColumns {
        let answer = try await ask(path, parameters)
        do {
            return try MatrixParser.parse(answer.body, maxSamples: maxSamples)
        } catch  where error.message == MatrixParser.tooManySamples {
            throw PrometheusFailure.tooMuch("\(query) gives more than \(maxSamples) samples")
        } catch {
            throw PrometheusFailure.unavailable("the answer to \(query) cannot be read: \(error)")
        }
    }

    private func ask(_ path: String, _ parameters: [(String, String)], method: HTTPMethod = .POST) async throws -> FetchedPage {
        metrics.prometheusRequests.add()
        do {
            let form = parameters.map { "\($0.0)=\(percentEncoded($0.1))" }.joined(separator: "&")
            // A little longer than the server's own limit, so that the server's reason arrives.
            let answer = try await fetcher.fetch(
                "\(base)/api/v1/\(path)", method: method, content: method == .POST ? .form(form) : nil, timeout: timeout + 1_000)
            guard answer.status / 100 == 2 else { throw failure(answer) }
            return answer
        } catch let error as FetchFailure {
            metrics.prometheusFailures.add()
            throw failure(error)
        } catch {
            metrics.prometheusFailures.add()
            throw error
        }
    }

    private func failure(_ error: FetchFailure) -> PrometheusFailure {
        switch error.kind {
        case .timeout: .timeout("\(redacted(base)): \(error)")
        case .tooLarge: .tooMuch("\(redacted(base)): \(error)")
        case .status, .connection: .unavailable("\(redacted(base)): \(error); check that the server runs and the URL is right")
        }
    }

    /// The API's error object is `{"status":"error","errorType":..,"error":..}`.
    private func failure(_ answer: FetchedPage) -> PrometheusFailure {
        let json = try? JSONValue(parsing: answer.body)
        let reason = json?["error"]?.stringValue ?? ""
        let text = "\(redacted(base)) answered \(answer.status)\(reason.isEmpty ? "" : ": \(reason)")"
        switch (answer.status, json?["errorType"]?.stringValue) {
        case (401, _), (403, _): return .refused("\(text); check the user and password or the token")
        case (404, _): return .refused("\(text); check the base URL")
        case (_, "bad_data") where reason.contains("exceeded maximum resolution"): return .tooMuch(text)
        case (_, "bad_data"): return .refused("\(text); correct the selector or expression")
        case (_, "timeout"), (_, "canceled"), (504, _): return .timeout("\(text)")
        case (_, "execution") where reason.contains("too many samples") || reason.contains("limit"): return .tooMuch(text)
        case (_, "execution"): return .refused("\(text); correct the selector or expression")
        case (413, _): return .tooMuch(text)
        default: return .unavailable(text)
        }
    }

    private func seconds(_ time: Milliseconds) -> String {
        let fraction = String(time.magnitude % 1_000)
        return (time < 0 ? "-" : "") + "\(time.magnitude / 1_000)." + String(repeating: "0", count: 3 - fraction.utf8.count) + fraction
    }
}

/// RFC 3986 percent-encoding of everything but the unreserved characters.
func percentEncoded(_ text: String) -> String {
    let hex = Array("0123456789ABCDEF".utf8)
    var out: [UInt8] = []
    out.reserveCapacity(text.utf8.count * 2)
    for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
            out.append(byte)
        default: out += [UInt8(ascii: "%"), hex[Int(byte >> 4)], hex[Int(byte & 15)]]
        }
    }
    return String(decoding: out, as: UTF8.self)
}
