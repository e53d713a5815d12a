import Synchronization
import Telemetry

/// Bounds the bytes between producers and what writes or sends them: who does not fit in waits, first come, first served.
/// One call larger than the limit passes when nothing else is inside.
package final class ByteGate: Sendable {
    private struct Waiter {
        var id: UInt64
        var bytes: Int
        var continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var used = 0
        var waiting: [Waiter] = []
        var nextID: UInt64 = 0
        var closed = false
    }

    private let limit: Int
    private let gauge: Gauge
    private let state = Mutex(State())

    package init(limit: Int, gauge: Gauge) {
        self.limit = limit
        self.gauge = gauge
    }

    /// Throws `CancellationError` when the task is cancelled and has to wait, `.closed` when the log is closed.
    /// A cancelled task that fits in gets through: what it still has to say at its end is not lost.
    package func enter(_ bytes: Int) async throws {
        let id = state.withLock { state -> UInt64 in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                register(Waiter(id: id, bytes: bytes, continuation: continuation))
            }
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
            if state.closed { return .failure(MessagingError(.closed, "the log is closed")) }
            if state.waiting.isEmpty && fits(waiter.bytes, state) {
                state.used += waiter.bytes
                gauge.set(Double(state.used))
                return .success(())
            }
            if Task.isCancelled { return .failure(CancellationError()) }
            state.waiting.append(waiter)
            return nil
        }
        if let result { waiter.continuation.resume(with: result) }
    }

    private func fits(_ bytes: Int, _ state: State) -> Bool { state.used == 0 || state.used + bytes <= limit }

    package func leave(_ bytes: Int) {
        let admitted = state.withLock { state -> [Waiter] in
            state.used -= bytes
            var count = 0
            while count < state.waiting.count, fits(state.waiting[count].bytes, state) {
                state.used += state.waiting[count].bytes
                count += 1
            }
            gauge.set(Double(state.used))
            let admitted = Array(state.waiting.prefix(count))
            state.waiting.removeFirst(count)
            return admitted
        }
        for waiter in admitted { waiter.continuation.resume() }
    }

    package var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Those who wait get `.closed`.
    package func close() {
        let waiting = state.withLock { state -> [Waiter] in
            state.closed = true
            let waiting = state.waiting
            state.waiting = []
            return waiting
        }
        for waiter in waiting { waiter.continuation.resume(throwing: MessagingError(.closed, "the log is closed")) }
    }
}
