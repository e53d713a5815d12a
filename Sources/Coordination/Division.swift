/// One process among those that divide the work.
package struct Member: Hashable, Sendable {
    /// The same after a restart, so that its names come back to it.
    package var id: String
    /// Grows with every joining; a process that joins again gets another one.
    package var sequence: Int64

    package init(id: String, sequence: Int64) {
        self.id = id
        self.sequence = sequence
    }
}

/// Who owns which name, as one process sees it: a pure state machine; time comes in with every call.
///
/// Why no two processes own a name at once. The list of members has one history, and each process looks at it with every heartbeat, so
/// the view of a process that holds its lease is at most a lease old. Scores depend on one member and the name only; so two processes
/// that look at different points of the history can both think that they win a name only if one of them joined after the other looked, or
/// if one is no longer a member. Who is no longer a member has lost its lease (`LeaseTiming`) or left by itself. Who joins owns nothing
/// until every older member must have looked: after `grace`, or when all older ones have said that they have seen it, or are gone.
package struct Division: Sendable {
    package typealias Instant = ContinuousClock.Instant

    private struct View {
        var installedAt: Instant
        var members: [Member]
        var hashes: [UInt64]

        /// The index of the owner of a name: the highest score, of equal ids the oldest.
        func owner(_ name: UInt64) -> Int? {
            var best: Int?
            var bestScore: UInt64 = 0
            for (i, hash) in hashes.enumerated() {
                let score = Rendezvous.score(member: hash, name: name)
                if let known = best, score < bestScore || (score == bestScore && members[i].sequence > members[known].sequence) { continue }
                best = i
                bestScore = score
            }
            return best
        }
    }

    /// Views kept to tell for how long a name has been owned.
    private static let maxViews = 16

    package var grace: Duration
    package private(set) var own: Member?
    private var joinedAt: Instant?
    /// The newest last.
    private var views: [View] = []
    /// By the sequence of an older member: the newest sequence that it has said to have seen.
    private var acknowledged: [Int64: Int64] = [:]
    /// Since when all older members have let go, if that was before the end of the grace period.
    private var releasedAt: Instant?

    package init(grace: Duration) { self.grace = grace }

    package var members: [Member] { views.last?.members ?? [] }

    /// The newest member that this one has seen: what it tells the others, for them to start.
    package var newestSeen: Int64 { members.map { $0.sequence }.max() ?? -1 }

    /// The older members that have not yet said that they know of this one; it has to hear from them, or wait.
    package func unheard(at now: Instant) -> [Member] {
        guard let own, eligibleSince(at: now) == nil else { return [] }
        return members.filter { $0.sequence < own.sequence && (acknowledged[$0.sequence] ?? -1) < own.sequence }
    }

    /// This process is on the list as of `now` at the latest.
    package mutating func join(as member: Member, at now: Instant) {
        leave()
        own = member
        joinedAt = now
    }

    package mutating func leave() {
        own = nil
        joinedAt = nil
        views = []
        acknowledged = [:]
        releasedAt = nil
    }

    /// The list as it was at some time after the heartbeat was sent. Lists must come in the order of the history.
    /// - Returns: whether it differs from the one before.
    @discardableResult
    package mutating func look(at list: [Member], now: Instant) -> Bool {
        let members = list.sorted { $0.sequence < $1.sequence }
        defer { noteRelease(at: now) }
        if views.last?.members == members { return false }
        if views.count == Division.maxViews { views.removeFirst() }
        views.append(View(installedAt: now, members: members, hashes: members.map { Rendezvous.hash($0.id) }))
        acknowledged = acknowledged.filter { entry in members.contains { $0.sequence == entry.key } }
        return true
    }

    /// An older member has said which is the newest that it has seen.
    package mutating func acknowledge(by sequence: Int64, seen: Int64, now: Instant) {
        acknowledged[sequence] = max(seen, acknowledged[sequence] ?? -1)
        noteRelease(at: now)
    }

    private mutating func noteRelease(at now: Instant) {
        guard releasedAt == nil, let own, members.contains(own) else { return }
        if members.allSatisfy({ $0.sequence >= own.sequence || (acknowledged[$0.sequence] ?? -1) >= own.sequence }) { releasedAt = now }
    }

    private func eligibleSince(at now: Instant) -> Instant? {
        guard let joinedAt else { return nil }
        let graceEnd = joinedAt.advanced(by: grace)
        if let releasedAt { return min(releasedAt, graceEnd) }
        return now >= graceEnd ? graceEnd : nil
    }

    /// How long the name has been this process' without a break; nil when it is not. O(members).
    package func tenure(of name: String, lease: Lease, at now: Instant) -> Duration? {
        guard lease.isHeld(at: now), let heldSince = lease.heldSince, let own, let eligible = eligibleSince(at: now) else { return nil }
        let hash = Rendezvous.hash(name)
        var wonSince: Instant?
        for view in views.reversed() {
            guard let owner = view.owner(hash), view.members[owner] == own else { break }
            wonSince = view.installedAt
        }
        guard let wonSince else { return nil }
        return max(.zero, max(eligible, heldSince, wonSince).duration(to: now))
    }
}
