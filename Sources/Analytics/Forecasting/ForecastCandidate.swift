/// The moments from which a horizon is forecast: `first`, `first + stride`, ... An origin t knows the values before index t.
package struct ForecastOrigins: Sendable, Equatable {
    package let first: Int
    package let stride: Int
    package let count: Int

    package init(first: Int, stride: Int, count: Int) {
        self.first = first
        self.stride = stride
        self.count = count
    }

    package subscript(i: Int) -> Int { first + i * stride }
    package var last: Int { first + (count - 1) * stride }
}

/// One forecaster of the pool, fitted. Adding one is adding one file, and its line in `CandidateKind` and in `ForecastPool.fit`.
///
/// Candidates see a centred and scaled series (mean zero, range about one) without NaN. They are pure: the same history and origin
/// give the same path, and a path from origin t reads only values before t.
package protocol ForecastCandidate: Sendable {
    var kind: CandidateKind { get }
    /// What was fitted: `kind.make(parameters)` gives the candidate again.
    var parameters: [Float] { get }
    /// How many values before the origin a path depends on (more than by rounding).
    var reach: Int { get }

    /// Row i of `paths` becomes the forecast of the `horizon` values from origin i on.
    ///
    /// `paths` holds origins.count rows of `horizon` values. 0 < origins.first, origins.last <= values.count. Called once for all
    /// origins, so that recursive candidates run over the history once.
    func forecast(_ values: [Double], origins: ForecastOrigins, horizon: Int, into paths: inout [Double])
}

extension ForecastCandidate {
    /// The path from one origin. Convenience for tests and displays.
    package func path(_ values: [Double], origin: Int, horizon: Int) -> [Double] {
        var paths = [Double](repeating: 0, count: horizon)
        forecast(values, origins: ForecastOrigins(first: origin, stride: 1, count: 1), horizon: horizon, into: &paths)
        return paths
    }
}

/// The forecasters there are. The raw values are part of the encoded state: never reuse one (3 was an autoregression of plain values).
package enum CandidateKind: UInt8, Sendable, CaseIterable {
    case lastValue = 0
    case recentMedian = 1
    case exponentialSmoothing = 2
    case differenceAutoregression = 4
    case logAutoregression = 5
    case seasonalAutoregression = 6
    case winsorisedAutoregression = 7

    /// nil when the parameters are none of this kind.
    package func make(_ parameters: [Float]) -> (any ForecastCandidate)? {
        guard parameters.allSatisfy(\.isFinite) else { return nil }
        return switch self {
        case .lastValue: LastValue()
        case .recentMedian: RecentMedian(parameters: parameters)
        case .exponentialSmoothing: ExponentialSmoothing(parameters: parameters)
        case .differenceAutoregression: DifferenceAutoregression(coefficients: parameters.map(Double.init))
        case .logAutoregression: LogAutoregression(parameters: parameters)
        case .seasonalAutoregression: SeasonalAutoregression(parameters: parameters)
        case .winsorisedAutoregression: WinsorisedAutoregression(parameters: parameters)
        }
    }
}
