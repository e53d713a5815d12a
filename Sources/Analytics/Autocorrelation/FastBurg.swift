extension BurgRecursion {
    /// The same recursion on lagged sums instead of the values, some four times as fast: `order` products a value once, and then
    /// O(order^2) for all orders (Vos 2013, "A Fast Implementation of Burg's Method").
    ///
    /// With R = sum of X_t X_t' over all t, X_t = (x[t], x[t - 1], ..., x[t - i - 1]), a the prediction error filter of order i with a zero
    /// behind it, and J that reverses, Burg's denominator is a'g and his numerator -(Ja)'g for g = R a + J R J a. From one order to the next
    /// g changes by what leaves R at both ends of the series.
    ///
    /// nil when a variance falls below a millionth of that of the values: rounding of the sums would show, and the direct recursion is due.
    /// - Parameter centered: values with mean zero. `order` < count / 2.
    init?(lagged centered: [Double], count n: Int, order: Int) {
        guard order >= 1, 2 * order < n else { return nil }
        var sums = LaggedSums(centered, count: n)
        sums.extendDirectly(to: order)
        var filter = [1.0]
        // The first and last values, as they leave R: x[0], x[1], ... and x[n - 1], x[n - 2], ...
        let head = Array(centered[..<(order + 1)])
        let tail = (0...order).map { centered[n - 1 - $0] }
        var g = [2 * sums[0] - head[0] * head[0] - tail[0] * tail[0], 2 * sums[1]]
        // The newest row of R + J R J.
        var row = [2 * sums[1]]
        self.init(variance: sums[0] / Double(n))
        for i in 0..<order {
            var (numerator, denominator) = (0.0, 0.0)
            for j in 0...i {
                numerator += filter[j] * g[i + 1 - j]
                denominator += filter[j] * g[j]
            }
            guard denominator > 2e-6 * sums[0] else { return nil }
            let k = numerator / denominator
            guard abs(k) <= 1 else { return nil }
            append(reflection: k, variance: (1 - k * k) * denominator / Double(2 * (n - i - 1)))
            if i + 1 == order { return }
            filter.append(0)
            Self.subtractReversed(&filter, k)
            row.append(0)
            for j in stride(from: i, through: 0, by: -1) { row[j + 1] = row[j] - head[j] * head[i + 1] - tail[j] * tail[i + 1] }
            row[0] = 2 * sums[i + 2]
            var (fromHead, fromTail, last) = (0.0, 0.0, 0.0)
            for j in 0...(i + 1) {
                fromHead += filter[j] * head[i + 1 - j]
                fromTail += filter[j] * tail[i + 1 - j]
                last += filter[j] * row[j]
            }
            Self.subtractReversed(&g, k)
            for j in 0...(i + 1) { g[j] -= head[i + 1 - j] * fromHead + tail[i + 1 - j] * fromTail }
            g.append(last)
        }
    }

    /// x[j] -= k * x[n - 1 - j] for all j.
    private static func subtractReversed(_ x: inout [Double], _ k: Double) {
        var (low, high) = (0, x.count - 1)
        while low <= high {
            let (a, b) = (x[low], x[high])
            (x[low], x[high]) = (a - k * b, b - k * a)
            (low, high) = (low + 1, high - 1)
        }
    }
}
