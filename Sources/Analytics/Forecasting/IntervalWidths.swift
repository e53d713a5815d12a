import Glibc

/// Factors on the intervals of 80 and 95 %, moved by every value that arrives: online conformal prediction.
///
/// A value outside its interval widens it, one inside narrows it a little, so that in the long run 20 and 5 % fall outside whatever the
/// series does (adaptive conformal inference: Gibbs and Candes 2021; the quantile itself is tracked, as in Angelopoulos, Candes and
/// Tibshirani 2023, on the logarithm of the width; the steps get smaller, as in Angelopoulos, Barber and Bates 2024, down to a floor that
/// lets a shift be followed). Thirds of the path and the three statistics have factors of their own.
struct IntervalWidths: Sendable, Equatable {
    static let groupCount = 6
    static let coverages: [Float] = [0.8, 0.95]
    /// Bounds of a factor.
    static let range: ClosedRange<Float> = 0.2...20

    /// groups x coverages.
    private(set) var factors: [Float]
    /// Values seen in each group.
    private(set) var counts: [UInt16]

    init() {
        factors = [Float](repeating: 1, count: Self.groupCount * 2)
        counts = [UInt16](repeating: 0, count: Self.groupCount)
    }

    init?(factors: [Float], counts: [UInt16]) {
        guard factors.count == Self.groupCount * 2, counts.count == Self.groupCount, factors.allSatisfy(Self.range.contains) else {
            return nil
        }
        self.factors = factors
        self.counts = counts
    }

    /// Steps by thirds of the horizon, then max, min, avg.
    static func group(column: Int, horizon: Int) -> Int { column < horizon ? column * 3 / horizon : 3 + column - horizon }

    /// Scores a value that arrived.
    /// - Parameter error: the value minus the median of its forecast.
    /// - Parameter reaches: from the median to the nearer and the wider bound on the side of the error, both >= 0, without factors.
    mutating func score(column: Int, horizon: Int, error: Float, reaches: (Float, Float)) {
        let group = Self.group(column: column, horizon: horizon)
        // The steps of a path share their errors; each counts as a part of a value.
        let share = column < horizon ? min(1, 4.5 / Float(horizon)) : 1
        let step = share * max(0.12, 0.5 / (1 + Float(counts[group])).squareRoot())
        for (k, reach) in [reaches.0, reaches.1].enumerated() {
            let miss = 1 - Self.coverages[k]
            let place = 2 * group + k
            let isOutside = error > reach * factors[place]
            let moved = factors[place] * exp(step * (isOutside ? 1 - miss : -miss))
            factors[place] = min(max(moved, Self.range.lowerBound), Self.range.upperBound)
        }
        factors[2 * group + 1] = max(factors[2 * group + 1], factors[2 * group] / 2)
        if counts[group] < .max { counts[group] += 1 }
    }

    /// After a fit, whose quantiles know the last values: what is left of a shift is over, the small corrections stay.
    ///
    /// Where one value in twenty misses, a wide interval is seldom that of a shift, of which a fit follows within a few values: in bursts
    /// the tails are heavier than past residuals tell, at every fit. So the factor on 95 % may stay larger.
    mutating func relax() {
        for k in factors.indices { factors[k] = min(max(factors[k], 2.0 / 3), k % 2 == 0 ? 1.5 : 5) }
    }

    /// Offsets at `Prediction.levels` with their distances from the median multiplied, still ascending.
    func apply(to offsets: [Double], column: Int, horizon: Int) -> [Double] {
        let group = Self.group(column: column, horizon: horizon)
        let inner = Double(factors[2 * group])
        let outer = Double(factors[2 * group + 1])
        let last = offsets.count - 1
        let middle = offsets[last / 2]
        var result = offsets.map { middle + inner * ($0 - middle) }
        result[0] = min(middle + outer * (offsets[0] - middle), result[1])
        result[last] = max(middle + outer * (offsets[last] - middle), result[last - 1])
        return result
    }
}
