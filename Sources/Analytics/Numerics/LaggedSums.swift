/// Sums of e[t] e[t + k], computed as far as asked for.
struct LaggedSums {
    let count: Int
    private var padded: [Double]
    private var sums: [Double] = []

    /// - Parameter values: `count` values and any number of zeros behind them.
    init(_ values: [Double], count: Int) {
        self.count = count
        padded = values
    }

    init(_ series: CenteredSeries) { self.init(series.storage, count: series.count) }

    subscript(lag: Int) -> Double { sums[lag] }

    /// Lags 0 ... `lag`; `lag` < count.
    mutating func extend(to lag: Int) {
        let first = sums.count
        guard lag >= first else { return }
        // Zeros behind the values let all lags share one count.
        let missing = count + lag - padded.count
        if missing > 0 { padded.append(contentsOf: repeatElement(0, count: missing)) }
        sums.append(contentsOf: repeatElement(0, count: lag + 1 - first))
        padded.withUnsafeBufferPointer { x in
            sums.withUnsafeMutableBufferPointer { out in
                guard let x = x.baseAddress, let out = out.baseAddress else { return }
                // x + first + k + count - 1 <= count + lag - 1 for all k <= lag - first.
                Kernels.laggedProducts(x, x + first, count: count, lags: lag + 1 - first, into: out + first)
            }
        }
    }
}
