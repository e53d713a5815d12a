/// Sorts eight columns side by side.
///
/// The comparisons are a fixed network (merge exchange: Batcher 1968; Knuth, volume 3, 5.2.2, algorithm M), so no branch depends on a
/// value and the columns share every instruction.
enum ColumnSort {
    typealias Lanes = SIMD8<Float>

    /// Each column ascending. NaN has no place. Complexity: O(n log(n)^2) for n rows.
    static func sort(_ rows: inout [Lanes]) {
        let n = rows.count
        guard n > 1 else { return }
        let top = 1 << (Int.bitWidth - (n - 1).leadingZeroBitCount - 1)
        rows.withUnsafeMutableBufferPointer { x in
            guard let x = x.baseAddress else { return }
            var p = top
            while p > 0 {
                var (q, r, d) = (top, 0, p)
                while true {
                    exchange(x, count: n, run: p, offset: r, distance: d)
                    if q == p { break }
                    (d, q, r) = (q - p, q >> 1, p)
                }
                p >>= 1
            }
        }
    }

    /// The lower median of each of `columns` columns, whose value in row i is `value(i, column)`. Complexity: as `sort`, for every eight.
    static func medians(rows count: Int, columns: Int, _ value: (Int, Int) -> Double) -> [Double] {
        var rows = [Lanes](repeating: .zero, count: count)
        var medians: [Double] = []
        for first in stride(from: 0, to: columns, by: Lanes.scalarCount) {
            let group = min(Lanes.scalarCount, columns - first)
            for i in 0..<count {
                for k in 0..<group { rows[i][k] = Float(value(i, first + k)) }
            }
            sort(&rows)
            for k in 0..<group { medians.append(count > 0 ? Double(rows[(count - 1) / 2][k]) : 0) }
        }
        return medians
    }

    /// Puts rows i and i + distance in order, for all i below count - distance whose bit `run` is that of `offset`.
    @inline(__always)
    private static func exchange(_ x: UnsafeMutablePointer<Lanes>, count n: Int, run: Int, offset: Int, distance: Int) {
        var start = offset
        while start < n - distance {
            for i in start..<min(start + run, n - distance) {
                let (a, b) = (x[i], x[i + distance])
                let isOrdered = a .<= b
                x[i] = b.replacing(with: a, where: isOrdered)
                x[i + distance] = a.replacing(with: b, where: isOrdered)
            }
            start += 2 * run
        }
    }
}
