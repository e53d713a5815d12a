import Glibc

/// The autocorrelation function with Bartlett's 95 % bounds.
package struct Autocorrelation: Sendable, Equatable {
    /// r[k] at lag k; r[0] = 1.
    package let values: [Double]
    /// Half-width of the band round zero outside which r[k] is significant: 1.96 sqrt((1 + 2 (r[1]^2 + ... + r[k-1]^2)) / n) (Bartlett
    /// 1946); 0 at lag 0.
    package let bounds: [Double]
    /// Number of samples.
    package let count: Int

    /// The lags from 1 whose autocorrelation lies outside its bound.
    package var significantLags: [Int] { values.indices.dropFirst().filter { abs(values[$0]) > bounds[$0] } }

    /// min(10 log10 n, n - 1), as statsmodels.
    package static func defaultLags(count: Int) -> Int {
        count < 2 ? 0 : min(Int(10 * log10(Double(count))), count - 1)
    }
}

/// As statsmodels `acf(x, adjusted=False)`: mean removed, divisor n at every lag.
///
/// - Parameter lags: default min(int(10 log10 n), n - 1); more than n - 1 is cut to n - 1.
/// - Returns: no value for fewer than 2 samples, a constant or a not finite series.
/// Complexity: O(n * lags); about 20 us for n = 2,880 and 40 lags.
package func autocorrelation(of values: Span<Double>, lags: Int? = nil) -> Answer<Autocorrelation> {
    if let lags, lags < 0 { return .none("a negative number of lags: \(lags)") }
    let wanted = min(lags ?? Autocorrelation.defaultLags(count: values.count), max(values.count - 1, 0))
    switch CenteredSeries.make(of: values, minimum: 2, padding: wanted) {
    case .failure(let reason): return .none(reason)
    case .success(let series): return .value(Autocorrelation.compute(series, lags: wanted))
    }
}

package func autocorrelation(of values: [Double], lags: Int? = nil) -> Answer<Autocorrelation> {
    autocorrelation(of: values.span, lags: lags)
}

extension Autocorrelation {
    /// - Precondition: 0 <= lags < series.count.
    static func compute(_ series: CenteredSeries, lags: Int) -> Autocorrelation {
        var sums = LaggedSums(series.storage, count: series.count)
        sums.extend(to: lags)
        return Autocorrelation(sums: sums, lags: lags)
    }

    init(sums: LaggedSums, lags: Int) {
        let n = Double(sums.count)
        let values = (0...lags).map { $0 == 0 ? 1 : sums[$0] / sums[0] }
        var bounds = [0.0]
        var total = 1.0
        for k in 1..<(lags + 1) {
            if k > 1 { total += 2 * values[k - 1] * values[k - 1] }
            bounds.append(NormalDistribution.z975 * (total / n).squareRoot())
        }
        self.init(values: values, bounds: bounds, count: sums.count)
    }
}
