/// Where a series was just before an origin, and how far forecasts departed from there at past origins: they are not followed further.
///
/// After a shift of level the candidates pull back to a level that is gone, so the last value is where a forecast may be at all times. But
/// a series that has just burst for the first time is as likely to fall back: the path may also return to the median of the last five,
/// the minimum to that of the last block, and the mean half-way to that of the last block. What lies between is no departure.
/// So right after such a burst the mean stands between path and burst: it may last or not, and half is least wrong (decision 0102).
struct RecentRange {
    private typealias Bounds = (low: Double, high: Double)

    private let last: Double
    private let middle: Double
    private let block: BlockStatistics

    /// - Parameter end: of the values known, a pointer behind the last of them.
    /// - Parameter count: of the values known, at least 1.
    init(before end: UnsafePointer<Double>, count: Int, horizon: Int) {
        last = end[-1]
        middle = count >= 5 ? Self.median(end - 5) : last
        let length = min(horizon, count)
        block = BlockStatistics(end - length, count: length)
    }

    /// Distances of a row of forecasts (the steps, then maximum, minimum and mean), where they are greater than those before.
    func extend(_ departures: inout [Double], by row: UnsafePointer<Double>) {
        let horizon = departures.count - 3
        for s in departures.indices {
            let bounds = bounds(s - horizon)
            departures[s] = max(departures[s], bounds.low - row[s], row[s] - bounds.high)
        }
    }

    /// Brings a row of forecasts back to within the departures.
    func confine(_ row: inout [Double], to departures: [Float]) {
        let horizon = row.count - 3
        for s in row.indices {
            let (bounds, departure) = (bounds(s - horizon), Double(departures[s]))
            row[s] = min(max(row[s], bounds.low - departure), bounds.high + departure)
        }
    }

    /// - Parameter statistic: 0, 1 and 2 for maximum, minimum and mean, less for a step of the path.
    private func bounds(_ statistic: Int) -> Bounds {
        switch HorizonStatistic(rawValue: statistic) {
        case nil: around(middle)
        case .max: around(last)
        case .min: around(block.min)
        case .avg: around((last + block.avg) / 2)
        }
    }

    private func around(_ other: Double) -> Bounds { (min(last, other), max(last, other)) }

    /// Of five values: of the first four the least and the greatest drop out; the median of what is left is that of all.
    private static func median(_ x: UnsafePointer<Double>) -> Double {
        let low = max(min(x[0], x[1]), min(x[2], x[3]))
        let high = min(max(x[0], x[1]), max(x[2], x[3]))
        return max(min(low, high), min(max(low, high), x[4]))
    }
}
