import TimeSeries

/// What a role needs of the other processes: a fence against its former self, and its part of the work.
package protocol Coordinator: Sendable {
    /// A number greater than any given out before for this name, for ever; durable before it returns. The owner of shards takes one when
    /// it starts, so that results of a former owner lose (see `Records.Revision`).
    func nextEpoch(for name: String) async throws -> Int64

    /// Whether this process does the work with this name (a scrape target's URL, say); every name is one process's at a time. Answered
    /// from memory: ask again before every piece of work.
    func owns(_ name: String) -> Bool

    /// How long this process has owned the name without a break; nil when it does not own it. Work that is due at a point in time is the
    /// owner's of that point: who wakes late and has owned the name for a shorter time leaves it, as the former owner may have done it.
    func tenure(of name: String) -> Duration?
}

extension Coordinator {
    package func tenure(of name: String) -> Duration? { owns(name) ? .seconds(Int64.max / 4) : nil }
}

/// All of coordination: a `Coordinator` that knows its fellow processes, elects leaders, lists instances and holds the configuration.
///
/// Whatever is asked of it (an instance, a candidacy) is kept and repeated when a session to the service has to be opened anew.
package protocol CoordinationService: Coordinator {
    var status: CoordinationStatus { get }

    /// What changes from now on. Bounded: a reader that is slow misses the oldest of more than 64. Ends with `close`.
    func events() -> AsyncStream<CoordinationEvent>

    /// Announces what runs here until `withdraw` or `close`; the same role and name again replaces what was said before.
    func register(_ instance: ServiceInstance)
    func withdraw(_ instance: ServiceInstance)
    /// Who is there now, sorted by role and name.
    /// - Throws: `CoordinationError`.
    func instances() async throws -> [ServiceInstance]

    /// Takes part in the election of the one leader for `name`, until `resign` or `close`.
    func campaign(for name: String)
    func resign(from name: String)
    /// Whether this process leads now; false as soon as another one may. Answered from memory: ask before every piece of work.
    func isLeader(of name: String) -> Bool

    /// The central configuration; nil when there is none.
    /// - Throws: `CoordinationError`.
    func configuration() async throws -> CentralConfiguration?
    /// Replaces the configuration whose version is `expectedVersion`; nil creates it.
    /// - Returns: the new version.
    /// - Throws: `CoordinationError`, `.conflict` when the version is another.
    @discardableResult
    func writeConfiguration(_ bytes: [UInt8], expectedVersion: Int64?) async throws -> Int64
    /// The configuration now, when there is one, and after each change; a slow reader gets only the newest. Nothing here judges the
    /// bytes. Ends with `close`.
    func watchConfiguration() -> AsyncStream<CentralConfiguration>

    /// Owns and leads nothing from the call on, and lets the others take over. Stop the work first.
    func close() async
}
