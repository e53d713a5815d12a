import CRdKafka
import Messaging
import TimeSeries

/// Settings of a log on Kafka.
package struct KafkaOptions: Sendable {
    package enum Compression: String, Sendable, CaseIterable {
        case none, gzip, snappy, lz4, zstd
    }

    /// `host:port` of some brokers; the others are found through them.
    package var brokers: [String]
    /// The name under which brokers log and limit this client.
    package var clientID = "almanac"
    /// librdkafka properties by name, for example `security.protocol`. They win over the settings below; those that would break
    /// what the log promises are refused.
    package var properties: [String: String] = [:]
    package var compression = Compression.lz4
    /// How long records wait for company in a batch, milliseconds.
    package var linger: Milliseconds = 5
    /// The largest record: key, headers and value. Brokers take 1 MiB unless `message.max.bytes` or `max.message.bytes` is raised there.
    package var maxRecordBytes = 1_000_000
    /// Bytes that producers may have handed over and that are not acknowledged yet; more have to wait.
    package var queueBytes = 64 << 20
    /// How long the client tries to deliver a record before `produce` throws `.unavailable`, milliseconds.
    package var deliveryTimeout: Milliseconds = 60_000
    /// How long a question (metadata, offsets, a commit) may take, milliseconds.
    package var requestTimeout: Milliseconds = 10_000
    /// A member of a group that was silent for this long loses its partitions, milliseconds.
    package var sessionTimeout: Milliseconds = 30_000
    /// A member that did not poll for this long loses its partitions, milliseconds.
    package var maxPollInterval: Milliseconds = 300_000
    /// Bytes fetched ahead by one consumer.
    package var prefetchBytes = 32 << 20
    /// How often a tail looks for new partitions, milliseconds.
    package var partitionRefresh: Milliseconds = 60_000
    /// How long `close` waits for deliveries and for the group, milliseconds.
    package var closeTimeout: Milliseconds = 10_000
    /// How long a cancelled `produce` goes on waiting for its acknowledgement, milliseconds.
    package var cancellationGrace: Milliseconds = 5000

    package init(brokers: [String]) { self.brokers = brokers }

    /// Properties that Almanac sets itself, and what to use instead or why.
    static let reserved: [String: String] = [
        "bootstrap.servers": "use the list of brokers",
        "metadata.broker.list": "use the list of brokers",
        "client.id": "use the client's name",
        "group.id": "each role names its group",
        "enable.idempotence": "records must not be doubled by retries",
        "acks": "every record must be on all in-sync replicas",
        "request.required.acks": "every record must be on all in-sync replicas",
        "transactional.id": "the log does not use transactions",
        "partitioner": "Almanac chooses the partition by shard",
        "partition.assignment.strategy": "groups divide their partitions by cooperative-sticky",
        "enable.auto.commit": "offsets are committed after the work is done",
        "auto.commit.enable": "offsets are committed after the work is done",
        "enable.auto.offset.store": "offsets are committed after the work is done",
        "auto.offset.reset": "a group without a committed offset begins at the earliest record",
        "enable.partition.eof": "the ends of partitions are not reported",
        "allow.auto.create.topics": "topics are made by `almanac init`",
        "message.max.bytes": "use the limit of a record",
        "log.queue": "log lines go to Almanac's log",
        "statistics.interval.ms": "Almanac reads the statistics",
        "test.mock.num.brokers": "it is for tests",
    ]

    /// Whether the value of a property must not be shown.
    static func isSecret(_ property: String) -> Bool {
        ["password", "secret", ".pem", "token", "oauthbearer.config", "key.pem"].contains { property.contains($0) }
    }

    /// Throws `.usage` with the name of the setting and what is wrong; never with a secret's value.
    package func check() throws {
        try checkNumbers()
        for name in properties.keys.sorted() {
            if let reason = KafkaOptions.reserved[name] {
                throw MessagingError(.usage, "the Kafka property \(name) cannot be set: \(reason)")
            }
            if name.hasSuffix("_cb") || name.hasPrefix("plugin.") || name == "opaque" {
                throw MessagingError(.usage, "the Kafka property \(name) cannot be set: it is for programs, not for configuration")
            }
        }
        for settings in [common + producer, common + consumer(group: "check")] {
            KafkaConfiguration.free(try KafkaConfiguration.make(settings))
        }
    }

    private func checkNumbers() throws {
        if brokers.isEmpty { throw MessagingError(.usage, "Kafka needs the address of a broker, host:port") }
        for broker in brokers where broker.isEmpty || broker.contains(where: { $0 == "," || $0 == " " }) {
            throw MessagingError(.usage, "\"\(broker)\" is no address of a Kafka broker; host:port is needed, one address an entry")
        }
        guard (1000...100_000_000).contains(maxRecordBytes) else {
            throw MessagingError(.usage, "records of at most \(maxRecordBytes) bytes: a number from 1000 to 100000000 is needed")
        }
        let times = [deliveryTimeout, requestTimeout, sessionTimeout, maxPollInterval, closeTimeout, partitionRefresh]
        if queueBytes < 1 || prefetchBytes < 1024 || times.contains(where: { $0 < 1 || $0 > 86_400_000 }) {
            throw MessagingError(.usage, "the Kafka queue and prefetch sizes must be positive, timeouts from 1 ms to one day")
        }
        if !(0...900_000).contains(linger) { throw MessagingError(.usage, "a linger of \(linger) ms: a number from 0 to 900000 is needed") }
        if maxPollInterval < sessionTimeout {
            throw MessagingError(.usage, "the longest time between polls must not be shorter than the session timeout")
        }
    }

    // MARK: As properties; later ones win

    private var overrides: [(String, String)] { properties.sorted { $0.key < $1.key } }

    private var common: [(String, String)] {
        [
            ("bootstrap.servers", brokers.joined(separator: ",")),
            ("client.id", clientID),
            ("socket.keepalive.enable", "true"),
            ("socket.timeout.ms", "30000"),
            ("socket.connection.setup.timeout.ms", "10000"),
            ("reconnect.backoff.ms", "100"),
            ("reconnect.backoff.max.ms", "2000"),
            ("topic.metadata.refresh.interval.ms", "60000"),
            ("log.connection.close", "false"),
        ]
    }

    /// For questions only: belongs to no group and makes no topics.
    var questions: [(String, String)] { common + [("allow.auto.create.topics", "false")] + overrides }

    var producer: [(String, String)] {
        [
            ("enable.idempotence", "true"),
            ("acks", "all"),
            ("compression.codec", compression.rawValue),
            ("linger.ms", "\(linger)"),
            ("batch.num.messages", "10000"),
            ("batch.size", "\(min(1_000_000, maxRecordBytes))"),
            ("message.max.bytes", "\(maxRecordBytes)"),
            ("message.timeout.ms", "\(deliveryTimeout)"),
            ("request.timeout.ms", "\(min(30_000, deliveryTimeout))"),
            // The log's own gate bounds the bytes.
            ("queue.buffering.max.messages", "10000000"),
            ("queue.buffering.max.kbytes", "2000000"),
            ("statistics.interval.ms", "5000"),
        ] + overrides
    }

    var producerSettings: [(String, String)] { common + producer }

    func consumer(group: String) -> [(String, String)] {
        [
            ("group.id", group),
            ("partition.assignment.strategy", "cooperative-sticky"),
            ("session.timeout.ms", "\(sessionTimeout)"),
            ("heartbeat.interval.ms", "\(max(1, min(3000, sessionTimeout / 3)))"),
            ("max.poll.interval.ms", "\(maxPollInterval)"),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("auto.offset.reset", "earliest"),
            ("allow.auto.create.topics", "false"),
            ("check.crcs", "true"),
            ("fetch.wait.max.ms", "100"),
            ("fetch.error.backoff.ms", "100"),
            ("queued.max.messages.kbytes", "\(max(1, prefetchBytes / 1024))"),
        ] + overrides
    }

    func consumerSettings(group: String) -> [(String, String)] { common + consumer(group: group) }
}
