import CRdKafka
import Messaging

/// A consumer handle of the library and its queue; freed in order.
final class ConsumerClient: @unchecked Sendable {
    let client: KafkaClient
    let queue: OpaquePointer
    private let freed = Latch()

    init(_ options: KafkaOptions, group: String, context: KafkaContext) throws {
        client = try KafkaClient(
            .consumer, options.consumerSettings(group: group),
            events: RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_FETCH | RD_KAFKA_EVENT_ERROR, context: context)
        rd_kafka_poll_set_consumer(client.handle)
        guard let queue = rd_kafka_queue_get_consumer(client.handle) else {
            throw MessagingError(.unavailable, "no memory for a Kafka queue")
        }
        self.queue = queue
    }

    var handle: OpaquePointer { client.handle }

    /// Ends a wait for the queue. From any thread.
    func wake() { freed.unlessFreed(rd_kafka_queue_yield(queue)) }

    /// The name that the group's coordinator gave this member; empty while it is none.
    var memberID: String {
        guard let name = rd_kafka_memberid(handle) else { return "" }
        defer { rd_kafka_mem_free(handle, name) }
        return String(cString: name)
    }

    /// Leaves the group and frees everything. Blocks.
    func end() {
        let code = rd_kafka_consumer_close(handle)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { client.context.report(KafkaError(code), "closing a consumer: \(KafkaError(code).text)") }
        freed.free { rd_kafka_queue_destroy(queue) }
        client.destroy()
    }

    /// As `end`, on a thread made for it.
    func endAside() {
        guard let thread = try? KafkaThreads() else { return end() }
        thread.submit { self.end() }
        thread.stop()
    }
}
