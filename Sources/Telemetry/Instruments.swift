import Synchronization

/// A count that only grows. Adding is one relaxed atomic operation; add once per batch, not per item.
package final class Counter: Sendable {
    private let bits = Atomic<UInt64>(0)

    package func add(_ n: Int = 1) {
        if n > 0 { bits.add(UInt64(n), ordering: .relaxed) }
    }

    package var value: UInt64 { bits.load(ordering: .relaxed) }
}

/// A value that goes up and down.
package final class Gauge: Sendable {
    private let bits = Atomic<UInt64>(0)

    package func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }
    package var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}

/// A distribution over fixed upper bounds, as Prometheus' classic histogram.
package final class Histogram: Sendable {
    struct State {
        var counts: [UInt64]
        var sum: Double = 0
    }

    /// 100 us to 100 s, four a decade: durations of anything here.
    package static let seconds: [Double] = [
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100,
    ]

    let bounds: [Double]
    private let state: Mutex<State>

    init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    package func observe(_ value: Double) {
        var i = 0
        while i < bounds.count && value > bounds[i] { i += 1 }
        state.withLock {
            $0.counts[i] += 1
            $0.sum += value
        }
    }

    /// Per-bucket (not cumulative) counts, the last for +Inf, and the sum.
    package func snapshot() -> (counts: [UInt64], sum: Double) { state.withLock { ($0.counts, $0.sum) } }
}
