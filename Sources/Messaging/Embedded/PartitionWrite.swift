import Logging
import Synchronization
import Telemetry
import TimeSeries

/// The writer's end of the segment that grows.
struct ActiveSegment: Sendable {
    /// Batches smaller than this are joined, so that a group commit of small ones is one write.
    private static let joinBelow = 256 << 10
    private static let joinedBytes = 1 << 20

    let file: any LogFile
    /// Bytes known to be durable, and the offset that follows them.
    private(set) var durable: Int64
    private(set) var durableNext: Offset
    /// Bytes written or waiting in `joined`.
    private(set) var end: Int64
    private(set) var nextOffset: Offset
    private var joined: [UInt8] = []
    private(set) var pending = Pending()
    private var lastIndexed: Int64
    /// Set when a sync failed: nothing may be written to this file any more.
    private(set) var isSuspect = false

    /// What becomes visible with the next sync.
    struct Pending: Sendable {
        var records = 0
        var index: [IndexEntry] = []
        var lastTime: Milliseconds?
    }

    init(file: any LogFile, durable: Int64, nextOffset: Offset, lastIndexed: Int64) {
        self.file = file
        self.durable = durable
        durableNext = nextOffset
        end = durable
        self.nextOffset = nextOffset
        self.lastIndexed = lastIndexed
    }

    var isEmpty: Bool { end <= Int64(SegmentFile.headerBytes) }
    var isDirty: Bool { end > durable }

    /// `lastTime` is the latest append time in the segment so far.
    mutating func stage(_ batch: inout FrameBatch, time: Milliseconds, lastTime: Milliseconds?) throws {
        batch.seal(firstOffset: nextOffset, time: time)
        for (i, start) in batch.starts.enumerated() where SparseIndex.wants(end + Int64(start), after: lastIndexed) {
            lastIndexed = end + Int64(start)
            // Inside a batch the frames before have this batch's time already.
            let before = max(lastTime ?? .min, pending.lastTime ?? .min, i > 0 ? time : .min)
            pending.index.append(IndexEntry(offset: nextOffset + Int64(i), position: lastIndexed, timeBefore: before))
        }
        if batch.bytes.count < ActiveSegment.joinBelow {
            joined.append(contentsOf: batch.bytes)
        } else {
            try flush()
            try file.write(batch.bytes, at: end)
        }
        end += Int64(batch.bytes.count)
        nextOffset += Int64(batch.count)
        pending.records += batch.count
        pending.lastTime = max(pending.lastTime ?? .min, time)
        if joined.count >= ActiveSegment.joinedBytes { try flush() }
    }

    /// Writes what was joined.
    mutating func flush() throws {
        if joined.isEmpty { return }
        try file.write(joined, at: end - Int64(joined.count))
        joined.removeAll(keepingCapacity: true)
    }

    mutating func sync() throws {
        do { try file.sync() } catch {
            isSuspect = true
            throw error
        }
    }

    /// After a sync: everything is durable. Gives what was pending.
    mutating func settle() -> Pending {
        durable = end
        durableNext = nextOffset
        defer { pending = Pending() }
        return pending
    }

    /// Back to the durable end. False if the file cannot be used any more.
    mutating func rollBack() -> Bool {
        end = durable
        nextOffset = durableNext
        lastIndexed = min(lastIndexed, durable)
        pending = Pending()
        joined = []
        do { try file.truncate(to: durable) } catch { isSuspect = true }
        if isSuspect { try? file.sync() }
        return !isSuspect
    }
}

/// Called on the writer's thread only.
extension PartitionLog {
    /// Writes frames behind the last ones; they are durable and visible only after `sync`. True if a new segment was begun.
    /// After an error nothing of what was not yet synced remains.
    func append(_ batches: inout [FrameBatch], time: Milliseconds) throws -> Bool {
        try active.withLock { slot in
            do {
                var rolled = false
                for i in batches.indices {
                    if let current = slot, !current.isEmpty, current.end + Int64(batches[i].bytes.count) > setup.segmentBytes {
                        try slot?.flush()
                        try syncActive(&slot)
                        slot = nil
                        rolled = true
                    }
                    if slot == nil { slot = try newSegment() }
                    try slot?.stage(&batches[i], time: time, lastTime: view.withLock { $0.segments.last?.lastTime })
                }
                try slot?.flush()
                return rolled
            } catch {
                setup.logMetrics.writeFailures.add()
                rollBack(&slot, after: error)
                throw error
            }
        }
    }

    /// Makes what was appended durable, then visible.
    func sync() throws {
        try active.withLock { slot in
            do { try syncActive(&slot) } catch {
                rollBack(&slot, after: error)
                throw error
            }
        }
    }

    /// Lets go of the file.
    func closeActive() { active.withLock { $0 = nil } }

    private func syncActive(_ slot: inout ActiveSegment?) throws {
        guard let current = slot, current.isDirty else { return }
        let start = ContinuousClock.now
        do { try slot?.sync() } catch {
            setup.logMetrics.syncFailures.add()
            throw error
        }
        setup.logMetrics.syncs.add()
        setup.logMetrics.syncSeconds.observe((ContinuousClock.now - start).seconds)
        guard let pending = slot?.settle(), let durable = slot?.durable, let next = slot?.durableNext else { return }
        let added = view.withLock { view -> Int64 in
            guard let last = view.segments.indices.last else { return 0 }
            let before = view.segments[last].bytes
            view.segments[last].bytes = durable
            view.segments[last].index?.append(contentsOf: pending.index)
            if let time = pending.lastTime { view.segments[last].lastTime = max(view.segments[last].lastTime ?? .min, time) }
            view.nextOffset = next
            return durable - before
        }
        setup.metrics.records.add(pending.records)
        setup.metrics.bytes.add(Int(added))
    }

    private func rollBack(_ slot: inout ActiveSegment?, after error: any Error) {
        guard slot != nil else { return }
        let usable = slot?.rollBack() ?? false
        setup.logger.error(
            usable
                ? "a write failed; the segment was cut back to its durable end"
                : "a sync failed; the segment was closed at its durable end and the next record begins a new one",
            metadata: [
                "partition": "\(place)", "durable_bytes": "\(slot?.durable ?? 0)", "next_offset": "\(slot?.durableNext ?? 0)",
                "error": "\(error)",
            ])
        if !usable { slot = nil }
    }

    private func newSegment() throws -> ActiveSegment {
        let (base, replaced) = view.withLock { view -> (Offset, Bool) in
            // A segment in which nothing became durable has this very name.
            let replaced = view.segments.last?.base == view.nextOffset
            if replaced { view.segments.removeLast() }
            return (view.nextOffset, replaced)
        }
        if replaced { try? setup.device.remove(setup.path(base)) }
        let file = try PartitionLog.create(base, setup)
        let header = Int64(SegmentFile.headerBytes)
        view.withLock {
            $0.segments.append(Segment(base: base, bytes: header, lastTime: nil, index: SparseIndex(base: base)))
        }
        return ActiveSegment(file: file, durable: header, nextOffset: base, lastIndexed: header)
    }
}

extension Duration {
    var seconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
