/// When a series that stood still began to move: what follows is another regime, of which the standstill says nothing.
///
/// Fitted on both, most values equal the one before, errors are those of the standstill, and bounds have no width for as long as that is
/// remembered. Where the series has moved for a while it is forecast as if it began there.
enum Awakening {
    /// Equal values before the movement, as many as weights and intervals remember: a shorter standstill may be a part of what the series does.
    private static let standstill = 720
    /// The same where nothing came before it: it may be short, as nothing is lost.
    private static let standstillAtStart = 16
    /// Values since then, below which it may be a burst.
    static let least = 20

    /// The index of the first value after the standstill; 0 for a series that did not stand still, that does so again (fewer than six of the
    /// last eight values are new), or has moved for less than `least` values. Complexity: O(values since then), mostly O(1).
    static func start(_ values: Span<Double>) -> Int {
        let n = values.count
        guard n >= standstillAtStart + least, couldHaveStood(values) else { return 0 }
        let recent = ((n - 8)..<n).count { values[$0] != values[$0 - 1] }
        guard recent >= 6 else { return 0 }
        var (t, equal, moves) = (n - 1, 0, 0)
        while t > 0, equal < standstill - 1 {
            if values[t] == values[t - 1] {
                equal += 1
            } else {
                (equal, moves) = (0, moves + 1)
            }
            t -= 1
        }
        guard equal >= (t == 0 ? standstillAtStart : standstill) - 1 else { return 0 }
        let start = t + equal + 1
        return n - start >= least && 2 * moves > n - start ? start : 0
    }

    /// Looks at a few places, two of which lie in any long standstill.
    private static func couldHaveStood(_ values: Span<Double>) -> Bool {
        if values[0] == values[standstillAtStart - 1] { return true }
        let stride = standstill / 2
        return Swift.stride(from: stride, to: values.count, by: stride).contains { values[$0] == values[$0 - stride] }
    }
}
