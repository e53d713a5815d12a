import TimeSeries

/// What is shown of a series: a gauge's values as they are, a counter's per-second rate.
enum Rates {
    /// The rate over each pair of neighbours, at the later one's time. A value below its predecessor is a restart from zero.
    /// Pairs further apart than `maxGap` say nothing. O(n).
    static func perSecond(
        _ times: [Milliseconds], _ values: [Double], maxGap: Milliseconds = 300_000
    ) -> (times: [Milliseconds], values: [Double]) {
        var out: (times: [Milliseconds], values: [Double]) = ([], [])
        for i in times.indices.dropFirst() {
            let elapsed = times[i] - times[i - 1]
            guard elapsed > 0, elapsed <= maxGap, values[i].isFinite, values[i - 1].isFinite else { continue }
            let growth = values[i] < values[i - 1] ? values[i] : values[i] - values[i - 1]
            out.times.append(times[i])
            out.values.append(growth / (Double(elapsed) / 1000))
        }
        return out
    }
}

/// A series drawn small: the mean of each step, nil where there is none.
struct Sparkline: Sendable, Equatable {
    /// Time at which the first step begins, a multiple of `step`; step i covers (from + i step, from + (i + 1) step].
    var from: Milliseconds
    var step: Milliseconds
    var values: [Double?]

    /// `points` steps that end with the one that holds `now`. O(samples + points).
    init(times: [Milliseconds], values samples: [Double], now: Milliseconds, span: Milliseconds, points: Int) {
        step = max(1, span / Milliseconds(points))
        from = now / step * step + step - step * Milliseconds(points)
        var sums = [Double](repeating: 0, count: points)
        var counts = [Int](repeating: 0, count: points)
        for (time, value) in zip(times, samples) where value.isFinite && time > from {
            let i = Int((time - from - 1) / step)
            guard i < points else { continue }
            sums[i] += value
            counts[i] += 1
        }
        values = zip(sums, counts).map { $1 == 0 ? nil : $0 / Double($1) }
    }
}
