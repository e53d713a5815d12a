/// A series as the sum of a trend, one or more seasonal parts, and what remains. All parts are as long as the series.
package struct Decomposition: Sendable, Equatable {
    /// NaN where a two-sided moving average is not defined (`seasonalDecompose` only).
    package let trend: [Double]
    /// One for each period, shortest first.
    package let seasonal: [[Double]]
    /// NaN where the trend is.
    package let residual: [Double]
    /// Robustness weights, 1 where no observation was doubted.
    package let weights: [Double]
    /// In samples, ascending.
    package let periods: [Int]

    /// Fs of each period: max(0, 1 - Var(residual) / Var(seasonal + residual)), 0 to 1 (Wang, Smith and Hyndman 2006). White noise reaches
    /// 0.36 at STL's default window; above 0.64 a season is real.
    package let seasonalStrengths: [Double]
    /// Ft: max(0, 1 - Var(residual) / Var(trend + residual)), 0 to 1.
    package let trendStrength: Double

    /// From parts of the centered series; the residual is what they leave. Strengths come from these parts, before a large mean takes their
    /// last digits.
    init(_ series: CenteredSeries, trend: [Double], seasonal: [[Double]], weights: [Double], periods: [Int]) {
        let rest = (0..<series.count).map { i in seasonal.reduce(series.storage[i]) { $0 - $1[i] } - trend[i] }
        self.trend = trend.map { $0.isNaN ? .nan : series.restore($0) }
        self.seasonal = seasonal.map { $0.map { series.deviation($0) } }
        residual = rest.map { $0.isNaN ? .nan : series.deviation($0) }
        self.weights = weights
        self.periods = periods
        seasonalStrengths = seasonal.map { Decomposition.strength(of: $0, beside: rest) }
        trendStrength = Decomposition.strength(of: trend, beside: rest)
    }

    /// 0 where nothing varies.
    private static func strength(of part: [Double], beside residual: [Double]) -> Double {
        var (rest, both) = (Variance(), Variance())
        for i in residual.indices where residual[i].isFinite {
            rest.add(residual[i])
            both.add(part[i] + residual[i])
        }
        return both.value > 0 ? min(max(0, 1 - rest.value / both.value), 1) : 0
    }
}

/// The population variance, by Welford's update.
private struct Variance {
    private var count = 0.0
    private var mean = 0.0
    private var square = 0.0

    mutating func add(_ x: Double) {
        count += 1
        let d = x - mean
        mean += d / count
        square += d * (x - mean)
    }

    var value: Double { count > 0 ? square / count : 0 }
}

/// The classical additive decomposition, as statsmodels `seasonal_decompose(x, period=period)`: the trend is the centred moving average of
/// one period (the outermost two values halved for an even one), the season the means of the phases minus their mean.
///
/// - Returns: no value for a period below 2, fewer than two periods, a constant or not finite series. Trend and residual are NaN
///   for the first and last period / 2 values. Complexity: O(n).
package func seasonalDecompose(_ values: Span<Double>, period: Int) -> Answer<Decomposition> {
    guard period >= 2 else { return .none("a period below 2: \(period)") }
    guard period <= values.count / 2 else { return .none(.tooShort(count: values.count, minimum: period &* 2)) }
    switch CenteredSeries.make(of: values, minimum: 2 * period) {
    case .failure(let reason): return .none(reason)
    case .success(let series): return .value(ClassicalDecomposition.compute(series, period: period))
    }
}

package func seasonalDecompose(_ values: [Double], period: Int) -> Answer<Decomposition> { seasonalDecompose(values.span, period: period) }

private enum ClassicalDecomposition {
    static func compute(_ series: CenteredSeries, period: Int) -> Decomposition {
        let (n, half) = (series.count, period / 2)
        let x = series.storage
        let edge = period % 2 == 0 ? 0.5 : 0
        var trend = [Double](repeating: .nan, count: n)
        var sums = [Double](repeating: 0, count: period)
        var counts = sums
        var sum = CompensatedSum()
        for t in 0..<(2 * half) { sum.add(x[t]) }
        for t in half..<(n - half) {
            sum.add(x[t + half])
            trend[t] = (sum.value - edge * (x[t - half] + x[t + half])) / Double(period)
            sum.add(-x[t - half])
            sums[t % period] += x[t] - trend[t]
            counts[t % period] += 1
        }
        let means = (0..<period).map { counts[$0] > 0 ? sums[$0] / counts[$0] : 0 }
        let middle = means.reduce(0, +) / Double(period)
        let cycle = means.map { $0 - middle }
        return Decomposition(
            series, trend: trend, seasonal: [(0..<n).map { cycle[$0 % period] }],
            weights: [Double](repeating: 1, count: n), periods: [period])
    }
}

/// A sum that keeps the rounding errors of its additions (Neumaier 1974), so that a value leaves it as it came.
private struct CompensatedSum {
    private var sum = 0.0
    private var rest = 0.0
    var value: Double { sum + rest }

    mutating func add(_ x: Double) {
        let next = sum + x
        rest += abs(sum) >= abs(x) ? (sum - next) + x : (x - next) + sum
        sum = next
    }
}

extension CenteredSeries {
    /// A difference of values in the unit of the series, at most the largest double.
    func deviation(_ value: Double) -> Double {
        let top = Double.greatestFiniteMagnitude
        return Swift.min(Swift.max(value / factor / shrink, -top), top)
    }
}
