/// The deterministic terms of a test: what the series is stationary around.
package enum DeterministicTerms: String, Sendable, CaseIterable {
    /// A constant level (statsmodels' `c`).
    case constant = "c"
    /// A straight line (statsmodels' `ct`).
    case trend = "ct"

    /// Number of deterministic regressors.
    var count: Int { self == .constant ? 1 : 2 }
}

/// The distribution of the Dickey-Fuller statistic for one series: p-values by MacKinnon (1994), critical values by MacKinnon (2010),
/// with the coefficients that statsmodels uses.
enum MacKinnon {
    private struct Surface {
        let largest: Double
        let smallest: Double
        let turn: Double
        let below: [Double]
        let above: [Double]
    }

    private static let constant = Surface(
        largest: 2.74, smallest: -18.83, turn: -1.61, below: [2.1659, 1.4412, 0.038269], above: [1.7339, 0.93202, -0.12745, -0.010368])
    private static let trend = Surface(
        largest: 0.7, smallest: -16.18, turn: -2.89, below: [3.2512, 1.6047, 0.049588], above: [2.5261, 0.61654, -0.37956, -0.060285])

    static func pValue(_ statistic: Double, _ terms: DeterministicTerms) -> Double {
        let surface = terms == .constant ? constant : trend
        if statistic > surface.largest { return 1 }
        if statistic < surface.smallest { return 0 }
        return NormalDistribution.cdf(polynomial(statistic <= surface.turn ? surface.below : surface.above, at: statistic))
    }

    static func criticalValues(_ terms: DeterministicTerms, observations: Int) -> CriticalValues {
        let x = 1 / Double(observations)
        return terms == .constant
            ? CriticalValues(
                onePercent: polynomial([-3.43035, -6.5393, -16.786, -79.433], at: x),
                fivePercent: polynomial([-2.86154, -2.8903, -4.234, -40.040], at: x),
                tenPercent: polynomial([-2.56677, -1.5384, -2.809, 0], at: x))
            : CriticalValues(
                onePercent: polynomial([-3.95877, -9.0531, -28.428, -134.155], at: x),
                fivePercent: polynomial([-3.41049, -4.3904, -9.036, -45.374], at: x),
                tenPercent: polynomial([-3.12705, -2.5856, -3.925, -22.380], at: x))
    }

    private static func polynomial(_ coefficients: [Double], at x: Double) -> Double {
        coefficients.reversed().reduce(0) { $0 * x + $1 }
    }
}

/// Critical values of a statistic at three levels.
package struct CriticalValues: Sendable, Equatable {
    package let onePercent: Double
    package let fivePercent: Double
    package let tenPercent: Double
}
