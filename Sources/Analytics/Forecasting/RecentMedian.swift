/// The median of the last few values: a short one is the last value without its outliers, a long one the level that a series of bursts
/// returns to.
package struct RecentMedian: ForecastCandidate {
    package let kind = CandidateKind.recentMedian
    package let width: Int
    package var parameters: [Float] { [Float(width)] }
    package var reach: Int { width }

    package init(width: Int) { self.width = max(width, 1) }

    init?(parameters: [Float]) {
        guard let width = parameters.first, 1...4_096 ~= width else { return nil }
        self.init(width: Int(width))
    }

    package func forecast(_ values: [Double], origins: ForecastOrigins, horizon: Int, into paths: inout [Double]) {
        var window = SortedWindow(capacity: width)
        var end = max(0, origins.first - width)
        for i in 0..<origins.count {
            while end < origins[i] {
                if window.count < width { window.insert(values[end]) } else { window.replace(values[end - width], by: values[end]) }
                end += 1
            }
            let median = window.median
            for s in 0..<horizon { paths[i * horizon + s] = median }
        }
    }
}

/// A few values in ascending order, for medians that slide.
struct SortedWindow {
    private var sorted: [Double] = []

    init(capacity: Int) { sorted.reserveCapacity(capacity) }

    var count: Int { sorted.count }

    /// The mean of the middle two of an even number; 0 of none.
    var median: Double {
        let n = sorted.count
        if n == 0 { return 0 }
        return n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2
    }

    mutating func insert(_ value: Double) {
        sorted.append(value)
        settle(sorted.count - 1)
    }

    /// Puts `new` in the place of `old`, which is there. Moves only what lies between.
    mutating func replace(_ old: Double, by new: Double) {
        var (low, high) = (0, sorted.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < old { low = middle + 1 } else { high = middle }
        }
        sorted[low] = new
        settle(low)
    }

    private mutating func settle(_ place: Int) {
        sorted.withUnsafeMutableBufferPointer { x in
            var k = place
            let value = x[k]
            while k > 0, x[k - 1] > value {
                x[k] = x[k - 1]
                k -= 1
            }
            while k + 1 < x.count, x[k + 1] < value {
                x[k] = x[k + 1]
                k += 1
            }
            x[k] = value
        }
    }
}
