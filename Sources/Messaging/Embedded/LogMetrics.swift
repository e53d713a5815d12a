import Telemetry

/// The instruments of the whole log.
struct LogMetrics: Sendable {
    let registry: MetricRegistry
    let queueBytes: Gauge
    let syncs: Counter
    let syncSeconds: Histogram
    let writeFailures: Counter
    let syncFailures: Counter
    let commits: Counter
    let fencedCommits: Counter
    let rebalances: Counter

    init(_ registry: MetricRegistry) {
        self.registry = registry
        queueBytes = registry.gauge("almanac_log_queue_bytes", help: "Bytes that producers have handed over and that are not durable yet.")
        syncs = registry.counter("almanac_log_syncs_total", help: "Calls of fdatasync by group commits.")
        syncSeconds = registry.histogram("almanac_log_sync_seconds", help: "Duration of fdatasync in group commits.")
        writeFailures = registry.counter("almanac_log_write_failures_total", help: "Failed writes to segment and offset files.")
        syncFailures = registry.counter("almanac_log_sync_failures_total", help: "Failed syncs of segment and offset files.")
        commits = registry.counter("almanac_log_commits_total", help: "Committed offsets made durable.")
        fencedCommits = registry.counter(
            "almanac_log_fenced_commits_total", help: "Offsets not committed because the partition had gone to another member.")
        rebalances = registry.counter("almanac_log_rebalances_total", help: "Times that a group divided its partitions anew.")
    }
}

/// The instruments of one topic.
struct TopicMetrics: Sendable {
    let records: Counter
    let bytes: Counter
    let recoveredBytes: Counter
    let cutBytes: Counter
    let corruptFrames: Counter
    let skippedPositions: Counter
    let removedBytes: Counter
    let sizeBytes: Gauge
    let blockedBytes: Gauge

    init(_ registry: MetricRegistry, topic: String) {
        let labels = [("topic", topic)]
        records = registry.counter("almanac_log_records_total", help: "Records made durable.", labels: labels)
        bytes = registry.counter("almanac_log_bytes_total", help: "Bytes of frames made durable.", labels: labels)
        recoveredBytes = registry.counter(
            "almanac_log_recovered_bytes_total", help: "Bytes of active segments found sound at the start.", labels: labels)
        cutBytes = registry.counter(
            "almanac_log_cut_bytes_total", help: "Bytes of torn or corrupt tails cut off at the start.", labels: labels)
        corruptFrames = registry.counter(
            "almanac_log_corrupt_frames_total", help: "Places with damage that reads or recovery came across.", labels: labels)
        skippedPositions = registry.counter(
            "almanac_log_skipped_positions_total", help: "Readers whose position retention had removed; they went on at the earliest.",
            labels: labels)
        removedBytes = registry.counter("almanac_log_removed_bytes_total", help: "Bytes of segments removed by retention.", labels: labels)
        sizeBytes = registry.gauge("almanac_log_size_bytes", help: "Bytes of all segments.", labels: labels)
        blockedBytes = registry.gauge(
            "almanac_log_retention_blocked_bytes",
            help: "Bytes above the size limit that retention keeps because a required group has not committed past them.", labels: labels)
    }
}
