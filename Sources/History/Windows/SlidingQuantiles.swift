import TimeSeries

/// Exact quantiles of sliding windows over one column of samples: the same order statistics, interpolated alike, as the live analyzer's.
///
/// Samples are ranked once in stretches as long as the longest window; a window is then a set of ranks, in which a sample comes and goes in O(1)
/// and the k-th smallest is found in O(n / 512).
struct SlidingQuantiles {
    private struct Window {
        let length: Milliseconds
        /// Numbers of the samples that are members: low ..< high.
        var low = 0
        var high = 0
        var members: RankBitmap
    }

    private var windows: [Window]
    /// Samples that have ranks: first ..< first + ranks.count.
    private var first = 0
    private var ranks: [UInt32] = []
    private var sorted: [Double] = []
    private var sorter = RankSorter()

    init(windows: [Milliseconds]) {
        self.windows = windows.map { Window(length: $0, members: RankBitmap(capacity: 0)) }
    }

    /// Quantiles over (t - w, t] of the windows in turn; nil for an empty one. t never goes back.
    mutating func quantiles(
        at t: Milliseconds, of samples: borrowing SampleColumn, into results: inout [(p50: Double, p95: Double, p99: Double)?]
    ) {
        results.removeAll(keepingCapacity: true)
        let high = samples.index(after: t, from: windows.last?.high ?? 0)
        if high > first + ranks.count { rebuild(at: t, samples) }
        for i in windows.indices {
            slide(i, to: t, high: high, samples)
            results.append(answer(windows[i]))
        }
    }

    private mutating func slide(_ i: Int, to t: Milliseconds, high: Int, _ samples: borrowing SampleColumn) {
        let left = t - windows[i].length
        while windows[i].low < windows[i].high, samples.time(windows[i].low) <= left {
            windows[i].members.remove(Int(ranks[windows[i].low - first]))
            windows[i].low += 1
        }
        if windows[i].low == windows[i].high {
            // After a gap longer than the window.
            let next = samples.index(after: left, from: windows[i].low)
            windows[i].low = next
            windows[i].high = max(next, windows[i].high)
        }
        while windows[i].high < high {
            windows[i].members.insert(Int(ranks[windows[i].high - first]))
            windows[i].high += 1
        }
    }

    /// Ranks all samples that the windows at t and later can hold.
    private mutating func rebuild(at t: Milliseconds, _ samples: borrowing SampleColumn) {
        first = windows.last.map { samples.index(after: t - $0.length, from: $0.low) } ?? 0
        sorter.rank(samples.values(from: first), ranks: &ranks, sorted: &sorted)
        for i in windows.indices {
            windows[i].members = RankBitmap(capacity: ranks.count)
            windows[i].low = samples.index(after: t - windows[i].length, from: windows[i].low)
            windows[i].high = max(windows[i].high, windows[i].low)
            for number in windows[i].low..<windows[i].high { windows[i].members.insert(Int(ranks[number - first])) }
        }
    }

    private func answer(_ window: Window) -> (p50: Double, p95: Double, p99: Double)? {
        let n = window.high - window.low
        if n == 0 { return nil }
        func quantile(_ q: Double) -> Double {
            let position = q * Double(n - 1)
            let rank = Int(position)
            let place = window.members.member(rank)
            let low = sorted[place]
            let fraction = position - Double(rank)
            guard fraction > 0, rank + 1 < n else { return low }
            return low + (sorted[window.members.next(after: place)] - low) * fraction
        }
        return (quantile(0.5), quantile(0.95), quantile(0.99))
    }

    /// The first sample that a window still holds: the longest begins first.
    var low: Int { windows.last?.low ?? 0 }
}

/// The finite analysed samples of a series over the longest stretch that is looked at. Samples are numbered from the first ever.
struct SampleColumn {
    private(set) var times: [Milliseconds] = []
    private(set) var values: [Double] = []
    private(set) var dropped = 0

    var count: Int { dropped + times.count }
    func time(_ number: Int) -> Milliseconds { times[number - dropped] }
    func values(from number: Int) -> ArraySlice<Double> { values[(number - dropped)...] }

    mutating func append(_ time: Milliseconds, _ value: Double) {
        times.append(time)
        values.append(value)
    }

    /// The first sample later than `time`, not before `start`. O(log distance).
    func index(after time: Milliseconds, from start: Int) -> Int {
        var low = max(start - dropped, 0)
        var step = 1
        while low + step <= times.count, times[low + step - 1] <= time {
            low += step
            step *= 2
        }
        var high = min(times.count, low + step)
        while low < high {
            let middle = (low + high) / 2
            if times[middle] <= time { low = middle + 1 } else { high = middle }
        }
        return low + dropped
    }

    /// Samples below `number` are needed no more. Amortised O(1).
    mutating func drop(below number: Int) {
        let gone = number - dropped
        guard gone >= 4_096, gone * 2 >= times.count else { return }
        times.removeFirst(gone)
        values.removeFirst(gone)
        dropped = number
    }
}
