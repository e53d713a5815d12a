import Coordination
import Logging
import Messaging
import Records
import Storage
import TimeSeries

/// Loads what an earlier owner of a partition left: the newest checkpoint in the store, and where the topic goes on.
struct StageTakeover<Stage: PartitionStage>: Sendable {
    let options: StageOptions
    let log: any MessageLog
    let store: any ResultStore
    let coordinator: any Coordinator
    let logger: Logger
    let waiting: Waiting
    let make: @Sendable (_ partition: Int32, _ epoch: Int64, _ checkpoint: [UInt8]?) throws -> Stage

    func load(_ partition: Int32, generation: Int) async throws -> LoadedStage<Stage> {
        let name = options.name(of: partition)
        let epoch = try await waiting.retrying("an epoch") { try await self.coordinator.nextEpoch(for: name) }
        try await StoreCatchUp(
            log: log, topic: options.checkpointTopic, group: options.storeGroup, waiting: waiting, logger: logger,
            part: "checkpoints of \(name)", patience: options.storePatience
        ).wait()
        let ends = try await waiting.retrying("the topic \(options.topic)") { try await self.log.endOffsets(topic: self.options.topic) }
        let end = ends[TopicPartition(options.topic, partition)] ?? 0
        let checkpoint = try await waiting.retrying("the store") { try await self.store.checkpoint(named: name) }
        guard let checkpoint else {
            // Nothing was known of it before: there is nobody to catch up with.
            return LoadedStage(
                partition: partition, generation: generation, epoch: epoch, stage: try make(partition, epoch, nil), from: 0, until: 0)
        }
        // An offset beyond the end is of a log that is no more: what is there now is all new.
        let from = checkpoint.revision.offset > end ? 0 : checkpoint.revision.offset
        do {
            var stage = try make(partition, epoch, checkpoint.data)
            if from != checkpoint.revision.offset { stage.forgetOffsets() }
            return LoadedStage(partition: partition, generation: generation, epoch: epoch, stage: stage, from: from, until: end)
        } catch {
            logger.error("the checkpoint \(name) cannot be read and is left out: \(error); the topic is read from its beginning")
            return LoadedStage(
                partition: partition, generation: generation, epoch: epoch, stage: try make(partition, epoch, nil), from: 0, until: 0)
        }
    }

    /// Whether the topic holds no record of the partition from `position` to before `end`. False also when the log does not say.
    func isEmptied(_ partition: Int32, from position: Offset, before end: Offset) async -> Bool {
        await TopicStart.isEmpty(from: position, before: end, TopicPartition(options.topic, partition), log: log)
    }
}
