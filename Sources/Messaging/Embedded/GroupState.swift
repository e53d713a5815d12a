/// The division of partitions among the members of one group: a pure state machine.
///
/// Range assignment as Kafka's RangeAssignor: for each topic the members that read it, sorted, get runs of partitions whose
/// lengths differ by one at most. A partition that goes to another member is given up in the former one's next `collect` and
/// only then taken, so that two never hold it at once; a member that does not collect for longer than the handover timeout loses it.
struct GroupState: Sendable {
    typealias MemberID = Int

    struct Change: Sendable {
        var assigned: [TopicPartition] = []
        var revoked: [TopicPartition] = []
        var isEmpty: Bool { assigned.isEmpty && revoked.isEmpty }
    }

    private struct Member {
        var topics: Set<String>
        /// What the member was told it has.
        var held: Set<TopicPartition> = []
    }

    private var members: [MemberID: Member] = [:]
    private var partitionCounts: [String: Int] = [:]
    /// Who should have a partition, and who has it now.
    private var target: [TopicPartition: MemberID] = [:]
    private var owner: [TopicPartition: MemberID] = [:]
    /// When a partition that is to move may be taken from its owner.
    private var deadline: [TopicPartition: ContinuousClock.Instant] = [:]
    private let handover: Duration

    init(handover: Duration) { self.handover = handover }

    var isEmpty: Bool { members.isEmpty }

    /// `topics`: number of partitions of each.
    mutating func join(_ member: MemberID, topics: [String: Int], now: ContinuousClock.Instant) {
        members[member] = Member(topics: Set(topics.keys))
        for (topic, count) in topics { partitionCounts[topic] = count }
        divide(now)
    }

    mutating func leave(_ member: MemberID, now: ContinuousClock.Instant) {
        guard members.removeValue(forKey: member) != nil else { return }
        for (partition, holder) in owner where holder == member { owner[partition] = nil }
        divide(now)
    }

    /// What changed for the member since its last call. What is `revoked` is free for others from now on.
    mutating func collect(_ member: MemberID, now: ContinuousClock.Instant) -> Change {
        guard var state = members[member] else { return Change() }
        var change = Change()
        for partition in state.held where owner[partition] != member || target[partition] != member {
            if owner[partition] == member { owner[partition] = nil }
            state.held.remove(partition)
            change.revoked.append(partition)
        }
        for (partition, wanted) in target where wanted == member && owner[partition] != member {
            if owner[partition] != nil, let deadline = deadline[partition], now < deadline { continue }
            owner[partition] = member
            deadline[partition] = nil
            state.held.insert(partition)
            change.assigned.append(partition)
        }
        members[member] = state
        change.assigned.sort(by: GroupState.precedes)
        change.revoked.sort(by: GroupState.precedes)
        return change
    }

    /// Whether the member may commit for the partition.
    func owns(_ member: MemberID, _ partition: TopicPartition) -> Bool { owner[partition] == member }

    /// When the next partition can be taken from a member that does not give it up.
    func nextDeadline(_ member: MemberID) -> ContinuousClock.Instant? {
        target.compactMap { $0.value == member && owner[$0.key] != member ? deadline[$0.key] : nil }.min()
    }

    private mutating func divide(_ now: ContinuousClock.Instant) {
        target = [:]
        for (topic, count) in partitionCounts {
            let readers = members.filter { $0.value.topics.contains(topic) }.keys.sorted()
            if readers.isEmpty { continue }
            var next = 0
            for (i, reader) in readers.enumerated() {
                let share = count / readers.count + (i < count % readers.count ? 1 : 0)
                for p in next..<(next + share) { target[TopicPartition(topic, Int32(p))] = reader }
                next += share
            }
        }
        for (partition, holder) in owner {
            if target[partition] == holder {
                deadline[partition] = nil
            } else if deadline[partition] == nil {
                deadline[partition] = now + handover
            }
        }
    }

    private static func precedes(_ a: TopicPartition, _ b: TopicPartition) -> Bool { (a.topic, a.partition) < (b.topic, b.partition) }
}
