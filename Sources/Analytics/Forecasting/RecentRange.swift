/// Where a series was just before an origin, and how far forecasts departed from there at past origins: they are not followed further, but
/// for what `Reconciliation` moves afterwards.
///
/// After a shift of level the candidates pull back to a level that is gone, so the last value is where a forecast may be at all times. But
/// a series that has just burst for the first time is as likely to fall back: the path may also return to the median of the last five,
/// the minimum to that of the last block, and the mean half-way to that of the last block. What lies between is no departure.
/// So right after such a burst the mean stands between path and burst: it may last or not, and half is least wrong (decision 0102).
struct RecentRange {
    private typealias Bounds = (low: Double, high: Double)

    private let path: Bounds
    /// Of maximum, minimum and mean.
    private let statistics: (Bounds, Bounds, Bounds)

    /// At the end of the values; nil where there are none.
    init?(_ values: [Double], horizon: Int) {
        let range = values.withUnsafeBufferPointer { values in
            values.baseAddress.flatMap {
                values.isEmpty ? nil : RecentRange(before: $0 + values.count, count: values.count, horizon: horizon)
            }
        }
        guard let range else { return nil }
        self = range
    }

    /// - Parameter end: of the `count` > 0 values known, a pointer behind the last of them.
    private init(before end: UnsafePointer<Double>, count: Int, horizon: Int) {
        let last = end[-1]
        func around(_ other: Double) -> Bounds { (min(last, other), max(last, other)) }
        let length = min(horizon, count)
        let block = BlockStatistics(end - length, count: length)
        path = around(count >= 5 ? Self.median(end - 5) : last)
        statistics = (around(last), around(block.min), around((last + block.avg) / 2))
    }

    /// How far the forecasts at past origins were at most from the range before each, of each column: the steps, then maximum, minimum and
    /// mean.
    ///
    /// - Precondition: origins within the values and greater than 0, and as many rows of forecasts.
    static func departures(_ forecasts: [Double], from values: [Double], origins: ForecastOrigins, horizon: Int) -> [Double] {
        var departures = [Double](repeating: 0, count: horizon + 3)
        values.withUnsafeBufferPointer { values in
            forecasts.withUnsafeBufferPointer { forecasts in
                guard let values = values.baseAddress, let rows = forecasts.baseAddress else { return }
                for i in 0..<origins.count {
                    let range = RecentRange(before: values + origins[i], count: origins[i], horizon: horizon)
                    let row = rows + i * departures.count
                    range.forEach(horizon: horizon) { s, bounds in
                        departures[s] = max(departures[s], bounds.low - row[s], row[s] - bounds.high)
                    }
                }
            }
        }
        return departures
    }

    /// Brings a row of forecasts back to within the departures.
    func confine(_ row: inout [Double], to departures: [Float]) {
        forEach(horizon: row.count - 3) { s, bounds in
            let departure = Double(departures[s])
            row[s] = min(max(row[s], bounds.low - departure), bounds.high + departure)
        }
    }

    @inline(__always)
    private func forEach(horizon: Int, _ body: (Int, Bounds) -> Void) {
        for s in 0..<horizon { body(s, path) }
        body(horizon, statistics.0)
        body(horizon + 1, statistics.1)
        body(horizon + 2, statistics.2)
    }

    /// Of five values: of the first four the least and the greatest drop out; the median of what is left is that of all.
    private static func median(_ x: UnsafePointer<Double>) -> Double {
        let low = max(min(x[0], x[1]), min(x[2], x[3]))
        let high = min(max(x[0], x[1]), max(x[2], x[3]))
        return max(min(low, high), min(max(low, high), x[4]))
    }
}
