import TimeSeries

/// The series of one source and how far its evaluations have come.
struct SourceSchedule: Sendable {
    /// Dense ids in order of shard, so that the results of a shard stand together.
    var members: [Int32] = []
    var isSorted = true
    /// The next time of the grid to evaluate; nil before the first record.
    var next: Milliseconds?
    /// Before this time rows are given again after a start: only those that the history keeps.
    var fineFrom: Milliseconds = .min
    /// Where profiles and forecasts were last looked at.
    var modelsAt: Milliseconds?
    /// Sealed up to here.
    var sealed: Milliseconds = .min
    /// What was older than the longest window before this time has been forgotten.
    var expired: Milliseconds = .min

    /// Grid times up to `watermark` that are due, oldest first. Behind by more than `fine`, only the multiples of `coarse` (which the history
    /// keeps) and the newest are given; at most `limit` at once, so that a long catch-up goes in steps. Moves on past what it gives.
    mutating func due(
        watermark: Milliseconds, interval: Milliseconds, coarse: Milliseconds, fine: Milliseconds, limit: Int
    ) -> [Milliseconds] {
        guard var t = next, watermark >= t else { return [] }
        let newest = watermark - watermark % interval
        let coarse = (coarse + interval - 1) / interval * interval
        var times: [Milliseconds] = []
        let isBehind = newest - t >= fine + 8 * interval
        while t <= newest, times.count < limit {
            let isAgain = t < fineFrom
            if t % coarse == 0 || t == newest || !(isBehind || isAgain) { times.append(t) }
            // Behind, go straight from one coarse time to the next.
            let nextCoarse = t - t % coarse + coarse
            if isBehind {
                t = min(nextCoarse, t == newest ? newest + interval : newest)
            } else {
                t = isAgain ? min(nextCoarse, fineFrom) : t + interval
            }
        }
        next = t
        return times
    }
}
