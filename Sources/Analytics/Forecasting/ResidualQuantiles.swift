import Glibc

/// Signed residuals of past forecasts at the levels of `Prediction`: split-conformal intervals.
///
/// Of m residuals level a takes rank ceil((m + 1) a) above the median and floor((m + 1) a) below it, at most the largest and at
/// least the smallest (Vovk et al. 2005; Lei et al. 2018). Residuals of overlapping horizons repeat each other, and the weights were
/// chosen on them: with few independent ones the offsets from the median are widened by 1 + 2.2 / their number, measured on real series.
struct ResidualQuantiles: Sendable {
    /// columns x levels, ascending in each column.
    private(set) var offsets: [Double] = []
    static var levelCount: Int { Prediction.levels.count }

    /// - Parameters:
    ///   - forecasts: rows of `width`.
    ///   - actual: what came, likewise.
    ///   - overlap: of each column, how many consecutive rows share values.
    init(forecasts: [Double], actual: [Double], width: Int, overlap: (Int) -> Double = { _ in 1 }) {
        let count = width > 0 ? forecasts.count / width : 0
        guard count > 0 else { return }
        let ranks = Self.ranks(count)
        var column = [Double](repeating: 0, count: count)
        offsets.reserveCapacity(width * Self.levelCount)
        for s in 0..<width {
            var k = s
            for i in 0..<count {
                column[i] = actual[k] - forecasts[k]
                k += width
            }
            OrderStatistics.select(ranks, in: &column)
            let middle = column[ranks[Self.levelCount / 2]]
            let widening = Self.widening(independent: Double(count) / max(overlap(s), 1))
            for rank in ranks { offsets.append(middle + widening * (column[rank] - middle)) }
        }
    }

    static func widening(independent: Double) -> Double { 1 + 2.2 / independent }

    init(offsets: [Double]) { self.offsets = offsets }

    static func ranks(_ count: Int) -> [Int] {
        Prediction.levels.map { level in
            if level == 0.5 { return (count - 1) / 2 }
            let exact = Double(count + 1) * level
            let rank = level > 0.5 ? Int(ceil(exact - 1e-9)) : Int(floor(exact + 1e-9))
            return min(max(rank - 1, 0), count - 1)
        }
    }

    func column(_ s: Int) -> ArraySlice<Double> { offsets[(s * Self.levelCount)..<((s + 1) * Self.levelCount)] }
}
