/// An autoregressive model: x[t] - mean = sum of coefficients[i] (x[t - 1 - i] - mean) + noise of the given variance.
package struct Autoregression: Sendable, Equatable {
    package let coefficients: [Double]
    /// In the squared unit of the series.
    package let variance: Double
    package let mean: Double
}

/// Burg's method (1967), as statsmodels `burg(x, order)`: always a stable model.
///
/// - Returns: no value for an order below 1 or above n - 2, a constant or not finite series, or when the variance is out of the
///   range of a double. A series that is explained completely before `order` keeps zeros for the rest.
/// Complexity: O(n * order).
package func burg(of values: Span<Double>, order: Int) -> Answer<Autoregression> {
    guard order >= 1 else { return .none("an order below 1: \(order)") }
    switch CenteredSeries.make(of: values, minimum: order + 2) {
    case .failure(let reason): return .none(reason)
    case .success(let series):
        let recursion = BurgRecursion(series.storage, count: series.count, order: order)
        let variance = recursion.variances[recursion.order] / series.scale / series.scale
        guard variance.isFinite else { return .none(.overflow) }
        let known = recursion.coefficients(order: recursion.order)
        let zeros = [Double](repeating: 0, count: order - recursion.order)
        return .value(Autoregression(coefficients: known + zeros, variance: variance, mean: series.mean))
    }
}

package func burg(of values: [Double], order: Int) -> Answer<Autoregression> { burg(of: values.span, order: order) }

/// Burg's recursion up to an order, with the variance of every order on the way, so that a criterion can choose.
struct BurgRecursion {
    /// Reflection coefficients at orders 1, 2, ...
    private(set) var reflections: [Double] = []
    /// Residual variance at orders 0, 1, 2, ...
    private(set) var variances: [Double] = []
    /// The order that was reached: less than asked for when nothing is left to explain.
    var order: Int { reflections.count }

    /// Order 0.
    init(variance: Double) { variances = [variance] }

    mutating func append(reflection: Double, variance: Double) {
        reflections.append(reflection)
        variances.append(variance)
    }

    /// - Parameter centered: values with mean zero. `order` < count.
    init(_ centered: [Double], count n: Int, order: Int) {
        // After order i, forward[s + i] and backward[s] are the errors that meet at the next order.
        var forward = centered
        var backward = centered
        forward.withUnsafeMutableBufferPointer { forward in
            backward.withUnsafeMutableBufferPointer { backward in
                guard let f = forward.baseAddress, let b = backward.baseAddress else { return }
                let square = Kernels.dot(f, f, count: n)
                variances.append(square / Double(n))
                var denominator = 2 * square - f[0] * f[0] - f[n - 1] * f[n - 1]
                var numerator = Kernels.dot(f + 1, b, count: n - 1)
                for i in 1..<(order + 1) {
                    guard denominator > square * 1e-26 else { return }
                    let k = 2 * numerator / denominator
                    guard abs(k) <= 1 else { return }
                    reflections.append(k)
                    variances.append((1 - k * k) * denominator / Double(2 * (n - i)))
                    numerator = Self.step(f + i, b, count: n - i, reflection: k)
                    denominator = (1 - k * k) * denominator - f[i] * f[i] - b[n - i - 1] * b[n - i - 1]
                }
            }
        }
    }

    /// f, b = f - k b, b - k f; returns the sum of the new f[s + 1] b[s].
    private static func step(
        _ f: UnsafeMutablePointer<Double>, _ b: UnsafeMutablePointer<Double>, count: Int, reflection k: Double
    ) -> Double {
        let factor = Kernels.Lanes(repeating: k)
        var sums = Kernels.Lanes.zero
        var s = 0
        // Reads f and b up to s + 4 <= count - 1.
        while s + 5 <= count {
            let (fs, bs) = (Kernels.load(f + s), Kernels.load(b + s))
            let next = Kernels.load(f + s + 1) - factor * Kernels.load(b + s + 1)
            let backward = bs - factor * fs
            Kernels.store(fs - factor * bs, f + s)
            Kernels.store(backward, b + s)
            sums += next * backward
            s += 4
        }
        var total = sums.sum()
        while s < count {
            let (fs, bs) = (f[s], b[s])
            f[s] = fs - k * bs
            b[s] = bs - k * fs
            if s + 1 < count { total += (f[s + 1] - k * b[s + 1]) * b[s] }
            s += 1
        }
        return total
    }

    /// The coefficients of the model of an order up to `order`, by Levinson's step-up. Complexity: O(order^2).
    func coefficients(order: Int) -> [Double] {
        var a: [Double] = []
        for i in 0..<order {
            let previous = a
            let k = reflections[i]
            for j in 0..<i { a[j] = previous[j] - k * previous[i - 1 - j] }
            a.append(k)
        }
        return a
    }
}
