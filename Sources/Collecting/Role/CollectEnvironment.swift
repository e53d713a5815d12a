import Logging
import Telemetry
import TimeSeries

/// What every source is given: time, metrics and the log of events.
package struct CollectEnvironment: Sendable {
    package var clock: any WallClock
    /// Waits so many milliseconds, or throws when the task is cancelled.
    package var sleep: @Sendable (Milliseconds) async throws -> Void
    package var logger: Logger
    var metrics: CollectMetrics

    /// Tests give a clock and a `sleep` that follows it.
    package init(
        clock: any WallClock, logger: Logger, registry: MetricRegistry,
        sleep: @escaping @Sendable (Milliseconds) async throws -> Void = { try await Task.sleep(for: .milliseconds($0)) }
    ) {
        self.clock = clock
        self.sleep = sleep
        self.logger = logger
        metrics = CollectMetrics(registry)
    }
}

/// The instruments of the role.
struct CollectMetrics: Sendable {
    let scrapes: Counter
    let failedScrapes: Counter
    let skippedScrapes: Counter
    let scrapeSeconds: Histogram
    let samplesSent: Counter
    let duplicates: Counter
    let produceRetries: Counter
    let targets: Gauge
    let targetsUp: Gauge
    let pending: Gauge
    let prometheusRequests: Counter
    let prometheusFailures: Counter
    let prometheusSamples: Counter
    private let registry: MetricRegistry

    init(_ registry: MetricRegistry) {
        self.registry = registry
        let scrapesHelp = "Scrapes by result."
        scrapes = registry.counter("almanac_collect_scrapes_total", help: scrapesHelp, labels: [("result", "up")])
        failedScrapes = registry.counter("almanac_collect_scrapes_total", help: scrapesHelp, labels: [("result", "down")])
        skippedScrapes = registry.counter(
            "almanac_collect_skipped_scrapes_total",
            help: "Slots that passed without a scrape: the one before still ran, or the machine stood still.")
        scrapeSeconds = registry.histogram(
            "almanac_collect_scrape_duration_seconds", help: "From the request to the page taken in.")
        samplesSent = registry.counter("almanac_collect_samples_total", help: "Samples that the log has acknowledged.")
        duplicates = registry.counter(
            "almanac_collect_duplicate_samples_total", help: "Rows that repeat a series of their page; the first counts.")
        produceRetries = registry.counter("almanac_collect_produce_retries_total", help: "Times that the log did not take records.")
        targets = registry.gauge("almanac_collect_targets", help: "Targets that this process scrapes.")
        targetsUp = registry.gauge("almanac_collect_targets_up", help: "Targets whose last scrape succeeded.")
        pending = registry.gauge("almanac_collect_pending_scrapes", help: "Scrapes that wait for the log.")
        prometheusRequests = registry.counter(
            "almanac_collect_prometheus_requests_total", help: "Requests to Prometheus servers.")
        prometheusFailures = registry.counter(
            "almanac_collect_prometheus_failures_total", help: "Requests to Prometheus servers that failed.")
        prometheusSamples = registry.counter(
            "almanac_collect_prometheus_samples_total", help: "Samples read from Prometheus servers, repeated ones left out.")
        for reason in ["pending_limit", "refused", "shutdown", "future"] { dropped(reason, 0) }
    }

    func onCollect(_ body: @escaping @Sendable () -> Void) { registry.onCollect(body) }

    func dropped(_ reason: String, _ samples: Int) {
        registry.counter(
            "almanac_collect_dropped_samples_total", help: "Samples that never reached the log, by reason.", labels: [("reason", reason)]
        ).add(samples)
    }

    /// How far a Prometheus source has come.
    func prometheusWatermark(_ url: String) -> Gauge {
        registry.gauge(
            "almanac_collect_prometheus_watermark_timestamp_seconds", help: "Up to where a Prometheus server has been read.",
            labels: [("url", url)])
    }

    func prometheusUp(_ url: String) -> Gauge {
        registry.gauge(
            "almanac_collect_prometheus_up", help: "Whether the last round with a Prometheus server succeeded.", labels: [("url", url)])
    }
}
