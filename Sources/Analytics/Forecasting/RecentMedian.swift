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
        let place = rank(value)
        sorted.insert(value, at: place)
    }

    /// Puts `new` in the place of `old`, which is there. Moves only what lies between.
    mutating func replace(_ old: Double, by new: Double) {
        let (from, to) = (rank(old), rank(new))
        sorted.withUnsafeMutableBufferPointer { x in
            guard from < x.count, let x = x.baseAddress else { return }
            if from < to {
                (x + from).update(from: x + from + 1, count: to - 1 - from)
                x[to - 1] = new
            } else {
                (x + to + 1).update(from: x + to, count: from - to)
                x[to] = new
            }
        }
    }

    /// How many are below a value: all are compared, since a search that branches would guess half of its branches wrong.
    private func rank(_ value: Double) -> Int {
        sorted.withUnsafeBufferPointer { x in
            guard let base = x.baseAddress else { return 0 }
            let values = Kernels.Lanes(repeating: value)
            var below = Kernels.Lanes.zero
            var k = 0
            while k + 4 <= x.count {
                below += Kernels.Lanes.zero.replacing(with: 1, where: Kernels.load(base + k) .< values)
                k += 4
            }
            var count = Int(below.sum())
            while k < x.count {
                count += base[k] < value ? 1 : 0
                k += 1
            }
            return count
        }
    }
}
