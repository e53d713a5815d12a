/// The portmanteau test of Ljung and Box (1978); the null hypothesis is no autocorrelation up to `lags`.
package struct LjungBox: Sendable, Equatable {
    package let statistic: Double
    package let pValue: Double
    package let lags: Int
}

/// Q = n (n + 2) sum r[k]^2 / (n - k), chi-square with `lags` degrees of freedom.
///
/// - Parameter lags: default all lags of `acf`.
/// - Returns: no value when `acf` holds no lag, or `lags` is not among 1 ... its last.
package func ljungBox(_ acf: Autocorrelation, lags: Int? = nil) -> Answer<LjungBox> {
    let last = acf.values.count - 1
    let lags = lags ?? last
    guard last >= 1 else { return .none("no lag") }
    guard 1...last ~= lags else { return .none("a lag of \(lags) is outside 1...\(last)") }
    let n = Double(acf.count)
    var sum = 0.0
    for k in 1...lags { sum += acf.values[k] * acf.values[k] / (n - Double(k)) }
    let q = n * (n + 2) * sum
    return .value(LjungBox(statistic: q, pValue: ChiSquare.survival(q, degrees: lags), lags: lags))
}
