import CRdKafka
import Glibc
import Logging
import Messaging
import Telemetry
import TimeSeries

/// Speed of producing to and consuming from a cluster.
package enum KafkaBenchmarks {
    package struct Result: Sendable {
        package var records: Int
        package var bytes: Int
        /// Wall time, and processor time of the whole process (with the mock cluster's), seconds.
        package var produceSeconds: Double
        package var produceProcessorSeconds: Double
        package var consumeSeconds: Double
        package var consumeProcessorSeconds: Double
    }

    /// Produces `records` copies of `value`, `inCall` to a call, and reads them all.
    /// - Parameters:
    ///   - broker: an existing cluster with the topic, or nil: librdkafka's mock cluster in this process. The mock keeps about 5 MB of
    ///     each partition, so what is read from it is limited to that.
    ///   - value: for example a record of 10,000 samples.
    package static func run(
        broker: String? = nil, topic: String = "bench", partitions: Int = 4, value: [UInt8], records: Int, inCall: Int = 4
    ) async throws -> Result {
        let mock = broker == nil ? try Mock(topic: topic, partitions: partitions) : nil
        defer { withExtendedLifetime(mock) {} }
        var options = KafkaOptions(brokers: [broker ?? mock?.address ?? ""])
        options.clientID = "almanac-bench"
        let log = try await KafkaLog.open(
            options, metrics: MetricRegistry(), logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
        let count = try await log.partitionCount(topic: topic)
        let tail = try await log.tail(topics: [topic], from: .end)
        var result = Result(
            records: records, bytes: records * value.count, produceSeconds: 0, produceProcessorSeconds: 0, consumeSeconds: 0,
            consumeProcessorSeconds: 0)
        // Alternately, so that the mock's short memory suffices.
        let round = max(inCall, min(records, 4_000_000 * count / max(1, value.count)))
        var left = records
        while left > 0 {
            let size = min(round, left)
            let produced = try await measured { try await produce(log, topic, value, size, inCall) }
            let consumed = try await measured { try await consume(tail, size) }
            result.produceSeconds += produced.wall
            result.produceProcessorSeconds += produced.processor
            result.consumeSeconds += consumed.wall
            result.consumeProcessorSeconds += consumed.processor
            left -= size
        }
        await log.close()
        return result
    }

    private static func produce(_ log: KafkaLog, _ topic: String, _ value: [UInt8], _ records: Int, _ inCall: Int) async throws {
        // Several callers, as several targets of a collector are.
        try await withThrowingTaskGroup(of: Void.self) { group in
            var sent = 0
            var calls = 0
            while sent < records {
                if calls >= 4 { try await group.next() }
                let first = sent
                let size = min(inCall, records - sent)
                sent += size
                calls += 1
                group.addTask {
                    try await log.produce(
                        (0..<size).map {
                            ProducerRecord(topic: topic, key: .shard(Shard(UInt16((first + $0) % Shard.count))), value: value)
                        })
                }
            }
            try await group.waitForAll()
        }
    }

    private static func consume(_ consumer: any MessageConsumer, _ records: Int) async throws {
        var got = 0
        var empty = 0
        while got < records {
            let batch = try await consumer.poll(maxBytes: 8 << 20, timeout: 1000)
            got += batch.records.count
            empty = batch.records.isEmpty ? empty + 1 : 0
            if empty > 30 { throw MessagingError(.unavailable, "the benchmark read \(got) of \(records) records") }
        }
    }

    private static func measured(_ body: () async throws -> Void) async throws -> (wall: Double, processor: Double) {
        let wall = seconds(CLOCK_MONOTONIC)
        let processor = seconds(CLOCK_PROCESS_CPUTIME_ID)
        try await body()
        return (seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_PROCESS_CPUTIME_ID) - processor)
    }

    private static func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// librdkafka's own broker for tests.
    private final class Mock: @unchecked Sendable {
        private let client: KafkaClient
        private let cluster: OpaquePointer

        init(topic: String, partitions: Int) throws {
            let context = KafkaContext(
                metrics: KafkaMetrics(MetricRegistry()), logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
            client = try KafkaClient(.producer, [("client.id", "mock")], events: 0, context: context)
            guard let cluster = rd_kafka_mock_cluster_new(client.handle, 1) else {
                throw MessagingError(.unavailable, "the mock cluster cannot be started")
            }
            self.cluster = cluster
            rd_kafka_mock_topic_create(cluster, topic, Int32(partitions), 1)
        }

        deinit {
            rd_kafka_mock_cluster_destroy(cluster)
            client.destroy()
        }

        var address: String { String(cString: rd_kafka_mock_cluster_bootstraps(cluster)) }
    }
}
