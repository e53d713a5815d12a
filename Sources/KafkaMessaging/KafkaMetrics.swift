import Messaging
import Synchronization
import Telemetry

/// The instruments of a log on Kafka. Labels are topics, groups and error names: few; partitions are bounded.
final class KafkaMetrics: Sendable {
    struct Flow {
        let records: Counter
        let bytes: Counter
    }

    private struct State {
        var produced: [String: Flow] = [:]
        var consumed: [String: Flow] = [:]
        var errors: [String: Counter] = [:]
        var lags: [String: Gauge] = [:]
    }

    /// Gauges of single partitions, over all groups.
    static let maxLagGauges = 512

    let registry: MetricRegistry
    let queueBytes: Gauge
    let produceSeconds: Histogram
    let retries: Counter
    let producerRestarts: Counter
    let commits: Counter
    let fencedCommits: Counter
    private let throttles: Counter
    private let throttleMilliseconds: Counter
    private let state = Mutex(State())

    init(_ registry: MetricRegistry) {
        self.registry = registry
        queueBytes = registry.gauge(
            "almanac_kafka_queue_bytes", help: "Bytes that producers have handed over and that Kafka has not acknowledged yet.")
        produceSeconds = registry.histogram(
            "almanac_kafka_produce_seconds", help: "Duration of produce calls until all in-sync replicas had the records.")
        retries = registry.counter("almanac_kafka_retries_total", help: "Produce requests that the client sent again.")
        producerRestarts = registry.counter(
            "almanac_kafka_producer_restarts_total", help: "Producers replaced because the idempotent producer had failed for good.")
        commits = registry.counter("almanac_kafka_commits_total", help: "Committed offsets made durable.")
        fencedCommits = registry.counter(
            "almanac_kafka_fenced_commits_total", help: "Offsets not committed because the partition had gone to another member.")
        throttles = registry.counter("almanac_kafka_throttles_total", help: "Responses by which a broker's quota slowed this client down.")
        throttleMilliseconds = registry.counter(
            "almanac_kafka_throttle_milliseconds_total", help: "Milliseconds for which brokers' quotas slowed this client down.")
    }

    func produced(_ topic: String) -> Flow {
        state.withLock { state in
            if let known = state.produced[topic] { return known }
            let labels = [("topic", topic)]
            let flow = Flow(
                records: registry.counter(
                    "almanac_kafka_produced_records_total", help: "Records that Kafka has acknowledged.", labels: labels),
                bytes: registry.counter(
                    "almanac_kafka_produced_bytes_total", help: "Bytes of acknowledged keys and values.", labels: labels))
            state.produced[topic] = flow
            return flow
        }
    }

    func consumed(_ topic: String) -> Flow {
        state.withLock { state in
            if let known = state.consumed[topic] { return known }
            let labels = [("topic", topic)]
            let flow = Flow(
                records: registry.counter("almanac_kafka_consumed_records_total", help: "Records read.", labels: labels),
                bytes: registry.counter("almanac_kafka_consumed_bytes_total", help: "Bytes of keys and values read.", labels: labels))
            state.consumed[topic] = flow
            return flow
        }
    }

    func error(_ error: KafkaError) {
        let counter = state.withLock { state -> Counter in
            if let known = state.errors[error.name] { return known }
            let made = registry.counter(
                "almanac_kafka_errors_total", help: "Errors reported by brokers and by the client, by code.",
                labels: [("code", error.name)])
            state.errors[error.name] = made
            return made
        }
        counter.add()
    }

    func rebalanced(group: String) {
        registry.counter(
            "almanac_kafka_rebalances_total", help: "Times that partitions came to or went from this member.", labels: [("group", group)]
        ).add()
    }

    func offsetReset(topic: String) {
        registry.counter(
            "almanac_kafka_offset_resets_total",
            help: "Positions that the topic no longer had; reading went on at the earliest record.", labels: [("topic", topic)]
        ).add()
    }

    func throttled(_ milliseconds: Int32) {
        throttles.add()
        throttleMilliseconds.add(Int(milliseconds))
    }

    /// Records of a partition that the group's member here has not read yet; 0 for one that it no longer has.
    func lag(group: String, _ place: TopicPartition, _ records: Int64) {
        let key = "\(group)\u{0}\(place.topic)\u{0}\(place.partition)"
        let gauge = state.withLock { state -> Gauge? in
            if let known = state.lags[key] { return known }
            if state.lags.count >= KafkaMetrics.maxLagGauges { return nil }
            let made = registry.gauge(
                "almanac_kafka_consumer_lag_records", help: "Records of the partition that this member has not read yet.",
                labels: [("group", group), ("topic", place.topic), ("partition", "\(place.partition)")])
            state.lags[key] = made
            return made
        }
        gauge?.set(Double(records))
    }
}

/// Reads single numbers out of librdkafka's statistics, a JSON document of up to many megabytes of which few numbers matter.
enum KafkaStatistics {
    /// The sum of all integers whose key is `key`.
    static func sum(_ key: String, in text: UnsafeBufferPointer<UInt8>) -> Int {
        let pattern = Array("\"\(key)\":".utf8)
        var total = 0
        var i = 0
        while i + pattern.count < text.count {
            guard text[i] == pattern[0], pattern.indices.allSatisfy({ text[i + $0] == pattern[$0] }) else {
                i += 1
                continue
            }
            i += pattern.count
            var value = 0
            while i < text.count, (48...57).contains(text[i]) {
                value = value &* 10 &+ Int(text[i] - 48)
                i += 1
            }
            total &+= value
        }
        return total
    }
}
