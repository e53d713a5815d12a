import Flows
import Telemetry

/// The instruments of one flow.
struct FlowMetrics: Sendable {
    let accepted: Counter
    let dropped: Counter
    let rejected: Counter
    let samples: Counter
    let overLimit: Counter
    let deadLetters: Counter
    let newest: Gauge

    init(_ registry: MetricRegistry, flow: String) {
        let help = "Records of a flow by result: what became samples, what a filter held back, what was refused."
        func records(_ result: String) -> Counter {
            registry.counter("almanac_flow_records_total", help: help, labels: [("flow", flow), ("result", result)])
        }
        accepted = records("accepted")
        dropped = records("dropped")
        rejected = records("rejected")
        samples = registry.counter("almanac_flow_samples_total", help: "Samples that a flow made.", labels: [("flow", flow)])
        overLimit = registry.counter(
            "almanac_flow_over_limit_samples_total", help: "Samples of series beyond the most that the flow may make.",
            labels: [("flow", flow)])
        deadLetters = registry.counter(
            "almanac_flow_dead_letters_total", help: "Records of a topic that were put aside with the reason.", labels: [("flow", flow)])
        newest = registry.gauge(
            "almanac_flow_newest_timestamp_seconds", help: "The newest time that a record of the flow had.", labels: [("flow", flow)])
    }

    func count(_ tally: FlowTally) {
        accepted.add(tally.accepted)
        dropped.add(tally.dropped)
        rejected.add(tally.rejected)
    }
}

/// The instruments of one join.
struct JoinMetrics: Sendable {
    let values: Counter
    let rejected: Counter
    let overLimit: Counter
    let keys: Gauge

    init(_ registry: MetricRegistry, join: String) {
        values = registry.counter("almanac_join_values_total", help: "Rows or values that a join has read.", labels: [("join", join)])
        rejected = registry.counter(
            "almanac_join_rejected_values_total", help: "Rows or values that a join could not read.", labels: [("join", join)])
        overLimit = registry.counter(
            "almanac_join_over_limit_values_total", help: "Values of keys beyond the most that the join may hold.",
            labels: [("join", join)])
        keys = registry.gauge("almanac_join_keys", help: "Keys that a join holds.", labels: [("join", join)])
    }
}
