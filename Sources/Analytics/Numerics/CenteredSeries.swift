/// A series minus its mean, scaled by a power of two to a range of about one.
///
/// All analyses start here. A value near the series is subtracted before anything is summed, so 1e-3 of noise on 1e9 keeps its
/// digits; the scale is a power of two, so it costs no digit, and squares cannot overflow at 1e300. The statistics of this
/// package do not change under shift and scale; those that do are converted back with `mean` and `scale`.
package struct CenteredSeries: Sendable {
    /// (x - mean) * scale, followed by `padding` zeros.
    let storage: [Double]
    package let count: Int
    /// In the unit of the series.
    package let mean: Double
    package let min: Double
    package let max: Double
    /// A power of two.
    package var scale: Double { shrink * factor }
    /// The scale in two steps, neither of which overflows: 1 or 1/4 before anything is subtracted, the rest after.
    let shrink: Double
    let factor: Double

    /// - Parameter padding: zeros after the values, so that products at a lag need no own end.
    /// - Returns: no value for a series that is too short, not finite, or constant. Complexity: O(n).
    package static func make(
        of values: Span<Double>, minimum: Int, padding: Int = 0
    ) -> Result<CenteredSeries, Unanswerable> {
        let n = values.count
        guard n >= Swift.max(minimum, 1) else { return .failure(.tooShort(count: n, minimum: Swift.max(minimum, 1))) }
        return values.withUnsafeBufferPointer { buffer in
            guard let x = buffer.baseAddress else { return .failure(.tooShort(count: 0, minimum: minimum)) }
            let extent = Kernels.extent(x, count: n)
            guard extent.isFinite else {
                return .failure(.notFinite(index: buffer.firstIndex { !$0.isFinite } ?? 0))
            }
            guard extent.min < extent.max else { return .failure(.constant) }
            return .success(CenteredSeries(x, count: n, extent: extent, padding: padding))
        }
    }

    package static func make(of values: [Double], minimum: Int, padding: Int = 0) -> Result<CenteredSeries, Unanswerable> {
        make(of: values.span, minimum: minimum, padding: padding)
    }

    private init(_ x: UnsafePointer<Double>, count n: Int, extent: Kernels.Extent, padding: Int) {
        // A quarter of each value when the range itself overflows.
        let shrink = (extent.max - extent.min).isFinite ? 1 : 0.25
        let range = extent.max * shrink - extent.min * shrink
        let factor = Self.powerOfTwo(-Int(range.exponent))
        self.shrink = shrink
        self.factor = factor
        let origin = Self.middle(x[0], x[n / 2], x[n - 1]) * shrink
        var mean = 0.0
        storage = [Double](unsafeUninitializedCapacity: n + padding) { out, filled in
            filled = n + padding
            guard let y = out.baseAddress else { return }
            if shrink == 1 {
                y.update(from: x, count: n)
            } else {
                for i in 0..<n { y[i] = x[i] * shrink }
            }
            for i in n..<(n + padding) { y[i] = 0 }
            Kernels.affine(y, count: n, minus: origin, times: factor)
            mean = Kernels.sum(y, count: n) / Double(n)
            Kernels.affine(y, count: n, minus: mean, times: 1)
        }
        count = n
        min = extent.min
        max = extent.max
        let restored = (origin + mean / factor) / shrink
        self.mean = Swift.min(Swift.max(restored, extent.min), extent.max)
    }

    /// 2^exponent, at most 2^1023 (the range of a subnormal series stays small then, which does no harm).
    private static func powerOfTwo(_ exponent: Int) -> Double {
        Double(sign: .plus, exponent: Swift.min(Swift.max(exponent, -1022), 1023), significand: 1)
    }

    private static func middle(_ a: Double, _ b: Double, _ c: Double) -> Double {
        Swift.max(Swift.min(a, b), Swift.min(Swift.max(a, b), c))
    }

    /// The value in the unit of the series, at most the largest double.
    package func restore(_ value: Double) -> Double {
        let restored = (value / factor + mean * shrink) / shrink
        let top = Double.greatestFiniteMagnitude
        return Swift.min(Swift.max(restored, -top), top)
    }
}
