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

/// One forecaster of the pool, fitted. Adding one is adding one file and one line in `ForecastPool`.
///
/// Candidates see a centred and scaled series (mean zero, range about one) without NaN. They are pure: the same history and origin
/// give the same path, and a path from origin t reads only values before t.
package protocol ForecastCandidate: Sendable {
    var name: String { get }

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
