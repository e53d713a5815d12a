/// Local regression with tricube weights, as STL uses it (Cleveland 1979; Cleveland et al. 1990), at the integers 1 ... count.
///
/// Where the neighbourhood is complete and no robustness weights are given, the line through a symmetric neighbourhood takes the
/// value of the weighted mean, with weights that are the same everywhere: a dot product. Otherwise the weights are summed as they come.
struct Loess {
    /// Number of neighbours; odd.
    let window: Int
    /// 0: a constant, 1: a line.
    let degree: Int
    /// The curve is computed at every `jump`-th point and linear in between.
    let jump: Int
    /// Normalized weights of a complete neighbourhood.
    private let kernel: [Double]

    init(window: Int, degree: Int, jump: Int) {
        self.window = window
        self.degree = degree
        self.jump = jump
        let half = window / 2
        var kernel = (0..<window).map { Loess.tricube(Double(abs($0 - half)), reach: Double(half)) }
        let total = kernel.reduce(0, +)
        if total > 0 { for i in kernel.indices { kernel[i] /= total } }
        self.kernel = kernel
    }

    /// The weight of a neighbour at `distance` within a neighbourhood of radius `reach`.
    @inline(__always)
    private static func tricube(_ distance: Double, reach h: Double) -> Double {
        if distance > 0.999 * h { return 0 }
        if distance <= 0.001 * h { return 1 }
        let u = distance / h
        let v = 1 - u * u * u
        return v * v * v
    }

    /// `count` values of `y` into `out`; `weights` are robustness weights or nil. Complexity: O(count / jump * window).
    func smooth(
        _ y: UnsafePointer<Double>, count n: Int, weights: UnsafePointer<Double>?, into out: UnsafeMutablePointer<Double>
    ) {
        guard n >= 2 else {
            if n == 1 { out[0] = y[0] }
            return
        }
        let step = min(jump, n - 1)
        var last = 0..<0
        for i in stride(from: 0, to: n, by: step) {
            last = neighbours(of: i, count: n, step: step)
            out[i] = value(y, at: Double(i), last, count: n, weights) ?? y[i]
        }
        if step == 1 { return }
        for i in stride(from: 0, to: n - step, by: step) { interpolate(out, from: i, to: i + step) }
        let k = (n - 1) / step * step
        if k == n - 1 { return }
        // As the reference: the neighbours are those of the last point computed.
        out[n - 1] = value(y, at: Double(n - 1), last, count: n, weights) ?? y[n - 1]
        interpolate(out, from: k, to: n - 1)
    }

    private func interpolate(_ out: UnsafeMutablePointer<Double>, from a: Int, to b: Int) {
        let slope = (out[b] - out[a]) / Double(b - a)
        for i in (a + 1)..<max(b, a + 1) { out[i] = out[a] + slope * Double(i - a) }
    }

    /// The indices that the value at index i rests on.
    private func neighbours(of i: Int, count n: Int, step: Int) -> Range<Int> {
        if window >= n { return 0..<n }
        let half = (window + 1) / 2
        if step == 1 {
            let first = min(max(i + 1 - half, 0), n - window)
            return first..<(first + window)
        }
        if i + 1 < half { return 0..<window }
        if i + 1 >= n - half + 1 { return (n - window)..<n }
        return (i + 1 - half)..<(i + 1 - half + window)
    }

    /// The regression on `near` evaluated at index x, which may lie outside; nil without a weight.
    func value(
        _ y: UnsafePointer<Double>, at x: Double, _ near: Range<Int>, count n: Int, _ robust: UnsafePointer<Double>?
    ) -> Double? {
        let (left, right) = (x - Double(near.lowerBound), Double(near.upperBound - 1) - x)
        if robust == nil, left == right, near.count == window, window <= n {
            return kernel.withUnsafeBufferPointer { kernel in
                guard let kernel = kernel.baseAddress else { return nil }
                return Kernels.dot(kernel, y + near.lowerBound, count: window)
            }
        }
        var reach = max(left, right)
        if window > n { reach += Double((window - n) / 2) }
        // Sums of w, w d, w d^2, w y, w d y with the distance d = index - x.
        let sums = Moments(y, at: x, near, reach: reach, robust)
        guard sums.weight > 0 else { return nil }
        let mean = sums.y / sums.weight
        guard reach > 0, degree > 0 else { return mean }
        let center = sums.d / sums.weight
        let spread = sums.dd / sums.weight - center * center
        guard spread > 0, spread.squareRoot() > 0.001 * Double(n - 1) else { return mean }
        return mean - center * (sums.dy / sums.weight - center * mean) / spread
    }

    private struct Moments {
        var weight = 0.0
        var d = 0.0
        var dd = 0.0
        var y = 0.0
        var dy = 0.0

        init(
            _ values: UnsafePointer<Double>, at x: Double, _ near: Range<Int>, reach h: Double, _ robust: UnsafePointer<Double>?
        ) {
            typealias Lanes = Kernels.Lanes
            var (w0, w1, w2, wy, wdy) = (Lanes.zero, Lanes.zero, Lanes.zero, Lanes.zero, Lanes.zero)
            let inverse = h > 0 ? 1 / h : 0
            var j = near.lowerBound
            let ramp = Lanes(0, 1, 2, 3)
            while j + 4 <= near.upperBound {
                let distance = ramp + (Double(j) - x)
                var u = distance.replacing(with: -distance, where: distance .< 0)
                let outside = u .> Lanes(repeating: 0.999 * h)
                let inside = u .<= Lanes(repeating: 0.001 * h)
                u *= inverse
                let v = 1 - u * u * u
                var w = v * v * v
                w.replace(with: 1, where: inside)
                w.replace(with: 0, where: outside)
                if let robust { w *= Kernels.load(robust + j) }
                let value = Kernels.load(values + j)
                let wd = w * distance
                w0 += w
                w1 += wd
                w2 += wd * distance
                wy += w * value
                wdy += wd * value
                j += 4
            }
            (weight, d, dd, y, dy) = (w0.sum(), w1.sum(), w2.sum(), wy.sum(), wdy.sum())
            while j < near.upperBound {
                let distance = Double(j) - x
                let w = Loess.tricube(abs(distance), reach: h) * (robust?[j] ?? 1)
                weight += w
                d += w * distance
                dd += w * distance * distance
                y += w * values[j]
                dy += w * distance * values[j]
                j += 1
            }
        }
    }
}
