import Glibc

/// An autoregression by Burg on the logarithm of the values above their minimum: for bursts and skewed series, whose middle is not
/// their mean. Going back is exp of the mean of the logarithm, which is the median (Box and Cox 1964; Granger and Newbold 1976).
package struct LogAutoregression: ForecastCandidate {
    package let kind = CandidateKind.logAutoregression
    /// z = log(max(x - low, 0) + offset) - mean, forecast at most `ceiling`.
    private let low: Double
    private let offset: Double
    private let mean: Double
    private let ceiling: Double
    package let coefficients: [Double]
    package var parameters: [Float] { [low, offset, mean, ceiling].map(Float.init) + coefficients.map(Float.init) }
    package var reach: Int { coefficients.count }

    init?(parameters: [Float]) {
        guard parameters.count >= 4, parameters[1] > 0 else { return nil }
        let values = parameters.map(Double.init)
        (low, offset, mean, ceiling) = (values[0], values[1], values[2], values[3])
        coefficients = Array(values[4...])
    }

    /// The offset, a tenth of the median above the minimum and at least a thousandth of the range, keeps the smallest values apart
    /// without making them count most. nil for a series that is too short. Complexity: O(n * order), and n logarithms.
    package init?(fitting values: [Double], maximumOrder: Int = 28) {
        var part = OrderStatistics.sample(values, count: 720)
        guard let low = values.min(), let high = values.max(), let median = OrderStatistics.median(&part), low < high else { return nil }
        let offset = max(0.1 * (median - low), 1e-3 * (high - low))
        var logs = values.map { log($0 - low + offset) }
        let mean = logs.reduce(0, +) / Double(logs.count)
        for t in logs.indices { logs[t] -= mean }
        guard let a = AutoregressiveOrder.fit(logs, maximumOrder: maximumOrder) else { return nil }
        (self.low, self.offset, self.mean) = (low, offset, mean)
        ceiling = log(high - low + offset)
        coefficients = a
    }

    package func forecast(_ values: [Double], origins: ForecastOrigins, horizon: Int, into paths: inout [Double]) {
        let start = max(0, origins.first - coefficients.count)
        let logs = values[start..<origins.last].map { log(max($0 - low, 0) + offset) - mean }
        let shifted = ForecastOrigins(first: origins.first - start, stride: origins.stride, count: origins.count)
        for i in 0..<(origins.count * horizon) { paths[i] = mean }
        AutoregressivePath(coefficients, cumulated: false).add(logs, origins: shifted, horizon: horizon, into: &paths)
        for i in 0..<(origins.count * horizon) { paths[i] = exp(min(paths[i], ceiling)) - offset + low }
    }
}
