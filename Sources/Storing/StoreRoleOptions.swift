import Storage
import TimeSeries

/// How the store role is set up.
package struct StoreRoleOptions: Sendable {
    package var resultsTopic = "prometheusdata"
    package var chunksTopic = "chunks"
    package var trafficTopic = "trafficdata"
    package var group = "almanac-store"
    /// Bytes of records that one transaction takes, about.
    package var maximumPollBytes = 4 * 1024 * 1024
    /// How long a poll waits for records, milliseconds.
    package var pollTimeout: Milliseconds = 1000
    /// Waits between attempts double from the first to the second, milliseconds.
    package var firstBackoff: Milliseconds = 100
    package var longestBackoff: Milliseconds = 10_000
    package var retention = StoreRetention()
    /// By the injected clock, milliseconds.
    package var retentionInterval: Milliseconds = 300_000
    /// Between two measurements of the lag, and looks at the clock for retention; real time, milliseconds.
    package var housekeepingInterval: Milliseconds = 5000

    package init() {}

    package var topics: [String] { [resultsTopic, chunksTopic, trafficTopic] }

    package static func deadLetterTopic(_ topic: String) -> String { topic + ".dlq" }
}
