/// An autoregression by Burg on values drawn in to a band round the median, its order by the corrected Akaike criterion.
///
/// A burst then neither bends the coefficients nor is carried on by them (outliers in autoregressions: Denby and Martin 1979). The band
/// is five median absolute deviations to either side, which leaves a normal series as it is.
package struct WinsorisedAutoregression: ForecastCandidate {
    package let kind = CandidateKind.winsorisedAutoregression
    /// The band, and the mean of what lies in it.
    private let low: Double
    private let high: Double
    private let mean: Double
    package let coefficients: [Double]
    package var parameters: [Float] { [low, high, mean].map(Float.init) + coefficients.map(Float.init) }
    package var reach: Int { coefficients.count }

    private static let deviations = 5.0
    /// Values from which the band is found.
    private static let sample = 720

    init?(parameters: [Float]) {
        guard parameters.count >= 3, parameters[0] <= parameters[1] else { return nil }
        (low, high, mean) = (Double(parameters[0]), Double(parameters[1]), Double(parameters[2]))
        coefficients = parameters[3...].map(Double.init)
    }

    /// Order 0, the mean, when no other is better; no band where half of the values are one. nil for a series that is too short.
    /// Complexity: O(n * order).
    package init?(fitting values: [Double], maximumOrder: Int = 28) {
        guard let band = Self.band(values) else { return nil }
        var x = values.map { min(max($0, band.lowerBound), band.upperBound) }
        let mean = x.reduce(0, +) / Double(x.count)
        for t in x.indices { x[t] -= mean }
        guard let a = AutoregressiveOrder.fit(x, maximumOrder: maximumOrder) else { return nil }
        (low, high, self.mean, coefficients) = (band.lowerBound, band.upperBound, mean, a)
    }

    private static func band(_ values: [Double]) -> ClosedRange<Double>? {
        guard let low = values.min(), let high = values.max() else { return nil }
        var part = OrderStatistics.sample(values, count: sample)
        guard let median = OrderStatistics.median(&part) else { return nil }
        for t in part.indices { part[t] = abs(part[t] - median) }
        guard let deviation = OrderStatistics.median(&part), deviation > 0 else { return low...high }
        return max(median - deviations * deviation, low)...min(median + deviations * deviation, high)
    }

    package func forecast(_ values: [Double], origins: ForecastOrigins, horizon: Int, into paths: inout [Double]) {
        let start = max(0, origins.first - coefficients.count)
        let x = values[start..<origins.last].map { min(max($0, low), high) - mean }
        let shifted = ForecastOrigins(first: origins.first - start, stride: origins.stride, count: origins.count)
        for i in 0..<(origins.count * horizon) { paths[i] = mean }
        AutoregressivePath(coefficients, cumulated: false).add(x, origins: shifted, horizon: horizon, into: &paths)
    }
}
