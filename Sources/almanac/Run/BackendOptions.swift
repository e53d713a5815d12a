import CassandraClient
import CassandraStorage
import Coordination
import Glibc
import KafkaMessaging
import MySQLStorage
import Settings
import Storage
import TimeSeries
import ZooKeeperCoordination

// From the configuration to the options of Kafka, MySQL and ZooKeeper.

extension Configuration {
    /// What this process is called: the same after a restart, different from every other's.
    var instanceName: String {
        if let instance { return instance }
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        let host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return "\(host.isEmpty ? "localhost" : host):\(listen.port == 0 ? Int(getpid()) : listen.port)"
    }

    var kafkaOptions: KafkaOptions {
        let kafka = messaging.kafka
        var options = KafkaOptions(brokers: kafka.brokers)
        options.clientID = kafka.clientID
        options.compression = KafkaOptions.Compression(rawValue: kafka.compression.rawValue) ?? .lz4
        options.properties = kafka.properties
        // A process has ten seconds to end.
        options.closeTimeout = 2500
        if let tls = kafka.tls {
            if let file = tls.caFile { options.properties["ssl.ca.location"] = file }
            if let file = tls.certificateFile { options.properties["ssl.certificate.location"] = file }
            if let file = tls.keyFile { options.properties["ssl.key.location"] = file }
        }
        if let sasl = kafka.sasl {
            options.properties["sasl.mechanism"] = sasl.mechanism.rawValue
            options.properties["sasl.username"] = sasl.username
            options.properties["sasl.password"] = sasl.password?.reveal()
        }
        if kafka.properties["security.protocol"] == nil {
            options.properties["security.protocol"] =
                switch (kafka.tls != nil, kafka.sasl != nil) {
                case (false, false): "plaintext"
                case (true, false): "ssl"
                case (false, true): "sasl_plaintext"
                case (true, true): "sasl_ssl"
                }
        }
        return options
    }

    /// What `almanac init` makes.
    var kafkaTopics: [KafkaTopic] {
        let wanted = messaging.kafka.topics
        let names = [topics.samples, topics.prometheusdata, topics.chunks, topics.events, topics.trafficPartials, topics.trafficdata]
        let sources = Set(flows.compactMap(\.source.topic) + joins.compactMap(\.topic)).subtracting(names).sorted()
        var all = (names + sources + (names + sources).map { $0 + ".dlq" } + [topics.control]).map { name in
            var topic = KafkaTopic(name, partitions: wanted.partitions, replication: wanted.replication)
            topic.minInSyncReplicas = wanted.minInSyncReplicas
            topic.retention = wanted.retention
            return topic
        }
        all[all.count - 1].cleanup = .compact
        all[all.count - 1].retention = nil
        return all
    }

    var mysqlOptions: MySQLOptions {
        let mysql = store.mysql
        var options = MySQLOptions()
        options.host = mysql.host
        options.port = mysql.port
        options.socket = mysql.socket
        options.user = mysql.user
        options.password = MySQLPassword(mysql.password?.reveal() ?? "")
        options.database = mysql.database
        options.setPoolSize(mysql.poolSize)
        if let tls = mysql.tls {
            options.tls.mode = tls.insecureSkipVerify ? .required : .verified
            options.tls.caFile = tls.caFile
            options.tls.certificateFile = tls.certificateFile
            options.tls.keyFile = tls.keyFile
        }
        options.history = sqliteOptions.history
        return options
    }

    /// Throws what is wrong with an address.
    func cassandraOptions() throws -> CassandraStoreOptions {
        let cassandra = store.cassandra
        let hosts = try cassandra.hosts.map { text in
            guard let address = NodeAddress(text) else { throw Failure("store.cassandra.hosts: \"\(text)\" is not host:port") }
            return address
        }
        var client = CassandraOptions(contactPoints: hosts)
        client.localDatacenter = cassandra.localDatacenter
        client.consistency =
            switch cassandra.consistency {
            case .one: .one
            case .quorum: .quorum
            case .all: .all
            case .localOne: .localOne
            case .localQuorum: .localQuorum
            case .eachQuorum: .eachQuorum
            }
        if let user = cassandra.username { client.credentials = Credentials(user: user, password: cassandra.password?.reveal() ?? "") }
        if let tls = cassandra.tls {
            client.tls.mode = tls.insecureSkipVerify ? .required : .verified
            client.tls.caFile = tls.caFile
            client.tls.certificateFile = tls.certificateFile
            client.tls.keyFile = tls.keyFile
        }
        var options = CassandraStoreOptions(client: client)
        options.keyspace = cassandra.keyspace
        options.replication =
            cassandra.datacenters.isEmpty
            ? .simple(factor: cassandra.replicationFactor)
            : .networkTopology(cassandra.datacenters.compactMapValues { Int($0) })
        options.durableWrites = cassandra.durableWrites
        options.retention = retention
        options.history = sqliteOptions.history
        return options
    }

    func zookeeperOptions(_ roles: Set<Role>) throws -> ZooKeeperOptions {
        let zookeeper = coordination.zookeeper
        var options = try ZooKeeperOptions(
            connection: zookeeper.hosts.joined(separator: ",") + zookeeper.chroot, memberName: instanceName)
        options.sessionTimeout = .milliseconds(zookeeper.sessionTimeout)
        if let user = zookeeper.username { options.credentials = try ZooKeeperCredentials("\(user):\(zookeeper.password?.reveal() ?? "")") }
        // Only collectors divide the targets.
        if !roles.contains(.collect) { options.group = nil }
        return options
    }
}
