import Glibc

/// Signed residuals of past forecasts, over their local scale, at the levels of `Prediction`: split-conformal intervals.
///
/// Of m residuals level a takes rank ceil((m + 1) a) above the median and floor((m + 1) a) below it, at most the largest and at
/// least the smallest (Vovk et al. 2005; Lei et al. 2018). Their distances from the median are widened, see `IntervalWidening`.
struct ResidualQuantiles: Sendable, Equatable {
    /// columns x levels, ascending in each column.
    private(set) var offsets: [Float] = []
    static var levelCount: Int { Prediction.levels.count }

    /// - Parameters:
    ///   - forecasts: rows of `width`.
    ///   - actual: what came, likewise.
    ///   - scales: of each row.
    ///   - widening: of each column.
    init(forecasts: [Double], actual: [Double], width: Int, scales: [Double], widening: [IntervalWidening]) {
        let count = scales.count
        guard count > 0, width > 0 else { return }
        let ranks = Self.ranks(count)
        let inverse = scales.map { 1 / $0 }
        offsets.reserveCapacity(width * Self.levelCount)
        var rows = [ColumnSort.Lanes](repeating: .zero, count: count)
        for first in stride(from: 0, to: width, by: ColumnSort.Lanes.scalarCount) {
            let group = min(ColumnSort.Lanes.scalarCount, width - first)
            for i in 0..<count {
                let k = i * width + first
                for s in 0..<group { rows[i][s] = Float((actual[k + s] - forecasts[k + s]) * inverse[i]) }
            }
            ColumnSort.sort(&rows)
            for s in 0..<group { append(ranks.map { rows[$0][s] }, widening[first + s]) }
        }
    }

    private mutating func append(_ sorted: [Float], _ widening: IntervalWidening) {
        let half = Self.levelCount / 2
        let middle = Double(sorted[half])
        let floor = widening.floor.map { floor in
            let known = column(floor.column).map(Double.init)
            return known.enumerated().map { abs($1 - known[half]) * ($0 < half ? floor.below : floor.above) }
        }
        for (place, value) in sorted.enumerated() {
            let reach = max(widening.widen(abs(Double(value) - middle), place: place), floor?[place] ?? 0)
            offsets.append(Float(place < half ? middle - reach : middle + reach))
        }
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

    /// The offsets of column s.
    func column(_ s: Int) -> ArraySlice<Float> { offsets[(s * Self.levelCount)..<((s + 1) * Self.levelCount)] }

    var isAscending: Bool {
        offsets.indices.allSatisfy { offsets[$0].isFinite && ($0 % Self.levelCount == 0 || offsets[$0 - 1] <= offsets[$0]) }
    }
}
