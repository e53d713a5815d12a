import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import Synchronization
import Testing

@testable import HTTPKit

@Suite("Bodies of requests")
struct BodyTests {
    private func request(_ body: RequestBody, _ headers: HTTPFields = [:]) throws -> RoutedRequest {
        let head = HTTPRequest(method: .post, scheme: nil, authority: nil, path: "/things", headerFields: headers)
        return RoutedRequest(
            request: Request(head: head, body: body), parameters: [:], query: try QueryParameters(nil), role: .write,
            maxBodyBytes: 1 << 20, logger: quietLogger(), closeConnection: {})
    }

    @Test func aBodyThatDoesNotComeIsA408() async throws {
        let (pieces, continuation) = AsyncStream.makeStream(of: ByteBuffer.self)
        defer { continuation.finish() }
        let slept = Mutex<[Duration]>([])
        var request = try request(RequestBody(asyncSequence: pieces))
        request.deadlines.sleep = { duration in slept.withLock { $0.append(duration) } }
        let late = request
        let problem = await #expect(throws: Problem.self) { try await late.body() }
        #expect(problem?.status == .requestTimeout && problem?.headers[.connection] == "close")
        #expect(slept.withLock { $0 } == [.seconds(30)])
        #expect(!late.progress.isWhole)
    }

    @Test func whatHasComeGivesMoreTime() async throws {
        let (pieces, continuation) = AsyncStream.makeStream(of: ByteBuffer.self)
        defer { continuation.finish() }
        continuation.yield(ByteBuffer(repeating: 65, count: 15_000))
        let slept = Mutex<[Duration]>([])
        let progress = BodyProgress()
        var request = try request(RequestBody(asyncSequence: pieces))
        request.progress = progress
        request.deadlines.sleep = { duration in
            let turns = slept.withLock {
                $0.append(duration)
                return $0.count
            }
            // The second piece comes in the second that the first one has given.
            if turns == 2 { continuation.yield(ByteBuffer(repeating: 65, count: 20_000)) }
            let expected = turns == 1 ? 15_000 : 35_000
            while progress.count < expected {
                try Task.checkCancellation()
                await Task.yield()
            }
        }
        let late = request
        let problem = await #expect(throws: Problem.self) { try await late.body() }
        #expect(problem?.status == .requestTimeout)
        #expect(slept.withLock { $0 } == [.seconds(30), .seconds(1), .seconds(2)])
    }

    @Test func aBodyInTimeIsWhole() async throws {
        let (pieces, continuation) = AsyncStream.makeStream(of: ByteBuffer.self)
        for text in ["a", "bc", "d"] { continuation.yield(ByteBuffer(string: text)) }
        continuation.finish()
        let request = try request(RequestBody(asyncSequence: pieces))
        #expect(!request.progress.isWhole)
        #expect(try await request.body() == Array("abcd".utf8))
        #expect(request.progress.isWhole && request.progress.count == 4)
    }

    @Test func aBodyThatBreaksOffIsTheClientsFault() async throws {
        let (pieces, continuation) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
        continuation.yield(ByteBuffer(string: "a"))
        continuation.finish(throwing: InternalDetail())
        let request = try request(RequestBody(asyncSequence: pieces))
        let problem = await #expect(throws: Problem.self) { try await request.body() }
        #expect(problem?.status == .badRequest && problem?.headers[.connection] == "close")
        #expect(problem?.detail.contains("InternalDetail") == false)
        #expect(!request.progress.isWhole)
    }

    @Test(arguments: [(nil, false), ("identity", false), ("Identity", false), ("gzip", true), ("gzip, identity", true)])
    func encodedBodies(coding: String?, isRefused: Bool) throws {
        var headers = HTTPFields()
        headers[.contentEncoding] = coding
        let request = try request(RequestBody(buffer: ByteBuffer()), headers)
        if isRefused {
            let problem = #expect(throws: Problem.self) { try request.refuseEncodedBody() }
            #expect(problem?.status == .unsupportedMediaType && problem?.headers[.acceptEncoding] == "identity")
        } else {
            try request.refuseEncodedBody()
        }
    }

    /// The connection is told to end only where something of a body is left.
    @Test func answersToBodiesThatNobodyReadSayClose() async throws {
        try await withFace { client in
            // The client adds the length.
            let cases: [(uri: String, headers: HTTPFields, body: String?, expected: String?)] = [
                ("/nothing", [:], "abc", "close"), ("/nothing", [.transferEncoding: "chunked"], nil, "close"),
                ("/broken", [:], "abc", "close"), ("/things", [:], "abc", nil), ("/nothing", [:], nil, nil), ("/nothing", [:], "", nil),
            ]
            for (uri, headers, body, expected) in cases {
                let bytes = body.map { ByteBuffer(string: $0) }
                let response = try await client.execute(uri: uri, method: .post, headers: headers, body: bytes)
                #expect(response.headers[.connection] == expected, "\(uri) \(headers) \(body ?? "-")")
            }
        }
    }
}
