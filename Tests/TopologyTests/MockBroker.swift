import CRdKafka
import Messaging

/// librdkafka's broker in this process, on a real TCP port of 127.0.0.1. It keeps about 5 MB of each partition and makes any topic that is
/// asked for, so the topics with another number of partitions are made first.
final class MockBroker: @unchecked Sendable {
    private let client: OpaquePointer
    private let cluster: OpaquePointer

    init() throws {
        let configuration = rd_kafka_conf_new()
        var text = [CChar](repeating: 0, count: 512)
        guard let client = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, &text, text.count) else {
            rd_kafka_conf_destroy(configuration)
            throw MessagingError(.io, "no client for the mock cluster")
        }
        guard let cluster = rd_kafka_mock_cluster_new(client, 1) else {
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

    var address: String { String(cString: rd_kafka_mock_cluster_bootstraps(cluster)) }

    func create(_ topic: String, partitions: Int) { rd_kafka_mock_topic_create(cluster, topic, Int32(partitions), 1) }

    func setDown() { rd_kafka_mock_broker_set_down(cluster, 1) }
    func setUp() { rd_kafka_mock_broker_set_up(cluster, 1) }
}
