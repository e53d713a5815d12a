import Glibc

/// The test of Kwiatkowski, Phillips, Schmidt and Shin (1992); the null hypothesis is stationarity.
package struct KPSS: Sendable, Equatable {
    package let statistic: Double
    /// Interpolated in the table of the paper, hence between 0.01 and 0.10.
    package let pValue: Double
    /// Lags of the Newey-West variance.
    package let lags: Int
    package let terms: DeterministicTerms

    package func rejects(at level: Double = 0.05) -> Bool { pValue <= level }

    /// Critical values at 10, 5, 2.5 and 1 %.
    package static func criticalValues(_ terms: DeterministicTerms) -> [Double] {
        terms == .constant ? [0.347, 0.463, 0.574, 0.739] : [0.119, 0.146, 0.176, 0.216]
    }
}

/// Lags of the Newey-West variance in `kpss`.
package enum KPSSLags: Sendable, Equatable {
    /// Chosen by the data (Hobijn, Franses and Ooms 1998).
    case automatic
    /// ceil(12 (n / 100)^(1/4)) (Schwert 1989).
    case legacy
    case fixed(Int)
}

/// As statsmodels `kpss(x, regression, nlags)`.
///
/// - Returns: no value for a constant or not finite series, for fewer than 3 values (4 with trend), a lag outside 0 ..< n, or, with
///   trend, a straight line. Complexity: O(n * lags); about 20 us for n = 2,880 and 31 lags.
package func kpss(
    of values: Span<Double>, terms: DeterministicTerms = .constant, lags: KPSSLags = .automatic
) -> Answer<KPSS> {
    switch CenteredSeries.make(of: values, minimum: 2 + terms.count) {
    case .failure(let reason): .none(reason)
    case .success(let series): KPSS.test(series, LaggedSums(series), terms: terms, lags: lags)
    }
}

package func kpss(of values: [Double], terms: DeterministicTerms = .constant, lags: KPSSLags = .automatic) -> Answer<KPSS> {
    kpss(of: values.span, terms: terms, lags: lags)
}

extension KPSS {
    /// - Parameter sums: the lagged sums of `series`, as far as they are known; a test round a level builds on them.
    static func test(_ series: CenteredSeries, _ sums: LaggedSums, terms: DeterministicTerms, lags: KPSSLags) -> Answer<KPSS> {
        let n = series.count
        if case .fixed(let lag) = lags, !(0..<n ~= lag) { return .none("a lag of \(lag) is outside 0..<\(n)") }
        guard terms == .trend else { return test(series.storage, sums, terms: terms, lags: lags) }
        let residuals = detrended(series.storage, count: n)
        var residualSums = LaggedSums(residuals, count: n)
        var levelSums = sums
        residualSums.extend(to: 0)
        levelSums.extend(to: 0)
        // What is left is rounding.
        guard residualSums[0] > 1e-28 * levelSums[0] else { return .none("a straight line") }
        return test(residuals, residualSums, terms: terms, lags: lags)
    }

    private static func test(
        _ residuals: [Double], _ sums: LaggedSums, terms: DeterministicTerms, lags: KPSSLags
    ) -> Answer<KPSS> {
        let n = sums.count
        var products = sums
        let lag =
            switch lags {
            case .automatic: automaticLag(&products)
            case .legacy: min(Int(ceil(12 * pow(Double(n) / 100, 0.25))), n - 1)
            case .fixed(let lag): lag
            }
        products.extend(to: lag)
        var variance = products[0]
        if lag > 0 {
            for i in 1...lag { variance += 2 * (1 - Double(i) / Double(lag + 1)) * products[i] }
        }
        let statistic = squaredPartialSums(residuals, count: n) / (Double(n) * variance)
        guard variance > products[0] * 1e-14, statistic.isFinite else { return .none("no long-run variance") }
        return .value(KPSS(statistic: statistic, pValue: pValue(statistic, terms), lags: lag, terms: terms))
    }

    /// The sum over t of (e[0] + ... + e[t])^2.
    ///
    /// The partial sums of four quarters run side by side, since each addition waits for the one before; a quarter that starts at the
    /// total o adds o to each of its partial sums c, hence 2 o c + o^2 to their squares.
    private static func squaredPartialSums(_ e: [Double], count n: Int) -> Double {
        let quarter = n / 4
        var running = SIMD4<Double>.zero
        var sums = SIMD4<Double>.zero
        var squares = SIMD4<Double>.zero
        for t in 0..<quarter {
            running += SIMD4(e[t], e[quarter + t], e[2 * quarter + t], e[3 * quarter + t])
            sums += running
            squares += running * running
        }
        var offset = 0.0
        var total = 0.0
        for k in 0..<4 {
            total += squares[k] + offset * (2 * sums[k] + offset * Double(quarter))
            offset += running[k]
        }
        for t in (4 * quarter)..<n {
            offset += e[t]
            total += offset * offset
        }
        return total
    }

    private static func automaticLag(_ products: inout LaggedSums) -> Int {
        let n = products.count
        let reach = Int(pow(Double(n), 2.0 / 9.0))
        products.extend(to: min(reach, n - 1))
        var s0 = products[0]
        var s1 = 0.0
        for i in 1..<(min(reach, n - 1) + 1) {
            s0 += 2 * products[i]
            s1 += 2 * Double(i) * products[i]
        }
        guard s0 != 0 else { return 0 }
        let ratio = s1 / s0
        let lag = 1.1447 * pow(ratio * ratio, 1.0 / 3.0) * pow(Double(n), 1.0 / 3.0)
        return lag < Double(n - 1) ? Int(lag) : n - 1
    }

    private static func detrended(_ x: [Double], count n: Int) -> [Double] {
        // x has mean zero; so has the centred time, hence one coefficient.
        let middle = Double(n - 1) / 2
        var cross = 0.0
        for t in 0..<n { cross += (Double(t) - middle) * x[t] }
        let count = Double(n)
        let slope = cross / (count * (count * count - 1) / 12)
        return [Double](unsafeUninitializedCapacity: n) { out, filled in
            for t in 0..<n { out[t] = x[t] - slope * (Double(t) - middle) }
            filled = n
        }
    }

    private static func pValue(_ statistic: Double, _ terms: DeterministicTerms) -> Double {
        let x = criticalValues(terms)
        let p = [0.10, 0.05, 0.025, 0.01]
        guard let upper = x.firstIndex(where: { $0 > statistic }) else { return p[3] }
        if upper == 0 { return p[0] }
        let slope = (p[upper] - p[upper - 1]) / (x[upper] - x[upper - 1])
        return p[upper - 1] + slope * (statistic - x[upper - 1])
    }
}
