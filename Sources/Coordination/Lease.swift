/// The time for which a session is certainly alive, by this process' own clock: from the sending of a heartbeat that was answered.
///
/// The clock must be monotonic and go on while the process or the machine sleeps (`ContinuousClock`).
package struct Lease: Sendable {
    package typealias Instant = ContinuousClock.Instant

    package var duration: Duration
    private var end: Instant?
    /// Since when it has been held without a break.
    package private(set) var heldSince: Instant?

    package init(duration: Duration) { self.duration = duration }

    package func isHeld(at now: Instant) -> Bool { end.map { now < $0 } ?? false }

    /// What is left of it; zero when it is not held.
    package func remaining(at now: Instant) -> Duration { end.map { max(.zero, now.duration(to: $0)) } ?? .zero }

    /// A heartbeat that was sent at `sentAt` has been answered. An answer that comes out of order, or too late, changes nothing.
    package mutating func renew(sentAt: Instant, now: Instant) {
        let renewed = sentAt.advanced(by: duration)
        if now >= renewed { return }
        if !isHeld(at: now) { heldSince = now }
        end = max(renewed, end ?? renewed)
    }

    /// The session is over, or about to be given up.
    package mutating func drop() {
        end = nil
        heldSince = nil
    }
}

/// The times that follow from a session timeout T. With them no two processes act as owner at once:
///
/// - The service ends a session no earlier than T after it last heard of it. What a server hears it tells the leader within half a tick;
///   T is at least two ticks. A heartbeat is a write that a majority has confirmed, sent every T/12. So a session that answered a heartbeat
///   sent at t lives until t + T - T/4 - T/12 at least: the lease is 2/3 T.
/// - A holder of the lease knows of everyone who joined 2/3 T ago. Who joins waits for 3/4 T, or until all have said that they know.
package struct LeaseTiming: Sendable, Hashable {
    package var lease: Duration
    package var heartbeat: Duration
    package var grace: Duration

    package init(sessionTimeout: Duration) {
        lease = sessionTimeout * 2 / 3
        heartbeat = sessionTimeout / 12
        grace = sessionTimeout * 3 / 4
    }
}
