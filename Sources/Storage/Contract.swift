import Records
import TimeSeries

/// What one transaction writes. Order does not matter; of one fact the highest revision stays.
package struct StoreBatch: Sendable {
    package var windows: [WindowsResult] = []
    package var profiles: [ProfileResult] = []
    package var forecasts: [ForecastResult] = []
    package var chunks: [ChunkResult] = []
    package var modelStates: [ModelStateResult] = []
    package var anomalies: [AnomalyResult] = []
    package var trafficTotals: [TrafficTotal] = []
    package var trafficWindows: [TrafficWindow] = []
    package var visits: [PointVisit] = []
    package var alerts: [TrafficAlert] = []
    package var checkpoints: [CheckpointPart] = []

    package init() {}
    package var isEmpty: Bool {
        windows.isEmpty && profiles.isEmpty && forecasts.isEmpty && chunks.isEmpty && modelStates.isEmpty && anomalies.isEmpty
            && trafficTotals.isEmpty && trafficWindows.isEmpty && visits.isEmpty && alerts.isEmpty && checkpoints.isEmpty
    }
}

/// A series as the store knows it.
package struct StoredSeries: Sendable, Equatable {
    package var key: SeriesKey
    /// Time of the first and of the newest result or chunk.
    package var firstSeen: Milliseconds
    package var lastSeen: Milliseconds

    package init(key: SeriesKey, firstSeen: Milliseconds, lastSeen: Milliseconds) {
        self.key = key
        self.firstSeen = firstSeen
        self.lastSeen = lastSeen
    }
}

/// One condition on a label, as in a Prometheus selector. An absent label has the value "".
package struct LabelMatcher: Sendable, Hashable {
    package enum Operation: String, Sendable {
        case equal = "="
        case notEqual = "!="
        case matches = "=~"
        case notMatches = "!~"
    }

    package var name: String
    package var operation: Operation
    package var value: String

    package init(_ name: String, _ operation: Operation, _ value: String) {
        self.name = name
        self.operation = operation
        self.value = value
    }
}

/// A page of a listing in the order of fingerprints; `after` is the last fingerprint of the page before.
package struct PageRequest: Sendable {
    package var limit: Int
    package var after: Fingerprint?

    package init(limit: Int, after: Fingerprint? = nil) {
        self.limit = limit
        self.after = after
    }
}

/// How long things are kept. Rows older than now minus the age may go.
package struct StoreRetention: Sendable, Equatable {
    /// The raw archive.
    package var chunks: Milliseconds = 15 * 86_400_000
    package var windows: Milliseconds = 15 * 86_400_000
    package var profiles: Milliseconds = 15 * 86_400_000
    package var forecasts: Milliseconds = 15 * 86_400_000
    /// Counted from the last that was heard of an incident.
    package var anomalies: Milliseconds = 15 * 86_400_000
    package var trafficWindows: Milliseconds = 7 * 86_400_000
    /// Totals of local days that ended before this; those since the start stay.
    package var trafficTotals: Milliseconds = 400 * 86_400_000
    /// Counted from the last that was heard of a visit or an alert.
    package var visits: Milliseconds = 15 * 86_400_000
    package var alerts: Milliseconds = 15 * 86_400_000
    /// Oldest history goes first when the database grows past this many bytes; 0 for no limit.
    package var maxBytes: Int64 = 0

    package init() {}
}

/// Where results rest. Written idempotently, read by series. Implementations pass the contract suite in `Tests/StorageContract`.
///
/// History: of each series one row per interval is kept (the row whose time is a multiple of it; `HistoryPolicy` says it exactly), the
/// latest row is always there; the same for profiles and forecasts.
///
/// Of one time there is one row for each window or horizon, each with its own revision. Numbers that are not finite are stored as null; a
/// series has the type of its newest result.
package protocol ResultStore: Sendable {
    /// Writes all of it in one transaction; durable on return. A fact with a higher revision replaces the stored one, an equal or lower
    /// one changes nothing. The latest tables keep the row with the greatest time (then revision). Throws `StorageError`; then nothing
    /// was written.
    func write(_ batch: StoreBatch) async throws

    /// Series by fingerprint order; `matchers` must all hold (`SeriesMatcher`). A page that is not full is the last one. Throws `usage` for
    /// a regular expression that cannot be read.
    func series(matching matchers: [LabelMatcher], page: PageRequest) async throws -> [StoredSeries]
    func series(_ id: Fingerprint) async throws -> StoredSeries?

    /// The newest row of each of the series that have one, in the order asked for. Of forecasts one row for each horizon at the newest
    /// time.
    func latestWindows(_ ids: [Fingerprint]) async throws -> [WindowsResult]
    func latestProfiles(_ ids: [Fingerprint]) async throws -> [ProfileResult]
    func latestForecasts(_ ids: [Fingerprint]) async throws -> [ForecastResult]

    /// Rows with from < time <= to, by time. `limit` counts results (times), the newest win.
    func windowsHistory(_ id: Fingerprint, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [WindowsResult]
    /// Statistics only: `path` is empty but for the latest.
    func forecastHistory(_ id: Fingerprint, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [ForecastResult]

    /// Incidents of one series that touch (from, to], by onset: one row each, in its latest version (time, then revision). One that has
    /// not ended touches all that follows its onset. `limit` counts incidents, the newest win.
    func anomalies(of id: Fingerprint, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [AnomalyResult]

    /// Newest day first, then by route and type; the first `limit` of them.
    func trafficTotals(_ query: TrafficQuery) async throws -> [TrafficTotal]

    /// Rows with from < time <= to, by time, length, route and type. `window`: of this length only. `limit` counts rows, the newest win.
    func trafficWindows(
        window: Milliseconds?, route: String?, from: Milliseconds, to: Milliseconds, limit: Int
    ) async throws -> [TrafficWindow]

    /// Of each length of window the rows of its newest time, by length, route and type.
    func latestTrafficWindows() async throws -> [TrafficWindow]

    /// Visits that touch (from, to], by entry, point and vehicle, without those withdrawn: one row each, in its version of the highest
    /// revision. One that has not been left touches all that follows its entry. `limit` counts visits, the newest win.
    /// - Parameter insideOnly: without those that have been left.
    func visits(
        point: String?, vehicle: String?, from: Milliseconds, to: Milliseconds, limit: Int, insideOnly: Bool
    ) async throws -> [PointVisit]

    /// Alerts that touch (from, to], by onset, rule and subject, as `visits`.
    func alerts(rule: String?, subject: String?, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [TrafficAlert]

    /// The newest revision of which all parts are there. One that is complete lets the older ones go.
    func checkpoint(named name: String) async throws -> Checkpoint?

    /// Chunks of one series that overlap (from, to], by start.
    func chunks(of id: Fingerprint, from: Milliseconds, to: Milliseconds) async throws -> [ChunkResult]

    /// For an owner that takes over: the chunks of all series of these shards that end after `since`, by series then start,
    /// handed over in bounded pages.
    func recentChunks(
        shards: Set<Shard>, since: Milliseconds, _ receive: @Sendable ([ChunkResult]) async throws -> Void
    ) async throws

    /// For an owner that takes over: what the stored chunks of these shards that end after `since` say without their samples; of each
    /// series in order of time, handed over in bounded pages. Chunks in which nothing was analysed may be left out.
    func chunkSummaries(
        shards: Set<Shard>, since: Milliseconds, _ receive: @Sendable ([ChunkSummary]) async throws -> Void
    ) async throws

    /// For an owner that takes over: the newest model state of each series of these shards that has one, handed over in bounded pages.
    func modelStates(shards: Set<Shard>, _ receive: @Sendable ([ModelStateResult]) async throws -> Void) async throws

    /// A number greater than any given out before for this name, for ever; durable before it returns, whichever process asks.
    func nextEpoch(for name: String) async throws -> Int64

    /// The times of the newest windows row of each series of these shards.
    func latestWindowTimes(shards: Set<Shard>) async throws -> [Fingerprint: Milliseconds]

    /// Removes what is older than the retention allows, in bounded steps; returns the number of rows removed. Stores remove whole
    /// buckets, so up to a day more may stay. A series with nothing left goes last.
    func applyRetention(_ retention: StoreRetention, now: Milliseconds) async throws -> Int

    /// Cheap: can it answer now? Throws `StorageError` with what is wrong.
    func checkHealth() async throws

    func close() async
}

/// An error of a store with what to do about it.
package struct StorageError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// May go through later: busy, connection lost, no space.
        case unavailable
        case corrupt
        /// The schema is newer than this program.
        case schema
        case usage
    }

    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
