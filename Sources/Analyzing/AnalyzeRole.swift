import Coordination
import Dispatch
import Logging
import Messaging
import Records
import Storage
import Synchronization
import Telemetry
import TimeSeries

/// The analyzer: consumes `samples`, gives results on `prometheusdata` and sealed chunks on `chunks`.
///
/// It owns what its consumer is assigned. It starts by loading the recent chunks from the store, once the store has taken all that was sent
/// to it, and replays the topic from the offset that the group committed; only then does it give results. Commits never pass what a
/// successor would need.
package final class AnalyzeRole: Sendable {
    private let options: AnalyzeOptions
    private let log: any MessageLog
    private let store: any ResultStore
    private let coordinator: any Coordinator
    private let clock: any WallClock
    private let metrics: AnalyzeMetrics
    private let logger: Logger
    private let evaluationLog: @Sendable (EvaluationLogLine) -> Void
    private let status: @Sendable (String?) -> Void
    private let isCaughtUp = Atomic<Bool>(false)

    /// Bytes of records taken in one poll.
    private static let pollBytes = 8 << 20
    /// Bytes of records given to the log in one call.
    private static let sliceBytes = 4 << 20
    private static let commitInterval: Milliseconds = 10_000

    package init(
        options: AnalyzeOptions, log: any MessageLog, store: any ResultStore, coordinator: any Coordinator, clock: any WallClock,
        metrics: MetricRegistry, logger: Logger, evaluationLog: @escaping @Sendable (EvaluationLogLine) -> Void = { _ in },
        status: @escaping @Sendable (String?) -> Void = { _ in }
    ) {
        self.options = options
        self.log = log
        self.store = store
        self.coordinator = coordinator
        self.clock = clock
        self.metrics = AnalyzeMetrics(metrics)
        self.logger = logger
        self.evaluationLog = evaluationLog
        self.status = status
    }

    /// Runs until the task is cancelled. A log or store that is not up is waited for.
    package func run() async throws {
        status("starting")
        let partitions = try await retrying("the topic \(options.samplesTopic)") {
            try await self.log.partitionCount(topic: self.options.samplesTopic)
        }
        let epoch = try await retrying("an epoch") { try await self.coordinator.nextEpoch(for: "analyze") }
        let consumer = try await retrying("the topic \(options.samplesTopic)") {
            try await self.log.consumer(topics: [self.options.samplesTopic], group: self.options.group)
        }
        var state = AnalyzerState(
            options: options, epoch: epoch, partitions: partitions,
            stopwatch: { Double(DispatchTime.now().uptimeNanoseconds) / 1e9 })
        do {
            try await takeOver(&state, consumer)
            try await work(&state, consumer)
        } catch is CancellationError {
        } catch let error as MessagingError where error.code == .closed {
        }
        await consumer.close()
    }

    // MARK: Taking over

    private func takeOver(_ state: inout AnalyzerState, _ consumer: any MessageConsumer) async throws {
        try await awaitStoredChunks()
        status("loading recent chunks")
        let shards = Set((0..<UInt16(Shard.count)).map { Shard($0) })
        let rows = try await retrying("the store") { try await self.store.latestWindowTimes(shards: shards) }
        // Evaluation goes on from the newest row, however long ago that was, and looks back over the longest window.
        let now = clock.now()
        let resumed = min(now, rows.values.max() ?? now)
        let since = resumed - options.allowedLateness - options.holding - 2 * options.chunkSpan
        let collected = Mutex<[ChunkResult]>([])
        try await retrying("the store") {
            collected.withLock { $0.removeAll() }
            try await self.store.recentChunks(shards: shards, since: since) { page in collected.withLock { $0.append(contentsOf: page) } }
        }
        let chunks = collected.withLock { value in
            defer { value = [] }
            return value
        }
        for problem in state.restore(chunks, now: now) {
            metrics.damagedChunks.add()
            logger.error("a stored chunk is left out: \(problem)")
        }
        try await replay(&state, consumer)
        state.resume(latestRows: rows, now: clock.now())
        isCaughtUp.store(true, ordering: .relaxed)
        logger.info(
            "analysis resumes", metadata: ["series": "\(state.seriesCount)", "chunks": "\(chunks.count)", "epoch": "\(state.epoch)"])
        status(nil)
    }

    /// What an earlier owner sealed and sent may still be on its way into the store; without it part of the samples would be missing.
    private func awaitStoredChunks() async throws {
        let end = try await retrying("the topic \(options.chunksTopic)") { try await self.log.endOffsets(topic: self.options.chunksTopic) }
        var pause: UInt64 = 20_000_000
        while true {
            let stored = try await retrying("the offsets of \(options.storeGroup)") {
                try await self.log.committedOffsets(topic: self.options.chunksTopic, group: self.options.storeGroup)
            }
            let behind = end.reduce(Int64(0)) { $0 + max(0, $1.value - (stored[$1.key] ?? 0)) }
            if behind == 0 { return }
            status("the store to take \(behind) records of \(options.chunksTopic)")
            try await Task.sleep(nanoseconds: pause)
            pause = min(pause * 2, 1_000_000_000)
        }
    }

    /// Reads from the committed offsets up to what was there at the start; gives no results.
    private func replay(_ state: inout AnalyzerState, _ consumer: any MessageConsumer) async throws {
        let end = try await retrying("the topic \(options.samplesTopic)") {
            try await self.log.endOffsets(topic: self.options.samplesTopic)
        }
        let committed = try await retrying("the offsets of \(options.group)") {
            try await self.log.committedOffsets(topic: self.options.samplesTopic, group: self.options.group)
        }
        state.distrustOffsets(beyond: Dictionary(end.map { ($0.key.partition, $0.value) }, uniquingKeysWith: max))
        var position = committed
        var idle = 0
        while end.contains(where: { $0.value > (position[$0.key] ?? 0) }) {
            status("replaying \(options.samplesTopic)")
            let batch = try await poll(consumer, timeout: 200)
            try await ingest(batch, into: &state)
            for record in batch.records { position[TopicPartition(record.topic, record.partition)] = record.offset + 1 }
            // Retention may have removed the records up to the end of a partition: nothing more will come.
            idle = batch.records.isEmpty && batch.assigned.isEmpty ? idle + 1 : 0
            if idle >= 10 { break }
            try Task.checkCancellation()
        }
    }

    // MARK: Working

    private func work(_ state: inout AnalyzerState, _ consumer: any MessageConsumer) async throws {
        var committedAt = clock.now()
        var committed: [Int32: Int64] = [:]
        var isMore = false
        while !Task.isCancelled {
            let batch = try await poll(consumer, timeout: isMore ? 0 : 250)
            try await ingest(batch, into: &state)
            let step = state.advance(now: clock.now())
            isMore = step.isMore
            try await emit(step.output)
            let now = clock.now()
            if now - committedAt >= AnalyzeRole.commitInterval || now < committedAt {
                committedAt = now
                try await commit(state, consumer, &committed)
                metrics.series.set(Double(state.seriesCount))
                metrics.memory.set(Double(state.historyBytes))
            }
        }
        try await commit(state, consumer, &committed)
    }

    private func poll(_ consumer: any MessageConsumer, timeout: Milliseconds) async throws -> ConsumedBatch {
        try await retrying("the topic \(options.samplesTopic)") {
            try await consumer.poll(maxBytes: AnalyzeRole.pollBytes, timeout: timeout)
        }
    }

    private func ingest(_ batch: ConsumedBatch, into state: inout AnalyzerState) async throws {
        for record in batch.records {
            do {
                let outcome = try state.ingest(record.value, partition: record.partition, offset: record.offset, now: clock.now())
                metrics.count(outcome)
            } catch {
                try await bury(record, reason: "\(error)")
            }
        }
    }

    private func bury(_ record: ConsumerRecord, reason: String) async throws {
        metrics.deadLetters.add()
        logger.warning("a record of \(record.topic) cannot be read", metadata: ["offset": "\(record.offset)", "reason": "\(reason)"])
        let letter = ProducerRecord(
            topic: record.topic + ".dlq", key: record.key, value: record.value, headers: [RecordHeader("reason", Array(reason.utf8))])
        try await produce([letter])
    }

    private func emit(_ output: AnalyzerOutput) async throws {
        if output.isEmpty { return }
        var records: [ProducerRecord] = []
        var bytes = 0
        // Chunks first: a result may only be younger than the state that a successor finds.
        for (shard, chunks) in output.chunks {
            for value in ChunksRecord.encode(chunks) {
                records.append(ProducerRecord(topic: options.chunksTopic, key: .shard(shard), value: value))
            }
            metrics.chunks.add(chunks.count)
        }
        for (shard, record) in output.results {
            for value in record.encode(shard: shard) {
                bytes += value.count
                records.append(ProducerRecord(topic: options.resultsTopic, key: .shard(shard), value: value))
            }
            // Encoded no further ahead than what goes out in one call.
            if bytes >= AnalyzeRole.sliceBytes {
                metrics.results.add(records.count)
                try await produce(records)
                records.removeAll(keepingCapacity: true)
                bytes = 0
                try Task.checkCancellation()
            }
        }
        metrics.results.add(records.count)
        try await produce(records)
        for line in output.lines {
            metrics.observe(line)
            evaluationLog(line)
        }
    }

    /// In slices of bounded size. A record that the log refuses as too large goes alone, is left out and counted: the others must not suffer.
    private func produce(_ records: [ProducerRecord]) async throws {
        var at = 0
        while at < records.count {
            var bytes = 0
            let from = at
            while at < records.count, at == from || bytes + records[at].value.count <= AnalyzeRole.sliceBytes {
                bytes += records[at].value.count
                at += 1
            }
            let slice = Array(records[from..<at])
            do {
                try await retrying("the topic \(slice[0].topic)") { try await self.log.produce(slice) }
            } catch let error as MessagingError where error.code == .tooLarge {
                if slice.count > 1 {
                    for record in slice { try await produce([record]) }
                } else {
                    metrics.tooLarge.add()
                    logger.error("a record of \(slice[0].topic) is too large and left out", metadata: ["reason": "\(error)"])
                }
            }
        }
    }

    private func commit(_ state: AnalyzerState, _ consumer: any MessageConsumer, _ committed: inout [Int32: Int64]) async throws {
        let needed = state.neededOffsets()
        if needed == committed { return }
        var offsets: [TopicPartition: Offset] = [:]
        for (partition, offset) in needed { offsets[TopicPartition(options.samplesTopic, partition)] = offset }
        do {
            try await consumer.commit(offsets)
            committed = needed
        } catch let error as MessagingError where error.code != .closed {
            // An older commit only means a longer replay; the next one comes soon.
            metrics.retries.add()
            logger.warning("the offsets of \(options.group) cannot be committed now: \(error)")
        }
    }

    /// Repeats what a dependency refuses for now, with backoff, and says on the status what is waited for.
    private func retrying<T: Sendable>(_ what: String, _ body: @Sendable () async throws -> T) async throws -> T {
        var pause: UInt64 = 100_000_000
        while true {
            do {
                let value = try await body()
                if pause > 100_000_000, isCaughtUp.load(ordering: .relaxed) { status(nil) }
                return value
            } catch let error as MessagingError where error.code == .closed || error.code == .usage || error.code == .tooLarge {
                throw error
            } catch let error as StorageError where error.code != .unavailable {
                throw error
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                metrics.retries.add()
                logger.warning("waiting for \(what): \(error)")
                status("\(what): \(error)")
                try await Task.sleep(nanoseconds: pause)
                pause = min(pause * 2, 10_000_000_000)
            }
        }
    }
}
