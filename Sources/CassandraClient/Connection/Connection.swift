import Glibc
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import Synchronization

/// Who waits for a response; resumed exactly once.
struct Waiter: Sendable {
    let id: UInt64
    let continuation: UnsafeContinuation<Result<Response, CassandraError>, Never>
}

/// One connection to one node: the state machine under a lock, and a socket. Requests are encoded on the caller's thread; those that come
/// while the socket is busy go out together in one write.
final class Connection: Sendable {
    typealias Machine = ConnectionStateMachine<Waiter>

    /// What is told of a connection, on its event loop.
    struct Observer: Sendable {
        var onEvent: @Sendable (ClusterEvent) -> Void = { _ in }
        var onClose: @Sendable (CloseReason) -> Void = { _ in }
    }

    private struct State {
        var machine: Machine
        var isFlushing = false
        var nextID: UInt64 = 0
        var ready: UnsafeContinuation<Result<Void, CassandraError>, Never>?
        var isDone = false
    }

    let address: NodeAddress
    let version: ProtocolVersion
    private let channel: any Channel
    private let observer: Observer
    private let state: Mutex<State>

    private init(_ channel: any Channel, _ address: NodeAddress, _ settings: Machine.Settings, _ observer: Observer) {
        self.channel = channel
        self.address = address
        self.observer = observer
        version = settings.version
        state = Mutex(State(machine: Machine(settings)))
    }

    var inFlight: Int { state.withLock { $0.machine.inFlight } }
    var orphans: Int { state.withLock { $0.machine.orphans } }
    var queued: Int { state.withLock { $0.machine.queued } }
    var isReady: Bool { state.withLock { $0.machine.isReady } }
    var closeReason: CloseReason? { state.withLock { $0.machine.closeReason } }

    // MARK: Opening

    struct Target: Sendable {
        var address: NodeAddress
        var tls: NIOSSLContext?
        /// The name that the node's certificate must bear; nil for any.
        var serverName: String?
        var connectTimeout: Int64
        /// Milliseconds between looks at the deadlines.
        var tick: Int64 = 50
    }

    /// What a person can do something about: of several addresses of a name the last one's failure.
    private static func reason(_ error: any Error) -> String {
        if let failure = error as? NIOConnectionError {
            if let last = failure.connectionErrors.last { return reason(last.error) }
            return "the name \(failure.host) has no address"
        }
        guard let failure = error as? IOError, let text = strerror(failure.errnoCode) else { return "\(error)" }
        return String(cString: text)
    }

    /// Connects and shakes hands. Throws `CassandraError`; the observer is told of the end only if this succeeded.
    static func open(
        _ target: Target, _ settings: Machine.Settings, group: any EventLoopGroup, observer: Observer = Observer()
    ) async throws(CassandraError) -> Connection {
        try await open(target, settings, ClientBootstrap(group: group), observer: observer)
    }

    /// With a bootstrap that may have a resolver and handlers of its own.
    static func open(
        _ target: Target, _ settings: Machine.Settings, _ bootstrap: ClientBootstrap, observer: Observer = Observer()
    ) async throws(CassandraError) -> Connection {
        let bootstrap =
            bootstrap
            .connectTimeout(.milliseconds(target.connectTimeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
        let connection: Connection
        do {
            // A name with several addresses makes several sockets. What comes back is made with the one that connected; the others are
            // closed, and theirs go with them.
            connection = try await bootstrap.connect(host: target.address.host, port: target.address.port) {
                (channel: any Channel) -> EventLoopFuture<Connection> in
                channel.eventLoop.makeCompletedFuture { () throws -> Connection in
                    if let tls = target.tls {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: tls, serverHostname: target.serverName))
                    }
                    let made = Connection(channel, target.address, settings, observer)
                    try channel.pipeline.syncOperations.addHandler(ConnectionHandler(made, waitsForTLS: target.tls != nil))
                    return made
                }
            }
        } catch {
            let code: CassandraError.Code = error is NIOSSLError ? .authentication : .noNodeAvailable
            throw CassandraError(code, "\(target.address) cannot be reached: \(reason(error))")
        }
        connection.keepTime(target.tick)
        try await connection.becomeReady()
        return connection
    }

    private func becomeReady() async throws(CassandraError) {
        let result = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let early: Result<Void, CassandraError>? = state.withLock { state in
                    if state.machine.isReady { return .success(()) }
                    if let reason = state.machine.closeReason { return .failure(reason.error(wasSent: false)) }
                    state.ready = continuation
                    return nil
                }
                if let early { continuation.resume(returning: early) }
            }
        } onCancel: {
            close()
        }
        try result.get()
    }

    private func keepTime(_ tick: Int64) {
        state.withLock { $0.machine.opened(now: Clock.now()) }
        let pause = TimeAmount.milliseconds(max(1, tick))
        channel.eventLoop.scheduleRepeatedTask(initialDelay: pause, delay: pause) { [weak self] task in
            guard let self, !self.isClosed else { return task.cancel() }
            self.tick()
        }
    }

    func close() { end(.requested) }

    // MARK: Requests

    /// Sends a request and waits for its response. Throws when there is none by `deadline`.
    func send(_ request: Request, deadline: Int64) async throws(CassandraError) -> Response {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let result = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in submit(request, Waiter(id: id, continuation: continuation), deadline) }
        } onCancel: {
            cancel(id)
        }
        return try result.get()
    }

    private func submit(_ request: Request, _ waiter: Waiter, _ deadline: Int64) {
        var refusal: CassandraError?
        if Task.isCancelled {
            refusal = CassandraError(.cancelled, "the task was cancelled")
        } else {
            var flushes = false
            state.withLock { state in
                var actions = Machine.Actions()
                switch state.machine.submit(request, waiter, deadline: deadline, &actions) {
                case .accepted: break
                case .refused(let error): refusal = error
                }
                if actions.hasOutbound, !state.isFlushing {
                    state.isFlushing = true
                    flushes = true
                }
            }
            if flushes { channel.eventLoop.execute { self.flush() } }
            // The cancellation may have come before there was anything to cancel.
            if Task.isCancelled { cancel(waiter.id) }
        }
        if let refusal { waiter.continuation.resume(returning: .failure(refusal)) }
    }

    private func cancel(_ id: UInt64) {
        let waiter = state.withLock { $0.machine.cancel { $0.id == id } }
        waiter?.continuation.resume(
            returning: .failure(CassandraError(.cancelled, "the task was cancelled", hasUnknownOutcome: true)))
    }

    // MARK: On the event loop

    fileprivate func active() { apply { $0.connected(now: Clock.now()) } }
    fileprivate func received(_ bytes: ByteBuffer) { apply { $0.received(bytes, now: Clock.now()) } }
    fileprivate func tick() { apply { $0.tick(now: Clock.now()) } }
    fileprivate func end(_ reason: CloseReason) { apply { $0.closed(reason) } }
    fileprivate var isClosed: Bool { state.withLock { $0.machine.closeReason != nil } }

    private func apply(_ event: (inout Machine) -> Machine.Actions) {
        var flushes = false
        var ready: UnsafeContinuation<Result<Void, CassandraError>, Never>?
        var wasReady = false
        let actions = state.withLock { state in
            let actions = event(&state.machine)
            if actions.hasOutbound, !state.isFlushing {
                state.isFlushing = true
                flushes = true
            }
            if actions.isReady || actions.close != nil {
                ready = state.ready
                state.ready = nil
                wasReady = state.isDone
                if actions.isReady { state.isDone = true }
            }
            return actions
        }
        if flushes {
            if channel.eventLoop.inEventLoop { flush() } else { channel.eventLoop.execute { self.flush() } }
        }
        for (waiter, response) in actions.answered { waiter.continuation.resume(returning: .success(response)) }
        for (waiter, error) in actions.failed { waiter.continuation.resume(returning: .failure(error)) }
        for event in actions.events { observer.onEvent(event) }
        if actions.isReady { ready?.resume(returning: .success(())) }
        if let reason = actions.close {
            ready?.resume(returning: .failure(reason.error(wasSent: false)))
            channel.close(promise: nil)
            if wasReady { observer.onClose(reason) }
        }
    }

    private func flush() {
        while let bytes = state.withLock({ state -> ByteBuffer? in
            let bytes = state.machine.takeOutbound()
            if bytes == nil { state.isFlushing = false }
            return bytes
        }) {
            let count = bytes.readableBytes
            channel.writeAndFlush(bytes).whenSuccess { self.apply { $0.written(count) } }
        }
    }
}

/// Hands what comes from the socket to the connection.
private final class ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let connection: Connection
    private let waitsForTLS: Bool

    init(_ connection: Connection, waitsForTLS: Bool) {
        self.connection = connection
        self.waitsForTLS = waitsForTLS
    }

    func channelActive(context: ChannelHandlerContext) {
        if !waitsForTLS { connection.active() }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent { connection.active() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { connection.received(unwrapInboundIn(data)) }

    func channelInactive(context: ChannelHandlerContext) {
        connection.end(.closedByPeer)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { connection.end(.failed("the connection failed: \(error)")) }
}
