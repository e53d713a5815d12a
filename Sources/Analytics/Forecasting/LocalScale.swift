import Glibc

/// How large errors are expected to be from an origin on: exp of a linear function of the logarithms of the recent mean absolute
/// difference over a short and a long memory, fitted to past errors.
///
/// Residuals divided by it are alike in quiet and in wild times, so their quantiles, multiplied by it, are narrow when they may be
/// (locally weighted split-conformal intervals: Lei et al. 2018; the regression on the logarithm as in Harvey 1976).
struct LocalScale: Sendable, Equatable {
    /// Mean absolute difference of the series; a share of it is added to the recent ones, so that a still minute does not mean certainty.
    private let typical: Double
    private let coefficients: SIMD2<Double>
    private let centre: SIMD2<Double>
    private let level: Double

    private static let gains = SIMD2<Double>(0.15, 0.03)
    /// Differences before the origin that matter.
    static let reach = 500

    static let parameterCount = 6
    var parameters: [Float] { [typical, coefficients[0], coefficients[1], centre[0], centre[1], level].map(Float.init) }

    init?(parameters p: [Float]) {
        guard p.count == Self.parameterCount, p.allSatisfy(\.isFinite), p[0] >= 0 else { return nil }
        typical = Double(p[0])
        coefficients = SIMD2(Double(p[1]), Double(p[2]))
        centre = SIMD2(Double(p[3]), Double(p[4]))
        level = Double(p[5])
    }

    /// The same scale always.
    static let one = LocalScale(typical: 0, coefficients: .zero, centre: .zero, level: 0)

    private init(typical: Double, coefficients: SIMD2<Double>, centre: SIMD2<Double>, level: Double) {
        self.typical = typical
        self.coefficients = coefficients
        self.centre = centre
        self.level = level
    }

    /// - Parameter errors: of each origin, the mean absolute error over the horizon.
    init(fitting values: [Double], origins: ForecastOrigins, errors: [Double]) {
        var sum = 0.0
        for t in 1..<values.count { sum += abs(values[t] - values[t - 1]) }
        let typical = sum / Double(values.count - 1)
        let mean = errors.reduce(0, +) / Double(errors.count)
        guard typical > 0, mean > 0 else {
            self = .one
            return
        }
        let features = Self.features(values, origins: origins, typical: typical)
        let targets = errors.map { log($0 + 0.05 * mean) }
        let count = Double(errors.count)
        let centre = features.reduce(.zero, +) / count
        let level = targets.reduce(0, +) / count
        var (xx, xy, yy, xt, yt) = (0.0, 0.0, 0.0, 0.0, 0.0)
        for (feature, target) in zip(features, targets) {
            let (f, t) = (feature - centre, target - level)
            xx += f[0] * f[0]
            xy += f[0] * f[1]
            yy += f[1] * f[1]
            xt += f[0] * t
            yt += f[1] * t
        }
        // A ridge keeps coefficients small where the features hardly move.
        xx += 0.02 * count
        yy += 0.02 * count
        let determinant = xx * yy - xy * xy
        let coefficients = SIMD2((yy * xt - xy * yt) / determinant, (xx * yt - xy * xt) / determinant)
        self.init(typical: typical, coefficients: coefficients, centre: centre, level: level)
    }

    /// The scale at each origin, within a factor of 20 of its middle.
    func scales(_ values: [Double], origins: ForecastOrigins) -> [Double] {
        if typical == 0 { return [Double](repeating: exp(level), count: origins.count) }
        return Self.features(values, origins: origins, typical: typical).map { feature in
            let change = ((feature - centre) * coefficients).sum()
            return exp(min(max(change, -3), 3) + level)
        }
    }

    private static func features(_ values: [Double], origins: ForecastOrigins, typical: Double) -> [SIMD2<Double>] {
        var recent = SIMD2(repeating: typical)
        var t = max(1, origins.first - reach)
        return (0..<origins.count).map { i in
            while t < origins[i] {
                recent += gains * (SIMD2(repeating: abs(values[t] - values[t - 1])) - recent)
                t += 1
            }
            let padded = recent + 0.05 * typical
            return SIMD2(log(padded[0]), log(padded[1]))
        }
    }
}
