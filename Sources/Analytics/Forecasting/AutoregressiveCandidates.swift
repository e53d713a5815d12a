import Glibc

/// An autoregression by Burg on the differences: it moves on from the last value and has no level to return to.
package struct DifferenceAutoregression: ForecastCandidate {
    package let kind = CandidateKind.differenceAutoregression
    package let coefficients: [Double]
    package var parameters: [Float] { coefficients.map(Float.init) }
    package var reach: Int { coefficients.count + 1 }

    package init(coefficients: [Double]) { self.coefficients = coefficients }

    /// nil when no order improves on the last value or the series is too short. Complexity: O(n * order).
    package init?(fitting values: [Double], maximumOrder: Int = 28) {
        guard let a = AutoregressiveOrder.fit(Self.differences(values), maximumOrder: maximumOrder), !a.isEmpty else { return nil }
        coefficients = a
    }

    package func forecast(_ values: [Double], origins: ForecastOrigins, horizon: Int, into paths: inout [Double]) {
        LastValue().forecast(values, origins: origins, horizon: horizon, into: &paths)
        // The difference before origin t has index t - 2.
        let shifted = ForecastOrigins(first: origins.first - 1, stride: origins.stride, count: origins.count)
        AutoregressivePath(coefficients, cumulated: true).add(Self.differences(values), origins: shifted, horizon: horizon, into: &paths)
    }

    private static func differences(_ values: [Double]) -> [Double] {
        guard values.count > 1 else { return [] }
        return [Double](unsafeUninitializedCapacity: values.count - 1) { out, filled in
            for t in 1..<values.count { out[t - 1] = values[t] - values[t - 1] }
            filled = values.count - 1
        }
    }
}

enum AutoregressiveOrder {
    /// The coefficients at the order with the smallest AICc, n ln s2 + n (n + p + 1) / (n - p - 3) (Hurvich and Tsai 1989); none at
    /// order 0, nil below 4 values.
    static func fit(_ values: [Double], maximumOrder: Int) -> [Double]? {
        let n = values.count
        let largest = min(maximumOrder, n / 4)
        guard largest >= 1 else { return nil }
        let recursion = BurgRecursion(lagged: values, count: n, order: largest) ?? BurgRecursion(values, count: n, order: largest)
        let count = Double(n)
        var best = (order: 0, criterion: Double.infinity)
        for (p, variance) in recursion.variances.enumerated() where variance > 0 {
            let criterion = count * log(variance) + count * Double(n + p + 1) / Double(n - p - 3)
            if criterion < best.criterion { best = (p, criterion) }
        }
        return recursion.coefficients(order: best.order)
    }
}

extension OrderStatistics {
    /// Some `count` of the values, or all when there are fewer than twice as many, evenly spaced. Complexity: O(count).
    static func sample(_ values: [Double], count: Int) -> [Double] {
        stride(from: 0, to: values.count, by: max(1, values.count / max(count, 1))).map { values[$0] }
    }
}
