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

    /// - Parameter epoch: greater than that of any earlier owner of the partition.
    func load(_ partition: Int32, generation: Int, epoch: Int64) async throws -> LoadedPartition {
        var state = AnalyzerState(
            options: options, epoch: epoch, partitions: partitions,
            stopwatch: { Double(DispatchTime.now().uptimeNanoseconds) / 1e9 })
        try await awaitStoredChunks(partition)
        let shards = Set((0..<UInt16(Shard.count)).filter { Int($0) % partitions == Int(partition) }.map { Shard($0) })
        let rows = try await waiting.retrying("the store") { try await self.store.latestWindowTimes(shards: shards) }
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
        try await loadRollups(&state, resumed: resumed)
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

    /// The means of the last weeks, from the summaries of the stored chunks: as far as the store keeps them.
    private func loadRollups(_ state: inout AnalyzerState, resumed: Milliseconds) async throws {
        let empty = state.rollupRestoration
        if empty.shards.isEmpty { return }
        let since = resumed - options.rollupSpan
        let restoration = Mutex(empty)
        try await waiting.retrying("the store") {
            restoration.withLock { $0 = empty }
            try await self.store.chunkSummaries(shards: empty.shards, since: since) { page in restoration.withLock { $0.take(page) } }
        }
        state.adopt(restoration.withLock { $0 })
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

    /// What an earlier owner sealed and sent may still be on its way into the store; without it part of the samples would be missing.
    private func awaitStoredChunks(_ partition: Int32) async throws {
        let ends = try await waiting.retrying("the topic \(options.chunksTopic)") {
            try await self.log.endOffsets(topic: self.options.chunksTopic)
        }
        // Both topics divide the shards alike; where they do not, all of it is waited for.
        let relevant = ends.count == partitions ? ends.filter { $0.key.partition == partition } : ends
        var pause: UInt64 = 20_000_000
        var last: Int64 = -1
        var since = ContinuousClock.now
        while true {
            let stored = try await waiting.retrying("the offsets of \(options.storeGroup)") {
                try await self.log.committedOffsets(topic: self.options.chunksTopic, group: self.options.storeGroup)
            }
            let behind = relevant.reduce(Int64(0)) { $0 + max(0, $1.value - (stored[$1.key] ?? 0)) }
            if behind == 0 { return waiting.say(nil, part: "chunks of \(partition)") }
            if behind != last { (last, since) = (behind, .now) }
            if ContinuousClock.now - since >= storePatience {
                // Retention may have removed what nobody took: then no commit ever reaches the end.
                if try await !hasRecords(relevant, beyond: stored) {
                    logger.warning("what the store did not take of \(options.chunksTopic) is no longer there; going on without it")
                    return waiting.say(nil, part: "chunks of \(partition)")
                }
                since = .now
            }
            waiting.say("the store to take \(behind) records of \(options.chunksTopic)", part: "chunks of \(partition)")
            try await Task.sleep(nanoseconds: pause)
            pause = min(pause * 2, 1_000_000_000)
        }
    }

    /// Whether the chunks' topic still has a record before these ends that is not stored. True also where that cannot be seen in time.
    private func hasRecords(_ ends: [TopicPartition: Offset], beyond stored: [TopicPartition: Offset]) async throws -> Bool {
        let tail = try await waiting.retrying("the topic \(options.chunksTopic)") {
            try await self.log.tail(topics: [self.options.chunksTopic], from: .earliest)
        }
        let deadline = ContinuousClock.now + storePatience
        var emptyPolls = 0
        var isFound = false
        while !isFound, emptyPolls < 10, ContinuousClock.now < deadline {
            let batch = try await waiting.retrying("the topic \(options.chunksTopic)") {
                try await tail.poll(maxBytes: 4 << 20, timeout: 250)
            }
            emptyPolls = batch.records.isEmpty ? emptyPolls + 1 : 0
            isFound = batch.records.contains { record in
                let place = TopicPartition(record.topic, record.partition)
                return record.offset >= stored[place] ?? 0 && record.offset < ends[place] ?? 0
            }
        }
        await tail.close()
        return isFound || emptyPolls < 10
    }

    /// Whether the topic holds no record of the partition before the offset any more. False also when the log does not say.
    func isEmptied(_ partition: Int32, before end: Offset) async -> Bool {
        do {
            let tail = try await log.tail(topics: [options.samplesTopic], from: .earliest)
            let deadline = ContinuousClock.now + .seconds(3)
            var first: Offset?
            while first == nil, ContinuousClock.now < deadline {
                first = try await tail.poll(maxBytes: 1 << 20, timeout: 250).records.first { $0.partition == partition }?.offset
            }
            await tail.close()
            if let first { return first >= end }
            // Empty, or not heard: a log that answers would have sent something.
            _ = try await log.endOffsets(topic: options.samplesTopic)
            return true
        } catch {
            return false
        }
    }
}
