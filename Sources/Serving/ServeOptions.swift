import HTTPKit
import TimeSeries
import Traffic

/// What the role serve is configured with.
package struct ServeOptions: Sendable {
    package var http = HTTPServerOptions()
    /// Shown on `/` and in `/openapi.json`.
    package var version = "0.0.0"
    /// Where results travel; tailed for what is live.
    package var resultsTopics = ["prometheusdata"]
    package var samplesTopic = "samples"
    /// Where the traffic's results travel; tailed as well. Empty: there is no such topic, and the store alone answers.
    package var trafficTopic = "trafficdata"
    /// Where vehicles' events go that come over HTTP; those that are none go to its dead letters.
    package var eventsTopic = "iot-data-event"
    /// Decides how events' times are read and which day it is on a route.
    package var traffic = TrafficOptions()
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
    /// For the newest totals, windows, visits and alerts of the traffic each.
    package var liveTrafficBytes = 16 << 20
    /// Bodies with events that are under way at one time; further ones are to come again.
    package var ingestBytes = 32 << 20
    /// A body whose events the log has not taken within this time is to come again.
    package var ingestTimeout: Milliseconds = 10_000
    /// Listeners on `/api/v1/events` at one time.
    package var maxEventClients = 64
    /// A listener for whom more than this waits is dropped.
    package var eventBufferBytes = 4 << 20
    package var heartbeat: Milliseconds = 15_000

    package init() {}
}
