import Glibc

/// Signed residuals of past forecasts, over their local scale, at the levels of `Prediction`: split-conformal intervals.
///
/// Of m residuals level a takes rank ceil((m + 1) a) above the median and floor((m + 1) a) below it, at most the largest and at
/// least the smallest (Vovk et al. 2005; Lei et al. 2018). Residuals of overlapping horizons repeat each other, and the weights were
/// chosen on them: with few independent ones the offsets from the median are widened, measured on real series, by 1 + 2.2 / their number
/// for steps and 1 + 9 / their number, at most 1.15, for statistics, whose candidates are more and whose offsets were fitted too.
struct ResidualQuantiles: Sendable, Equatable {
    /// columns x levels, ascending in each column.
    private(set) var offsets: [Float] = []
    static var levelCount: Int { Prediction.levels.count }

    /// - Parameters:
    ///   - forecasts: rows of `width`.
    ///   - actual: what came, likewise.
    ///   - scales: of each row.
    ///   - widening: of each column, by the number of rows.
    init(forecasts: [Double], actual: [Double], width: Int, scales: [Double], widening: (Int, Double) -> Double) {
        let count = scales.count
        guard count > 0, width > 0 else { return }
        let ranks = Self.ranks(count)
        let inverse = scales.map { 1 / $0 }
        var column = [Double](repeating: 0, count: count)
        offsets.reserveCapacity(width * Self.levelCount)
        for s in 0..<width {
            var k = s
            for i in 0..<count {
                column[i] = (actual[k] - forecasts[k]) * inverse[i]
                k += width
            }
            OrderStatistics.select(ranks, in: &column)
            let middle = column[ranks[Self.levelCount / 2]]
            let widening = widening(s, Double(count))
            for rank in ranks { offsets.append(Float(middle + widening * (column[rank] - middle))) }
        }
    }

    /// Of `count` rows `stride` apart; rows share their values over `column` + 1 steps.
    static func widening(column: Int, horizon: Int, stride: Int, count: Double) -> Double {
        let overlap = max(Double(min(column + 1, horizon)) / Double(stride), 1)
        return 1 + (column < horizon ? 2.2 * overlap / count : min(9 * overlap / count, 0.15))
    }

    init(offsets: [Float]) { self.offsets = offsets }

    static func ranks(_ count: Int) -> [Int] {
        Prediction.levels.map { level in
            if level == 0.5 { return (count - 1) / 2 }
            let exact = Double(count + 1) * level
            let rank = level > 0.5 ? Int(ceil(exact - 1e-9)) : Int(floor(exact + 1e-9))
            return min(max(rank - 1, 0), count - 1)
        }
    }

    func column(_ s: Int) -> ArraySlice<Float> { offsets[(s * Self.levelCount)..<((s + 1) * Self.levelCount)] }

    var isAscending: Bool {
        offsets.indices.allSatisfy { offsets[$0].isFinite && ($0 % Self.levelCount == 0 || offsets[$0 - 1] <= offsets[$0]) }
    }
}
