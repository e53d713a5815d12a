import CZooKeeper
import Coordination
import Dispatch
import Glibc
import Synchronization

/// One session: owns the C client's handle, its two threads and the context of its watcher.
///
/// Calls are asynchronous: each has one reply, kept by `Outstanding`, that is taken exactly once, at the latest when the handle has been
/// closed. All watches go to the one watcher of the session.
final class ZooKeeperHandle: Sendable {
    enum Event: Sendable {
        case session(state: Int32)
        /// A one-time watch of this path has fired.
        case node(path: String)

        var isConnected: Bool {
            if case .session(let state) = self { state == ZOO_CONNECTED_STATE } else { false }
        }
    }

    /// What the C client's threads hold on to.
    private final class Context: Sendable {
        let receive: @Sendable (Event) -> Void
        init(_ receive: @escaping @Sendable (Event) -> Void) { self.receive = receive }
    }

    private struct Open {
        var pointer: OpaquePointer
        var context: Unmanaged<Context>
        var outstanding: Outstanding
    }

    /// Out of the handle from the moment it is being closed: no call can reach it then.
    private struct Resources: @unchecked Sendable {
        var open: Open?
    }

    private let resources: Mutex<Resources>
    private let outstanding: Outstanding
    /// The client blocks while it looks up hosts and while it closes.
    private static let blocking = DispatchQueue(label: "almanac.zookeeper", attributes: .concurrent)

    private init(_ open: Open) {
        outstanding = open.outstanding
        resources = Mutex(Resources(open: open))
    }

    deinit {
        guard let open = resources.withLock({ $0.open.take() }) else { return }
        ZooKeeperHandle.blocking.async(execute: ZooKeeperHandle.end(Resources(open: open)))
    }

    /// Opens a session, or begins to: `receive` hears of the connection from the client's threads.
    static func open(
        hosts: String, timeout: Duration, credentials: ZooKeeperCredentials?, receive: @escaping @Sendable (Event) -> Void
    ) async throws -> ZooKeeperHandle {
        try await withCheckedThrowingContinuation { continuation in
            blocking.async {
                continuation.resume(
                    with: Result { try openNow(hosts: hosts, timeout: timeout, credentials: credentials, receive: receive) })
            }
        }
    }

    private static func openNow(
        hosts: String, timeout: Duration, credentials: ZooKeeperCredentials?, receive: @escaping @Sendable (Event) -> Void
    ) throws -> ZooKeeperHandle {
        let context = Unmanaged.passRetained(Context(receive))
        let milliseconds = Int32(clamping: timeout.components.seconds * 1_000 + timeout.components.attoseconds / 1_000_000_000_000_000)
        guard
            let pointer = zookeeper_init2(
                hosts, watcher, milliseconds, nil, context.toOpaque(), Int32(ZOO_NO_LOG_CLIENTENV), ZooKeeperLog.callback)
        else {
            let reason = String(cString: strerror(errno))
            context.release()
            throw CoordinationError(.unavailable, "cannot begin a session with ZooKeeper at \(hosts): \(reason); check the host names")
        }
        let open = Open(pointer: pointer, context: context, outstanding: Outstanding())
        if let text = credentials?.text {
            let code = zoo_add_auth(pointer, "digest", text, Int32(text.utf8.count), nil, nil)
            if code != 0 {
                end(Resources(open: open))()
                throw ZooKeeperFailure(code: code, operation: "authenticate")
            }
        }
        return ZooKeeperHandle(open)
    }

    /// Copies the path: it is the client's and gone when this returns.
    private static let watcher: watcher_fn = { _, type, state, path, context in
        guard let context else { return }
        let receive = Unmanaged<Context>.fromOpaque(context).takeUnretainedValue().receive
        if type == ZOO_SESSION_EVENT {
            receive(.session(state: state))
        } else if let path {
            receive(.node(path: String(cString: path)))
        }
    }

    /// Ends the session, which removes its ephemeral nodes at once when a server can be reached, and joins the client's threads: no event
    /// comes after it returns. Outstanding calls fail.
    func close() async {
        guard let open = resources.withLock({ $0.open.take() }) else { return }
        let end = ZooKeeperHandle.end(Resources(open: open))
        await withCheckedContinuation { continuation in
            ZooKeeperHandle.blocking.async {
                end()
                continuation.resume()
            }
        }
    }

    private static func end(_ resources: Resources) -> @Sendable () -> Void {
        {
            guard let open = resources.open else { return }
            // Joins the threads that use the context, so that it can go then.
            zookeeper_close(open.pointer)
            open.context.release()
            open.outstanding.failAll()
        }
    }

    /// What the servers granted; known once connected.
    var negotiatedTimeout: Duration? {
        resources.withLock { $0.open.map { .milliseconds(Int64(zoo_recv_timeout($0.pointer))) } }
    }

    /// Makes one call. Its reply is taken exactly once: by the completion, here when the client does not accept the call, or after closing.
    func call<Value: Sendable>(
        _ operation: String, _ start: (OpaquePointer, UnsafeRawPointer) -> Int32
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Value, any Error>) in
            let reply = Reply<Value>(continuation, operation, outstanding)
            outstanding.add(reply)
            let data = UnsafeRawPointer(Unmanaged.passUnretained(reply).toOpaque())
            let code = resources.withLock { $0.open.map { start($0.pointer, data) } ?? ZooKeeperFailure.code(ZCLOSING) }
            if code != 0 && outstanding.remove(reply) { reply.fail(code) }
        }
    }

    /// The replies that the client's threads hold on to; keeps them alive.
    final class Outstanding: Sendable {
        private let replies = Mutex<[ObjectIdentifier: any OutstandingReply]>([:])

        func add(_ reply: any OutstandingReply) { replies.withLock { $0[ObjectIdentifier(reply)] = reply } }

        /// - Returns: whether it was there; only then it may be resumed.
        func remove(_ reply: any OutstandingReply) -> Bool {
            replies.withLock { $0.removeValue(forKey: ObjectIdentifier(reply)) != nil }
        }

        /// The client may end without a word for some calls; once it has ended none can come.
        func failAll() {
            let left = replies.withLock { replies in
                defer { replies = [:] }
                return Array(replies.values)
            }
            for reply in left { reply.fail(ZooKeeperFailure.code(ZCLOSING)) }
        }
    }

    protocol OutstandingReply: AnyObject, Sendable {
        func fail(_ code: Int32)
    }

    final class Reply<Value: Sendable>: OutstandingReply {
        private let continuation: CheckedContinuation<Value, any Error>
        private let operation: String
        private let outstanding: Outstanding

        init(_ continuation: CheckedContinuation<Value, any Error>, _ operation: String, _ outstanding: Outstanding) {
            self.continuation = continuation
            self.operation = operation
            self.outstanding = outstanding
        }

        func fail(_ code: Int32) {
            continuation.resume(throwing: ZooKeeperFailure(code: code, operation: operation))
        }

        /// From a completion, with its `data`; what `value` reads is the client's and copied here.
        static func finish(_ data: UnsafeRawPointer?, _ code: Int32, _ value: () -> Value) {
            guard let data else { return }
            let reply = Unmanaged<Reply<Value>>.fromOpaque(data).takeUnretainedValue()
            guard reply.outstanding.remove(reply) else { return }
            if code == 0 { reply.continuation.resume(returning: value()) } else { reply.fail(code) }
        }
    }
}
