import TimeSeries

/// What carries the topics.
package struct MessagingSettings: Sendable, Equatable {
    package var kind = MessagingKind.embedded
    package var kafka = KafkaSettings()

    package init() {}
}

package enum MessagingKind: String, Sendable, CaseIterable {
    case embedded, kafka
}

package struct KafkaSettings: Sendable, Equatable {
    /// `host:port` of some brokers; the others are learnt from them.
    package var brokers: [String] = []
    package var clientID = "almanac"
    package var compression = KafkaCompression.lz4
    package var tls: KafkaTLSSettings?
    package var sasl: KafkaSASLSettings?
    /// Any further property of librdkafka.
    package var properties: [String: String] = [:]
    /// For the topics that `almanac init` makes.
    package var topics = KafkaTopicSettings()

    package init() {}
}

package enum KafkaCompression: String, Sendable, CaseIterable {
    case none, gzip, snappy, lz4, zstd
}

package struct KafkaTLSSettings: Sendable, Equatable {
    package var caFile: String?
    package var certificateFile: String?
    package var keyFile: String?

    package init() {}
}

package enum KafkaSASLMechanism: String, Sendable, CaseIterable {
    case plain = "PLAIN"
    case scramSHA256 = "SCRAM-SHA-256"
    case scramSHA512 = "SCRAM-SHA-512"
}

package struct KafkaSASLSettings: Sendable, Equatable {
    package var mechanism = KafkaSASLMechanism.scramSHA512
    package var username = ""
    package var password: Secret?

    package init() {}
}

package struct KafkaTopicSettings: Sendable, Equatable {
    package var partitions = 12
    package var replication = 3
    package var minInSyncReplicas = 2
    package var retention: Milliseconds = 24 * 3_600_000

    package init() {}
}

// MARK: - Store

package enum StoreKind: String, Sendable, CaseIterable {
    case sqlite, mysql, cassandra
}

package struct MySQLSettings: Sendable, Equatable {
    package var host = "127.0.0.1"
    package var port = 3306
    /// Path of the server's socket, instead of host and port.
    package var socket: String?
    package var user = "almanac"
    package var password: Secret?
    package var database = "almanac"
    package var poolSize = 4
    package var tls: MySQLTLSSettings?

    package init() {}
}

package struct MySQLTLSSettings: Sendable, Equatable {
    package var caFile: String?
    package var certificateFile: String?
    package var keyFile: String?
    package var insecureSkipVerify = false

    package init() {}
}

package struct CassandraSettings: Sendable, Equatable {
    package var hosts = ["127.0.0.1:9042"]
    package var keyspace = "almanac"
    /// SimpleStrategy; where `datacenters` is empty.
    package var replicationFactor = 1
    /// NetworkTopologyStrategy: replicas by datacentre.
    package var datacenters: [String: String] = [:]
    package var durableWrites = true
    package var localDatacenter: String?
    package var consistency = CassandraConsistency.localQuorum
    package var username: String?
    package var password: Secret?
    /// The same keys as those of MySQL.
    package var tls: MySQLTLSSettings?

    package init() {}
}

package enum CassandraConsistency: String, Sendable, CaseIterable {
    case one, quorum, all
    case localOne = "local_one"
    case localQuorum = "local_quorum"
    case eachQuorum = "each_quorum"
}

// MARK: - Coordination

package enum CoordinationKind: String, Sendable, CaseIterable {
    case standalone, zookeeper
}

package struct CoordinationSettings: Sendable, Equatable {
    package var kind = CoordinationKind.standalone
    /// Which part of the scrape targets a process of its own takes: i of n, i from 0.
    package var shard = ShardShare(index: 0, count: 1)
    package var zookeeper = ZooKeeperSettings()

    package init() {}
}

/// One share of several, written `0/3`.
package struct ShardShare: Sendable, Equatable, CustomStringConvertible {
    package var index: Int
    package var count: Int

    package init(index: Int, count: Int) {
        self.index = index
        self.count = count
    }

    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let index = Int(parts[0]), let count = Int(parts[1]), 1...10_000 ~= count, 0..<count ~= index else {
            return nil
        }
        self.init(index: index, count: count)
    }

    package var description: String { "\(index)/\(count)" }
}

package struct ZooKeeperSettings: Sendable, Equatable {
    /// `host:port` of the ensemble.
    package var hosts: [String] = []
    /// The path that everything stands under.
    package var chroot = "/almanac"
    package var sessionTimeout: Milliseconds = 10_000
    package var username: String?
    package var password: Secret?

    package init() {}
}
