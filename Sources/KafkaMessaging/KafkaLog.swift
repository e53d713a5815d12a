import CRdKafka
import Logging
import Messaging
import Synchronization
import Telemetry
import TimeSeries

/// The log on a Kafka cluster, by librdkafka. Opening never waits for a broker: each call waits, and throws `.unavailable` when its time
/// is over. docs/formats/kafka.md has the keys of the records.
package final class KafkaLog: MessageLog {
    private struct Member { weak var consumer: KafkaConsumer? }

    private struct State {
        var producer: KafkaProducer
        /// Former producers that still report.
        var retired: [KafkaProducer] = []
        var consumers: [Member] = []
        var isClosed = false
    }

    let options: KafkaOptions
    let metrics: KafkaMetrics
    private let context: KafkaContext
    private let gate: ByteGate
    private let questions: KafkaQuestions
    /// For questions, and for making clients. One thread: the last job frees the client that asks.
    private let threads: BlockingThreads
    private let state: Mutex<State>
    private let ended = Latch()
    private let answers = PendingAnswers()

    /// Checks the options and starts the clients. Throws `.usage` for settings that do not fit.
    package static func open(_ options: KafkaOptions, metrics: MetricRegistry, logger: Logger) async throws -> KafkaLog {
        let threads = try BlockingThreads(name: "kafka")
        return try await threads.run { try KafkaLog(options, metrics: metrics, logger: logger, threads: threads) }
    }

    private init(_ options: KafkaOptions, metrics: MetricRegistry, logger: Logger, threads: BlockingThreads) throws {
        try options.check()
        self.options = options
        self.threads = threads
        self.metrics = KafkaMetrics(metrics)
        context = KafkaContext(metrics: self.metrics, logger: logger)
        gate = ByteGate(limit: options.queueBytes, gauge: self.metrics.queueBytes)
        let client = try KafkaClient(.consumer, options.questions, events: 0, context: context)
        questions = KafkaQuestions(client, timeout: options.requestTimeout)
        state = Mutex(State(producer: try KafkaProducer(options, context: context)))
    }

    deinit {
        let producer = state.withLock { $0.isClosed ? nil : $0.producer }
        producer?.retire(drainUntil: .now + .milliseconds(options.closeTimeout))
        let client = questions.client
        threads.submit { client.destroy() }
        threads.stop()
    }

    // MARK: Producing

    package func produce(_ records: [ProducerRecord]) async throws {
        if records.isEmpty { return }
        let start = ContinuousClock.now
        let (messages, bytes) = try await plan(records)
        try await gate.enter(bytes)
        let delivery = Delivery(messages: messages.count) { [gate] in gate.leave(bytes) }
        let producer: KafkaProducer
        do {
            producer = try await hand(messages, delivery)
        } catch {
            gate.leave(bytes)
            throw error
        }
        do {
            try await withTaskCancellationHandler {
                try await delivery.wait()
            } onCancel: {
                producer.abandon(delivery, at: .now + .milliseconds(options.cancellationGrace))
            }
        } catch {
            for topic in Set(records.map { $0.topic }) { questions.forget(topic) }
            throw error
        }
        let elapsed = (ContinuousClock.now - start).components
        metrics.produceSeconds.observe(Double(elapsed.seconds) + Double(elapsed.attoseconds) * 1e-18)
    }

    private func plan(_ records: [ProducerRecord]) async throws -> (messages: [KafkaProducer.Message], bytes: Int) {
        var counts: [String: Int] = [:]
        var messages: [KafkaProducer.Message] = []
        messages.reserveCapacity(records.count)
        var bytes = 0
        for (i, record) in records.enumerated() {
            let key = try KafkaKey.encode(record.key)
            let size = record.headers.reduce(key.count + record.value.count) { $0 + $1.name.utf8.count + $1.value.count }
            if size > options.maxRecordBytes - KafkaLog.recordOverhead {
                throw MessagingError(
                    .tooLarge,
                    "record \(i) for topic \(record.topic) has \(size) bytes, the limit is "
                        + "\(options.maxRecordBytes - KafkaLog.recordOverhead); divide it or raise the limit here and on the brokers")
            }
            let count: Int
            if let known = counts[record.topic] { count = known } else { count = try await partitionCount(topic: record.topic) }
            counts[record.topic] = count
            messages.append(KafkaProducer.Message(record: record, partition: record.key.partition(of: count), key: key))
            bytes += size + KafkaLog.recordOverhead
        }
        return (messages, bytes)
    }

    /// What the protocol and the library need beside a record's content, at most; counted into its size.
    private static let recordOverhead = 128

    private func hand(_ messages: [KafkaProducer.Message], _ delivery: Delivery) async throws -> KafkaProducer {
        while true {
            let producer = try await producer()
            if producer.send(messages, delivery) { return producer }
            if isClosed { throw MessagingError(.closed, "the log is closed") }
        }
    }

    /// The producer, or a new one if it has failed.
    private func producer() async throws -> KafkaProducer {
        let current = state.withLock { $0.isClosed ? nil : $0.producer }
        guard let current else { throw MessagingError(.closed, "the log is closed") }
        if !current.hasFailed { return current }
        return try await threads.run { try self.replace(current) }
    }

    private func replace(_ failed: KafkaProducer) throws -> KafkaProducer {
        try state.withLock { state in
            if state.isClosed { throw MessagingError(.closed, "the log is closed") }
            if state.producer !== failed { return state.producer }
            let made = try KafkaProducer(options, context: context)
            state.retired.removeAll { $0.hasEnded }
            state.retired.append(failed)
            state.producer = made
            return made
        }
    }

    /// For tests: makes the producer fail as a broker can make it fail.
    func failProducer() { state.withLock { $0.producer }.failForTest() }

    /// Calls that wait because the queue is full.
    var waitingProducers: Int { gate.waitingCount }

    // MARK: Consuming

    package func consumer(topics: [String], group: String) async throws -> any MessageConsumer {
        if group.isEmpty { throw MessagingError(.usage, "a consumer needs the name of its group") }
        let topics = try unique(topics)
        return try await makeConsumer { log in
            for topic in topics { _ = try log.questions.partitionCount(topic) }
            return try ConsumerCore(log.options, membership: .group(group, topics), context: log.context)
        }
    }

    package func tail(topics: [String], from start: TailStart) async throws -> any MessageConsumer {
        let topics = try unique(topics)
        return try await makeConsumer { log in
            let positions = try log.positions(topics, start)
            return try ConsumerCore(log.options, membership: .tail(topics, positions), context: log.context)
        }
    }

    private func positions(_ topics: [String], _ start: TailStart) throws -> [TopicPartition: Offset] {
        let places = try topics.flatMap { try questions.places($0) }
        switch start {
        case .end: return try questions.endOffsets(places)
        case .earliest: return Dictionary(places.map { ($0, Offset(RD_KAFKA_OFFSET_BEGINNING)) }, uniquingKeysWith: { a, _ in a })
        case .time(let time): return try questions.offsets(places, at: time)
        }
    }

    private func unique(_ topics: [String]) throws -> [String] {
        if topics.isEmpty { throw MessagingError(.usage, "a consumer needs at least one topic") }
        var seen: Set<String> = []
        return topics.filter { seen.insert($0).inserted }
    }

    private func makeConsumer(_ make: @escaping @Sendable (KafkaLog) throws -> ConsumerCore) async throws -> any MessageConsumer {
        try checkOpen()
        let consumer = try await answers.ask(threads) { try KafkaConsumer(try make(self), closeTimeout: self.options.closeTimeout) }
        let isClosed = state.withLock { state in
            state.consumers.removeAll { $0.consumer == nil }
            state.consumers.append(Member(consumer: consumer))
            return state.isClosed
        }
        if isClosed {
            await consumer.end("the log is closed")
            throw MessagingError(.closed, "the log is closed")
        }
        return consumer
    }

    // MARK: Questions

    package func endOffsets(topic: String) async throws -> [TopicPartition: Offset] {
        try checkOpen()
        return try await answers.ask(threads) { try self.questions.endOffsets(try self.questions.places(topic)) }
    }

    package func committedOffsets(topic: String, group: String) async throws -> [TopicPartition: Offset] {
        try checkOpen()
        return try await answers.ask(threads) { try self.questions.committed(try self.questions.places(topic), group: group) }
    }

    package func partitionCount(topic: String) async throws -> Int {
        try checkOpen()
        if let last = questions.lastPartitionCount(topic) {
            // Nobody waits for the answer: while a broker is away, producers go on with what is known.
            if last.isOld { threads.submit { [questions] in _ = try? questions.refresh(topic) } }
            return last.count
        }
        return try await answers.ask(threads) { try self.questions.partitionCount(topic) }
    }

    private var isClosed: Bool { state.withLock { $0.isClosed } }

    private func checkOpen() throws {
        if isClosed { throw MessagingError(.closed, "the log is closed") }
    }

    // MARK: Closing

    package func close() async {
        let (isFirst, producers, consumers) = state.withLock { state in
            defer { state.isClosed = true }
            return (!state.isClosed, state.retired + [state.producer], state.consumers.compactMap { $0.consumer })
        }
        guard isFirst else { return await ended.wait() }
        gate.close()
        answers.end(MessagingError(.closed, "the log is closed"))
        for producer in producers { producer.retire(drainUntil: .now + .milliseconds(options.closeTimeout)) }
        await withTaskGroup(of: Void.self) { group in
            for consumer in consumers { group.addTask { await consumer.end("the log is closed") } }
            for producer in producers { group.addTask { await producer.waitForEnd() } }
        }
        let (client, freed) = (questions.client, Latch())
        threads.submit {
            client.destroy()
            freed.signal()
        }
        threads.stop()
        // A question that no broker answers holds nobody up.
        await freed.wait(atMost: .milliseconds(min(500, options.closeTimeout)))
        ended.signal()
    }
}
