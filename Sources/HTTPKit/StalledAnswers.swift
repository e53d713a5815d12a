import Logging
import NIOCore
import NIOHTTPTypes

#if canImport(Glibc)
    import Glibc
#endif

/// Ends connections whose client no longer reads its answer: it would keep its place, and what waits for it, for ever. And keeps those of
/// clients that read slowly: the idle timeout counts from when an answer was given, not from when it has left.
///
/// Judged by bytes, not by time: while anything leaves, an answer may take as long as the client needs. A connection on which something waits
/// and nothing has left for a whole interval goes; so after one interval to two.
final class StalledAnswers: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart

    private let interval: TimeAmount
    private var nextLook: Scheduled<Void>?
    /// Bytes that waited at the last look.
    private var waited = 0
    /// Bytes of bodies that were given since. What frames and encrypts them comes on top, so what waits grows by no less while nothing leaves.
    private var given = 0
    /// Answers that were given whole and have not left.
    private var leaving = 0
    /// Who closes meanwhile waits for them, of both directions if anybody wants that.
    private var delayed: (mode: CloseMode, closed: EventLoopPromise<Void>)?
    /// The server ends: nothing is waited for longer than `patience`.
    private var isEnding = false
    private var isGivenUp = false
    private let logger: Logger?
    private static let patience = TimeAmount.seconds(3)
    /// What the kernel takes beyond what is on its way. Without a limit it takes megabytes and then nothing until a third of them is gone, which
    /// a slow reader needs minutes for.
    private static let unsentBytes = 128 << 10

    init(_ interval: TimeAmount, logger: Logger? = nil) {
        self.interval = interval
        self.logger = logger
    }

    func handlerAdded(context: ChannelHandlerContext) {
        #if canImport(Glibc)
            // Refused by what is no TCP socket, and then not needed.
            try? context.channel.syncOptions?.setOption(.tcpOption(.init(rawValue: TCP_NOTSENT_LOWAT)), value: Self.unsentBytes)
        #endif
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if nextLook == nil { lookLater(context.channel, waiting: 0) }
        var promise = promise
        switch Self.unwrapOutboundIn(data) {
        case .head: break
        case .body(let bytes): given += bytes.readableBytes
        case .end:
            leaving += 1
            let left = promise ?? context.eventLoop.makePromise(of: Void.self)
            left.futureResult.assumeIsolated().whenComplete { _ in self.hasLeft(context) }
            promise = left
        }
        context.write(data, promise: promise)
    }

    /// What is asked for on a connection that will close would not be answered.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if delayed?.mode != .all { context.fireChannelRead(data) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent {
            isEnding = true
            if delayed != nil { giveUpLater(context.channel) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// Closing one direction cuts an answer, too, where the client has closed the other. That of the input is asked for by the server's task
    /// when it is cancelled: there is no time left.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard leaving > 0, !isGivenUp else { return context.close(mode: mode, promise: promise) }
        if mode == .input {
            isGivenUp = true
            return context.close(mode: .all, promise: promise)
        }
        let closed = delayed?.closed ?? context.eventLoop.makePromise(of: Void.self)
        closed.futureResult.cascade(to: promise)
        delayed = (delayed?.mode == .all ? .all : mode, closed)
        if isEnding { giveUpLater(context.channel) }
    }

    private func hasLeft(_ context: ChannelHandlerContext) {
        leaving -= 1
        guard leaving == 0, let (mode, closed) = delayed else { return }
        delayed = nil
        context.close(mode: mode, promise: closed)
    }

    private func giveUpLater(_ channel: any Channel) {
        channel.eventLoop.assumeIsolated().scheduleTask(in: Self.patience) {
            if self.leaving > 0 { self.giveUp(channel) }
        }
    }

    private func giveUp(_ channel: any Channel) {
        isGivenUp = true
        channel.close(promise: nil)
    }

    func handlerRemoved(context: ChannelHandlerContext) { nextLook?.cancel() }

    private func lookLater(_ channel: any Channel, waiting: Int) {
        waited = waiting
        nextLook = channel.eventLoop.assumeIsolated().scheduleTask(in: interval) { self.look(at: channel) }
    }

    private func look(at channel: any Channel) {
        nextLook = nil
        // A channel that cannot say how much waits is left alone.
        let waiting = (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        if waited > 0 && waiting >= waited + given {
            let client = channel.remoteAddress.map { "\($0)" } ?? "unknown"
            logger?.info(
                "a connection was closed: its client reads nothing of its answer",
                metadata: ["client": "\(client)", "waiting": "\(waiting)"])
            return giveUp(channel)
        }
        given = 0
        if waiting > 0 { lookLater(channel, waiting: waiting) }
    }
}
