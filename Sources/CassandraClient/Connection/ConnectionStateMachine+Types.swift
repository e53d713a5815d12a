/// What goes into the machine and what comes out.
extension ConnectionStateMachine {
    struct Settings: Sendable {
        var version = ProtocolVersion.v5
        /// Pairs for STARTUP after CQL_VERSION.
        var startup: [(String, String)] = []
        var credentials: Credentials?
        var events: [String] = []
        var maximumStreams = 2048
        var maximumQueue = 8192
        var maximumFrame = 64 << 20
        /// Bytes that may wait to be sent before requests queue.
        var maximumUnsent = 8 << 20
        var maximumOrphans = 512
        var handshakeTimeout: Int64 = 5000
        /// Nothing heard for this long: ask; 0 never asks.
        var heartbeatInterval: Int64 = 15_000
        var heartbeatTimeout: Int64 = 10_000
    }

    /// What is to be done after an event. All of it is done outside of any lock.
    struct Actions {
        var answered: [(Waiter, Response)] = []
        var failed: [(Waiter, CassandraError)] = []
        var events: [ClusterEvent] = []
        /// The handshake is done.
        var isReady = false
        /// The socket is to be closed.
        var close: CloseReason?
        /// There are bytes to send: `takeOutbound`.
        var hasOutbound = false
    }

    enum Submission {
        /// On this stream, or queued where it is nil.
        case accepted(stream: Int16?)
        case refused(CassandraError)
    }
}
