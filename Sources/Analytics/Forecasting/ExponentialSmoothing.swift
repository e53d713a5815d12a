/// Damped trend smoothing (Gardner and McKenzie 1985), its constants from a small grid by the error at mid-horizon.
///
/// level = a x + (1 - a) (level + f trend); trend = b (level - previous level) + (1 - b) f trend; step s: level + (f + ... + f^s) trend.
/// Without trend (b = 0, trend = 0) it is simple exponential smoothing.
package struct DampedHolt: ForecastCandidate {
    package var name: String { trendGain == 0 ? "exponential smoothing" : "damped Holt" }
    package let levelGain: Double
    package let trendGain: Double
    package let damping: Double

    private typealias Lanes = SIMD4<Double>
    private static let levelGains = Lanes(0.08, 0.2, 0.45, 0.8)

    package init(levelGain: Double, trendGain: Double, damping: Double) {
        self.levelGain = levelGain
        self.trendGain = trendGain
        self.damping = damping
    }

    /// The best of four level gains over the last `span` values. nil below 4 values. Complexity: O(n).
    package init?(fitting values: [Double], horizon: Int, trended: Bool, span: Int = 1_440) {
        let start = max(0, values.count - span)
        let ahead = (horizon + 1) / 2
        guard values.count - start >= 4 + ahead else { return nil }
        let damping = trended ? 0.9 : 0
        let trendGain = trended ? 0.15 : 0
        let reach = Lanes(repeating: Self.reach(damping, steps: ahead))
        let (a, f) = (Self.levelGains, Lanes(repeating: damping))
        var level = Lanes(repeating: values[start])
        var trend = Lanes.zero
        var errors = Lanes.zero
        for t in (start + 1)..<(values.count - ahead) {
            let x = Lanes(repeating: values[t])
            let expected = level + f * trend
            let next = expected + a * (x - expected)
            trend = f * trend + Lanes(repeating: trendGain) * (next - level - f * trend)
            level = next
            let error = Lanes(repeating: values[t + ahead]) - level - reach * trend
            errors += error.replacing(with: -error, where: error .< 0)
        }
        var best = 0
        for k in 1..<4 where errors[k] < errors[best] { best = k }
        self.init(levelGain: a[best], trendGain: trendGain, damping: damping)
    }

    package func forecast(_ values: [Double], origins: ForecastOrigins, horizon: Int, into paths: inout [Double]) {
        var level = values[0]
        var trend = 0.0
        var t = 1
        for i in 0..<origins.count {
            while t < origins[i] {
                let expected = level + damping * trend
                let next = expected + levelGain * (values[t] - expected)
                trend = damping * trend + trendGain * (next - level - damping * trend)
                level = next
                t += 1
            }
            var step = damping * trend
            var value = level
            for s in 0..<horizon {
                value += step
                step *= damping
                paths[i * horizon + s] = value
            }
        }
    }

    /// f + f^2 + ... + f^steps
    private static func reach(_ f: Double, steps: Int) -> Double {
        var (power, total) = (1.0, 0.0)
        for _ in 0..<steps {
            power *= f
            total += power
        }
        return total
    }
}
