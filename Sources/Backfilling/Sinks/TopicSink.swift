import History
import Logging
import Messaging
import Records
import TimeSeries

/// Results as records of the result topic, keyed by shard as the analyzer keys them. A record holds results of one shard, kind and time, so a batch
/// is sorted by these first.
package struct TopicSink: HistorySink {
    /// Bytes of records in one call.
    private static let sliceBytes = 4 << 20

    private let log: any MessageLog
    private let topic: String
    private let patience: Patience

    /// The log is the caller's to close.
    package init(log: any MessageLog, topic: String, logger: Logger) {
        self.log = log
        self.topic = topic
        patience = Patience(logger: logger)
    }

    package func open(part: Int) async throws -> any HistoryPartSink { DecodedPartSink(part: part, write: produce(results:)) }
    package func finish() async throws {}
    package func close() async {}

    private func produce(results: TransformResults) async throws {
        var slice: [ProducerRecord] = []
        var bytes = 0
        for (shard, record) in TopicSink.records(results) {
            for value in record.encode(shard: shard) {
                bytes += value.count
                slice.append(ProducerRecord(topic: topic, key: .shard(shard), value: value))
            }
            if bytes < TopicSink.sliceBytes { continue }
            try await produce(slice)
            slice.removeAll(keepingCapacity: true)
            bytes = 0
        }
        try await produce(slice)
    }

    private func produce(_ records: [ProducerRecord]) async throws {
        if records.isEmpty { return }
        try await patience.retrying("the topic \(topic)") { [log] in try await log.produce(records) }
    }

    private static func records(_ results: TransformResults) -> [(Shard, ResultRecord)] {
        byShard(results.windows, \.series, \.time).map { ($0, .windows($1)) }
            + byShard(results.profiles, \.series, \.time).map { ($0, .profiles($1)) }
            + byShard(results.forecasts, \.series, \.time).map { ($0, .forecasts($1)) }
    }

    private static func byShard<R>(
        _ results: [R], _ series: (R) -> SeriesKey, _ time: (R) -> Milliseconds
    ) -> [(Shard, [R])] {
        var shards: [Shard: [R]] = [:]
        for result in results { shards[series(result).id.shard, default: []].append(result) }
        return shards.sorted { $0.key < $1.key }.map { shard, results in
            // Stable: of one time the order of the series stays.
            (shard, results.enumerated().sorted { (time($0.element), $0.offset) < (time($1.element), $1.offset) }.map(\.element))
        }
    }
}
