import Dispatch
import Logging
import Messaging
import Records
import Storage
import Synchronization
import Telemetry
import TimeSeries

/// Loads what an earlier owner of a partition left: the chunks and rows in the store, and where the topic goes on.
struct Takeover: Sendable {
    let options: AnalyzeOptions
    let log: any MessageLog
    let store: any ResultStore
    let clock: any WallClock
    let metrics: AnalyzeMetrics
    let logger: Logger
    let waiting: Waiting
    /// Partitions of the topic.
    let partitions: Int
    /// How long the store may take nothing before it is asked whether there is anything to take.
    var storePatience = Duration.seconds(30)
    /// How long a clock may be behind the newest results before it is taken to be right.
    var clockPatience = Duration.seconds(300)

    /// - Parameter epoch: greater than that of any earlier owner of the partition.
    func load(_ partition: Int32, generation: Int, epoch: Int64) async throws -> LoadedPartition {
        var state = AnalyzerState(
            options: options, epoch: epoch, partitions: partitions,
            stopwatch: { Double(DispatchTime.now().uptimeNanoseconds) / 1e9 })
        try await StoreCatchUp(
            log: log, topic: options.chunksTopic, group: options.storeGroup, waiting: waiting, logger: logger,
            part: "chunks of \(partition)", patience: storePatience
        ).wait(for: partition, of: partitions)
        let shards = Set((0..<UInt16(Shard.count)).filter { Int($0) % partitions == Int(partition) }.map { Shard($0) })
        let rows = try await waiting.retrying("the store") { try await self.store.latestWindowTimes(shards: shards) }
        try await awaitClock(rows.values.max() ?? .min, partition)
        // Evaluation goes on from the newest row, however long ago that was, and looks back over the longest window.
        let now = clock.now()
        let resumed = min(now, rows.values.max() ?? now)
        let chunks = try await chunks(shards, since: resumed - options.allowedLateness - options.holding - 2 * options.chunkSpan)
        for problem in state.restore(chunks, now: now) {
            metrics.damagedChunks.add()
            logger.error("a stored chunk is left out: \(problem)")
        }
        let place = TopicPartition(options.samplesTopic, partition)
        let ends = try await waiting.retrying("the topic \(options.samplesTopic)") {
            try await self.log.endOffsets(topic: self.options.samplesTopic)
        }
        let committed = try await waiting.retrying("the offsets of \(options.group)") {
            try await self.log.committedOffsets(topic: self.options.samplesTopic, group: self.options.group)
        }
        let end = ends[place] ?? 0
        state.distrustOffsets(beyond: [partition: end])
        try await loadRollups(&state, shards, resumed: resumed)
        try await loadModels(&state, shards)
        // A committed offset beyond the end is of a log that is no more.
        let from = committed[place].map { $0 > end ? 0 : $0 } ?? 0
        return LoadedPartition(
            partition: partition, generation: generation, state: state, latestRows: rows, from: from, until: end, chunks: chunks.count)
    }

    private func chunks(_ shards: Set<Shard>, since: Milliseconds) async throws -> [ChunkResult] {
        let collected = Mutex<[ChunkResult]>([])
        try await waiting.retrying("the store") {
            collected.withLock { $0.removeAll() }
            try await self.store.recentChunks(shards: shards, since: since) { page in collected.withLock { $0.append(contentsOf: page) } }
        }
        return collected.withLock { value in
            defer { value = [] }
            return value
        }
    }

    /// The means of the last weeks, from the summaries of the stored chunks: as far as the store keeps them. And up to where series are stored that
    /// were left out: those of a source that lags far behind others.
    private func loadRollups(_ state: inout AnalyzerState, _ shards: Set<Shard>, resumed: Milliseconds) async throws {
        let empty = state.rollupRestoration
        let since = resumed - options.rollupSpan
        let restoration = Mutex(empty)
        try await waiting.retrying("the store") {
            restoration.withLock { $0 = empty }
            try await self.store.chunkSummaries(shards: shards, since: since) { page in restoration.withLock { $0.take(page) } }
        }
        state.adopt(restoration.withLock { $0 })
    }

    /// A machine without a clock of its own begins at its last shutdown until it has asked for the time: what it had accepted would lie in the future
    /// and be refused. A clock that was ahead before looks the same, so it is not waited for for ever.
    private func awaitClock(_ newest: Milliseconds, _ partition: Int32) async throws {
        guard newest > clock.now() + options.futureBound else { return }
        let part = "clock of partition \(partition)"
        defer { waiting.say(nil, part: part) }
        let deadline = ContinuousClock.now + clockPatience
        while newest > clock.now() + options.futureBound {
            let behind = (newest - clock.now()) / 1000
            guard ContinuousClock.now < deadline else {
                logger.warning("the newest results are \(behind) s ahead of this machine's clock; it was ahead before, or is wrong now")
                return
            }
            waiting.say("this machine's clock, which is \(behind) s behind the newest results", part: part)
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// What an earlier owner had learnt.
    private func loadModels(_ state: inout AnalyzerState, _ shards: Set<Shard>) async throws {
        let known = state.knownSeries
        if known.isEmpty { return }
        let collected = Mutex<[ModelStateResult]>([])
        try await waiting.retrying("the store") {
            collected.withLock { $0.removeAll() }
            try await self.store.modelStates(shards: shards) { page in
                collected.withLock { $0.append(contentsOf: page.filter { known.contains($0.series.id) }) }
            }
        }
        state.restore(models: collected.withLock { $0 })
    }

    /// Whether the topic holds no record of the partition from `position` to before `end`. False also when the log does not say.
    func isEmptied(_ partition: Int32, from position: Offset, before end: Offset) async -> Bool {
        await TopicStart.isEmpty(from: position, before: end, TopicPartition(options.samplesTopic, partition), log: log)
    }
}
