import Messaging
import Synchronization
import Telemetry

/// Bounds the bytes that are with the producer: who does not fit in waits, first come, first served. One call larger than the limit
/// passes when nothing else is inside.
final class ProduceGate: Sendable {
    private struct Waiter {
        var id: UInt64
        var bytes: Int
        var continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var used = 0
        var waiting: [Waiter] = []
        var nextID: UInt64 = 0
        var isClosed = false

        func fits(_ bytes: Int, _ limit: Int) -> Bool { used == 0 || used + bytes <= limit }
    }

    private let limit: Int
    private let gauge: Gauge
    private let state = Mutex(State())

    init(limit: Int, gauge: Gauge) {
        self.limit = limit
        self.gauge = gauge
    }

    /// Throws `CancellationError` when the task is cancelled and has to wait, `.closed` when the log is closed. A cancelled task that
    /// fits in gets through: what it still has to say at its end is not lost.
    func enter(_ bytes: Int) async throws {
        let id = state.withLock { state -> UInt64 in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { register(Waiter(id: id, bytes: bytes, continuation: $0)) }
        } onCancel: {
            let waiter = state.withLock { state -> Waiter? in
                guard let i = state.waiting.firstIndex(where: { $0.id == id }) else { return nil }
                return state.waiting.remove(at: i)
            }
            waiter?.continuation.resume(throwing: CancellationError())
            // Those behind it may fit in.
            if waiter != nil { leave(0) }
        }
    }

    private func register(_ waiter: Waiter) {
        let result = state.withLock { state -> Result<Void, any Error>? in
            if state.isClosed { return .failure(MessagingError(.closed, "the log is closed")) }
            if state.waiting.isEmpty && state.fits(waiter.bytes, limit) {
                state.used += waiter.bytes
                return .success(())
            }
            if Task.isCancelled { return .failure(CancellationError()) }
            state.waiting.append(waiter)
            return nil
        }
        if let result { waiter.continuation.resume(with: result) }
        gauge.set(Double(used))
    }

    func leave(_ bytes: Int) {
        let admitted = state.withLock { state -> [Waiter] in
            state.used -= bytes
            var count = 0
            while count < state.waiting.count, state.fits(state.waiting[count].bytes, limit) {
                state.used += state.waiting[count].bytes
                count += 1
            }
            defer { state.waiting.removeFirst(count) }
            return Array(state.waiting.prefix(count))
        }
        gauge.set(Double(used))
        for waiter in admitted { waiter.continuation.resume() }
    }

    var used: Int { state.withLock { $0.used } }
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Those who wait get `.closed`.
    func close() {
        let waiting = state.withLock { state -> [Waiter] in
            state.isClosed = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for waiter in waiting { waiter.continuation.resume(throwing: MessagingError(.closed, "the log is closed")) }
    }
}
