import CZooKeeper
import Synchronization

/// What has happened since the session's loop last looked. The client's thread sets flags; the loop takes them: nothing queues up.
final class Signals: Sendable {
    struct Flags: OptionSet, Sendable {
        var rawValue: UInt8
        /// A heartbeat is due.
        static let tick = Flags(rawValue: 1)
        static let members = Flags(rawValue: 2)
        static let elections = Flags(rawValue: 4)
        static let configuration = Flags(rawValue: 8)
        /// What this process wants has changed.
        static let wishes = Flags(rawValue: 16)
        static let everything: Flags = [.tick, .members, .elections, .configuration, .wishes]
    }

    enum Session: Sendable {
        case connecting, connected, expired, refused
    }

    private struct State {
        var flags: Flags = []
        var session = Session.connecting
        var tick = Duration.seconds(1)
    }

    private let state = Mutex(State())
    private let wake: AsyncStream<Void>.Continuation
    /// One element or none is waiting. For one reader.
    let wakes: AsyncStream<Void>
    private let paths: Paths
    private let groupFolder: String

    init(paths: Paths, groupFolder: String) {
        (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.paths = paths
        self.groupFolder = groupFolder
    }

    var session: Session { state.withLock { $0.session } }

    /// Time between heartbeats.
    var tick: Duration { state.withLock { $0.tick } }
    func setTick(_ tick: Duration) { state.withLock { $0.tick = tick } }

    func raise(_ flags: Flags) {
        state.withLock { $0.flags.formUnion(flags) }
        wake.yield()
    }

    /// What could not be done now; without waking, as the next tick comes anyway.
    func put(back flags: Flags) { state.withLock { $0.flags.formUnion(flags) } }

    func take() -> Flags {
        state.withLock { state in
            defer { state.flags = [] }
            return state.flags
        }
    }

    func finish() { wake.finish() }

    /// From the client's thread.
    /// - Returns: the new state of the session, when that is what the event tells.
    func receive(_ event: ZooKeeperHandle.Event) -> Session? {
        switch event {
        case .node(let path):
            if path == paths.configuration {
                raise(.configuration)
            } else if path.hasPrefix(paths.elections) {
                raise(.elections)
            } else if path.hasPrefix(groupFolder) {
                raise(.members)
            }
            return nil
        case .session(let code):
            let session: Session =
                switch code {
                case ZOO_CONNECTED_STATE: .connected
                case ZOO_EXPIRED_SESSION_STATE: .expired
                case ZOO_AUTH_FAILED_STATE: .refused
                default: .connecting
                }
            state.withLock { $0.session = session }
            // What changed while there was no connection may have gone unheard.
            raise(session == .connected ? .everything : [])
            return session
        }
    }
}
