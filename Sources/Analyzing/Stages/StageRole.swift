import Coordination
import Logging
import Messaging
import Records
import Storage
import Telemetry
import TimeSeries

/// Runs a stage over a topic as a member of a group, as `AnalyzeRole` runs the analysis of samples: each partition that comes is taken over from its newest
/// checkpoint and replayed before it gives anything; its epoch makes what a former owner still sends lose; what is committed is never
/// past the last checkpoint that is durable.
final class StageRole<Stage: PartitionStage>: Sendable {
    private let options: StageOptions
    private let log: any MessageLog
    private let clock: any WallClock
    private let metrics: StageMetrics
    private let logger: Logger
    private let waiting: Waiting
    private let takeover: StageTakeover<Stage>
    private let configure: @Sendable (inout Stage) -> Void
    private let loads = PartitionLoads<LoadedStage<Stage>>()

    private typealias Partition = StagePartition<Stage>

    /// Bytes of records taken in one poll.
    private static var pollBytes: Int { 8 << 20 }

    /// - Parameters:
    ///   - make: a stage anew, or from a checkpoint.
    ///   - configure: called before a stage works, so that a reload reaches it.
    init(
        options: StageOptions, log: any MessageLog, store: any ResultStore, coordinator: any Coordinator, clock: any WallClock,
        metrics: StageMetrics, logger: Logger, status: @escaping @Sendable (String?) -> Void,
        configure: @escaping @Sendable (inout Stage) -> Void = { _ in },
        make: @escaping @Sendable (_ partition: Int32, _ epoch: Int64, _ checkpoint: [UInt8]?) throws -> Stage
    ) {
        self.options = options
        self.log = log
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
        self.configure = configure
        waiting = Waiting(retries: metrics.retries, logger: logger, status: status)
        takeover = StageTakeover(
            options: options, log: log, store: store, coordinator: coordinator, logger: logger, waiting: waiting, make: make)
    }

    /// Runs until the task is cancelled. A log or store that is not up is waited for.
    func run() async throws {
        waiting.say("starting", part: "start")
        let consumer = try await waiting.retrying("the topic \(options.topic)") {
            try await self.log.consumer(topics: [self.options.topic], group: self.options.group)
        }
        var owned: [Int32: Partition] = [:]
        defer { loads.cancel() }
        do {
            try await work(&owned, consumer)
        } catch is CancellationError {
        } catch let error as MessagingError where error.code == .closed {
        } catch {
            await consumer.close()
            throw error
        }
        await consumer.close()
    }

    private func work(_ owned: inout [Int32: Partition], _ consumer: any MessageConsumer) async throws {
        var isMore = false
        while !Task.isCancelled {
            let timeout: Milliseconds = isMore ? 0 : loads.isEmpty ? 250 : 20
            let batch = try await waiting.retrying("the topic \(options.topic)") {
                try await consumer.poll(maxBytes: StageRole.pollBytes, timeout: timeout)
            }
            waiting.say(batch.isMember ? nil : "an assignment of partitions", part: "start")
            for place in batch.revoked { drop(place.partition, &owned) }
            for place in batch.assigned {
                drop(place.partition, &owned)
                owned[place.partition] = Partition(generation: load(place.partition))
            }
            try await ingest(batch, into: &owned)
            // After it: what this poll brought was read before the seek.
            try await takeIn(&owned, consumer)
            await endSilentReplays(&owned)
            isMore = try await advance(&owned, consumer)
            metrics.partitions.set(Double(owned.count))
        }
    }

    // MARK: Coming and going of partitions

    private func drop(_ partition: Int32, _ owned: inout [Int32: Partition]) {
        loads.drop(partition)
        if owned.removeValue(forKey: partition) != nil {
            logger.info("\(options.name(of: partition)) has gone to another analyzer, or is taken over anew")
        }
        waiting.say(nil, part: "partition \(partition)")
        waiting.say(nil, part: "checkpoints of \(options.name(of: partition))")
    }

    /// Gives the generation.
    private func load(_ partition: Int32) -> Int {
        waiting.say("the checkpoint of \(options.name(of: partition))", part: "partition \(partition)")
        return loads.begin(partition) { [self] generation in
            defer { waiting.say(nil, part: "checkpoints of \(options.name(of: partition))") }
            return try await takeover.load(partition, generation: generation)
        }
    }

    /// Partitions whose checkpoints have come begin their replay.
    private func takeIn(_ owned: inout [Int32: Partition], _ consumer: any MessageConsumer) async throws {
        let taken = try await loads.takeIn(consumer, topic: options.topic, retries: metrics.retries) {
            owned[$0.partition]?.generation == $0.generation
        }
        for loaded in taken {
            var partition = Partition(generation: loaded.generation)
            partition.phase = .replaying(until: loaded.until)
            partition.stage = loaded.stage
            partition.epoch = loaded.epoch
            partition.position = loaded.from
            owned[loaded.partition] = partition
            waiting.say("replaying \(options.name(of: loaded.partition))", part: "partition \(loaded.partition)")
        }
    }

    /// Retention may have removed the records up to a replay's end: then nothing more comes, and the topic says so.
    private func endSilentReplays(_ owned: inout [Int32: Partition]) async {
        for (partition, state) in owned {
            guard let end = state.silentReplay(longerThan: options.replayPatience) else { continue }
            let isEmptied = await takeover.isEmptied(partition, from: state.position, before: end)
            owned[partition]?.silentSince = .now
            owned[partition]?.isEmptied = isEmptied
            if isEmptied { logger.warning("the records of \(options.name(of: partition)) that are to be read again are no longer there") }
        }
    }

    // MARK: Working

    private func ingest(_ batch: ConsumedBatch, into owned: inout [Int32: Partition]) async throws {
        let now = clock.now()
        var letters: [ProducerRecord] = []
        var bytes = 0
        for record in batch.records {
            bytes += record.value.count
            // Of a partition that is still loading the record comes again after the seek; of one that has gone it is another's.
            guard owned[record.partition]?.stage != nil else { continue }
            // In place: a state of megabytes must not be copied for a record.
            let refused = owned[record.partition]?.stage?.ingest(record, now: now) ?? []
            owned[record.partition]?.position = record.offset + 1
            owned[record.partition]?.silentSince = .now
            owned[record.partition]?.replayedBytes += record.value.count
            metrics.records.add()
            for letter in refused {
                letters.append(
                    ProducerRecord(
                        topic: options.topic + ".dlq", key: record.key, value: letter.value,
                        headers: [RecordHeader("reason", Array(letter.reason.utf8))]))
            }
        }
        // A full batch leaves no room for the others: their silence says nothing.
        if bytes >= StageRole.pollBytes / 2 { for partition in Array(owned.keys) { owned[partition]?.silentSince = .now } }
        metrics.deadLetters.add(letters.count)
        try await produce(letters)
    }

    /// Gives what is due, and writes the states down from time to time; true if more is due at once.
    private func advance(_ owned: inout [Int32: Partition], _ consumer: any MessageConsumer) async throws -> Bool {
        var isMore = false
        let now = clock.now()
        for partition in owned.keys.sorted() {
            if owned[partition]?.isReplayed == true {
                owned[partition]?.phase = .live
                waiting.say(nil, part: "partition \(partition)")
                logger.info("\(options.name(of: partition)) resumes", metadata: ["epoch": "\(owned[partition]?.epoch ?? 0)"])
            }
            guard owned[partition]?.phase == .live, owned[partition]?.stage != nil else { continue }
            if var stage = owned[partition]?.stage.take() {
                configure(&stage)
                let output = stage.advance(now: now)
                owned[partition]?.stage = stage
                isMore = output.isMore || isMore
                metrics.outputs.add(output.records.count)
                try await produce(output.records)
            }
            try await writeDown(partition, &owned, consumer, now)
        }
        return isMore
    }

    /// A checkpoint is durable before the offset that it covers is committed.
    private func writeDown(_ partition: Int32, _ owned: inout [Int32: Partition], _ consumer: any MessageConsumer, _ now: Milliseconds)
        async throws
    {
        guard let state = owned[partition], state.committed != state.position else { return }
        // A clock that was set back must not put it off for ever.
        guard now >= state.nextCheckpoint || state.nextCheckpoint > now + 86_400_000 else { return }
        owned[partition]?.nextCheckpoint = now + options.checkpointInterval
        // One state for each revision: silence may have changed it since, and parts of two must not mix.
        if state.written != state.position, let data = state.stage?.checkpoint() {
            let cost = Milliseconds(data.count) * 1000 / Milliseconds(max(1, options.checkpointRate))
            owned[partition]?.nextCheckpoint = now + max(options.checkpointInterval, cost)
            let revision = Revision(epoch: state.epoch, offset: state.position)
            let parts = CheckpointPart.cut(data, name: options.name(of: partition), time: now, revision: revision)
            try await produce(
                parts.map { ProducerRecord(topic: options.checkpointTopic, key: .text($0.name), value: CheckpointRecord.encode($0)) })
            owned[partition]?.written = state.position
            metrics.checkpoints.add()
            metrics.checkpointBytes.add(data.count)
        }
        do {
            try await consumer.commit([TopicPartition(options.topic, partition): state.position])
            owned[partition]?.committed = state.position
        } catch let error as MessagingError where error.code != .closed {
            // An older commit only keeps the log longer; the next one comes soon.
            metrics.retries.add()
            logger.warning("the offsets of \(options.group) cannot be committed now: \(error)")
        }
    }

    private func produce(_ records: [ProducerRecord]) async throws {
        try await BoundedProduce(log: log, waiting: waiting, logger: logger, tooLarge: metrics.tooLarge).callAsFunction(records)
    }
}
