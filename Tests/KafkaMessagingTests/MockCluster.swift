import CRdKafka
import Messaging
import Synchronization

/// librdkafka's brokers in this process, on real TCP ports of 127.0.0.1. No persistence, no creation of topics, no look-up of times.
final class MockCluster: @unchecked Sendable {
    private let client: OpaquePointer
    private let cluster: OpaquePointer
    private let topics = Mutex<Set<String>>([])

    /// Requests by their number in Kafka's protocol.
    enum API: Int16 {
        case produce = 0, fetch = 1, listOffsets = 2, metadata = 3, offsetCommit = 8, offsetFetch = 9, findCoordinator = 10
        case joinGroup = 11, heartbeat = 12, syncGroup = 14, initProducerID = 22
    }

    init(brokers: Int = 1) throws {
        let configuration = rd_kafka_conf_new()
        var text = [CChar](repeating: 0, count: 512)
        guard let client = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, &text, text.count) else {
            rd_kafka_conf_destroy(configuration)
            throw MessagingError(.io, "no client for the mock cluster")
        }
        guard let cluster = rd_kafka_mock_cluster_new(client, Int32(brokers)) else {
            rd_kafka_destroy(client)
            throw MessagingError(.io, "no mock cluster")
        }
        self.client = client
        self.cluster = cluster
    }

    deinit {
        rd_kafka_mock_cluster_destroy(cluster)
        rd_kafka_destroy(client)
    }

    /// Addresses of all brokers.
    var brokers: [String] {
        String(cString: rd_kafka_mock_cluster_bootstraps(cluster)).split(separator: ",").map(String.init)
    }

    func create(_ topic: String, partitions: Int) {
        guard topics.withLock({ $0.insert(topic).inserted }) else { return }
        rd_kafka_mock_topic_create(cluster, topic, Int32(partitions), 1)
    }

    func setDown(_ broker: Int32 = 1) { rd_kafka_mock_broker_set_down(cluster, broker) }
    func setUp(_ broker: Int32 = 1) { rd_kafka_mock_broker_set_up(cluster, broker) }
    func setRoundTrip(_ milliseconds: Int32, broker: Int32 = 1) { rd_kafka_mock_broker_set_rtt(cluster, broker, milliseconds) }

    func setCoordinator(ofGroup group: String, broker: Int32) { rd_kafka_mock_coordinator_set(cluster, "group", group, broker) }
    func setLeader(_ topic: String, _ partition: Int32, broker: Int32) {
        rd_kafka_mock_partition_set_leader(cluster, topic, partition, broker)
    }

    /// Metadata says so of this topic. The mock makes any topic that is asked for, so this stands for one that does not exist.
    func setError(_ topic: String, _ error: rd_kafka_resp_err_t) { rd_kafka_mock_topic_set_error(cluster, topic, error) }

    /// The next requests of this kind are answered with these errors.
    func push(_ errors: [rd_kafka_resp_err_t], to api: API) {
        rd_kafka_mock_push_request_errors_array(cluster, api.rawValue, errors.count, errors)
    }
}
