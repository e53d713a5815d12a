import Synchronization

/// A condition that one task waits for and any thread signals. A signal with nobody waiting is kept for the next wait.
final class Wakeup: Sendable {
    enum Cause: Sendable {
        case signal
        case timeout
        case cancelled
    }

    private struct State {
        var signalled = false
        var waiter: CheckedContinuation<Cause, Never>?
        /// Number of the wait under way, so that a late timer ends no other wait.
        var wait: UInt64 = 0
        var expired: UInt64 = 0
    }

    private let state = Mutex(State())

    func signal() {
        let waiter = state.withLock { state -> CheckedContinuation<Cause, Never>? in
            guard let waiter = state.waiter else {
                state.signalled = true
                return nil
            }
            state.waiter = nil
            return waiter
        }
        waiter?.resume(returning: .signal)
    }

    /// Suspends until a signal, the timeout, or the task's cancellation.
    func wait(_ timeout: Duration) async -> Cause {
        let number = state.withLock { state -> UInt64 in
            state.wait += 1
            return state.wait
        }
        let timer = Task {
            try? await Task.sleep(for: timeout)
            if !Task.isCancelled { self.end(number, .timeout) }
        }
        defer { timer.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in register(continuation, number) }
        } onCancel: {
            end(number, .cancelled)
        }
    }

    private func register(_ continuation: CheckedContinuation<Cause, Never>, _ number: UInt64) {
        let cancelled = Task.isCancelled
        let (cause, former) = state.withLock { state -> (Cause?, CheckedContinuation<Cause, Never>?) in
            if state.signalled {
                state.signalled = false
                return (.signal, nil)
            }
            if cancelled { return (.cancelled, nil) }
            if state.expired == number { return (.timeout, nil) }
            let former = state.waiter
            state.waiter = continuation
            return (nil, former)
        }
        former?.resume(returning: .signal)
        if let cause { continuation.resume(returning: cause) }
    }

    private func end(_ number: UInt64, _ cause: Cause) {
        let waiter = state.withLock { state -> CheckedContinuation<Cause, Never>? in
            guard state.wait == number else { return nil }
            if cause == .timeout { state.expired = number }
            let waiter = state.waiter
            state.waiter = nil
            return waiter
        }
        waiter?.resume(returning: cause)
    }
}
