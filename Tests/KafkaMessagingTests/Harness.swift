import Glibc
import KafkaMessaging
import Logging
import Messaging
import MessagingContract
import Telemetry
import TimeSeries

func quiet() -> Logger { Logger(label: "kafka") { _ in SwiftLogNoOpLogHandler() } }

/// Options with waits that suit tests.
func testOptions(_ brokers: [String]) -> KafkaOptions {
    var options = KafkaOptions(brokers: brokers)
    options.clientID = "almanac-test"
    options.requestTimeout = 10_000
    options.deliveryTimeout = 20_000
    options.sessionTimeout = 6000
    options.maxPollInterval = 60_000
    options.closeTimeout = 5000
    return options
}

func unique(_ name: String) -> String {
    let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789")
    return name + "-" + String((0..<10).map { _ in letters[Int.random(in: 0..<letters.count)] })
}

/// The cluster that `ALMANAC_TEST_KAFKA=host:port` names.
let realBroker: String? = getenv("ALMANAC_TEST_KAFKA").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }

/// One case's place on a cluster: its topics and groups have names of their own.
struct KafkaHarness: LogHarness {
    var brokers: [String]
    var create: @Sendable ([String: Int]) async throws -> Void
    private let prefix = unique("t") + "."

    init(_ mock: MockCluster) {
        brokers = mock.brokers
        create = { topics in for (topic, count) in topics { mock.create(topic, partitions: count) } }
    }

    /// A real cluster, whose topics are made by the admin's calls.
    init(broker: String) {
        brokers = [broker]
        create = { topics in
            let admin = try KafkaAdmin(KafkaOptions(brokers: [broker]), logger: quiet())
            _ = try await admin.create(topics.map { KafkaTopic($0.key, partitions: $0.value, replication: 1) })
            await admin.close()
        }
    }

    func open(topics: [String: Int]) async throws -> any MessageLog {
        try await create(Dictionary(uniqueKeysWithValues: topics.map { (prefix + $0.key, $0.value) }))
        let log = try await KafkaLog.open(testOptions(brokers), metrics: MetricRegistry(), logger: quiet())
        return PrefixedLog(log: log, prefix: prefix)
    }
}

/// A log whose names of topics and groups have a prefix that nobody sees.
struct PrefixedLog: MessageLog {
    let log: any MessageLog
    let prefix: String

    func produce(_ records: [ProducerRecord]) async throws {
        try await log.produce(
            records.map { ProducerRecord(topic: prefix + $0.topic, key: $0.key, value: $0.value, headers: $0.headers) })
    }

    func consumer(topics: [String], group: String) async throws -> any MessageConsumer {
        PrefixedConsumer(consumer: try await log.consumer(topics: topics.map { prefix + $0 }, group: prefix + group), prefix: prefix)
    }

    func tail(topics: [String], from start: TailStart) async throws -> any MessageConsumer {
        PrefixedConsumer(consumer: try await log.tail(topics: topics.map { prefix + $0 }, from: start), prefix: prefix)
    }

    func endOffsets(topic: String) async throws -> [TopicPartition: Offset] {
        stripped(try await log.endOffsets(topic: prefix + topic), prefix)
    }

    func committedOffsets(topic: String, group: String) async throws -> [TopicPartition: Offset] {
        stripped(try await log.committedOffsets(topic: prefix + topic, group: prefix + group), prefix)
    }

    func partitionCount(topic: String) async throws -> Int { try await log.partitionCount(topic: prefix + topic) }

    func close() async { await log.close() }
}

private func stripped(_ place: TopicPartition, _ prefix: String) -> TopicPartition {
    TopicPartition(String(place.topic.dropFirst(prefix.count)), place.partition)
}

private func stripped(_ offsets: [TopicPartition: Offset], _ prefix: String) -> [TopicPartition: Offset] {
    Dictionary(uniqueKeysWithValues: offsets.map { (stripped($0.key, prefix), $0.value) })
}

private struct PrefixedConsumer: MessageConsumer {
    let consumer: any MessageConsumer
    let prefix: String

    func poll(maxBytes: Int, timeout: Milliseconds) async throws -> ConsumedBatch {
        var batch = try await consumer.poll(maxBytes: maxBytes, timeout: timeout)
        for i in batch.records.indices { batch.records[i].topic = String(batch.records[i].topic.dropFirst(prefix.count)) }
        batch.assigned = batch.assigned.map { stripped($0, prefix) }
        batch.revoked = batch.revoked.map { stripped($0, prefix) }
        return batch
    }

    func commit(_ offsets: [TopicPartition: Offset]) async throws {
        try await consumer.commit(
            Dictionary(uniqueKeysWithValues: offsets.map { (TopicPartition(prefix + $0.key.topic, $0.key.partition), $0.value) }))
    }

    func seek(_ partition: TopicPartition, to offset: Offset) async throws {
        try await consumer.seek(TopicPartition(prefix + partition.topic, partition.partition), to: offset)
    }

    func close() async { await consumer.close() }
}
