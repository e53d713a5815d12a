import Synchronization
import Telemetry

/// The groups of this process, and whom to wake when something changes for them or for their topics.
final class GroupCoordinator: Sendable {
    private struct State {
        var groups: [String: GroupState] = [:]
        var readers: [Int: (topics: Set<String>, group: String?, wakeup: Wakeup)] = [:]
        var nextID = 0
    }

    private let state = Mutex(State())
    private let handover: Duration
    private let metrics: LogMetrics

    init(handover: Duration, metrics: LogMetrics) {
        self.handover = handover
        self.metrics = metrics
    }

    /// A reader of the topics, in a group or in none. Gives its number.
    func enter(topics: [String: Int], group: String?, wakeup: Wakeup) -> Int {
        let id = state.withLock { state -> Int in
            state.nextID += 1
            state.readers[state.nextID] = (Set(topics.keys), group, wakeup)
            if let group {
                state.groups[group, default: GroupState(handover: handover)].join(state.nextID, topics: topics, now: .now)
            }
            return state.nextID
        }
        if let group { rebalanced(group) }
        return id
    }

    func leave(_ id: Int, group: String?) {
        let known = state.withLock { state -> Bool in
            guard state.readers.removeValue(forKey: id) != nil else { return false }
            if let group {
                state.groups[group]?.leave(id, now: .now)
                if state.groups[group]?.isEmpty == true { state.groups[group] = nil }
            }
            return true
        }
        if let group, known { rebalanced(group) }
    }

    func collect(_ id: Int, group: String) -> GroupState.Change {
        let change = state.withLock { $0.groups[group]?.collect(id, now: .now) ?? GroupState.Change() }
        if !change.revoked.isEmpty { wake { $0.group == group } }
        return change
    }

    func owns(_ id: Int, group: String, _ partition: TopicPartition) -> Bool {
        state.withLock { $0.groups[group]?.owns(id, partition) ?? false }
    }

    func nextDeadline(_ id: Int, group: String) -> ContinuousClock.Instant? { state.withLock { $0.groups[group]?.nextDeadline(id) } }

    /// Records of these topics have become durable.
    func wake(topics: Set<String>) { wake { !$0.topics.isDisjoint(with: topics) } }

    func wakeAll() { wake { _ in true } }

    private func rebalanced(_ group: String) {
        metrics.rebalances.add()
        wake { $0.group == group }
    }

    private func wake(_ wanted: ((topics: Set<String>, group: String?, wakeup: Wakeup)) -> Bool) {
        let wakeups = state.withLock { state in state.readers.values.filter(wanted).map { $0.wakeup } }
        for wakeup in wakeups { wakeup.signal() }
    }
}
