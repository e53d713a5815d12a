import Glibc

/// An autoregression by Burg on the values, its order by the corrected Akaike criterion.
package struct LevelAutoregression: ForecastCandidate {
    package let name = "AR"
    package let coefficients: [Double]
    private let map: LinearPath

    /// Order 0, the mean, when no other is better. nil for a series that is too short. Complexity: O(n * order).
    package init?(fitting values: [Double], horizon: Int, maximumOrder: Int = 28) {
        guard let a = AutoregressiveOrder.fit(values, maximumOrder: maximumOrder) else { return nil }
        coefficients = a
        map = LinearPath(autoregression: a, horizon: horizon, cumulated: false)
    }

    package func forecast(_ values: [Double], origins: ForecastOrigins, horizon: Int, into paths: inout [Double]) {
        for i in 0..<(origins.count * horizon) { paths[i] = 0 }
        map.add(values, origins: origins, into: &paths)
    }
}

/// An autoregression by Burg on the differences: it moves on from the last value and has no level to return to.
package struct DifferenceAutoregression: ForecastCandidate {
    package let name = "AR of differences"
    package let coefficients: [Double]
    private let map: LinearPath

    /// nil when no order improves on the last value or the series is too short. Complexity: O(n * order).
    package init?(fitting values: [Double], horizon: Int, maximumOrder: Int = 28) {
        guard let a = AutoregressiveOrder.fit(Self.differences(values), maximumOrder: maximumOrder), !a.isEmpty else { return nil }
        coefficients = a
        map = LinearPath(autoregression: a, horizon: horizon, cumulated: true)
    }

    package func forecast(_ values: [Double], origins: ForecastOrigins, horizon: Int, into paths: inout [Double]) {
        LastValue().forecast(values, origins: origins, horizon: horizon, into: &paths)
        // The difference before origin t has index t - 2.
        let shifted = ForecastOrigins(first: origins.first - 1, stride: origins.stride, count: origins.count)
        map.add(Self.differences(values), origins: shifted, into: &paths)
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
    /// The coefficients at the order with the smallest AICc, n ln s2 + n (n + p + 1) / (n - p - 3) (Hurvich and Tsai 1989); none at order 0, nil below
    /// 4 values.
    static func fit(_ values: [Double], maximumOrder: Int) -> [Double]? {
        let n = values.count
        let largest = min(maximumOrder, n / 4)
        guard largest >= 1 else { return nil }
        let recursion = BurgRecursion(values, count: n, order: largest)
        let count = Double(n)
        var best = (order: 0, criterion: Double.infinity)
        for (p, variance) in recursion.variances.enumerated() where variance > 0 {
            let criterion = count * log(variance) + count * Double(n + p + 1) / Double(n - p - 3)
            if criterion < best.criterion { best = (p, criterion) }
        }
        return recursion.coefficients(order: best.order)
    }
}
