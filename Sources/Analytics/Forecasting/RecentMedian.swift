/// The median of the last few values: what the last value says without its outliers.
package struct RecentMedian: ForecastCandidate {
    package var name: String { "median of \(width)" }
    package let width: Int

    package init(width: Int) { self.width = max(width, 1) }

    package func forecast(_ values: [Double], origins: ForecastOrigins, horizon: Int, into paths: inout [Double]) {
        var window: [Double] = []
        window.reserveCapacity(width)
        for i in 0..<origins.count {
            let end = origins[i]
            window.removeAll(keepingCapacity: true)
            // Sorted insertion: the width is small.
            for t in max(0, end - width)..<end {
                let value = values[t]
                var j = window.count
                window.append(value)
                while j > 0, window[j - 1] > value {
                    window[j] = window[j - 1]
                    j -= 1
                }
                window[j] = value
            }
            let n = window.count
            let median = n % 2 == 1 ? window[n / 2] : (window[n / 2 - 1] + window[n / 2]) / 2
            for s in 0..<horizon { paths[i * horizon + s] = median }
        }
    }
}
