/// The mean of the last few cycles at the same place, and an autoregression by Burg of what the series departs from it.
///
/// With one cycle and order 0 it is the seasonal naive forecast. Only for periods that were detected or are known.
package struct SeasonalAutoregression: ForecastCandidate {
    package let kind = CandidateKind.seasonalAutoregression
    package let period: Int
    package let cycles: Int
    /// Of the departures.
    private let mean: Double
    package let coefficients: [Double]
    package var parameters: [Float] { [Float(period), Float(cycles), Float(mean)] + coefficients.map(Float.init) }
    package var reach: Int { period * cycles + coefficients.count }

    init?(parameters: [Float]) {
        guard parameters.count >= 3, 2...100_000 ~= parameters[0], 1...16 ~= parameters[1] else { return nil }
        (period, cycles, mean) = (Int(parameters[0]), Int(parameters[1]), Double(parameters[2]))
        coefficients = parameters[3...].map(Double.init)
    }

    /// nil for a period below 2 or with less than two cycles. Complexity: O(n * order).
    package init?(fitting values: [Double], period: Int, maximumOrder: Int = 28) {
        guard period >= 2, values.count >= 2 * period else { return nil }
        // At least half of the values, or one cycle, are left to fit on.
        let cycles = min(max(1, values.count / 2 / period), 4)
        let first = period * cycles
        guard values.count - first >= 16 else { return nil }
        var departures = (first..<values.count).map { values[$0] - Self.seasonal(values, at: $0, before: $0, period, cycles) }
        let mean = departures.reduce(0, +) / Double(departures.count)
        for t in departures.indices { departures[t] -= mean }
        guard let a = AutoregressiveOrder.fit(departures, maximumOrder: maximumOrder) else { return nil }
        (self.period, self.cycles, self.mean, coefficients) = (period, cycles, mean, a)
    }

    /// Whether the last 720 values are nearer to those a period before than to those `ahead` steps before (half a period at most, since a
    /// whole one is that period again). Complexity: O(1).
    static func isVisible(period: Int, in values: [Double], ahead: Int) -> Bool {
        let ahead = min(ahead, period / 2)
        let first = max(period, values.count - 720)
        guard first < values.count else { return false }
        var (seasonal, held) = (0.0, 0.0)
        for t in first..<values.count {
            seasonal += abs(values[t] - values[t - period])
            held += abs(values[t] - values[t - ahead])
        }
        return seasonal < held
    }

    package func forecast(_ values: [Double], origins: ForecastOrigins, horizon: Int, into paths: inout [Double]) {
        for i in 0..<origins.count {
            for s in 0..<horizon {
                paths[i * horizon + s] = mean + Self.seasonal(values, at: origins[i] + s, before: origins[i], period, cycles)
            }
        }
        // Departures from `start` on; those without a whole cycle before them count as none.
        let start = max(0, origins.first - coefficients.count)
        let departures = (start..<origins.last).map { t in
            t < period ? 0 : values[t] - Self.seasonal(values, at: t, before: t, period, cycles) - mean
        }
        let shifted = ForecastOrigins(first: origins.first - start, stride: origins.stride, count: origins.count)
        AutoregressivePath(coefficients, cumulated: false).add(departures, origins: shifted, horizon: horizon, into: &paths)
    }

    /// The mean of up to `cycles` values at the place of index t in the cycles that end before `origin`; the last value when there is none.
    @inline(__always)
    private static func seasonal(_ values: [Double], at t: Int, before origin: Int, _ period: Int, _ cycles: Int) -> Double {
        var place = t - period
        while place >= origin { place -= period }
        var (sum, count) = (0.0, 0)
        while place >= 0, count < cycles {
            sum += values[place]
            count += 1
            place -= period
        }
        return count > 0 ? sum / Double(count) : values[origin - 1]
    }
}
