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
    package init(times: [Milliseconds], values samples: [Double], span: Milliseconds) {
        step = EvenSeries.medianStep(times, span: span)
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

    private static func medianStep(_ times: [Milliseconds], span: Milliseconds) -> Milliseconds {
        let recent = times.suffix(241)
        var distances = zip(recent.dropFirst(), recent).map { $0 - $1 }
        distances.sort()
        let median = distances.isEmpty ? 1 : distances[distances.count / 2]
        return max(1, max(median, span / Milliseconds(maximumCount)))
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
                    sums[k] = from * (1 - part) + to * part
                }
                filled += bin - last - 1
            }
            last = bin
        }
        values = Array(sums.suffix(EvenSeries.maximumCount))
    }
}
