import TimeSeries

/// A series on an even grid, as the profile and the forecast need it.
package struct EvenSeries: Sendable {
    package var values: [Double]
    /// Milliseconds between values.
    package var step: Milliseconds
    /// Time of the last value.
    package var end: Milliseconds
    /// Values that no sample gave: interpolated between their neighbours.
    package var filled: Int

    /// The greatest number of values; longer spans get longer steps.
    package static let maximumCount = 2_880

    /// Bins of one step (the median distance of samples), each the mean of its samples; ends at the last sample. A gap longer than ten steps and five
    /// minutes ends the usable past: only what follows it counts. Shorter gaps are filled by straight lines. O(n).
    /// - Parameters:
    ///   - span: what the samples cover at most; at a greater step than the median where there would be more than `maximumCount` values.
    ///   - known: the step of before, kept while the distances do not contradict it: forecasters are fitted to a step.
    ///   - least: the shortest step.
    package init(
        times: [Milliseconds], values samples: [Double], span: Milliseconds, known: Milliseconds? = nil, least: Milliseconds = 1
    ) {
        step = EvenSeries.step(times, known: known, least: max(1, least, span / Milliseconds(EvenSeries.maximumCount)))
        values = []
        filled = 0
        end = times.last ?? 0
        guard times.count > 1 else {
            values = samples
            return
        }
        let longest = max(10 * step, 300_000)
        var first = times.count - 1
        while first > 0, times[first] - times[first - 1] <= longest { first -= 1 }
        fill(times[first...], samples[first...])
    }

    private static func step(_ times: [Milliseconds], known: Milliseconds?, least: Milliseconds) -> Milliseconds {
        let recent = times.suffix(241)
        var distances = zip(recent.dropFirst(), recent).map { $0 - $1 }
        distances.sort()
        guard !distances.isEmpty else { return max(known ?? 1, least) }
        let median = max(distances[distances.count / 2], least)
        if let known, known >= least {
            // The median of irregular distances is never twice the same: of 241 it strays by a sixth of the spread.
            let spread = distances[distances.count * 3 / 4] - distances[distances.count / 4]
            if abs(median - known) <= max(known / 1000, spread / 3) { return known }
        }
        return max(least, dividingDay(median))
    }

    /// The nearest step within a thousandth that divides a day, so that days line up where clocks jitter; else the step itself.
    private static func dividingDay(_ step: Milliseconds) -> Milliseconds {
        let day: Milliseconds = 86_400_000
        for distance in 0...max(0, step / 1000) {
            if day % (step + distance) == 0 { return step + distance }
            if distance < step, day % (step - distance) == 0 { return step - distance }
        }
        return step
    }

    private mutating func fill(_ times: ArraySlice<Milliseconds>, _ samples: ArraySlice<Double>) {
        guard let first = times.first else { return }
        // Bin k is centred on end - (count - 1 - k) x step.
        let count = Int((end - first + step / 2) / step) + 1
        var sums = [Double](repeating: 0, count: count)
        var counts = [Int32](repeating: 0, count: count)
        for (time, value) in zip(times, samples) {
            let back = Int((end - time + step / 2) / step)
            let bin = count - 1 - min(back, count - 1)
            // A running mean cannot overflow where a sum could.
            counts[bin] += 1
            sums[bin] += (value - sums[bin]) / Double(counts[bin])
        }
        var last = -1
        for bin in 0..<count where counts[bin] > 0 {
            if last >= 0, bin - last > 1 {
                let from = sums[last]
                let to = sums[bin]
                for k in (last + 1)..<bin {
                    let part = Double(k - last) / Double(bin - last)
                    // What stood still did so to the digit.
                    sums[k] = from == to ? from : from * (1 - part) + to * part
                }
                filled += bin - last - 1
            }
            last = bin
        }
        values = Array(sums.suffix(EvenSeries.maximumCount))
    }
}
