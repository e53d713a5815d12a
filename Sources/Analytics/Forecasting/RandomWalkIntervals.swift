/// Intervals round the last value and the last block when there are too few samples to test a forecast on whole horizons.
///
/// The spread of one step, as seen, grows with the square root of the number of steps. Few steps show too little of the tails, so
/// the widest quantiles reach beyond the largest step seen.
enum RandomWalkIntervals {
    /// Columns: the steps, then maximum, minimum and mean. - Precondition: at least 3 values.
    static func residuals(_ values: [Double], horizon: Int) -> ResidualQuantiles {
        var steps: [Double] = []
        for t in 1..<values.count { steps.append(abs(values[t] - values[t - 1])) }
        steps.sort()
        let step = Prediction.levels.map { signedQuantile(steps, level: $0) }
        let path = (1...horizon).flatMap { s in step.map { $0 * Double(s).squareRoot() } }
        let reach = Double(horizon).squareRoot()
        // An extreme is easily exceeded and seldom undercut; the mean moves 1 / sqrt(3) as far as the end, and was not tested either.
        let sides: [(below: Double, above: Double)] = [(0.6, 1.2), (1.2, 0.6), (0.7, 0.7)]
        let statistics = sides.flatMap { side in step.map { $0 * max(($0 < 0 ? side.below : side.above) * reach, 1) } }
        return ResidualQuantiles(offsets: (path + statistics).map(Float.init))
    }

    /// The quantile of steps that are as often up as down; the magnitude is the conformal quantile of |step|.
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
