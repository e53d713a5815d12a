import Telemetry

/// What the analyzer shows of itself.
struct AnalyzeMetrics: Sendable {
    let accepted: Counter
    let late: Counter
    let refused: [String: Counter]
    let deadLetters: Counter
    let damagedChunks: Counter
    let tooLarge: Counter
    let chunks: Counter
    let results: Counter
    let retries: Counter
    let series: Gauge
    let memory: Gauge
    let partitions: Gauge
    let seconds: [String: Histogram]

    init(_ registry: MetricRegistry) {
        accepted = registry.counter("almanac_analyze_samples_total", help: "Samples taken into windows.")
        late = registry.counter(
            "almanac_analyze_late_samples_total", help: "Samples older than a newer one of their series, counted where they belong.")
        var refused: [String: Counter] = [:]
        for reason in ["duplicate", "conflict", "too_late", "future", "invalid_time", "series_limit"] {
            refused[reason] = registry.counter(
                "almanac_analyze_refused_samples_total", help: "Samples not taken, by reason.", labels: [("reason", reason)])
        }
        self.refused = refused
        deadLetters = registry.counter(
            "almanac_analyze_dead_letters_total", help: "Records that could not be read and went to the dead-letter topic.")
        damagedChunks = registry.counter(
            "almanac_analyze_damaged_chunks_total", help: "Stored chunks left out at a start: damaged, or of the future.")
        tooLarge = registry.counter(
            "almanac_analyze_too_large_records_total", help: "Results left out because the log refuses records of their size.")
        chunks = registry.counter("almanac_analyze_chunks_total", help: "Chunks sealed.")
        results = registry.counter("almanac_analyze_records_total", help: "Records of results and chunks produced.")
        retries = registry.counter("almanac_analyze_retries_total", help: "Attempts repeated because a dependency was not available.")
        series = registry.gauge("almanac_analyze_series", help: "Series held.")
        partitions = registry.gauge("almanac_analyze_partitions", help: "Partitions of the samples that this process owns.")
        memory = registry.gauge("almanac_analyze_history_bytes", help: "Memory of the samples, windows and rollups held.")
        var seconds: [String: Histogram] = [:]
        for kind in ["metadata", "value", "predict"] {
            seconds[kind] = registry.histogram(
                "almanac_analyze_evaluation_seconds", help: "Computing time of one evaluation of all series that were due.",
                labels: [("kind", kind)])
        }
        self.seconds = seconds
    }

    func count(_ outcome: IngestOutcome) {
        accepted.add(outcome.accepted)
        late.add(outcome.late)
        refused["duplicate"]?.add(outcome.duplicates)
        refused["conflict"]?.add(outcome.conflicts)
        refused["too_late"]?.add(outcome.tooLate)
        refused["future"]?.add(outcome.future)
        refused["invalid_time"]?.add(outcome.invalidTime)
        refused["series_limit"]?.add(outcome.overLimit)
    }

    func observe(_ line: EvaluationLogLine) { seconds[line.kind.rawValue]?.observe(line.compute) }
}
