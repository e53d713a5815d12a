import Coordination
import Logging
import Messaging
import Records
import Storage
import Telemetry
import TimeSeries

/// The analyzer: consumes `samples`, gives results on `prometheusdata` and sealed chunks on `chunks`.
///
/// It is a member of a group and owns the partitions that its consumer is assigned, each with a state of its own. A partition that comes is taken
/// over: its recent chunks are loaded from the store, once the store has taken all that was sent to it, and the topic is replayed from the
/// offset that the group committed; only then does it give results. Its epoch, greater than any before, makes those of a former owner lose.
/// A partition that goes is dropped at once. Commits never pass what a successor would need.
package final class AnalyzeRole: Sendable {
    private let options: AnalyzeOptions
    private let log: any MessageLog
    private let store: any ResultStore
    private let coordinator: any Coordinator
    private let clock: any WallClock
    private let metrics: AnalyzeMetrics
    private let logger: Logger
    private let waiting: Waiting
    private let output: AnalyzerOutputs
    private let loads = PartitionLoads<LoadedPartition>()

    /// Bytes of records taken in one poll.
    private static let pollBytes = 8 << 20
    private static let commitInterval: Milliseconds = 10_000
    /// How long a replay may bring nothing before the topic is asked whether anything is left.
    private static let replayPatience = Duration.seconds(5)

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
        waiting = Waiting(retries: self.metrics.retries, logger: logger, status: status)
        output = AnalyzerOutputs(
            options: options, log: log, metrics: self.metrics, logger: logger, waiting: waiting, evaluationLog: evaluationLog)
    }

    /// Runs until the task is cancelled. A log or store that is not up is waited for.
    package func run() async throws {
        waiting.say("starting", part: "start")
        let partitions = try await waiting.retrying("the topic \(options.samplesTopic)") {
            try await self.log.partitionCount(topic: self.options.samplesTopic)
        }
        let consumer = try await waiting.retrying("the topic \(options.samplesTopic)") {
            try await self.log.consumer(topics: [self.options.samplesTopic], group: self.options.group)
        }
        let takeover = Takeover(
            options: options, log: log, store: store, clock: clock, metrics: metrics, logger: logger, waiting: waiting,
            partitions: partitions)
        var owned: [Int32: PartitionAnalysis] = [:]
        do {
            try await work(&owned, consumer, takeover)
        } catch is CancellationError {
            // What was being given may not have arrived: the state is past what may be committed.
        } catch let error as MessagingError where error.code == .closed {
        } catch {
            loads.cancel()
            await consumer.close()
            throw error
        }
        loads.cancel()
        await consumer.close()
    }

    private func work(_ owned: inout [Int32: PartitionAnalysis], _ consumer: any MessageConsumer, _ takeover: Takeover) async throws {
        var committedAt = clock.now()
        var isMore = false
        while !Task.isCancelled {
            let timeout: Milliseconds = isMore ? 0 : loads.isEmpty ? 250 : 20
            let batch: ConsumedBatch
            do {
                batch = try await waiting.retrying("the topic \(options.samplesTopic)") {
                    try await consumer.poll(maxBytes: AnalyzeRole.pollBytes, timeout: timeout)
                }
            } catch is CancellationError {
                // All that was read before has been given.
                break
            }
            waiting.say(batch.isMember ? nil : "an assignment of partitions", part: "start")
            for place in batch.revoked { drop(place.partition, &owned) }
            for place in batch.assigned {
                drop(place.partition, &owned)
                owned[place.partition] = PartitionAnalysis(generation: load(place.partition, takeover))
            }
            try await ingest(batch, into: &owned)
            // After it: what this poll brought was read before the seek.
            try await takeIn(&owned, consumer)
            await endSilentReplays(&owned, takeover)
            isMore = try await advance(&owned)
            let now = clock.now()
            if now - committedAt >= AnalyzeRole.commitInterval || now < committedAt {
                committedAt = now
                try await commit(&owned, consumer)
                measure(owned)
            }
        }
        await commitLast(owned, consumer)
    }

    /// At the end, in a task that the cancellation of this one does not reach.
    private func commitLast(_ owned: [Int32: PartitionAnalysis], _ consumer: any MessageConsumer) async {
        let offsets = due(owned)
        if offsets.isEmpty { return }
        await Task { try? await consumer.commit(offsets) }.value
    }

    // MARK: Coming and going of partitions

    private func drop(_ partition: Int32, _ owned: inout [Int32: PartitionAnalysis]) {
        loads.drop(partition)
        if owned.removeValue(forKey: partition) != nil {
            logger.info("partition \(partition) has gone to another analyzer, or is taken over anew")
        }
        waiting.say(nil, part: "partition \(partition)")
        waiting.say(nil, part: "chunks of \(partition)")
    }

    /// Gives the generation.
    private func load(_ partition: Int32, _ takeover: Takeover) -> Int {
        waiting.say("the chunks of partition \(partition)", part: "partition \(partition)")
        return loads.begin(partition) { [self] generation in
            defer { waiting.say(nil, part: "chunks of \(partition)") }
            let name = takeover.partitions == 1 ? "analyze" : "analyze-\(partition)"
            let epoch = try await waiting.retrying("an epoch") { try await self.coordinator.nextEpoch(for: name) }
            return try await takeover.load(partition, generation: generation, epoch: epoch)
        }
    }

    /// Partitions whose chunks have come begin their replay.
    private func takeIn(_ owned: inout [Int32: PartitionAnalysis], _ consumer: any MessageConsumer) async throws {
        let taken = try await loads.takeIn(consumer, topic: options.samplesTopic, retries: metrics.retries) {
            owned[$0.partition]?.generation == $0.generation
        }
        for loaded in taken {
            var analysis = PartitionAnalysis(generation: loaded.generation)
            analysis.phase = .replaying(until: loaded.until)
            analysis.state = loaded.state
            analysis.position = loaded.from
            analysis.latestRows = loaded.latestRows
            owned[loaded.partition] = analysis
            waiting.say("replaying partition \(loaded.partition) of \(options.samplesTopic)", part: "partition \(loaded.partition)")
            logger.debug("partition \(loaded.partition) is loaded", metadata: ["chunks": "\(loaded.chunks)", "from": "\(loaded.from)"])
        }
    }

    // MARK: Working

    private func ingest(_ batch: ConsumedBatch, into owned: inout [Int32: PartitionAnalysis]) async throws {
        var heard: Set<Int32> = []
        var bytes = 0
        let now = clock.now()
        // Room for series is shared: what one partition holds the others cannot.
        let total = owned.values.reduce(0) { $0 + ($1.state?.seriesCount ?? 0) }
        for record in batch.records {
            bytes += record.value.count
            // Of a partition that is still loading the record comes again after the seek; of one that has gone it is another's.
            guard let count = owned[record.partition]?.state?.seriesCount else { continue }
            if heard.insert(record.partition).inserted {
                owned[record.partition]?.state?.limit(series: max(count, options.maxSeries - total + count))
            }
            do {
                let outcome = try owned[record.partition]?.state?.ingest(
                    record.value, partition: record.partition, offset: record.offset, now: now)
                if let outcome { metrics.count(outcome) }
            } catch {
                try await output.bury(record, reason: "\(error)")
            }
            owned[record.partition]?.position = record.offset + 1
        }
        // A full batch leaves no room for the others: their silence says nothing.
        let isFull = bytes >= AnalyzeRole.pollBytes / 2
        for partition in Array(owned.keys) {
            if isFull || heard.contains(partition) { owned[partition]?.silentSince = .now }
        }
    }

    /// Retention may have removed the records up to a replay's end: then nothing more comes, and the topic says so.
    private func endSilentReplays(_ owned: inout [Int32: PartitionAnalysis], _ takeover: Takeover) async {
        for (partition, analysis) in owned {
            guard let end = analysis.silentReplay(longerThan: AnalyzeRole.replayPatience) else { continue }
            let isEmptied = await takeover.isEmptied(partition, from: analysis.position, before: end)
            owned[partition]?.silentSince = .now
            owned[partition]?.isEmptied = isEmptied
            guard isEmptied else { continue }
            logger.warning("the records of partition \(partition) that are to be analysed again are no longer there")
        }
    }

    /// Gives the results that are due; true if more is due at once.
    private func advance(_ owned: inout [Int32: PartitionAnalysis]) async throws -> Bool {
        var isMore = false
        for partition in owned.keys.sorted() {
            if owned[partition]?.isReplayed == true { resume(partition, &owned) }
            guard owned[partition]?.phase == .live, let step = owned[partition]?.state?.advance(now: clock.now()) else { continue }
            isMore = step.isMore || isMore
            try await output.emit(step.output)
        }
        return isMore
    }

    private func resume(_ partition: Int32, _ owned: inout [Int32: PartitionAnalysis]) {
        guard let rows = owned[partition]?.latestRows else { return }
        owned[partition]?.state?.resume(latestRows: rows, now: clock.now())
        owned[partition]?.latestRows = [:]
        owned[partition]?.phase = .live
        waiting.say(nil, part: "partition \(partition)")
        let state = owned[partition]?.state
        logger.info(
            "analysis of partition \(partition) resumes",
            metadata: ["series": "\(state?.seriesCount ?? 0)", "epoch": "\(state?.epoch ?? 0)"])
    }

    private func measure(_ owned: [Int32: PartitionAnalysis]) {
        let states = owned.values.compactMap(\.state)
        metrics.series.set(Double(states.reduce(0) { $0 + $1.seriesCount }))
        metrics.memory.set(Double(states.reduce(0) { $0 + $1.historyBytes + $1.rollupBytes }))
        metrics.partitions.set(Double(owned.count))
    }

    private func commit(_ owned: inout [Int32: PartitionAnalysis], _ consumer: any MessageConsumer) async throws {
        let offsets = due(owned)
        if offsets.isEmpty { return }
        do {
            try await consumer.commit(offsets)
            for (place, offset) in offsets { owned[place.partition]?.committed = offset }
        } catch let error as MessagingError where error.code != .closed {
            // An older commit only means a longer replay; the next one comes soon.
            metrics.retries.add()
            logger.warning("the offsets of \(options.group) cannot be committed now: \(error)")
        }
    }

    /// The offsets that differ from what is committed.
    private func due(_ owned: [Int32: PartitionAnalysis]) -> [TopicPartition: Offset] {
        var offsets: [TopicPartition: Offset] = [:]
        for (partition, analysis) in owned {
            guard let needed = analysis.needed, needed != analysis.committed else { continue }
            offsets[TopicPartition(options.samplesTopic, partition)] = needed
        }
        return offsets
    }
}
