import Synchronization

/// Waits for an end that comes once. Also guards calls that must not be made once something is freed.
final class Latch: Sendable {
    private struct State {
        var isSignalled = false
        var isFreed = false
        var waiting: [UInt64: CheckedContinuation<Void, Never>] = [:]
        /// Waits whose time was over before they began.
        var expired: Set<UInt64> = []
        var nextID: UInt64 = 0
    }

    private let state = Mutex(State())

    /// Runs `body` unless `free` has freed what it needs.
    func unlessFreed(_ body: @autoclosure () -> Void) { state.withLock { if !$0.isFreed { body() } } }

    /// Frees, and never lets `unlessFreed` run again.
    func free(_ free: () -> Void) {
        state.withLock { state in
            if !state.isFreed { free() }
            state.isFreed = true
        }
    }

    var isSignalled: Bool { state.withLock { $0.isSignalled } }

    func signal() {
        let waiting = state.withLock { state in
            state.isSignalled = true
            defer { state.waiting = [:] }
            return state.waiting
        }
        for continuation in waiting.values { continuation.resume() }
    }

    func wait(atMost limit: Duration? = nil) async {
        let id = state.withLock { state -> UInt64 in
            state.nextID += 1
            return state.nextID
        }
        let timer = limit.map { limit in
            Task {
                if (try? await Task.sleep(for: limit)) != nil { self.release(id) }
            }
        }
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if state.isSignalled || state.expired.remove(id) != nil { return true }
                state.waiting[id] = continuation
                return false
            }
            if isOver { continuation.resume() }
        }
        timer?.cancel()
    }

    private func release(_ id: UInt64) {
        let waiter = state.withLock { state in
            let waiter = state.waiting.removeValue(forKey: id)
            if waiter == nil && !state.isSignalled { state.expired.insert(id) }
            return waiter
        }
        waiter?.resume()
    }
}
