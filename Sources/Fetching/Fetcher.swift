import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOHTTPCompression
import NIOSSL
import TimeSeries

/// Why a request brought nothing, in words for a person.
package struct FetchFailure: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Kind: Sendable, Equatable {
        case timeout, tooLarge, status(Int), connection
    }

    package var kind: Kind
    package var message: String
    package var description: String { message }

    package init(kind: Kind, message: String) {
        self.kind = kind
        self.message = message
    }
}

/// The body of a request.
package struct RequestContent: Sendable {
    package var type: String
    package var bytes: [UInt8]

    package init(type: String, bytes: [UInt8]) {
        self.type = type
        self.bytes = bytes
    }

    package static func form(_ text: String) -> RequestContent {
        RequestContent(type: "application/x-www-form-urlencoded", bytes: Array(text.utf8))
    }
}

package struct FetchedPage: Sendable {
    package var status = 200
    package var contentType: String?
    package var body: [UInt8]

    package init(status: Int = 200, contentType: String? = nil, body: [UInt8]) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }
}

/// One HTTP client for one target, with its own trust and limits; others never wait for its connections. Call `close` in the end.
package struct Fetcher: Sendable {
    private let client: HTTPClient
    private let credentials: HTTPCredentials?
    private let maxBodyBytes: Int

    /// Throws if the CA file cannot be read.
    /// - Parameter followsRedirects: a POST that is redirected would go on as a GET without its body.
    package init(tls: TLSOptions, credentials: HTTPCredentials?, maxBodyBytes: Int, followsRedirects: Bool = true) throws {
        var configuration = HTTPClient.Configuration()
        if tls != TLSOptions() {
            var trust = TLSConfiguration.makeClientConfiguration()
            if let path = tls.caFile {
                let authorities = try NIOSSLCertificate.fromPEMFile(path)
                trust.additionalTrustRoots = [.certificates(authorities)]
            }
            if tls.insecureSkipVerify { trust.certificateVerification = .none }
            configuration.tlsConfiguration = trust
        }
        configuration.decompression = .enabled(limit: .size(maxBodyBytes))
        // A refused connection is an answer; the caller decides when to try again.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        if !followsRedirects { configuration.redirectConfiguration = .disallow }
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        self.credentials = credentials
        self.maxBodyBytes = maxBodyBytes
    }

    /// The same with the reason in words.
    package static func make(
        tls: TLSOptions, credentials: HTTPCredentials?, maxBodyBytes: Int, followsRedirects: Bool = true
    ) -> Result<Fetcher, FetchFailure> {
        do {
            return .success(
                try Fetcher(tls: tls, credentials: credentials, maxBodyBytes: maxBodyBytes, followsRedirects: followsRedirects))
        } catch {
            return .failure(FetchFailure(kind: .connection, message: "cannot read the CA file \(tls.caFile ?? ""): \(error)"))
        }
    }

    package func close() async { try? await client.shutdown() }

    /// Fetches within `timeout`, redirects and body included. A status other than 2xx is given back, not thrown: the body may say why.
    package func fetch(
        _ url: String, method: HTTPMethod = .GET, headers: [(String, String)] = [], content: RequestContent? = nil,
        timeout: Milliseconds,
        expectedBytes: Int = 0
    ) async throws -> FetchedPage {
        let request = request(url, method, headers, content, timeout)
        do {
            return try await withTimeout(timeout) { try await collect(request, timeout, expectedBytes) }
        } catch {
            throw describe(error, timeout, host: FailureReason.host(of: url))
        }
    }

    private func request(
        _ url: String, _ method: HTTPMethod, _ headers: [(String, String)], _ content: RequestContent?, _ timeout: Milliseconds
    ) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: url)
        request.method = method
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        request.headers.add(name: "Accept-Encoding", value: "gzip")
        request.headers.add(name: "User-Agent", value: "almanac")
        switch credentials {
        case .basic(let user, let password): request.setBasicAuth(username: user, password: password)
        case .bearer(let token): request.headers.replaceOrAdd(name: "Authorization", value: "Bearer \(token)")
        case nil: break
        }
        if let content {
            request.headers.add(name: "Content-Type", value: content.type)
            request.body = .bytes(ByteBuffer(bytes: content.bytes))
        }
        return request
    }

    private func collect(_ request: HTTPClientRequest, _ timeout: Milliseconds, _ expectedBytes: Int) async throws -> FetchedPage {
        // The race in `withTimeout` ends it sooner; this deadline is for a server that accepts and never answers.
        let response = try await client.execute(request, timeout: .milliseconds(timeout))
        if let length = response.headers.first(name: "Content-Length").flatMap({ Int($0) }), length > maxBodyBytes { throw tooLarge() }
        var body: [UInt8] = []
        body.reserveCapacity(min(expectedBytes, maxBodyBytes))
        for try await chunk in response.body {
            if body.count + chunk.readableBytes > maxBodyBytes { throw tooLarge() }
            chunk.withUnsafeReadableBytes { body.append(contentsOf: $0) }
        }
        return FetchedPage(
            status: Int(response.status.code), contentType: response.headers.first(name: "Content-Type"), body: body)
    }

    private func tooLarge() -> FetchFailure {
        FetchFailure(kind: .tooLarge, message: "the body is larger than the limit of \(maxBodyBytes) bytes")
    }

    private func describe(_ error: any Error, _ timeout: Milliseconds, host: String) -> any Error {
        switch error {
        case is FetchFailure, is CancellationError: return error
        case is TimeoutError: return FetchFailure(kind: .timeout, message: "no complete answer within \(timeout) ms")
        case let error as HTTPClientError where error == .deadlineExceeded || error == .connectTimeout || error == .readTimeout:
            return FetchFailure(kind: .timeout, message: "no complete answer within \(timeout) ms")
        case let error as HTTPClientError where error == .cancelled: return CancellationError()
        case let error as HTTPClientError where error == .remoteConnectionClosed:
            return FetchFailure(kind: .connection, message: "the server closed the connection in the middle of its answer")
        case NIOHTTPDecompression.DecompressionError.limit: return tooLarge()
        case let error as NIOHTTPDecompression.DecompressionError:
            return FetchFailure(kind: .connection, message: "the body is not valid gzip (\(error))")
        case let error as NIOHTTPDecompression.ExtraDecompressionError:
            return FetchFailure(kind: .connection, message: "the body is not valid gzip (\(error))")
        case let error as NIOSSLExtraError where error == .failedToValidateHostname:
            return FetchFailure(kind: .connection, message: "the certificate is not for \(host)")
        default: return FetchFailure(kind: .connection, message: FailureReason.text(error))
        }
    }
}

package struct TimeoutError: Error {}

/// The body's result, or `TimeoutError` after `timeout` real milliseconds; then the body is cancelled.
package func withTimeout<Result: Sendable>(
    _ timeout: Milliseconds, _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: .milliseconds(timeout))
            throw TimeoutError()
        }
        defer { group.cancelAll() }
        guard let first = try await group.next() else { throw CancellationError() }
        return first
    }
}
