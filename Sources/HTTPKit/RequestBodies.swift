import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Synchronization

/// How much of a request's body has been read.
final class BodyProgress: Sendable {
    private let bytes = Atomic<Int>(0)
    private let whole = Atomic<Bool>(false)

    var count: Int { bytes.load(ordering: .relaxed) }
    /// Whether its end has come.
    var isWhole: Bool { whole.load(ordering: .relaxed) }

    func add(_ count: Int) { bytes.add(count, ordering: .relaxed) }
    func finish() { whole.store(true, ordering: .relaxed) }

    /// Whether a request with these headers has a body.
    static func isExpected(_ headers: HTTPFields) -> Bool {
        if headers[.transferEncoding] != nil { return true }
        guard let length = headers[.contentLength] else { return false }
        return length != "0"
    }
}

extension RoutedRequest {
    /// The whole body. Throws a 413 problem beyond the limit, a 408 problem if it comes too slowly, and a 400 problem if it breaks off or
    /// is not in HTTP's form.
    package func body() async throws -> [UInt8] {
        try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
            group.addTask { try await self.readBody() }
            group.addTask {
                try await self.bodyIsLate()
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let bytes = first else {
                throw Problem(
                    .requestTimeout, detail: "the body comes too slowly; send it faster, or less of it", headers: [.connection: "close"])
            }
            return bytes
        }
    }

    /// Throws a 415 problem for a body that is compressed, for example: none is unpacked here.
    package func refuseEncodedBody() throws(Problem) {
        guard let coding = request.headers[.contentEncoding], coding.lowercased() != "identity" else { return }
        throw Problem(
            .unsupportedMediaType, detail: "the body is encoded as '\(coding)'; send it as it is", headers: [.acceptEncoding: "identity"])
    }

    private func readBody() async throws -> [UInt8] {
        var bytes: [UInt8] = []
        do {
            for try await buffer in request.body {
                bytes.append(contentsOf: buffer.readableBytesView)
                progress.add(buffer.readableBytes)
                if bytes.count > maxBodyBytes { throw HTTPFace.tooLarge(maxBodyBytes) }
            }
        } catch let problem as Problem {
            throw problem
        } catch {
            try Task.checkCancellation()
            // The client's doing, not a failure here.
            logger.debug(
                "a request's body broke off", metadata: ["path": .string(request.uri.path), "error": .string(String(describing: error))])
            throw Problem(
                .badRequest, detail: "the body broke off or is not in the form that its head says", headers: [.connection: "close"])
        }
        // A sequence that is cancelled may just end: what has come until then is not the body.
        try Task.checkCancellation()
        progress.finish()
        return bytes
    }

    /// Returns when the body has taken more time than there is for what has come of it.
    private func bodyIsLate() async throws {
        try await deadlines.sleep(deadlines.body)
        var given = 0
        while true {
            let earned = progress.count / deadlines.bytesPerSecond
            if earned <= given { return }
            try await deadlines.sleep(.seconds(earned - given))
            given = earned
        }
    }
}
