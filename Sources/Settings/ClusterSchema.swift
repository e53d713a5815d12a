import TimeSeries

// The keys for more than one machine: Kafka, MySQL, ZooKeeper.

private let second: Milliseconds = 1000
private let minute = 60 * second
private let day = 24 * 60 * minute

extension ConfigurationSchema {
    static let messaging = Section<MessagingSettings>(
        [
            .value("kind", \.kind, .choice, "`embedded`: a log in the data directory. `kafka`: a cluster, for roles on several machines."),
            .section("kafka", \.kafka, kafka, "The Kafka cluster."),
        ], check: ConfigurationChecks.messaging)

    private static let kafka = Section<KafkaSettings>(
        [
            .list("brokers", \.brokers, of: .target, "Some of the brokers; the others are learnt from them."),
            .value("client_id", \.clientID, .text, "The name in the brokers' logs and quotas."),
            .value("compression", \.compression, .choice, "Of what is produced."),
            .optionalSection("tls", \.tls, KafkaTLSSettings(), kafkaTLS, "Speak TLS."),
            .optionalSection("sasl", \.sasl, KafkaSASLSettings(), sasl, "Authenticate by SASL."),
            .map(
                "properties", \.properties, keys: .propertyName, values: .labelValue,
                "Further properties of librdkafka, as in its CONFIGURATION.md."),
            .section("topics", \.topics, kafkaTopics, "How `almanac init` makes the topics."),
        ], check: ConfigurationChecks.kafka)

    private static let kafkaTLS = Section<KafkaTLSSettings>([
        .optionalFile("ca_file", \.caFile, "Authorities to trust, PEM. Default: the system's."),
        .optionalFile("cert_file", \.certificateFile, "The client's certificate, PEM."),
        .optionalFile("key_file", \.keyFile, "The client's private key, PEM."),
    ])

    private static let sasl = Section<KafkaSASLSettings>(
        [
            .value("mechanism", \.mechanism, .choice, "How the password is proved."),
            .value("username", \.username, .text, required: true, "The user."),
            .secret("password", \.password, "The password."),
            .secretFile("password_file", \.password),
        ], check: ConfigurationChecks.sasl)

    private static let kafkaTopics = Section<KafkaTopicSettings>(
        [
            .value("partitions", \.partitions, .integer(1...1024), "Partitions of each topic. They cannot be changed later."),
            .value("replication", \.replication, .integer(1...100), "Copies of each partition; 1 on a single broker."),
            .value(
                "min_insync_replicas", \.minInSyncReplicas, .integer(1...100), "Copies that must have a record before it is acknowledged."),
            .value(
                "retention", \.retention, .duration(minute...(3650 * day)),
                "How long records are kept. Longer than the longest outage of the analyzers and the store."),
        ], check: ConfigurationChecks.kafkaTopics)

    static let mysql = Section<MySQLSettings>([
        .value("host", \.host, .host, "Of the server."),
        .value("port", \.port, .integer(1...65_535), "Of the server."),
        .optional("socket", \.socket, .path, "The server's Unix socket, instead of host and port."),
        .value("user", \.user, .text, "The user."),
        .secret("password", \.password, "The password."),
        .secretFile("password_file", \.password),
        .value("database", \.database, .databaseName, "The database; `almanac init` makes it."),
        .value("pool_size", \.poolSize, .integer(2...100), "Connections at most: a third for writes, the rest for reads."),
        .optionalSection("tls", \.tls, MySQLTLSSettings(), mysqlTLS, "Speak TLS."),
    ])

    private static let mysqlTLS = Section<MySQLTLSSettings>([
        .optionalFile("ca_file", \.caFile, "Authorities to trust, PEM. Default: the system's."),
        .optionalFile("cert_file", \.certificateFile, "The client's certificate, PEM."),
        .optionalFile("key_file", \.keyFile, "The client's private key, PEM."),
        .value("insecure_skip_verify", \.insecureSkipVerify, .bool, "Do not verify the server's certificate. Only for trials."),
    ])

    static let cassandra = Section<CassandraSettings>(
        [
            .list("hosts", \.hosts, of: .target, "Some of the nodes; the others are learnt from them."),
            .value(
                "keyspace", \.keyspace, .keyspace,
                "The keyspace; `almanac init` makes it, the tables in it are made by the first that connects."),
            .value(
                "replication_factor", \.replicationFactor, .integer(1...100), "Copies of each row, by SimpleStrategy; 1 on a single node."),
            .map(
                "datacenters", \.datacenters, keys: .labelValue, values: .replicas,
                "Copies in each datacentre, by NetworkTopologyStrategy, instead of `replication_factor`."),
            .value(
                "durable_writes", \.durableWrites, .bool,
                "Write the commit log. Without it a node that is killed loses what it acknowledged."),
            .optional("local_datacenter", \.localDatacenter, .text, "The datacentre to ask. Default: that of the first node that answers."),
            .value("consistency", \.consistency, .choice, "How many copies must have a row before it is acknowledged."),
            .optional("username", \.username, .text, "For password authentication."),
            .secret("password", \.password, "For password authentication."),
            .secretFile("password_file", \.password),
            .optionalSection("tls", \.tls, MySQLTLSSettings(), mysqlTLS, "Speak TLS."),
        ], check: ConfigurationChecks.cassandra)

    static let coordination = Section<CoordinationSettings>(
        [
            .value(
                "kind", \.kind, .choice,
                "`standalone`: this process alone, or a fixed share. `zookeeper`: collectors divide the targets among themselves."),
            .value(
                "shard", \.shard, .shardShare, "Standalone: the share of the scrape targets that this process takes, i/n with i from 0."),
            .section("zookeeper", \.zookeeper, zookeeper, "The ZooKeeper ensemble."),
        ], check: ConfigurationChecks.coordination)

    private static let zookeeper = Section<ZooKeeperSettings>(
        [
            .list("hosts", \.hosts, of: .target, "The servers of the ensemble."),
            .value("chroot", \.chroot, .urlPath, "The path that everything stands under; made if missing."),
            .value(
                "session_timeout", \.sessionTimeout, .duration(second...(10 * minute)),
                "A process that is silent for this long loses its work to the others."),
            .optional("username", \.username, .text, "For a digest ACL on everything under the path."),
            .secret("password", \.password, "For the digest ACL."),
            .secretFile("password_file", \.password),
        ], check: ConfigurationChecks.zookeeper)
}

extension ValueForm where Value == String {
    /// `socket.keepalive.enable`
    static var propertyName: Self {
        ValueForm(
            name: "property", allowed: "the name of a librdkafka property, such as linger.ms",
            parse: { text throws(FormError) in
                let isName =
                    !text.isEmpty
                    && text.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2E || $0 == 0x5F }
                return isName ? text : nil
            }, format: { $0 })
    }

    static var databaseName: Self {
        ValueForm(
            name: "name", allowed: "a name of at most 64 letters, digits and '_'",
            parse: { text throws(FormError) in
                let isName = text.utf8.allSatisfy {
                    (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x5F
                }
                return isName && 1...64 ~= text.utf8.count ? text : nil
            }, format: { $0 })
    }
}

extension ValueForm where Value == ShardShare {
    static var shardShare: Self {
        ValueForm(
            name: "i/n", allowed: "a share such as 0/3, with i from 0 and below n",
            parse: { text throws(FormError) in ShardShare(text) }, format: { $0.description })
    }
}

// MARK: - What must hold between keys

extension ConfigurationChecks {
    static func messaging(_ messaging: MessagingSettings, _ path: String, _ loader: inout Loader) {
        if messaging.kind == .kafka && messaging.kafka.brokers.isEmpty && !loader.hasMistakes(under: path + ".kafka.brokers") {
            loader.report(path + ".kafka.brokers", "is empty; give at least one host:port")
        }
    }

    /// A secret among the properties would be printed with them.
    static func kafka(_ kafka: KafkaSettings, _ path: String, _ loader: inout Loader) {
        let ours = [
            "bootstrap.servers": "brokers", "metadata.broker.list": "brokers", "client.id": "client_id", "sasl.username": "sasl.username",
            "sasl.password": "sasl.password_file", "sasl.mechanism": "sasl.mechanism", "sasl.mechanisms": "sasl.mechanism",
            "ssl.ca.location": "tls.ca_file", "ssl.certificate.location": "tls.cert_file", "ssl.key.location": "tls.key_file",
            "compression.codec": "compression", "compression.type": "compression",
        ]
        for name in kafka.properties.keys.sorted() {
            let key = "\(path).properties.\(name)"
            if let own = ours[name] {
                loader.report(key, "has a key of its own: \(path).\(own)")
            } else if name.contains("password") || name.contains("secret") || name.hasSuffix(".pem") {
                loader.report(
                    key, "is a secret, and this section is shown in logs and by `check --print`; use a property that names a file")
            }
        }
    }

    static func sasl(_ sasl: KafkaSASLSettings, _ path: String, _ loader: inout Loader) {
        if sasl.password == nil && !loader.isGiven(path + ".password") && !loader.isGiven(path + ".password_file") {
            loader.report(path, "has no password; give password_file (or password)")
        }
    }

    static func kafkaTopics(_ topics: KafkaTopicSettings, _ path: String, _ loader: inout Loader) {
        if topics.minInSyncReplicas > topics.replication {
            loader.report(
                path + ".min_insync_replicas",
                "\(topics.minInSyncReplicas) is more than the \(topics.replication) copies (\(path).replication): nothing could be written")
        }
    }

    static func coordination(_ coordination: CoordinationSettings, _ path: String, _ loader: inout Loader) {
        if coordination.kind == .zookeeper {
            if coordination.zookeeper.hosts.isEmpty && !loader.hasMistakes(under: path + ".zookeeper.hosts") {
                loader.report(path + ".zookeeper.hosts", "is empty; give at least one host:port")
            }
            if loader.isGiven(path + ".shard") {
                loader.report(path + ".shard", "goes with kind standalone; with ZooKeeper the collectors divide the targets themselves")
            }
        }
    }

    static func zookeeper(_ zookeeper: ZooKeeperSettings, _ path: String, _ loader: inout Loader) {
        if zookeeper.username != nil && zookeeper.password == nil && !loader.isGiven(path + ".password")
            && !loader.isGiven(path + ".password_file")
        {
            loader.report(path, "has a username but no password; give password_file (or password)")
        }
        if zookeeper.username == nil && zookeeper.password != nil && !loader.isGiven(path + ".username") {
            loader.report(path, "has a password but no username")
        }
    }
}

extension ValueForm where Value == String {
    static var keyspace: Self {
        ValueForm(
            name: "keyspace", allowed: "a name of at most 48 lower-case letters, digits and '_' that begins with a letter",
            parse: { text throws(FormError) in
                let isPlain = text.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F }
                let isFirst = text.utf8.first.map { (0x61...0x7A).contains($0) } ?? false
                if text.hasPrefix("system") { throw FormError("\"\(text)\" begins with system, which is Cassandra's own") }
                return isPlain && isFirst && text.utf8.count <= 48 ? text : nil
            }, format: { $0 })
    }

    static var replicas: Self {
        ValueForm(
            name: "replicas", allowed: "a whole number from 0 to 100",
            parse: { text throws(FormError) in Int(text).flatMap { (0...100).contains($0) ? text : nil } }, format: { $0 })
    }
}

extension ConfigurationChecks {
    static func cassandra(_ cassandra: CassandraSettings, _ path: String, _ loader: inout Loader) {
        if cassandra.hosts.isEmpty && loader.isGiven(path + ".hosts") {
            loader.report(path + ".hosts", "is empty; give at least one host:port")
        }
        if !cassandra.datacenters.isEmpty && loader.isGiven(path + ".replication_factor") {
            loader.report(path + ".replication_factor", "give either replication_factor or datacenters, not both")
        }
        if cassandra.username == nil && cassandra.password != nil && !loader.isGiven(path + ".username") {
            loader.report(path, "has a password but no username")
        }
    }
}
