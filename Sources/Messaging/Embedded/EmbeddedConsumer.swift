import Synchronization
import Telemetry
import TimeSeries

/// A reader of the embedded log: a member of a group, or a tail.
final class EmbeddedConsumer: MessageConsumer {
    private struct State {
        var cursors: [TopicPartition: PartitionCursor] = [:]
        /// The order in which partitions are read, begun one further each time so that none starves.
        var order: [TopicPartition] = []
        var turn = 0
        var isClosed = false
    }

    private let log: EmbeddedLog
    private let topics: [String: TopicLog]
    private let group: String?
    private let wakeup: Wakeup
    private let id: Int
    private let state: Mutex<State>

    /// `positions`: a tail's places; a member gets its partitions with the polls.
    init(_ log: EmbeddedLog, topics: [TopicLog], group: String?, positions: [TopicPartition: Offset] = [:]) {
        self.log = log
        self.topics = Dictionary(topics.map { ($0.name, $0) }, uniquingKeysWith: { a, _ in a })
        self.group = group
        wakeup = Wakeup()
        let counts = self.topics.mapValues { $0.partitions.count }
        id = log.coordinator.enter(topics: counts, group: group, wakeup: wakeup)
        var state = State()
        for (partition, offset) in positions { state.cursors[partition] = PartitionCursor(offset: offset) }
        state.order = EmbeddedConsumer.sorted(state.cursors.keys)
        self.state = Mutex(state)
    }

    deinit { log.coordinator.leave(id, group: group) }

    package func poll(maxBytes: Int, timeout: Milliseconds) async throws -> ConsumedBatch {
        let deadline = ContinuousClock.now + .milliseconds(max(0, min(timeout, 1 << 40)))
        while true {
            try Task.checkCancellation()
            try checkOpen()
            if let batch = takeChanges() { return batch }
            if hasRecords() {
                let batch = try await read(max(1, maxBytes))
                if !batch.records.isEmpty { return batch }
                continue
            }
            let now = ContinuousClock.now
            if now >= deadline { return ConsumedBatch() }
            let until = min(deadline, group.flatMap { log.coordinator.nextDeadline(id, group: $0) } ?? deadline)
            if await wakeup.wait(max(until - now, .milliseconds(1))) == .cancelled { throw CancellationError() }
        }
    }

    package func commit(_ offsets: [TopicPartition: Offset]) async throws {
        try checkOpen()
        guard let group else { throw MessagingError(.usage, "a tail belongs to no group and cannot commit") }
        var changed: [(OffsetStore.Key, Offset)] = []
        for (partition, offset) in offsets {
            let end = try self.partition(partition).nextOffset
            guard (0...end).contains(offset) else {
                throw MessagingError(.usage, "offset \(offset) cannot be committed for \(partition): the log has offsets from 0 to \(end)")
            }
            guard log.coordinator.owns(id, group: group, partition) else {
                log.metrics.fencedCommits.add()
                continue
            }
            let key = OffsetStore.Key(group: group, partition: partition)
            if log.offsets.offset(group: group, partition) != offset { changed.append((key, offset)) }
        }
        if changed.isEmpty { return }
        let entries = changed
        try await log.writer.submit { LogWriter.Request(offsets: entries, continuation: $0) }
    }

    package func seek(_ partition: TopicPartition, to offset: Offset) async throws {
        try checkOpen()
        let (earliest, next) = try self.partition(partition).view.withLock { ($0.earliest, $0.nextOffset) }
        let known = state.withLock { state in
            guard state.cursors[partition] != nil else { return false }
            state.cursors[partition] = PartitionCursor(offset: min(max(offset, earliest), next))
            return true
        }
        guard known else {
            throw MessagingError(.usage, "cannot seek in \(partition): it is not assigned to this member")
        }
        if offset > 0 && offset < earliest { topics[partition.topic]?.metrics.skippedPositions.add() }
    }

    package func close() async {
        let first = state.withLock { state in
            defer {
                state.isClosed = true
                state.cursors = [:]
            }
            return !state.isClosed
        }
        guard first else { return }
        log.coordinator.leave(id, group: group)
        wakeup.signal()
    }

    private func checkOpen() throws {
        if log.isClosed { throw MessagingError(.closed, "the log is closed") }
        if state.withLock({ $0.isClosed }) { throw MessagingError(.closed, "this consumer is closed") }
    }

    private func partition(_ place: TopicPartition) throws -> PartitionLog {
        guard let topic = topics[place.topic], topic.partitions.indices.contains(Int(place.partition)) else {
            throw MessagingError(.usage, "\(place) is not a partition that this consumer reads")
        }
        return topic.partitions[Int(place.partition)]
    }

    /// What the group's division has changed; in a batch of its own, so that the owner can seek before records come.
    private func takeChanges() -> ConsumedBatch? {
        guard let group else { return nil }
        let change = log.coordinator.collect(id, group: group)
        if change.isEmpty { return nil }
        var starts: [TopicPartition: Offset] = [:]
        for partition in change.assigned {
            let committed = log.offsets.offset(group: group, partition)
            starts[partition] = committed ?? (try? self.partition(partition).earliest) ?? 0
        }
        state.withLock { state in
            for partition in change.revoked { state.cursors[partition] = nil }
            for (partition, offset) in starts { state.cursors[partition] = PartitionCursor(offset: offset) }
            state.order = EmbeddedConsumer.sorted(state.cursors.keys)
        }
        var batch = ConsumedBatch()
        batch.assigned = change.assigned
        batch.revoked = change.revoked
        return batch
    }

    private func hasRecords() -> Bool {
        let cursors = state.withLock { $0.cursors }
        return cursors.contains { place, cursor in (try? partition(place).hasRecords(for: cursor)) ?? false }
    }

    private func read(_ maxBytes: Int) async throws -> ConsumedBatch {
        var work = state.withLock { state -> [(PartitionLog?, TopicPartition, PartitionCursor)] in
            state.turn &+= 1
            return state.order.indices.compactMap { i in
                let place = state.order[(i + state.turn) % state.order.count]
                return state.cursors[place].map { (nil, place, $0) }
            }
        }
        for i in work.indices { work[i].0 = try partition(work[i].1) }
        let (batch, cursors) = try await log.readers.access { [work] in try EmbeddedConsumer.read(work, maxBytes) }
        state.withLock { state in
            for (place, cursor) in cursors where state.cursors[place] != nil { state.cursors[place] = cursor }
        }
        return batch
    }

    /// On a reader's thread. An error counts only if nothing could be read before it.
    private static func read(
        _ work: [(PartitionLog?, TopicPartition, PartitionCursor)], _ maxBytes: Int
    ) throws -> (ConsumedBatch, [TopicPartition: PartitionCursor]) {
        var batch = ConsumedBatch()
        var cursors: [TopicPartition: PartitionCursor] = [:]
        var left = maxBytes
        for (partition, place, start) in work {
            guard let partition, left > 0 else { continue }
            var cursor = start
            do { left -= try partition.read(&cursor, maxBytes: left, into: &batch.records) } catch {
                if batch.records.isEmpty { throw error }
                left = 0
            }
            cursors[place] = cursor
        }
        return (batch, cursors)
    }

    private static func sorted(_ partitions: some Sequence<TopicPartition>) -> [TopicPartition] {
        partitions.sorted { ($0.topic, $0.partition) < ($1.topic, $1.partition) }
    }
}
