import Glibc

/// The partial autocorrelations at lags 0, 1, ... by Levinson-Durbin on the biased autocorrelations (statsmodels `pacf(method='ldb')`).
package struct PartialAutocorrelation: Sendable, Equatable {
    /// The value at lag 0 is 1. Ends early when the series is explained completely.
    package let values: [Double]
    package let count: Int
    /// 1.96 / sqrt(n) (Quenouille 1949), the same at every lag from 1.
    package var bound: Double { NormalDistribution.z975 / Double(count).squareRoot() }
    package var significantLags: [Int] { values.indices.dropFirst().filter { abs(values[$0]) > bound } }

    /// min(10 log10 n, n / 2 - 1), as statsmodels.
    package static func defaultLags(count: Int) -> Int {
        count < 2 ? 0 : max(0, min(Int(10 * log10(Double(count))), count / 2 - 1))
    }

    /// From the autocorrelations up to the same lag. Complexity: O(lags^2).
    package init(_ acf: Autocorrelation, lags: Int? = nil) {
        let r = acf.values
        let order = min(max(lags ?? r.count - 1, 0), r.count - 1)
        var phi = [Double](repeating: 0, count: order + 1)
        var previous = phi
        var partial = [1.0]
        var variance = 1.0
        for k in 1..<(order + 1) {
            guard variance > 1e-15 else { break }
            var numerator = r[k]
            for j in 1..<k { numerator -= phi[j] * r[k - j] }
            let reflection = numerator / variance
            guard abs(reflection) <= 1 + 1e-9 else { break }
            previous = phi
            phi[k] = reflection
            for j in 1..<k { phi[j] = previous[j] - reflection * previous[k - j] }
            variance *= 1 - reflection * reflection
            partial.append(reflection)
        }
        values = partial
        count = acf.count
    }
}

/// - Parameter lags: default min(int(10 log10 n), n / 2 - 1).
/// - Returns: no value where `autocorrelation` has none. Complexity: O(n * lags).
package func partialAutocorrelation(of values: Span<Double>, lags: Int? = nil) -> Answer<PartialAutocorrelation> {
    let acf = autocorrelation(of: values, lags: lags ?? PartialAutocorrelation.defaultLags(count: values.count))
    guard let value = acf.value else { return .none(acf.reason ?? "no autocorrelation") }
    return .value(PartialAutocorrelation(value))
}

package func partialAutocorrelation(of values: [Double], lags: Int? = nil) -> Answer<PartialAutocorrelation> {
    partialAutocorrelation(of: values.span, lags: lags)
}
