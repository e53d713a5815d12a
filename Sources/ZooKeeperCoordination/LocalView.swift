import Coordination
import Synchronization
import Telemetry

/// What this process knows and wants: answers questions from memory, survives sessions, tells readers of changes.
final class LocalView: Sendable {
    struct Wishes: Sendable, Equatable {
        var instances: [String: ServiceInstance] = [:]
        var campaigns: Set<String> = []
    }

    private struct State {
        var connection = ConnectionState.connecting
        var session: ZooKeeperSession?
        var lease: Lease
        var division: Division
        var wishes = Wishes()
        /// Where this process came first.
        var first: Set<String> = []
        var configuration: CentralConfiguration?
        var waiting: [Int: CheckedContinuation<ZooKeeperSession, any Error>] = [:]
        /// Calls that were given up before they waited.
        var givenUp: [Int: any Error] = [:]
        var nextWaiting = 0
        var sessionsOpened = 0
        /// What was last told of.
        var toldLease = false
        var toldLeads: Set<String> = []

        func leads(at now: Lease.Instant) -> Set<String> {
            lease.isHeld(at: now) && connection != .closed ? first.intersection(wishes.campaigns) : []
        }
    }

    private let state: Mutex<State>
    private let clock = ContinuousClock()
    private let events = Broadcast<CoordinationEvent>(capacity: 64)
    private let configurations = Broadcast<CentralConfiguration>(capacity: 1)
    let metrics: ZooKeeperMetrics

    init(timing: LeaseTiming, metrics: ZooKeeperMetrics) {
        state = Mutex(State(lease: Lease(duration: timing.lease), division: Division(grace: timing.grace)))
        self.metrics = metrics
    }

    // MARK: Questions

    func tenure(of name: String) -> Duration? {
        state.withLock { state in
            state.connection == .closed ? nil : state.division.tenure(of: name, lease: state.lease, at: clock.now)
        }
    }

    func isLeader(of name: String) -> Bool {
        state.withLock { $0.first.contains(name) && $0.leads(at: clock.now).contains(name) }
    }

    var status: CoordinationStatus {
        state.withLock { state in
            let now = clock.now
            return CoordinationStatus(
                connection: state.connection, holdsLease: state.connection != .closed && state.lease.isHeld(at: now),
                members: state.division.members.map { $0.id }.sorted(), leads: state.leads(at: now).sorted())
        }
    }

    var leaseRemaining: Duration { state.withLock { $0.lease.remaining(at: clock.now) } }
    var sessionsOpened: Int { state.withLock { $0.sessionsOpened } }
    var isClosed: Bool { state.withLock { $0.connection == .closed } }
    var wishes: Wishes { state.withLock { $0.wishes } }
    var newestSeen: Int64 { state.withLock { $0.division.newestSeen } }
    var unheard: [Member] { state.withLock { $0.division.unheard(at: clock.now) } }

    func eventStream() -> AsyncStream<CoordinationEvent> { events.subscribe() }

    func configurationStream() -> AsyncStream<CentralConfiguration> {
        state.withLock { configurations.subscribe(first: $0.configuration) }
    }

    // MARK: Wishes

    /// Changes what is wanted and wakes the session for it.
    func wish(_ change: (inout Wishes) -> Void) {
        let session = state.withLock { state in
            change(&state.wishes)
            return state.session
        }
        tellOfTime()
        session?.signals.raise(.wishes)
    }

    // MARK: News from the session

    func note(_ connection: ConnectionState) {
        let changed = state.withLock { state -> Bool in
            if state.connection == .closed || state.connection == connection { return false }
            state.connection = connection
            return true
        }
        if changed { events.send(.connection(connection)) }
        if case .refused(let why) = connection { failWaiting(CoordinationError(.refused, why)) }
    }

    /// There is no connection now, after there was one.
    func noteSuspended() {
        if state.withLock({ $0.connection == .connected }) { note(.suspended) }
    }

    /// A new session has been granted these times, and has this place in the list of members.
    func join(_ timing: LeaseTiming, as member: Member?) {
        state.withLock { state in
            state.lease.duration = timing.lease
            state.division.grace = timing.grace
            if let member { state.division.join(as: member, at: clock.now) } else { state.division.leave() }
        }
    }

    /// The session has ended: nothing that it stood for holds.
    func leave() {
        state.withLock { state in
            state.session = nil
            state.lease.drop()
            state.division.leave()
            state.first = []
        }
        tellOfTime()
    }

    /// The node of this process is gone; the session goes on with another one.
    func rejoin() {
        state.withLock { state in
            state.lease.drop()
            state.division.leave()
        }
        tellOfTime()
    }

    /// A heartbeat was answered, and then the list was read; nil where the process is not on it.
    /// - Returns: whether the members have changed.
    func beat(sentAt: Lease.Instant, members: [Member]?) -> Bool {
        let (changed, ids) = state.withLock { state -> (Bool, [String]) in
            let now = clock.now
            // The view comes first: the lease must never hold for an older one.
            let changed = members.map { state.division.look(at: $0, now: now) } ?? false
            state.lease.renew(sentAt: sentAt, now: now)
            return (changed, state.division.members.map { $0.id }.sorted())
        }
        if changed {
            metrics.membershipChanges.add()
            events.send(.members(ids))
        }
        tellOfTime()
        return changed
    }

    func acknowledge(by sequence: Int64, seen: Int64) {
        state.withLock { $0.division.acknowledge(by: sequence, seen: seen, now: clock.now) }
    }

    func noteElection(_ name: String, isFirst: Bool) {
        state.withLock { state in
            if isFirst { state.first.insert(name) } else { state.first.remove(name) }
        }
        tellOfTime()
    }

    func publish(_ configuration: CentralConfiguration) {
        state.withLock { state in
            if state.configuration == configuration { return }
            state.configuration = configuration
            configurations.send(configuration)
        }
    }

    /// Tells of what has come or gone with the lease; to be called now and then.
    func tellOfTime() {
        let news = state.withLock { state -> [CoordinationEvent] in
            let now = clock.now
            let held = state.lease.isHeld(at: now) && state.connection != .closed
            let leads = state.leads(at: now)
            var news: [CoordinationEvent] = held == state.toldLease ? [] : [.lease(held: held)]
            news += state.toldLeads.subtracting(leads).sorted().map { .leadership(of: $0, held: false) }
            news += leads.subtracting(state.toldLeads).sorted().map { .leadership(of: $0, held: true) }
            if state.toldLease && !held { metrics.leasesLost.add() }
            state.toldLease = held
            state.toldLeads = leads
            return news
        }
        for event in news { events.send(event) }
    }

    /// From now on nothing is owned or led.
    /// - Returns: whether it was not closed before.
    func close() -> Bool {
        let (wasOpen, session) = state.withLock { state in
            defer { state.connection = .closed }
            return (state.connection != .closed, state.session)
        }
        if !wasOpen { return false }
        tellOfTime()
        events.send(.connection(.closed))
        events.finish()
        configurations.finish()
        failWaiting(.closed)
        session?.signals.finish()
        return true
    }

    // MARK: Waiting for a session

    /// The session is set up: calls may use it.
    func open(_ session: ZooKeeperSession) {
        let waiting = state.withLock { state in
            state.session = session
            state.sessionsOpened += 1
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for continuation in waiting { continuation.resume(returning: session) }
    }

    private func failWaiting(_ error: CoordinationError) {
        let waiting = state.withLock { state in
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for continuation in waiting { continuation.resume(throwing: error) }
    }

    /// The session that calls may use; waits for one until the deadline.
    func session(until deadline: Lease.Instant, place: String) async throws -> ZooKeeperSession {
        let id = state.withLock { state in
            state.nextWaiting += 1
            return state.nextWaiting
        }
        let late = Task {
            try await Task.sleep(until: deadline, clock: .continuous)
            let why = "no connection with ZooKeeper at \(place); is it running, and does the address lead there?"
            self.give(up: id, CoordinationError(.unavailable, why))
        }
        defer {
            late.cancel()
            state.withLock { $0.givenUp[id] = nil }
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in wait(id, continuation) }
        } onCancel: {
            give(up: id, CancellationError())
        }
    }

    private func wait(_ id: Int, _ continuation: CheckedContinuation<ZooKeeperSession, any Error>) {
        let answer = state.withLock { state -> Result<ZooKeeperSession, any Error>? in
            if state.connection == .closed { return .failure(CoordinationError.closed) }
            if case .refused(let why) = state.connection { return .failure(CoordinationError(.refused, why)) }
            if let session = state.session { return .success(session) }
            if Task.isCancelled { return .failure(CancellationError()) }
            // Given up before it began to wait.
            if let error = state.givenUp.removeValue(forKey: id) { return .failure(error) }
            state.waiting[id] = continuation
            return nil
        }
        if let answer { continuation.resume(with: answer) }
    }

    private func give(up id: Int, _ error: any Error) {
        let continuation = state.withLock { state in
            let continuation = state.waiting.removeValue(forKey: id)
            if continuation == nil { state.givenUp[id] = error }
            return continuation
        }
        continuation?.resume(throwing: error)
    }
}
