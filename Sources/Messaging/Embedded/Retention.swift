import Logging
import Synchronization
import Telemetry
import TimeSeries

/// Which segments may go: a pure function over what is known of them.
struct RetentionPlan: Equatable {
    struct Partition {
        var segments: [Segment]
        /// The end of the last segment.
        var nextOffset: Offset
        /// The lowest offset that a required group still needs; nil if none is required.
        var pin: Offset?
    }

    /// For each partition the number of segments to remove from its start.
    private(set) var drops: [Int]
    /// Bytes above the size limit that stay because of pins.
    private(set) var blockedBytes: Int64 = 0

    /// The last segment of a partition always stays. O(segments x partitions).
    init(_ partitions: [Partition], limits: EmbeddedLogOptions.Retention, now: Milliseconds) {
        drops = partitions.map { _ in 0 }
        if let age = limits.age {
            for (p, partition) in partitions.enumerated() {
                while RetentionPlan.isFree(partition, drops[p]), let time = partition.segments[drops[p]].lastTime, time < now - age {
                    drops[p] += 1
                }
            }
        }
        guard let limit = limits.bytes else { return }
        var total = zip(partitions, drops).reduce(Int64(0)) { sum, next in
            sum + next.0.segments.dropFirst(next.1).reduce(0) { $0 + $1.bytes }
        }
        while total > limit, let p = oldest(partitions) {
            total -= partitions[p].segments[drops[p]].bytes
            drops[p] += 1
        }
        let pinned = zip(partitions, drops).reduce(Int64(0)) { sum, next in
            sum + next.0.segments.dropLast().dropFirst(next.1).reduce(0) { $0 + $1.bytes }
        }
        blockedBytes = max(0, min(total - limit, pinned))
    }

    private func oldest(_ partitions: [Partition]) -> Int? {
        let free = partitions.indices.filter { RetentionPlan.isFree(partitions[$0], drops[$0]) }
        return free.min { partitions[$0].segments[drops[$0]].lastTime ?? .min < partitions[$1].segments[drops[$1]].lastTime ?? .min }
    }

    private static func isFree(_ partition: Partition, _ i: Int) -> Bool {
        guard i + 1 < partition.segments.count else { return false }
        return partition.segments[i + 1].base <= partition.pin ?? .max
    }
}

extension PartitionLog {
    /// Removes segments from the start; on the writer's thread. Readers inside go on at the earliest that is left.
    func removeSegments(_ count: Int) {
        if count == 0 { return }
        let removed = view.withLock { view -> [Segment] in
            let removed = Array(view.segments.prefix(min(count, view.segments.count - 1)))
            view.segments.removeFirst(removed.count)
            return removed
        }
        for segment in removed {
            do {
                // Oldest first, so that what is left after a crash has no gap.
                try setup.device.remove(setup.path(segment.base))
                setup.metrics.removedBytes.add(Int(segment.bytes))
            } catch {
                setup.logger.error(
                    "retention cannot remove a segment", metadata: ["file": "\(setup.path(segment.base))", "error": "\(error)"])
            }
        }
        try? setup.device.syncDirectory(setup.directory)
        setup.logger.info(
            "retention removed segments", metadata: ["partition": "\(place)", "segments": "\(removed.count)", "earliest": "\(earliest)"])
    }
}
