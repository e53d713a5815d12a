/// Forecasts of many origins, or what came after them: a row for each, with a column for each step of the path and then one each for
/// maximum, minimum and mean of the horizon.
enum HorizonTable {
    /// Paths, each followed by its statistics.
    static func of(_ paths: [Double], count: Int, horizon: Int) -> [Double] {
        let columns = horizon + 3
        return [Double](unsafeUninitializedCapacity: count * columns) { out, filled in
            filled = count * columns
            paths.withUnsafeBufferPointer { paths in
                guard let x = paths.baseAddress, let out = out.baseAddress else { return }
                for i in 0..<count {
                    (out + i * columns).update(from: x + i * horizon, count: horizon)
                    putStatistics(out + i * columns, horizon: horizon)
                }
            }
        }
    }

    /// The statistics of each row anew, from its path.
    static func refreshStatistics(_ table: inout [Double], horizon: Int) {
        let count = table.count
        table.withUnsafeMutableBufferPointer { table in
            guard let rows = table.baseAddress else { return }
            for place in stride(from: 0, to: count, by: horizon + 3) { putStatistics(rows + place, horizon: horizon) }
        }
    }

    @inline(__always)
    private static func putStatistics(_ row: UnsafeMutablePointer<Double>, horizon: Int) {
        let block = BlockStatistics(row, count: horizon)
        (row[horizon], row[horizon + 1], row[horizon + 2]) = (block.max, block.min, block.avg)
    }

    /// The statistics of one row, from `place` on.
    static func put(_ block: BlockStatistics, into table: inout [Double], at place: Int) {
        table[place] = block.max
        table[place + 1] = block.min
        table[place + 2] = block.avg
    }

    /// Errors beyond some 100 times the median one of the last value count as that: a single burst does not decide the weights.
    ///
    /// The mean is over all rows: in a series that mostly stands still, a sample may miss every change, and a cap of 0 makes all
    /// candidates alike.
    static func errorCaps(_ lastValue: [Double], _ actual: [Double], columns: Int) -> [Double] {
        let rows = actual.count / columns
        let unlimited = [Double](repeating: .infinity, count: columns)
        let sums = errors(lastValue, actual, caps: unlimited, recency: [Double](repeating: 1, count: rows))
        let step = sampling(actual.count, columns)
        let medians = ColumnSort.medians(rows: (actual.count + step - 1) / step, columns: columns) { i, s in
            abs(actual[i * step + s] - lastValue[i * step + s])
        }
        return (0..<columns).map { s in
            let cap = 100 * medians[s] + 10 * sums[s] / Double(rows)
            return cap > 0 ? cap : .infinity
        }
    }

    /// Weighted sums of capped absolute errors of each column.
    static func errors(_ table: [Double], _ actual: [Double], caps: [Double], recency: [Double]) -> [Double] {
        let columns = caps.count
        var sums = [Double](repeating: 0, count: columns)
        table.withUnsafeBufferPointer { table in
            actual.withUnsafeBufferPointer { actual in
                guard let table = table.baseAddress, let actual = actual.baseAddress else { return }
                // There are four columns at least; the last lanes overlap those before them.
                for first in stride(from: 0, to: columns, by: 4) {
                    let s = min(first, columns - 4)
                    let cap = Kernels.Lanes(caps[s], caps[s + 1], caps[s + 2], caps[s + 3])
                    var sum = Kernels.Lanes.zero
                    for (i, weight) in recency.enumerated() {
                        let error = Kernels.magnitude(Kernels.load(table + i * columns + s) - Kernels.load(actual + i * columns + s))
                        sum += weight * error.replacing(with: cap, where: error .> cap)
                    }
                    for k in 0..<4 { sums[s + k] = sum[k] }
                }
            }
        }
        return sums
    }

    /// What the three statistics of each table lack in the median: 3 a table.
    static func medianResiduals(_ tables: [[Double]], _ actual: [Double], horizon: Int) -> [Double] {
        let columns = horizon + 3
        let step = sampling(actual.count, columns)
        return ColumnSort.medians(rows: (actual.count + step - 1) / step, columns: 3 * tables.count) { i, place in
            let k = i * step + horizon + place % 3
            return actual[k] - tables[place / 3][k]
        }
    }

    /// Step between rows for medians that need no more than some 180 of them: neighbours overlap.
    private static func sampling(_ count: Int, _ columns: Int) -> Int { columns * max(1, count / columns / 180) }
}
