import HTTPKit
import Hummingbird
import NIOCore

/// `/api/v1/events`: results as server-sent events.
struct EventsHandler: Sendable {
    let hub: EventHub

    func respond(_ request: RoutedRequest) async throws -> Response {
        try request.query.refuseUnknown(EventQuery.parameters)
        let query = try EventQuery(request.query)
        var headers = HTTPFields()
        headers[.contentType] = "text/event-stream"
        headers[.cacheControl] = "no-store"
        if request.request.method == .head { return Response(status: .ok, headers: headers) }
        let listener = try hub.listen(query.isAll ? nil : query, abort: request.closeConnection)
        let body = ResponseBody { [hub] writer in
            defer { hub.leave(listener) }
            try await EventsHandler.stream(listener, request, to: &writer)
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: headers, body: body)
    }

    private static func stream(_ listener: EventListener, _ request: RoutedRequest, to writer: inout any ResponseBodyWriter) async throws {
        // After a break the browser comes back within this many milliseconds.
        try await writer.write(ByteBuffer(string: "retry: 3000\n: connected\n\n"))
        try await request.request.body.consumeWithInboundCloseHandler { _ in
            for await _ in listener.bell {
                let bytes = listener.take()
                if !bytes.isEmpty { try await writer.write(ByteBuffer(bytes: bytes)) }
            }
            let rest = listener.take()
            if !rest.isEmpty { try await writer.write(ByteBuffer(bytes: rest)) }
        } onInboundClosed: {
            listener.end(with: nil, now: 0)
        }
    }
}
