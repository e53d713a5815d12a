import Storage
import Telemetry

/// What the role tells about itself on `/metrics`.
struct StoreMetrics: Sendable {
    let windows: Counter
    let profiles: Counter
    let forecasts: Counter
    let chunks: Counter
    let trafficTotals: Counter
    let trafficWindows: Counter
    let visits: Counter
    let alerts: Counter
    let checkpoints: Counter
    let batches: Counter
    let writeSeconds: Histogram
    let retries: Counter
    let retired: Counter
    private let deadLetterCounts: [String: Counter]
    private let lags: [String: Gauge]

    init(_ registry: MetricRegistry, topics: [String]) {
        func rows(_ kind: String) -> Counter {
            registry.counter("almanac_store_rows_total", help: "Results given to the store, by kind.", labels: [("kind", kind)])
        }
        windows = rows("windows")
        profiles = rows("profile")
        forecasts = rows("forecast")
        chunks = rows("chunk")
        trafficTotals = rows("traffic_total")
        trafficWindows = rows("traffic_window")
        visits = rows("visit")
        alerts = rows("alert")
        checkpoints = rows("checkpoint")
        batches = registry.counter("almanac_store_batches_total", help: "Transactions of the store that went through.")
        writeSeconds = registry.histogram("almanac_store_write_seconds", help: "Duration of the store's transactions.")
        retries = registry.counter("almanac_store_retries_total", help: "Attempts repeated because the store or the log was unavailable.")
        retired = registry.counter("almanac_store_retention_rows_total", help: "Rows removed by retention.")
        deadLetterCounts = Dictionary(
            uniqueKeysWithValues: topics.map { topic in
                let labels = [("topic", topic)]
                let letters = StoreRoleOptions.deadLetterTopic(topic)
                return (
                    letters, registry.counter("almanac_store_dead_letters_total", help: "Records that could not be stored.", labels: labels)
                )
            })
        lags = Dictionary(
            uniqueKeysWithValues: topics.map { topic in
                let labels = [("topic", topic)]
                return (topic, registry.gauge("almanac_store_lag_records", help: "Offsets behind the end of the topic.", labels: labels))
            })
    }

    func wrote(_ batch: StoreBatch) {
        windows.add(batch.windows.count)
        profiles.add(batch.profiles.count)
        forecasts.add(batch.forecasts.count)
        chunks.add(batch.chunks.count)
        trafficTotals.add(batch.trafficTotals.count)
        trafficWindows.add(batch.trafficWindows.count)
        visits.add(batch.visits.count)
        alerts.add(batch.alerts.count)
        checkpoints.add(batch.checkpoints.count)
        batches.add()
    }

    /// By the name of the dead-letter topic.
    func deadLetters(_ topic: String) -> Counter? { deadLetterCounts[topic] }
    func lag(_ topic: String) -> Gauge? { lags[topic] }
}
