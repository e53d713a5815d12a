import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOSSL
import Records
import Synchronization

/// Posts lines as NDJSON, one request after the other, so that they arrive in order. What was not acknowledged is sent again until it is: a
/// request that was taken and whose answer was lost brings its events twice.
final class EventPoster: EventSink {
    private static let timeoutSeconds: Int64 = 30
    /// Waits grow from the first to the last.
    private static let firstWait = 0.25
    private static let lastWait = 10.0

    private let client: HTTPClient
    /// Lines that the server took as dead letters.
    let rejected = Mutex(0)
    private let url: String
    private let token: String?

    /// What an answer means.
    private enum Answer {
        case taken
        case tooLarge
        /// Try again, after as many seconds if it says so.
        case later(String, Double?)
        case refused(String)
    }

    init(url: String, token: String?, caFile: String?) throws {
        self.url = url
        self.token = token
        var configuration = HTTPClient.Configuration()
        if let caFile {
            var trust = TLSConfiguration.makeClientConfiguration()
            do { trust.additionalTrustRoots = [.certificates(try NIOSSLCertificate.fromPEMFile(caFile))] } catch {
                throw Failure("--ca-file \(caFile) cannot be read: \(error)")
            }
            configuration.tlsConfiguration = trust
        }
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    func close() async { try? await client.shutdown() }

    func send(_ lines: [UInt8], isEnding: @escaping @Sendable () -> Bool) async throws {
        var wait = EventPoster.firstWait
        var isTold = false
        while true {
            switch await post(lines) {
            case .taken:
                if isTold { Output.error("almanac: \(url) takes events again") }
                return
            case .refused(let reason): throw Failure("\(url) refuses the events: \(reason)")
            case .tooLarge:
                guard let (first, second) = EventPoster.halves(lines) else { throw Failure("\(url) finds a single event too large") }
                try await send(first, isEnding: isEnding)
                return try await send(second, isEnding: isEnding)
            case .later(let reason, let seconds):
                if !isTold { Output.error("almanac: \(url): \(reason); trying until it takes them") }
                isTold = true
                try await pause(seconds.map { min(max($0, 0.05), 60) } ?? wait, isEnding)
                wait = min(wait * 2, EventPoster.lastWait)
            }
        }
    }

    private func post(_ lines: [UInt8]) async -> Answer {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/x-ndjson")
        request.headers.add(name: "User-Agent", value: "almanac")
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        request.body = .bytes(ByteBuffer(bytes: lines))
        do {
            let response = try await client.execute(request, timeout: .seconds(EventPoster.timeoutSeconds))
            let body = try await response.body.collect(upTo: 64 << 10)
            let retry = response.headers.first(name: "Retry-After").flatMap { Double($0) }
            let text = String(buffer: body).split(whereSeparator: \.isNewline).joined(separator: " ")
            switch response.status.code {
            case 200...299:
                count(text)
                return .taken
            // A body in which nothing was an event: taken too, as dead letters.
            case 400 where text.contains("\"rejected\""):
                count(text)
                return .taken
            case 413: return .tooLarge
            case 408, 425, 429, 500...599: return .later("answers \(response.status.code) \(text)", retry)
            default: return .refused("\(response.status.code) \(text)")
            }
        } catch {
            return .later("does not answer: \(error)", nil)
        }
    }

    private func count(_ answer: String) {
        guard let refused = (try? JSONValue(parsing: Array(answer.utf8)))?["rejected"]?.int64Value else { return }
        rejected.withLock { $0 += Int(refused) }
    }

    /// Looks up every 100 ms whether the user wants to end.
    private func pause(_ seconds: Double, _ isEnding: () -> Bool) async throws {
        var rest = seconds
        while rest > 0 {
            if isEnding() { throw SinkEnded() }
            try? await Task.sleep(for: .seconds(min(rest, 0.1)))
            rest -= 0.1
        }
        if isEnding() { throw SinkEnded() }
    }

    /// Two parts at a line's end near the middle; nil for one line.
    static func halves(_ lines: [UInt8]) -> ([UInt8], [UInt8])? {
        let feed = UInt8(ascii: "\n")
        let middle = lines.count / 2
        let before = lines[..<middle].lastIndex(of: feed)
        let after = lines[middle...].firstIndex(of: feed)
        guard let cut = before ?? after, cut + 1 < lines.count else { return nil }
        return (Array(lines[...cut]), Array(lines[(cut + 1)...]))
    }
}
