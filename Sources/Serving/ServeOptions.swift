import HTTPKit
import TimeSeries

/// What the role serve is configured with.
package struct ServeOptions: Sendable {
    package var http = HTTPServerOptions()
    /// Shown on `/` and in `/openapi.json`.
    package var version = "0.0.0"
    /// Where results travel; tailed for what is live.
    package var resultsTopics = ["prometheusdata"]
    package var samplesTopic = "samples"
    /// Series on a page of `/api/v1/series` if nothing is asked for.
    package var defaultPageLimit = 100
    /// The most that can be asked for, and what the original paths give if nothing is asked for.
    package var maxPageLimit = 10_000
    package var defaultHistoryLimit = 10_000
    package var maxHistoryLimit = 100_000
    /// How far back raw samples are kept in memory.
    package var recentSpan: Milliseconds = 45 * 60_000
    package var recentBytes = 64 << 20
    /// For the newest windows, profiles and forecasts each.
    package var liveBytes = 32 << 20
    /// Listeners on `/api/v1/events` at one time.
    package var maxEventClients = 64
    /// A listener for whom more than this waits is dropped.
    package var eventBufferBytes = 4 << 20
    package var heartbeat: Milliseconds = 15_000

    package init() {}
}
