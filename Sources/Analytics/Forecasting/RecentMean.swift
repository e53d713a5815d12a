/// The mean of the last `width` values, for every step.
package struct RecentMean: ForecastCandidate {
    package var name: String { "mean of \(width)" }
    package let width: Int

    package init(width: Int) { self.width = max(width, 1) }

    package func forecast(_ values: [Double], origins: ForecastOrigins, horizon: Int, into paths: inout [Double]) {
        values.withUnsafeBufferPointer { x in
            guard let x = x.baseAddress else { return }
            for i in 0..<origins.count {
                let end = origins[i]
                let n = min(width, end)
                let mean = Kernels.sum(x + (end - n), count: n) / Double(n)
                for s in 0..<horizon { paths[i * horizon + s] = mean }
            }
        }
    }
}
