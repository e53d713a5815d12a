import CRdKafka
import Logging
import Messaging
import Synchronization
import Telemetry

/// One idempotent producer: a handle of the library and the thread that takes its reports. When it fails for good, or is retired, it
/// reports all it still has as failed and frees itself; another one takes its place.
final class KafkaProducer: @unchecked Sendable {
    private struct State {
        /// Topic handles, freed before the client.
        var topics: [String: OpaquePointer] = [:]
        var cancelled: [Delivery] = []
        /// No call is handed over any more.
        var isRetired = false
        /// Calls being handed over right now.
        var calls = 0
        var drainUntil: ContinuousClock.Instant?
    }

    private let client: KafkaClient
    private let thread: BlockingThreads
    private let queue: OpaquePointer
    private let state = Mutex(State())
    private let failed = Atomic<Bool>(false)
    private let ended = Latch()
    private var lastRetries = 0

    init(_ options: KafkaOptions, context: KafkaContext) throws {
        let events = RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS
        client = try KafkaClient(.producer, options.producerSettings, events: events, context: context)
        guard let queue = rd_kafka_queue_get_main(client.handle) else { throw MessagingError(.unavailable, "no memory for a Kafka queue") }
        self.queue = queue
        thread = try BlockingThreads(name: "kafka")
        // The thread keeps this object alive until it is retired.
        thread.submit { self.serve() }
    }

    /// The producer has failed for good: a new one is needed.
    var hasFailed: Bool { failed.load(ordering: .acquiring) }

    /// A record with its partition and key.
    struct Message {
        var record: ProducerRecord
        var partition: Int32
        var key: [UInt8]
    }

    /// Hands all messages over; the delivery gets one report each. False if this producer is retired: nothing was handed over.
    func send(_ messages: [Message], _ delivery: Delivery) -> Bool {
        guard enter() else { return false }
        let pointer = delivery.retainedPointer()
        for (i, message) in messages.enumerated() {
            let error = hand(message, pointer)
            if error.isNone { continue }
            if error.code == RD_KAFKA_RESP_ERR__FATAL { fail() }
            let what = "record \(i) for topic \(message.record.topic)"
            delivery.complete(messages.count - i, error.messagingError(what, problem: client.context.problem))
            break
        }
        delivery.complete(1)
        leave()
        return true
    }

    /// A call of the library begins: the handle stays until `leave`. False if the producer is retired.
    private func enter() -> Bool {
        state.withLock { state in
            if state.isRetired { return false }
            state.calls += 1
            return true
        }
    }

    private func leave() { state.withLock { $0.calls -= 1 } }

    private func hand(_ message: Message, _ pointer: UnsafeMutableRawPointer) -> KafkaError {
        guard let topic = topic(message.record.topic) else { return KafkaError(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC) }
        var headers: OpaquePointer?
        if !message.record.headers.isEmpty {
            headers = rd_kafka_headers_new(message.record.headers.count)
            for header in message.record.headers {
                _ = header.value.withUnsafeBytes { bytes in
                    // An empty value is not a missing one.
                    withUnsafePointer(to: UInt8(0)) { empty in
                        rd_kafka_header_add(headers, header.name, -1, bytes.baseAddress ?? UnsafeRawPointer(empty), bytes.count)
                    }
                }
            }
        }
        let result = message.record.value.withUnsafeBytes { value in
            message.key.withUnsafeBytes { key in
                withUnsafePointer(to: UInt8(0)) { empty in
                    almanac_kafka_produce(
                        client.handle, topic, message.partition, value.baseAddress ?? UnsafeRawPointer(empty), value.count,
                        key.baseAddress ?? UnsafeRawPointer(empty), key.count, headers, pointer)
                }
            }
        }
        if result != RD_KAFKA_RESP_ERR_NO_ERROR, let headers { rd_kafka_headers_destroy(headers) }
        return KafkaError(result)
    }

    private func topic(_ name: String) -> OpaquePointer? {
        state.withLock { state in
            if let known = state.topics[name] { return known }
            let made = rd_kafka_topic_new(client.handle, name, nil)
            if let made { state.topics[name] = made }
            return made
        }
    }

    /// The caller of `delivery` was cancelled: it gives up at `deadline`.
    func abandon(_ delivery: Delivery, at deadline: ContinuousClock.Instant) {
        delivery.cancel(at: deadline)
        state.withLock { $0.cancelled.append(delivery) }
    }

    /// Takes no more calls; what is on its way has until `deadline`.
    func retire(drainUntil deadline: ContinuousClock.Instant) {
        state.withLock { state in
            state.isRetired = true
            state.drainUntil = state.drainUntil.map { min($0, deadline) } ?? deadline
        }
        ended.unlessFreed(rd_kafka_queue_yield(queue))
    }

    var hasEnded: Bool { ended.isSignalled }

    /// Waits until all is freed.
    func waitForEnd() async { await ended.wait() }

    /// Fails as if a broker had found a gap in the sequence of messages.
    func failForTest() {
        guard enter() else { return }
        rd_kafka_test_fatal_error(client.handle, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "staged")
        leave()
    }

    private func fail() {
        if failed.exchange(true, ordering: .acquiringAndReleasing) { return }
        client.context.metrics.producerRestarts.add()
        let (_, text) = KafkaConfiguration.withErrorText { rd_kafka_fatal_error(client.handle, $0, $1) }
        client.context.log(.error, "FATAL", "the idempotent producer has failed and is replaced; its callers send again: \(text)")
        retire(drainUntil: .now)
    }

    // MARK: On its thread

    private func serve() {
        while true {
            poll(milliseconds: 100)
            let now = ContinuousClock.now
            let (isDone, cancelled) = state.withLock { state -> (Bool, [Delivery]) in
                let isIdle = state.isRetired && state.calls == 0
                let isOver = state.drainUntil.map { now >= $0 } ?? false
                defer { state.cancelled = [] }
                return (isIdle && (isOver || rd_kafka_outq_len(client.handle) == 0), state.cancelled)
            }
            let waiting = cancelled.filter { !$0.giveUp(now) }
            if !waiting.isEmpty { state.withLock { $0.cancelled += waiting } }
            if isDone { break }
        }
        end()
    }

    private func end() {
        // What is in flight may or may not have arrived: its callers send again.
        rd_kafka_purge(client.handle, Int32(RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT))
        while rd_kafka_outq_len(client.handle) > 0 { poll(milliseconds: 50) }
        let topics = state.withLock { state in
            defer { state.topics = [:] }
            return state.topics
        }
        for topic in topics.values { rd_kafka_topic_destroy(topic) }
        ended.free { rd_kafka_queue_destroy(queue) }
        client.destroy()
        thread.stop()
        ended.signal()
    }

    private func poll(milliseconds: Int32) {
        var wait = milliseconds
        while let event = rd_kafka_queue_poll(queue, wait) {
            wait = 0
            take(event)
            rd_kafka_event_destroy(event)
        }
    }

    private func take(_ event: OpaquePointer) {
        switch rd_kafka_event_type(event) {
        case RD_KAFKA_EVENT_DR: takeReports(event)
        case RD_KAFKA_EVENT_STATS: takeStatistics(event)
        case RD_KAFKA_EVENT_ERROR:
            let error = KafkaError(rd_kafka_event_error(event))
            if error.code == RD_KAFKA_RESP_ERR__FATAL || rd_kafka_event_error_is_fatal(event) != 0 {
                fail()
            } else {
                client.context.report(error, String(cString: rd_kafka_event_error_string(event)))
            }
        default: break
        }
    }

    /// Runs of messages of one call and one outcome are completed together.
    private func takeReports(_ event: OpaquePointer) {
        var run = 0
        var runPointer: UnsafeMutableRawPointer?
        var runError = RD_KAFKA_RESP_ERR_NO_ERROR
        var flows: [OpaquePointer: (records: Int, bytes: Int)] = [:]
        func finishRun() {
            guard run > 0, let runPointer else { return }
            let error = runError == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : self.error(KafkaError(runError))
            Delivery.at(runPointer).complete(run, error)
        }
        // Before any caller goes on, so that the counts include what it knows to be done.
        var messages: [UnsafePointer<rd_kafka_message_t>] = []
        while let message = rd_kafka_event_message_next(event) { messages.append(message) }
        for message in messages where message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR {
            guard let topic = message.pointee.rkt else { continue }
            flows[topic, default: (0, 0)].records += 1
            flows[topic, default: (0, 0)].bytes += message.pointee.len + message.pointee.key_len
        }
        for (topic, flow) in flows {
            let instruments = client.context.metrics.produced(String(cString: rd_kafka_topic_name(topic)))
            instruments.records.add(flow.records)
            instruments.bytes.add(flow.bytes)
        }
        if !flows.isEmpty { client.context.note(nil) }
        for message in messages {
            let pointer = message.pointee._private
            if pointer != runPointer || message.pointee.err != runError {
                finishRun()
                (run, runPointer, runError) = (0, pointer, message.pointee.err)
            }
            run += 1
        }
        finishRun()
    }

    private func error(_ error: KafkaError) -> MessagingError {
        client.context.metrics.error(error)
        if hasFailed || rd_kafka_fatal_error(client.handle, nil, 0) != RD_KAFKA_RESP_ERR_NO_ERROR {
            fail()
            return MessagingError(.unavailable, "producing: the idempotent producer has failed and is replaced (\(error.text)); send again")
        }
        return error.messagingError("producing", problem: client.context.problem)
    }

    private func takeStatistics(_ event: OpaquePointer) {
        guard let text = rd_kafka_event_stats(event) else { return }
        let count = String(cString: text).utf8.count
        let retries = text.withMemoryRebound(to: UInt8.self, capacity: count) {
            KafkaStatistics.sum("txretries", in: UnsafeBufferPointer(start: $0, count: count))
        }
        client.context.metrics.retries.add(retries - lastRetries)
        lastRetries = max(lastRetries, retries)
    }
}
