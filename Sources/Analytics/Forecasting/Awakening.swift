/// When a series that stood still began to move: what follows is another regime, of which the standstill says nothing.
///
/// Fitted on both, most values equal the one before, errors are those of the standstill, and bounds have no width for as long as that is
/// remembered. Where the series has moved for a while it is forecast as if it began there.
enum Awakening {
    /// Equal values before the movement, as many as weights and intervals remember: a shorter standstill may be a part of what the series does.
    private static let standstill = 720
    /// The same where nothing came before it, and it is an eighth of all: it may be short, as little is lost.
    private static let standstillAtStart = 16
    /// Values since then, below which it may be a burst.
    private static let least = 20

    /// The index of the first value after the standstill; 0 for a series that did not stand still, that does so again, or has moved for less
    /// than `least` values. Numbers that repeat now and then do not put a series to sleep and wake it at each look: it wakes with six new values
    /// of the last eight and most of those since, and sleeps with two, or six of ten that are not new.
    ///
    /// - Parameter isAwake: it had woken at the last look. Complexity: O(values since then), mostly O(1).
    static func start(_ values: Span<Double>, isAwake: Bool) -> Int {
        let n = values.count
        guard n >= standstillAtStart + least, couldHaveStood(values) else { return 0 }
        let recent = ((n - 8)..<n).count { values[$0] != values[$0 - 1] }
        guard recent >= (isAwake ? 3 : 6) else { return 0 }
        var (t, equal, moves) = (n - 1, 0, 0)
        while t > 0, equal < standstill - 1 {
            if values[t] == values[t - 1] {
                equal += 1
            } else {
                (equal, moves) = (0, moves + 1)
            }
            t -= 1
        }
        let isStandstill = equal >= standstill - 1 || (t == 0 && equal >= max(standstillAtStart, n / 8) - 1)
        let start = t + equal + 1
        let count = n - start
        return isStandstill && count >= least && (isAwake ? 5 * moves > 2 * count : 2 * moves > count) ? start : 0
    }

    /// Looks at a few places, two of which lie in any long standstill.
    private static func couldHaveStood(_ values: Span<Double>) -> Bool {
        if values[0] == values[standstillAtStart - 1] { return true }
        let stride = standstill / 2
        return Swift.stride(from: stride, to: values.count, by: stride).contains { values[$0] == values[$0 - stride] }
    }
}
