import TimeSeries

/// Which evaluations a history keeps: of each series one row per interval.
///
/// The rule looks at a row's time alone, never at what is stored, so that any order and any repetition of writes ends in the same content:
/// kept is the first point of the evaluation grid at or after each multiple of the interval. Where the grid divides the interval,
/// that is the multiple itself.
package struct HistoryInterval: Sendable, Equatable {
    /// One row is kept per this many milliseconds.
    package var every: Milliseconds
    /// Distance between evaluations of one series, milliseconds; at most `every`. 1 keeps only exact multiples of `every`.
    package var grid: Milliseconds

    package init(every: Milliseconds, grid: Milliseconds) {
        self.every = max(1, every)
        self.grid = min(max(1, grid), self.every)
    }

    package func keeps(_ time: Milliseconds) -> Bool {
        let rest = time % every
        return (rest < 0 ? rest + every : rest) < grid
    }
}

/// How dense the histories of a store are.
package struct HistoryPolicy: Sendable, Equatable {
    package var windows = HistoryInterval(every: 300_000, grid: 15_000)
    package var forecasts = HistoryInterval(every: 300_000, grid: 60_000)
    package var profiles = HistoryInterval(every: 3_600_000, grid: 300_000)

    package init() {}
}
