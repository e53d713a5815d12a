import TimeSeries

/// What processes must agree on: who owns what, and which owner is the newest.
package protocol Coordinator: Sendable {
    /// A number greater than any given out before for this name, for ever; durable before it returns. The owner of shards takes one when
    /// it starts, so that results of a former owner lose (see `Records.Revision`).
    func nextEpoch(for name: String) async throws -> Int64

    /// Whether this process does the work with this name (a scrape target's URL, say); every name is one process's at a time.
    func owns(_ name: String) -> Bool
}
