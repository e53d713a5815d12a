import Logging
import Messaging
import Synchronization
import Telemetry
import TimeSeries

/// Between one target's scrapes and the log: sends whole scrapes in order, again and again until the log has them. While the log
/// refuses, a bounded number waits; then the oldest that is not under way is dropped whole, and counted.
final class Outbox: Sendable {
    private struct State {
        var pending: [ScrapeRecords] = []
        var bytes = 0
        /// The first pending one is with the log and may be durable: it is never dropped.
        var isSending = false
        var isClosed = false
    }

    private let state = Mutex(State())
    private let log: any MessageLog
    private let environment: CollectEnvironment
    private let name: String
    private let maxPending: Int
    private let maxBytes: Int
    private let wakeups: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    init(name: String, log: any MessageLog, environment: CollectEnvironment, maxPending: Int, maxBytes: Int) {
        self.name = name
        self.log = log
        self.environment = environment
        self.maxPending = max(1, maxPending)
        self.maxBytes = maxBytes
        (wakeups, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Never waits.
    func add(_ records: ScrapeRecords) {
        if records.records.isEmpty { return }
        let dropped = state.withLock { state in
            state.pending.append(records)
            state.bytes += records.bytes
            return dropExcess(&state)
        }
        if dropped > 0 {
            environment.metrics.dropped("pending_limit", dropped)
            environment.logger.warning("\(name): the log is too slow or refuses; dropped the oldest waiting scrape (\(dropped) samples)")
        }
        wake.yield()
    }

    private func dropExcess(_ state: inout State) -> Int {
        var dropped = 0
        let first = state.isSending ? 1 : 0
        while state.pending.count > first + 1, state.pending.count > maxPending || state.bytes > maxBytes {
            let oldest = state.pending.remove(at: first)
            state.bytes -= oldest.bytes
            dropped += oldest.samples
        }
        return dropped
    }

    /// No more will be added; `run` returns when the rest is sent or `drainTimeout` is over.
    func close() {
        state.withLock { $0.isClosed = true }
        wake.yield()
        wake.finish()
    }

    var pendingCount: Int { state.withLock { $0.pending.count } }

    /// Sends until `close`. Run it in a task of its own, which is cancelled to give up what is left.
    func run() async {
        for await _ in wakeups {
            while await sendFirst() {}
        }
        while await sendFirst() {}
        let left = state.withLock { state in state.pending.reduce(0) { $0 + $1.samples } }
        if left > 0 {
            environment.metrics.dropped("shutdown", left)
            environment.logger.error("\(name): \(left) samples were not taken by the log before the end")
        }
    }

    /// Sends the first pending one until it is taken; false when there is none or the task is cancelled.
    private func sendFirst() async -> Bool {
        guard
            let batch = state.withLock({ state in
                state.isSending = !state.pending.isEmpty
                return state.pending.first
            })
        else { return false }
        let isTaken = await deliver(batch.records, samples: batch.samples, to: log, name: name, environment: environment)
        state.withLock { state in
            state.isSending = false
            guard isTaken else { return }
            state.pending.removeFirst()
            state.bytes -= batch.bytes
        }
        return isTaken
    }
}

/// Produces until the log has taken the records, with backoff; true also when they can never be taken and have been dropped and counted.
/// False when the task was cancelled.
func deliver(
    _ records: [ProducerRecord], samples: Int, to log: any MessageLog, name: String, environment: CollectEnvironment
) async -> Bool {
    var backoff = Backoff(first: 100, limit: 10_000)
    while true {
        do {
            try await log.produce(records)
            environment.metrics.samplesSent.add(samples)
            return true
        } catch let error as MessagingError where error.code == .tooLarge || error.code == .usage {
            environment.metrics.dropped("refused", samples)
            environment.logger.error("\(name): the log refuses \(samples) samples for good: \(error)")
            return true
        } catch {
            if Task.isCancelled { return false }
            environment.metrics.produceRetries.add()
            if backoff.isFirst { environment.logger.warning("\(name): the log did not take \(samples) samples, trying on: \(error)") }
        }
        do {
            try await environment.sleep(backoff.next())
        } catch {
            return false
        }
    }
}

/// Waits that double up to a limit.
struct Backoff {
    private let first: Milliseconds
    private let limit: Milliseconds
    private var last: Milliseconds?

    init(first: Milliseconds, limit: Milliseconds) {
        self.first = first
        self.limit = limit
    }

    var isFirst: Bool { last == nil }

    mutating func next() -> Milliseconds {
        let wait = last.map { min($0 * 2, limit) } ?? first
        last = wait
        return wait
    }

    mutating func reset() { last = nil }
}
