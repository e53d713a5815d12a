import Glibc

/// Least squares of a target on columns that enter one after the other.
///
/// Column j of the factor R holds, in row i < rank, the coordinate of column j along the i-th direction. The target is the last
/// column: its squared coordinates are what each regressor explains, so one factorization answers every nested regression.
struct NestedLeastSquares {
    /// For each regressor the target's coordinate along its new direction; 0 for a collinear one.
    var coordinates: [Double]
    /// Residual sum of squares after the first j + 1 regressors.
    var residuals: [Double]
    /// Number of linearly independent regressors among the first j + 1.
    var ranks: [Int]
    /// The smallest share of a squared column (the target included) that its predecessors leave unexplained. Rounding grows as its inverse.
    var conditioning: Double

    /// By Cholesky of the cross products, upper triangle, row-major, `size` x `size`, target last. Complexity: O(size^3).
    ///
    /// A regressor with less than `tolerance` of its square left counts as collinear and is passed over.
    static func factor(crossProducts: [Double], size: Int, tolerance: Double = 1e-13) -> NestedLeastSquares {
        var g = crossProducts
        let target = size - 1
        var result = NestedLeastSquares(coordinates: [], residuals: [], ranks: [], conditioning: 1)
        let diagonal = (0..<size).map { g[$0 * size + $0] }
        var rank = 0
        g.withUnsafeMutableBufferPointer { g in
            for j in 0..<target {
                let pivot = g[j * size + j]
                let share = diagonal[j] > 0 ? pivot / diagonal[j] : 0
                if diagonal[j] > 0 { result.conditioning = min(result.conditioning, max(share, 0)) }
                if share > tolerance {
                    rank += 1
                    let root = 1 / pivot.squareRoot()
                    for c in j..<size { g[j * size + c] *= root }
                    for r in (j + 1)..<size {
                        let f = g[j * size + r]
                        if f == 0 { continue }
                        for c in r..<size { g[r * size + c] -= f * g[j * size + c] }
                    }
                    result.coordinates.append(g[j * size + target])
                } else {
                    result.coordinates.append(0)
                }
                result.ranks.append(rank)
                result.residuals.append(max(g[target * size + target], 0))
            }
        }
        if let last = result.residuals.last, diagonal[target] > 0 {
            result.conditioning = min(result.conditioning, last / diagonal[target])
        }
        return result
    }

    /// By Householder reflections of the columns themselves (Golub and Van Loan, algorithm 5.2.1): twice the digits of the cross
    /// products, for designs that are nearly collinear. `columns` is column-major, `rows` x `size`, target last.
    /// Complexity: O(rows * size^2).
    static func factor(columns: [Double], rows: Int, size: Int, tolerance: Double = 1e-22) -> NestedLeastSquares {
        var a = columns
        let target = size - 1
        var result = NestedLeastSquares(coordinates: [], residuals: [], ranks: [], conditioning: 1)
        a.withUnsafeMutableBufferPointer { a in
            guard let base = a.baseAddress else { return }
            let squares = (0..<size).map { Kernels.dot(base + $0 * rows, base + $0 * rows, count: rows) }
            var rank = 0
            for j in 0..<target {
                let column = base + j * rows + rank
                let length = rows - rank
                let square = length > 0 ? Kernels.dot(column, column, count: length) : 0
                let share = squares[j] > 0 ? square / squares[j] : 0
                if squares[j] > 0 { result.conditioning = min(result.conditioning, share) }
                if share > tolerance {
                    reflect(base, column: column, length: length, square: square, from: rank, rows: rows, columns: (j + 1)..<size)
                    result.coordinates.append(base[target * rows + rank])
                    rank += 1
                } else {
                    result.coordinates.append(0)
                }
                let rest = base + target * rows + rank
                result.ranks.append(rank)
                result.residuals.append(rank < rows ? Kernels.dot(rest, rest, count: rows - rank) : 0)
            }
        }
        return result
    }

    /// Turns `column` (which becomes the Householder vector) onto its first axis and the later columns with it.
    private static func reflect(
        _ base: UnsafeMutablePointer<Double>, column: UnsafeMutablePointer<Double>, length: Int, square: Double, from row: Int, rows: Int,
        columns: Range<Int>
    ) {
        let norm = column[0] >= 0 ? square.squareRoot() : -square.squareRoot()
        column[0] += norm
        let beta = 1 / (norm * column[0])
        for c in columns {
            let other = base + c * rows + row
            let f = Kernels.dot(column, other, count: length) * beta
            for i in 0..<length { other[i] -= f * column[i] }
            // The sign of R's row follows the regressor: positive diagonal.
            if norm > 0 { other[0] = -other[0] }
        }
    }
}
