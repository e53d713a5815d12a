import NIOCore
import NIOHTTPTypes

/// Ends connections whose client no longer reads its answer: it would keep its place, and what waits for it, for ever. The idle timeout does
/// not count while an answer is under way.
///
/// Judged by bytes, not by time: while anything leaves, an answer may take as long as the client needs. A connection on which something waits
/// and nothing has left for a whole interval goes; so after one interval to two.
final class StalledAnswers: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = HTTPResponsePart

    private let interval: TimeAmount
    private var nextLook: Scheduled<Void>?
    /// Bytes that waited at the last look.
    private var waited = 0
    /// Bytes of bodies that were given since. What frames and encrypts them comes on top, so what waits grows by no less while nothing leaves.
    private var given = 0

    init(_ interval: TimeAmount) { self.interval = interval }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .body(let bytes) = Self.unwrapOutboundIn(data) { given += bytes.readableBytes }
        if nextLook == nil { lookLater(context.channel, waiting: 0) }
        context.write(data, promise: promise)
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
        if waited > 0 && waiting >= waited + given { return channel.close(promise: nil) }
        given = 0
        if waiting > 0 { lookLater(channel, waiting: waiting) }
    }
}
