import Logging
import Synchronization
import Telemetry
import TimeSeries

/// The durable log inside the process: segment files under one directory, acknowledged after fdatasync. docs/formats/log.md has
/// the files. One process per directory.
package final class EmbeddedLog: MessageLog {
    /// Frames of one call are handed to the writer in pieces of about this size.
    private static let batchBytes = 4 << 20

    private struct State {
        var topics: [String: TopicLog] = [:]
        var isClosed = false
        var lock: (any LogLock)?
        var retention: Task<Void, Never>?
    }

    let options: EmbeddedLogOptions
    let coordinator: GroupCoordinator
    let offsets: OffsetStore
    let writer: LogWriter
    let readers: BlockingThreads
    let metrics: LogMetrics
    private let device: any LogDevice
    private let clock: any WallClock
    private let logger: Logger
    private let state: Mutex<State>
    /// The log itself, for callbacks made before it exists.
    private let callbacks: Callbacks

    /// Takes the directory's lock, recovers the end of every partition and opens the log.
    /// Throws `.unavailable` if another process has the directory, `.usage` for settings that do not fit, also `.io`, `.storageFull`
    /// and `.corrupt`.
    package static func open(
        _ options: EmbeddedLogOptions, clock: any WallClock, metrics: MetricRegistry, logger: Logger
    ) async throws -> EmbeddedLog {
        try await open(options, device: PosixDevice(), clock: clock, metrics: metrics, logger: logger)
    }

    static func open(
        _ options: EmbeddedLogOptions, device: any LogDevice, clock: any WallClock, metrics: MetricRegistry, logger: Logger
    ) async throws -> EmbeddedLog {
        try options.check()
        let thread = try BlockingThreads(name: "log-writer", count: 1)
        let log = try await thread.access {
            try EmbeddedLog(options, device: device, clock: clock, metrics: metrics, logger: logger, thread: thread)
        }
        log.start()
        return log
    }

    /// Blocks.
    private init(
        _ options: EmbeddedLogOptions, device: any LogDevice, clock: any WallClock, metrics: MetricRegistry, logger: Logger,
        thread: BlockingThreads
    ) throws {
        self.options = options
        self.device = device
        self.clock = clock
        self.logger = logger
        let instruments = LogMetrics(metrics)
        self.metrics = instruments
        let root = options.directory
        try device.createDirectory(root + "/topics")
        let lock = try device.lock(root + "/lock")
        let store = try OffsetStore(root, device: device, metrics: instruments, logger: logger)
        try device.syncDirectory(root)
        // The entry of the directory itself; a parent that cannot be opened does not stop the log.
        try? device.syncDirectory(root + "/..")
        var topics: [String: TopicLog] = [:]
        let least = EmbeddedLog.highestCommits(store)
        for name in try device.list(root + "/topics").sorted() where (try? TopicLog.check(name: name)) != nil {
            topics[name] = try TopicLog.open(
                name, wanted: options.partitionCount(name), in: root + "/topics", options: options, device: device, metrics: instruments,
                logger: logger, committed: { least[$0] })
        }
        offsets = store
        let coordinator = GroupCoordinator(handover: .milliseconds(options.handoverTimeout), metrics: instruments)
        self.coordinator = coordinator
        readers = try BlockingThreads(name: "log-reader", count: options.readerThreads)
        let callbacks = Callbacks()
        self.callbacks = callbacks
        writer = LogWriter(
            thread: thread, gate: ByteGate(limit: options.queueBytes, gauge: instruments.queueBytes), offsets: store, clock: clock,
            onDurable: { coordinator.wake(topics: $0) }, onRoll: { callbacks.onRoll() })
        state = Mutex(State(topics: topics, lock: lock))
    }

    /// What the writer calls; holds the log weakly, so that a log nobody uses goes away.
    private final class Callbacks: Sendable {
        private struct Target { weak var log: EmbeddedLog? }
        private let target = Mutex(Target())
        func set(_ log: EmbeddedLog) { target.withLock { $0.log = log } }
        func onRoll() { target.withLock { $0.log }?.enforceRetention(nil) }
    }

    private func start() {
        callbacks.set(self)
        metrics.registry.onCollect { [weak self] in self?.collectMetrics() }
        let interval = options.retentionInterval
        let task = Task { [weak self] in
            while !Task.isCancelled {
                await self?.applyRetention(now: nil)
                if self == nil { return }
                try? await Task.sleep(for: .milliseconds(interval))
            }
        }
        state.withLock { $0.retention = task }
    }

    deinit {
        state.withLock { $0.retention }?.cancel()
        writer.thread.stop()
        readers.stop()
    }

    var isClosed: Bool { state.withLock { $0.isClosed } }

    // MARK: MessageLog

    package func produce(_ records: [ProducerRecord]) async throws {
        if records.isEmpty { return }
        let plan = try await plan(records)
        try await writer.gate.enter(plan.bytes)
        try await writer.submit {
            LogWriter.Request(batches: EmbeddedLog.encode(records, plan), bytes: plan.bytes, continuation: $0)
        }
    }

    package func consumer(topics: [String], group: String) async throws -> any MessageConsumer {
        if group.isEmpty { throw MessagingError(.usage, "a consumer needs the name of its group") }
        return EmbeddedConsumer(self, topics: try await open(topics), group: group)
    }

    package func tail(topics: [String], from start: TailStart) async throws -> any MessageConsumer {
        let topics = try await open(topics)
        let positions = try await readers.access {
            var positions: [TopicPartition: Offset] = [:]
            for partition in topics.flatMap({ $0.partitions }) {
                switch start {
                case .end: positions[partition.place] = partition.nextOffset
                case .earliest: positions[partition.place] = partition.earliest
                case .time(let time): positions[partition.place] = try partition.offset(at: time)
                }
            }
            return positions
        }
        return EmbeddedConsumer(self, topics: topics, group: nil, positions: positions)
    }

    package func endOffsets(topic: String) async throws -> [TopicPartition: Offset] {
        let partitions = try await self.topic(topic).partitions
        return Dictionary(partitions.map { ($0.place, $0.nextOffset) }, uniquingKeysWith: { a, _ in a })
    }

    package func committedOffsets(topic: String, group: String) async throws -> [TopicPartition: Offset] {
        offsets.offsets(group: group, topic: try await self.topic(topic).name)
    }

    package func partitionCount(topic: String) async throws -> Int { try await self.topic(topic).partitions.count }

    /// Writes what producers have handed over, syncs, and gives the directory free.
    package func close() async {
        let retention = state.withLock { state in
            state.isClosed = true
            return state.retention
        }
        retention?.cancel()
        coordinator.wakeAll()
        await writer.close()
        _ = try? await writer.thread.run {
            for topic in self.topics.values { for partition in topic.partitions { partition.closeActive() } }
            self.offsets.close()
            self.state.withLock { $0.lock = nil }
        }
        writer.thread.stop()
        readers.stop()
    }

    // MARK: Topics

    private var topics: [String: TopicLog] { state.withLock { $0.topics } }

    private func open(_ names: [String]) async throws -> [TopicLog] {
        if names.isEmpty { throw MessagingError(.usage, "a consumer needs at least one topic") }
        var opened: [TopicLog] = []
        for name in names where !opened.contains(where: { $0.name == name }) { opened.append(try await topic(name)) }
        return opened
    }

    /// The topic, made now if there is none.
    private func topic(_ name: String) async throws -> TopicLog {
        let (known, isClosed) = state.withLock { ($0.topics[name], $0.isClosed) }
        if isClosed { throw MessagingError(.closed, "the log is closed") }
        if let known { return known }
        return try await writer.thread.access { try self.makeTopic(name) }
    }

    /// On the writer's thread, so that no topic is made twice.
    private func makeTopic(_ name: String) throws -> TopicLog {
        if let known = topics[name] { return known }
        let least = EmbeddedLog.highestCommits(offsets)
        let topic = try TopicLog.open(
            name, wanted: options.partitionCount(name), in: options.directory + "/topics", options: options, device: device,
            metrics: metrics, logger: logger, committed: { least[$0] })
        state.withLock { $0.topics[name] = topic }
        return topic
    }

    private static func highestCommits(_ offsets: OffsetStore) -> [TopicPartition: Offset] {
        var highest: [TopicPartition: Offset] = [:]
        for (key, offset) in offsets.all() { highest[key.partition] = max(highest[key.partition] ?? 0, offset) }
        return highest
    }

    // MARK: Encoding

    /// Where each record of a call goes, found before any memory is taken for it.
    private struct Plan {
        var partitions: [PartitionLog] = []
        var partitionBytes: [Int] = []
        /// For each record an index into `partitions`.
        var places: [Int] = []
        var bytes = 0
    }

    private func plan(_ records: [ProducerRecord]) async throws -> Plan {
        var plan = Plan()
        plan.places.reserveCapacity(records.count)
        var known: [ObjectIdentifier: Int] = [:]
        var current: TopicLog?
        for (i, record) in records.enumerated() {
            let size = Frame.bytes(of: record)
            try check(record, size, i)
            let topic: TopicLog
            if let current, current.name == record.topic { topic = current } else { topic = try await self.topic(record.topic) }
            current = topic
            let partition = topic.partitions[Int(record.key.partition(of: topic.partitions.count))]
            let place = known[ObjectIdentifier(partition)] ?? plan.partitions.count
            if place == plan.partitions.count {
                known[ObjectIdentifier(partition)] = place
                plan.partitions.append(partition)
                plan.partitionBytes.append(0)
            }
            plan.places.append(place)
            plan.partitionBytes[place] += size
            plan.bytes += size
        }
        return plan
    }

    private func check(_ record: ProducerRecord, _ size: Int, _ i: Int) throws {
        if size - Frame.headerBytes > options.maxRecordBytes {
            throw MessagingError(
                .tooLarge,
                "record \(i) for topic \(record.topic) has \(size - Frame.headerBytes) bytes, the limit is \(options.maxRecordBytes); "
                    + "divide it or raise the limit")
        }
        if let fault = Frame.fault(of: record) { throw MessagingError(.tooLarge, "record \(i) for topic \(record.topic): \(fault)") }
    }

    /// The batches come in reverse, because the writer takes them from the end.
    private static func encode(_ records: [ProducerRecord], _ plan: Plan) -> [(partition: PartitionLog, frames: FrameBatch)] {
        var left = plan.partitionBytes
        var open = left.map { bytes in
            var batch = FrameBatch()
            batch.reserve(bytes: min(bytes, batchBytes + (batchBytes >> 3)))
            return batch
        }
        var done: [(partition: PartitionLog, frames: FrameBatch)] = []
        for (record, place) in zip(records, plan.places) {
            left[place] -= Frame.bytes(of: record)
            open[place].append(record)
            if open[place].bytes.count >= batchBytes || left[place] == 0 {
                var batch = FrameBatch()
                swap(&batch, &open[place])
                if left[place] > 0 { open[place].reserve(bytes: min(left[place], batchBytes + (batchBytes >> 3))) }
                done.append((plan.partitions[place], batch))
            }
        }
        done.reverse()
        return done
    }

    // MARK: Retention

    /// Removes what is beyond the limits, by the log's clock or as if it were `now`. Returns when it is done.
    package func applyRetention(now: Milliseconds?) async {
        _ = try? await writer.thread.run { self.enforceRetention(now) }
    }

    /// On the writer's thread.
    private func enforceRetention(_ now: Milliseconds?) {
        let time = now ?? clock.now()
        for topic in topics.values {
            let required = options.requiredGroups[topic.name] ?? []
            let partitions = topic.partitions.map { partition in
                let pin = required.map { offsets.offset(group: $0, partition.place) ?? 0 }.min()
                return partition.view.withLock { RetentionPlan.Partition(segments: $0.segments, nextOffset: $0.nextOffset, pin: pin) }
            }
            let plan = RetentionPlan(partitions, limits: options.retention(topic.name), now: time)
            for (partition, count) in zip(topic.partitions, plan.drops) { partition.removeSegments(count) }
            topic.metrics.blockedBytes.set(Double(plan.blockedBytes))
        }
    }

    /// Gauges that are read rather than kept: sizes, and for each group how many records it has not committed.
    private func collectMetrics() {
        let topics = self.topics
        for topic in topics.values {
            let bytes = topic.partitions.reduce(Int64(0)) { sum, partition in sum + partition.view.withLock { $0.bytes } }
            topic.metrics.sizeBytes.set(Double(bytes))
        }
        var lags: [[String]: Int64] = [:]
        for (key, offset) in offsets.all() {
            guard let topic = topics[key.partition.topic], topic.partitions.indices.contains(Int(key.partition.partition)) else { continue }
            lags[[key.group, key.partition.topic], default: 0] += topic.partitions[Int(key.partition.partition)].nextOffset - offset
        }
        for (key, lag) in lags {
            let gauge = metrics.registry.gauge(
                "almanac_log_consumer_lag_records", help: "Durable records that the group has not committed.",
                labels: [("group", key[0]), ("topic", key[1])])
            gauge.set(Double(lag))
        }
    }
}
