import TimeSeries

/// Waits that double up to a limit, each shortened by up to a half at random, so that many who wait do not come back at once.
struct Backoff: Sendable {
    private let longest: Milliseconds
    private var current: Milliseconds

    init(first: Milliseconds, longest: Milliseconds) {
        self.longest = max(1, longest)
        current = min(max(1, first), self.longest)
    }

    /// The next wait, milliseconds.
    mutating func next(using random: inout some RandomNumberGenerator) -> Milliseconds {
        let wait = current
        current = min(longest, current > longest / 2 ? longest : current * 2)
        return wait - Milliseconds.random(in: 0...(wait / 2), using: &random)
    }
}
