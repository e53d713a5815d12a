import Messaging
import Synchronization

/// One produce call: waits for all of its messages with one continuation. The library holds it, unretained, as the opaque of each
/// message; it retains itself until the last report has come.
final class Delivery: Sendable {
    private struct State {
        var remaining: Int
        var error: MessagingError?
        var continuation: CheckedContinuation<Void, any Error>?
        var result: Result<Void, any Error>?
        var deadline: ContinuousClock.Instant?
    }

    private let state: Mutex<State>
    /// Called once, when nothing of the call is with the library any more, whether or not the caller still waits.
    private let finished: @Sendable () -> Void

    /// - Parameter messages: the number of reports, plus one for handing them over.
    init(messages: Int, finished: @escaping @Sendable () -> Void) {
        state = Mutex(State(remaining: messages + 1))
        self.finished = finished
    }

    /// To be given to the library with each message. Balanced by the last `complete`.
    func retainedPointer() -> UnsafeMutableRawPointer { Unmanaged.passRetained(self).toOpaque() }

    static func at(_ pointer: UnsafeMutableRawPointer) -> Delivery { Unmanaged<Delivery>.fromOpaque(pointer).takeUnretainedValue() }

    /// Suspends until all reports have come, or until `giveUp`.
    func wait() async throws {
        try await withCheckedThrowingContinuation { continuation in
            let result = state.withLock { state -> Result<Void, any Error>? in
                if state.result == nil { state.continuation = continuation }
                return state.result
            }
            if let result { continuation.resume(with: result) }
        }
    }

    /// `count` messages are through, or have failed.
    func complete(_ count: Int, _ error: MessagingError? = nil) {
        let (isLast, continuation, result) = state.withLock {
            state -> (Bool, CheckedContinuation<Void, any Error>?, Result<Void, any Error>) in
            state.remaining -= count
            if let error, state.error.map({ $0.code != .tooLarge }) ?? true { state.error = error }
            guard state.remaining == 0 else { return (false, nil, .success(())) }
            let result: Result<Void, any Error> = state.error.map { .failure($0) } ?? .success(())
            if state.result == nil { state.result = result }
            defer { state.continuation = nil }
            return (true, state.continuation, result)
        }
        guard isLast else { return }
        finished()
        continuation?.resume(with: result)
        Unmanaged.passUnretained(self).release()
    }

    /// The caller's task was cancelled: it goes on waiting up to this time.
    func cancel(at deadline: ContinuousClock.Instant) { state.withLock { $0.deadline = deadline } }

    /// Ends the wait if the time is over; false while it goes on.
    func giveUp(_ now: ContinuousClock.Instant) -> Bool {
        let (isOver, continuation) = state.withLock { state -> (Bool, CheckedContinuation<Void, any Error>?) in
            if state.result != nil { return (true, nil) }
            guard let deadline = state.deadline, now >= deadline else { return (false, nil) }
            state.result = .failure(CancellationError())
            defer { state.continuation = nil }
            return (true, state.continuation)
        }
        continuation?.resume(throwing: CancellationError())
        return isOver
    }
}
