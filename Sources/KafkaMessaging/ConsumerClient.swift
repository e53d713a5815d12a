import CRdKafka
import Messaging
import Synchronization

/// A consumer handle of the library and its queue; freed in order.
final class ConsumerClient: @unchecked Sendable {
    let client: KafkaClient
    let queue: OpaquePointer
    private let freed = Latch()
    private let hasSubscribed = Atomic<Bool>(false)
    private let wasAssigned = Atomic<Bool>(false)

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

    /// The group has given this member its first part, which may be empty.
    func noteAssignment() { wasAssigned.store(true, ordering: .releasing) }

    /// From now on the member may join at any time.
    func noteSubscription() { hasSubscribed.store(true, ordering: .releasing) }

    /// Before librdkafka 2.3 a member that is freed between joining a group and its first assignment ends the process: the sticky assignor
    /// asserts a state that it has only since then (librdkafka #4381). The answer to a join may also come while the member leaves, so its
    /// name does not tell whether it had joined.
    private var mustNotBeFreed: Bool {
        rd_kafka_version() < 0x0203_0000 && hasSubscribed.load(ordering: .acquiring) && !wasAssigned.load(ordering: .acquiring)
    }

    /// Leaves the group and frees everything. Blocks.
    func end() {
        let code = rd_kafka_consumer_close(handle)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { client.context.report(KafkaError(code), "closing a consumer: \(KafkaError(code).text)") }
        freed.free { rd_kafka_queue_destroy(queue) }
        if mustNotBeFreed { client.abandon() } else { client.destroy() }
    }

    /// As `end`, on a thread made for it.
    func endAside() {
        guard let thread = try? BlockingThreads(name: "kafka") else { return end() }
        thread.submit { self.end() }
        thread.stop()
    }
}
