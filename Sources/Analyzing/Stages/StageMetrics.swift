import Telemetry

/// What a stage shows of itself.
struct StageMetrics: Sendable {
    let records: Counter
    let deadLetters: Counter
    let outputs: Counter
    let checkpoints: Counter
    let checkpointBytes: Counter
    let tooLarge: Counter
    let retries: Counter
    let partitions: Gauge

    init(_ registry: MetricRegistry, stage: String) {
        let labels = [("stage", stage)]
        records = registry.counter("almanac_stage_records_total", help: "Records taken in.", labels: labels)
        deadLetters = registry.counter(
            "almanac_stage_dead_letters_total", help: "Records that could not be read and went to the dead-letter topic.", labels: labels)
        outputs = registry.counter("almanac_stage_outputs_total", help: "Records produced.", labels: labels)
        checkpoints = registry.counter("almanac_stage_checkpoints_total", help: "States written down for a successor.", labels: labels)
        checkpointBytes = registry.counter("almanac_stage_checkpoint_bytes_total", help: "Bytes of these states.", labels: labels)
        tooLarge = registry.counter(
            "almanac_stage_too_large_records_total", help: "Records left out because the log refuses their size.", labels: labels)
        retries = registry.counter(
            "almanac_stage_retries_total", help: "Attempts repeated because a dependency was not available.", labels: labels)
        partitions = registry.gauge("almanac_stage_partitions", help: "Partitions that this process owns.", labels: labels)
    }
}
