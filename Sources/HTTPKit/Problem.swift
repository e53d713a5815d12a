import Hummingbird
import Records

/// An error answer as an RFC 9457 problem document. Handlers throw it; what else they throw becomes a 500 without internals.
package struct Problem: Error, Sendable, CustomStringConvertible {
    package var status: HTTPResponse.Status
    package var title: String
    /// What is wrong with this request, and what to do; never internals.
    package var detail: String
    package var headers: HTTPFields

    package init(_ status: HTTPResponse.Status, title: String? = nil, detail: String, headers: HTTPFields = [:]) {
        self.status = status
        self.title = title ?? status.reasonPhrase
        self.detail = detail
        self.headers = headers
    }

    package var description: String { "\(status.code) \(title): \(detail)" }

    /// 400 that names a parameter.
    package static func badParameter(_ name: String, _ what: String) -> Problem {
        Problem(.badRequest, title: "Bad parameter", detail: "parameter '\(name)': \(what)")
    }

    package static func notFound(_ detail: String) -> Problem { Problem(.notFound, detail: detail) }

    /// 503 with a hint when to come again.
    package static func unavailable(_ detail: String, retryAfterSeconds: Int = 5) -> Problem {
        Problem(.serviceUnavailable, detail: detail, headers: [.retryAfter: "\(retryAfterSeconds)"])
    }

    /// `instance` is the path that was asked for.
    func response(instance: String) -> Response {
        let document: JSONValue = .object([
            (key: "type", value: "about:blank"),
            (key: "title", value: .string(title)),
            (key: "status", value: .int(Int64(status.code))),
            (key: "detail", value: .string(detail)),
            (key: "instance", value: .string(instance)),
        ])
        var response = Response.json(document, status: status)
        response.headers[.contentType] = "application/problem+json"
        for field in headers { response.headers.append(field) }
        return response
    }
}

extension Response {
    /// A compact JSON answer.
    package static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]) -> Response {
        bytes(value.jsonBytes, type: "application/json", status: status, headers: headers)
    }

    package static func text(_ text: String, type: String = "text/plain; charset=utf-8", status: HTTPResponse.Status = .ok) -> Response {
        bytes(Array(text.utf8), type: type, status: status)
    }

    package static func bytes(
        _ bytes: [UInt8], type: String, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]
    ) -> Response {
        var fields = headers
        fields[.contentType] = type
        return Response(status: status, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
