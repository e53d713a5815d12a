import Glibc

/// What can be said with too few samples to test a forecast on whole horizons: the last value or a smoothed level, whichever was nearer
/// to the sample that came next, and the last block. Path and mean have intervals of those errors as they grow in exponential smoothing,
/// the extremes those of a random walk.
struct ShortHistory {
    let smoothing: ExponentialSmoothing
    /// Of the smoothed level, 0 to 1; the rest is the last value's.
    let share: Double
    /// Absolute errors over one step of that mixture, ascending.
    private let errors: [Double]
    /// Absolute differences between neighbours, ascending.
    private let steps: [Double]
    private let isSticky: Bool

    /// How sharply the errors tell level and last value apart.
    private static let sharpness = 20.0

    /// - Parameter isSticky: most values equal the one before; such a series has no level between them.
    /// - Precondition: at least 3 values, not all the same. Complexity: O(n log n).
    init(_ values: [Double], isSticky: Bool) {
        self.isSticky = isSticky
        smoothing = ExponentialSmoothing.best(for: values[...], ahead: 1)
        let steps = Self.errors(values, gain: smoothing.gain, share: 0)
        self.steps = steps.sorted()
        // One burst does not decide; of few samples it is a larger part than in `HorizonTable.errorCaps`.
        let cap = 20 * self.steps[steps.count / 2] + 2 * steps.reduce(0, +) / Double(steps.count)
        func sum(_ errors: [Double]) -> Double { errors.dropFirst().reduce(0) { $0 + min($1, cap) } }
        // The gain was chosen by these very errors, which begin with the second step.
        let penalty = 1 + 1 / Double(values.count)
        let ratio = penalty * sum(Self.errors(values, gain: smoothing.gain, share: 1)) / sum(steps)
        share = isSticky || !ratio.isFinite ? 0 : 1 / (1 + pow(ratio, Self.sharpness))
        errors = Self.errors(values, gain: smoothing.gain, share: share).sorted()
    }

    private static func errors(_ values: [Double], gain: Double, share: Double) -> [Double] {
        var level = values[0]
        return values.indices.dropFirst().map { t in
            level += gain * (values[t - 1] - level)
            return abs(values[t] - share * level - (1 - share) * values[t - 1])
        }
    }

    /// For the mean of `horizon` steps, of the level, which follows sooner, and of the last block, which averages many; half of the block
    /// where the series mostly stands still, since a step or a burst may have just begun. The rest is the last value's.
    func meanShares(horizon: Int) -> (level: Double, block: Double) {
        let level = share * 5 / Double(5 + horizon)
        return (level, isSticky ? 0.5 : share - level)
    }

    /// Columns: the steps, then maximum, minimum and mean, which at one step are that step.
    ///
    /// With a gain g an error e moves the level by g e: s steps ahead the variance is 1 + (s - 1) g^2 times that of one step (Hyndman et
    /// al. 2008, simple exponential smoothing), which is s for a random walk; .03 is added to g^2, as levels drift further over many steps
    /// than errors of one step show. Few errors show too little of the tails, so the widest quantiles reach beyond the largest of them.
    func residuals(horizon: Int) -> ResidualQuantiles {
        let gain = 1 - share * (1 - smoothing.gain)
        let drift = gain * gain + 0.03
        let error = Prediction.levels.map { Self.signedQuantile(errors, level: $0) }
        let path = (0..<horizon).flatMap { s in error.map { $0 * (1 + Double(s) * drift).squareRoot() } }
        if horizon == 1 { return ResidualQuantiles(offsets: (path + path + path + path).map(Float.init)) }
        let step = Prediction.levels.map { Self.signedQuantile(steps, level: $0) }
        let reach = Double(horizon).squareRoot()
        // An extreme is easily exceeded and seldom undercut.
        let extremes = [(below: 0.6, above: 1.2), (below: 1.2, above: 0.6)].flatMap { side in
            step.map { $0 * max(($0 < 0 ? side.below : side.above) * reach, 1) }
        }
        let meanReach = Self.meanReach(horizon: horizon, gain: drift.squareRoot())
        return ResidualQuantiles(offsets: (path + extremes + error.map { $0 * meanReach }).map(Float.init))
    }

    /// Standard deviation of the mean of a horizon in units of one step's error, a fifth wider, as it was not tested either.
    /// Complexity: O(horizon).
    private static func meanReach(horizon: Int, gain: Double) -> Double {
        let variance = (0..<horizon).reduce(0) { sum, later in
            let part = (1 + gain * Double(later)) / Double(horizon)
            return sum + part * part
        }
        return max(1.2 * variance.squareRoot(), 0.5)
    }

    /// The quantile of errors that are as often up as down; the magnitude is the conformal quantile of |error|.
    private static func signedQuantile(_ magnitudes: [Double], level: Double) -> Double {
        let coverage = abs(2 * level - 1)
        if coverage == 0 { return 0 }
        let n = magnitudes.count
        let rank = coverage * Double(n + 1)
        let below = min(max(Int(rank) - 1, 0), n - 1)
        let above = min(below + 1, n - 1)
        var value = magnitudes[below] + (magnitudes[above] - magnitudes[below]) * min(max(rank - Double(below + 1), 0), 1)
        if rank > Double(n) { value *= 1.5 }
        return level < 0.5 ? -value : value
    }
}
