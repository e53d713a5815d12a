import Messaging
import Synchronization

/// Callers that wait for a thread which may be stuck in a call of the library: they go when their task is cancelled or the log is closed, the
/// call goes on by itself and nobody hears its answer.
final class PendingAnswers: Sendable {
    private struct State {
        var waiting: [UInt64: @Sendable (any Error) -> Void] = [:]
        var nextID: UInt64 = 0
        var end: MessagingError?
    }

    private let state = Mutex(State())

    /// Runs `body` on a thread and suspends until it is done or nobody wants to know any more.
    func ask<T: Sendable>(_ threads: BlockingThreads, _ body: @escaping @Sendable () throws -> T) async throws -> T {
        let answer = Answer<T>()
        let id = state.withLock { state -> UInt64? in
            if state.end != nil { return nil }
            state.nextID += 1
            state.waiting[state.nextID] = { answer.give(.failure($0)) }
            return state.nextID
        }
        guard let id else { throw state.withLock { $0.end } ?? MessagingError(.closed, "the log is closed") }
        defer { state.withLock { $0.waiting[id] = nil } }
        return try await withTaskCancellationHandler {
            let isTaken = threads.submit { if !answer.isGiven { answer.give(Result(catching: body)) } }
            if !isTaken { answer.give(.failure(MessagingError(.closed, "the log is closed"))) }
            return try await answer.wait()
        } onCancel: {
            answer.give(.failure(CancellationError()))
        }
    }

    /// All who wait now or come later get the error.
    func end(_ error: MessagingError) {
        let waiting = state.withLock { state in
            state.end = error
            defer { state.waiting = [:] }
            return state.waiting
        }
        for give in waiting.values { give(error) }
    }
}

/// The first answer counts.
private final class Answer<T: Sendable>: Sendable {
    private struct State {
        var result: Result<T, any Error>?
        var continuation: CheckedContinuation<T, any Error>?
    }

    private let state = Mutex(State())

    var isGiven: Bool { state.withLock { $0.result != nil } }

    func give(_ result: Result<T, any Error>) {
        let continuation = state.withLock { state -> CheckedContinuation<T, any Error>? in
            guard state.result == nil else { return nil }
            state.result = result
            return state.continuation.take()
        }
        continuation?.resume(with: result)
    }

    /// Called once.
    func wait() async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            let result = state.withLock { state in
                if state.result == nil { state.continuation = continuation }
                return state.result
            }
            if let result { continuation.resume(with: result) }
        }
    }
}
