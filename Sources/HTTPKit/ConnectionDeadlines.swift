import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Ends connections that take up a place and bring nothing: a thousand of them would lock everybody out.
///
/// A request's head must be whole in time: the first one from the connection's beginning, every other from its first bytes. A connection that
/// is silent between two requests is left to the idle timeout. After an answer with `Connection: close` the connection goes: with the
/// end of its request, or in the same time.
final class ConnectionDeadlines: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart

    private let timeout: TimeAmount
    private var deadline: Scheduled<Void>?
    /// A part has come since the socket was last read empty.
    private var hasPart = false
    /// Between a request's head and its end.
    private var isWithinRequest = false
    /// Bytes have come behind the last request, and no head yet.
    private var hasBytesOfHead = false
    private var unanswered = 0
    /// The answer under way says `Connection: close`.
    private var isLast = false
    /// Such an answer has been written.
    private var isOver = false

    init(_ timeout: TimeAmount) { self.timeout = timeout }

    func handlerAdded(context: ChannelHandlerContext) { start(context.channel) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        hasPart = true
        hasBytesOfHead = false
        // What comes after the last answer does not earn more time.
        if !isOver { stop() }
        switch Self.unwrapInboundIn(data) {
        case .head:
            isWithinRequest = true
            unanswered += 1
        case .body: break
        case .end: isWithinRequest = false
        }
        context.fireChannelRead(data)
        if isOver && !isWithinRequest { context.close(promise: nil) }
    }

    /// A cycle of reading that brought no part brought a piece of one. Within a body that is the deadline of the body's reader.
    func channelReadComplete(context: ChannelHandlerContext) {
        if !hasPart && !isWithinRequest {
            hasBytesOfHead = true
            startForHead(context.channel)
        }
        hasPart = false
        context.fireChannelReadComplete()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        var promise = promise
        switch Self.unwrapOutboundIn(data) {
        case .head(let head): isLast = head.headerFields[.connection]?.lowercased() == "close"
        case .body: break
        case .end:
            // Not below 0: a head that cannot be read is answered, too.
            unanswered = max(0, unanswered - 1)
            let channel = context.channel
            if isLast {
                let written = promise ?? context.eventLoop.makePromise(of: Void.self)
                written.futureResult.assumeIsolated().whenComplete { _ in self.finish(channel) }
                promise = written
            } else {
                startForHead(channel)
            }
        }
        context.write(data, promise: promise)
    }

    /// What comes behind a mistake is not told apart any more: it has no end.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        isWithinRequest = true
        context.fireErrorCaught(error)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        let isEndOfInput = event as? ChannelEvent == .inputClosed
        if isEndOfInput {
            isWithinRequest = false
            hasBytesOfHead = false
        }
        context.fireUserInboundEventTriggered(event)
        if isEndOfInput && isOver { context.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        stop()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { stop() }

    /// The last answer is out. A client that still sends is given time to read it: closing at once would reset the connection.
    private func finish(_ channel: any Channel) {
        guard channel.isActive else { return }
        isOver = true
        stop()
        if isWithinRequest { start(channel) } else { channel.close(promise: nil) }
    }

    /// Not while an answer is under way: a stream of events may last for hours, whatever stray bytes have come.
    private func startForHead(_ channel: any Channel) {
        if hasBytesOfHead && unanswered == 0 { start(channel) }
    }

    private func start(_ channel: any Channel) {
        if deadline != nil { return }
        deadline = channel.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
    }

    private func stop() {
        deadline?.cancel()
        deadline = nil
    }
}
