import Logging
import Synchronization
import TimeSeries

/// Group commit: whatever producers and committers hand over while a sync is under way goes into the next one.
/// One thread writes; producers are resumed only after the sync that covers their records.
final class LogWriter: Sendable {
    /// What one caller waits for.
    struct Request: Sendable {
        var batches: [(partition: PartitionLog, frames: FrameBatch)] = []
        var offsets: [(OffsetStore.Key, Offset)] = []
        /// Bytes to give back to the gate.
        var bytes = 0
        var continuation: CheckedContinuation<Void, any Error>
    }

    private struct Queue {
        var requests: [Request] = []
        var isScheduled = false
        var isClosed = false
    }

    /// One partition's part of a group commit.
    private struct Work {
        var partition: PartitionLog
        var batches: [FrameBatch] = []
        var error: MessagingError?
    }

    /// A group commit ends here even if more is waiting, so that those first in line are not kept waiting by the others.
    private static let groupBytes = 16 << 20

    let gate: ByteGate
    let thread: BlockingThreads
    private let offsets: OffsetStore
    private let clock: any WallClock
    private let onDurable: @Sendable (Set<String>) -> Void
    private let onRoll: @Sendable () -> Void
    private let queue = Mutex(Queue())

    /// `onDurable` gets the topics with new records, `onRoll` is called after a new segment was begun; both on the writer's thread.
    init(
        thread: BlockingThreads, gate: ByteGate, offsets: OffsetStore, clock: any WallClock,
        onDurable: @escaping @Sendable (Set<String>) -> Void, onRoll: @escaping @Sendable () -> Void
    ) {
        self.thread = thread
        self.gate = gate
        self.offsets = offsets
        self.clock = clock
        self.onDurable = onDurable
        self.onRoll = onRoll
    }

    /// Returns when the request is durable. `make` runs at once.
    func submit(_ make: (CheckedContinuation<Void, any Error>) -> Request) async throws {
        try await withCheckedThrowingContinuation { continuation in
            push(make(continuation))
        }
    }

    private func push(_ request: consuming Request) {
        let bytes = request.bytes
        let continuation = request.continuation
        let (isOpen, schedule) = queue.withLock { [request] queue -> (Bool, Bool) in
            if queue.isClosed { return (false, false) }
            queue.requests.append(request)
            defer { queue.isScheduled = true }
            return (true, !queue.isScheduled)
        }
        guard isOpen else {
            gate.leave(bytes)
            continuation.resume(throwing: MessagingError(.closed, "the log is closed"))
            return
        }
        if schedule { thread.submit { self.drain() } }
    }

    /// No request is taken from now on; returns when those taken are done.
    func close() async {
        queue.withLock { $0.isClosed = true }
        gate.close()
        try? await thread.run { self.drain() }
    }

    private func drain() {
        while true {
            var requests = queue.withLock { queue -> [Request] in
                let taken = queue.requests
                queue.requests = []
                if taken.isEmpty { queue.isScheduled = false }
                return taken
            }
            if requests.isEmpty { return }
            var start = 0
            while start < requests.count {
                var end = start
                var bytes = 0
                while end < requests.count, end == start || bytes + requests[end].bytes <= LogWriter.groupBytes {
                    bytes += requests[end].bytes
                    end += 1
                }
                commit(&requests, start..<end)
                start = end
            }
        }
    }

    private func commit(_ requests: inout [Request], _ range: Range<Int>) {
        let time = clock.now()
        var work: [Work] = []
        let parts = LogWriter.collect(&requests, range, into: &work)
        var rolled = false
        for i in work.indices {
            do {
                if try work[i].partition.append(&work[i].batches, time: time) { rolled = true }
            } catch { work[i].error = MessagingError(wrapping: error) }
            work[i].batches = []
        }
        for i in work.indices where work[i].error == nil {
            do { try work[i].partition.sync() } catch { work[i].error = MessagingError(wrapping: error) }
        }
        let offsetError = commitOffsets(requests[range], time)
        for (n, i) in range.enumerated() {
            gate.leave(requests[i].bytes)
            let error = parts[n].lazy.compactMap { work[$0].error }.first ?? (requests[i].offsets.isEmpty ? nil : offsetError)
            if let error { requests[i].continuation.resume(throwing: error) } else { requests[i].continuation.resume() }
        }
        if !work.isEmpty { onDurable(Set(work.map { $0.partition.place.topic })) }
        if rolled { onRoll() }
    }

    /// Moves the batches to their partitions, in order. Gives for each request the parts of the work it depends on.
    private static func collect(_ requests: inout [Request], _ range: Range<Int>, into work: inout [Work]) -> [[Int]] {
        var places: [ObjectIdentifier: Int] = [:]
        var parts: [[Int]] = []
        for i in range {
            var batches: [(partition: PartitionLog, frames: FrameBatch)] = []
            // Taken out, not copied: sealing changes the bytes in place.
            swap(&batches, &requests[i].batches)
            var own: [Int] = []
            while let (partition, frames) = batches.popLast() {
                let place = places[ObjectIdentifier(partition)] ?? work.count
                if place == work.count {
                    places[ObjectIdentifier(partition)] = place
                    work.append(Work(partition: partition))
                }
                work[place].batches.append(frames)
                own.append(place)
            }
            parts.append(own)
        }
        return parts
    }

    private func commitOffsets(_ requests: ArraySlice<Request>, _ time: Milliseconds) -> MessagingError? {
        let all = requests.flatMap { $0.offsets }
        if all.isEmpty { return nil }
        do {
            try offsets.append(all, time: time)
            return nil
        } catch { return MessagingError(wrapping: error) }
    }
}
