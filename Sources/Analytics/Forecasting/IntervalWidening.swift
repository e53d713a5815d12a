/// How much further than the residuals at past origins those to come reach.
///
/// Residuals of overlapping horizons repeat each other, and median, weights and corrections were fitted on them: of m that do not
/// overlap a quantile is known as well as Student's t with few degrees of freedom says (m - 1 for steps; m - 2 for statistics, whose
/// bias was fitted too). The constants are measured, as the reach that real and simulated series needed at m from 2 to 360: that of
/// statistics falls slower than 1 / m.
struct IntervalWidening: Sendable, Equatable {
    /// Of the quantiles from 10 to 90 %.
    let inner: Double
    /// Of those at 2.5 and 97.5 %.
    let outer: Double
    /// A path column before, and how many times its reach this one has at least, to each side.
    let floor: Floor?

    struct Floor: Sendable, Equatable {
        let column: Int
        let below: Double
        let above: Double
    }

    /// Residuals that do not overlap from which on they speak for themselves.
    private static let enough = 6.0

    /// Of each column: the steps of the path, then the statistics.
    ///
    /// Where a horizon has been seen only a few times, the last step that was seen often enough says more: from there on the spread grows
    /// at least as that of a random walk, with the square root of the steps.
    static func columns(horizon: Int, origins: ForecastOrigins) -> [IntervalWidening] {
        let counts = (0..<(horizon + 3)).map { ForecastPool.independent(origins, column: $0, horizon: horizon) }
        let known = counts[..<horizon].lastIndex { $0 >= enough } ?? 0
        return counts.enumerated().map { s, count in
            let share = min(max((enough - count) / 3, 0), 1)
            let growth = (Double(min(s + 1, horizon)) / Double(known + 1)).squareRoot()
            let sides = sides(s - horizon)
            let floor = Floor(column: known, below: share * growth * sides.below, above: share * growth * sides.above)
            return IntervalWidening(
                independent: count, statistic: HorizonStatistic(rawValue: s - horizon), floor: share > 0 && s > known ? floor : nil)
        }
    }

    /// Of maximum, minimum and mean (0, 1, 2), below and above the median: an extreme is seldom undercut and easily exceeded, and the
    /// mean of a random walk moves 1 / sqrt(3) as far as its end.
    static func sides(_ statistic: Int) -> (below: Double, above: Double) {
        switch statistic {
        case 0: (0.3, 1.2)
        case 1: (1.2, 0.3)
        case 2: (0.6, 0.6)
        default: (1, 1)
        }
    }

    /// - Parameters:
    ///   - independent: number of residuals that do not overlap.
    ///   - statistic: nil for a step of the path.
    init(independent m: Double, statistic: HorizonStatistic?, floor: Floor? = nil) {
        if let statistic {
            let freedom = max(m - 2, 1.5)
            (inner, outer) = (max(Self.innerReach(statistic) + 0.6 / max(m, 1).squareRoot() + 1 / freedom, 1), 1.06 + 3.5 / freedom)
        } else {
            let freedom = max(m - 1, 1)
            (inner, outer) = (1.02 + 0.9 / freedom, 1.04 + 1.8 / freedom)
        }
        self.floor = floor
    }

    /// With many residuals. The minimum lacks least: what never falls below a floor is often just there.
    private static func innerReach(_ statistic: HorizonStatistic) -> Double {
        switch statistic {
        case .max, .avg: 0.995
        case .min: 0.965
        }
    }

    /// - Parameter place: in `Prediction.levels`.
    func widen(_ reach: Double, place: Int) -> Double {
        reach * (place == 0 || place == ResidualQuantiles.levelCount - 1 ? outer : inner)
    }
}
