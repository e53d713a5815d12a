import Glibc
import Synchronization
import TimeSeries

/// A clock that stands until a test moves it, with the `sleep` that belongs to it.
final class ManualTime: WallClock {
    private struct Sleeper {
        var id: Int
        var deadline: Milliseconds
        var continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var now: Milliseconds
        var sleepers: [Sleeper] = []
        var cancelled: Set<Int> = []
        var nextID = 0
    }

    private let state: Mutex<State>

    init(_ now: Milliseconds) { state = Mutex(State(now: now)) }

    func now() -> Milliseconds { state.withLock { $0.now } }

    /// When the sleepers want to wake, soonest first.
    var deadlines: [Milliseconds] { state.withLock { $0.sleepers.map(\.deadline).sorted() } }

    func set(_ now: Milliseconds) {
        let due = state.withLock { state in
            state.now = now
            defer { state.sleepers.removeAll { $0.deadline <= now } }
            return state.sleepers.filter { $0.deadline <= now }
        }
        for sleeper in due { sleeper.continuation.resume() }
    }

    /// Ends all sleeps without moving the clock, as real time would while the clock is set back.
    func wakeAll() {
        let sleepers = state.withLock { state in
            defer { state.sleepers = [] }
            return state.sleepers
        }
        for sleeper in sleepers { sleeper.continuation.resume() }
    }

    func advance(_ by: Milliseconds) { set(now() + by) }

    @Sendable func sleep(_ wait: Milliseconds) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isCancelled = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return true }
                    state.sleepers.append(Sleeper(id: id, deadline: state.now + max(0, wait), continuation: continuation))
                    return false
                }
                if isCancelled { continuation.resume(throwing: CancellationError()) }
            }
        } onCancel: {
            let sleeper = state.withLock { state in
                let found = state.sleepers.first { $0.id == id }
                state.sleepers.removeAll { $0.id == id }
                if found == nil { state.cancelled.insert(id) }
                return found
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }
}

struct SystemTime: WallClock {
    func now() -> Milliseconds {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }
}
