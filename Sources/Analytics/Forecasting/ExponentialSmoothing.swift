/// Simple exponential smoothing, level = gain x + (1 - gain) level, its gain from a small grid by the error at mid-horizon.
package struct ExponentialSmoothing: ForecastCandidate {
    package let kind = CandidateKind.exponentialSmoothing
    package let gain: Double
    package var parameters: [Float] { [Float(gain)] }
    /// What is older has a weight below 1e-15.
    package var reach: Int { gain > 0.99 ? 16 : Int(36 / gain) + 1 }

    private typealias Lanes = SIMD4<Double>
    private static let gains = Lanes(0.08, 0.2, 0.45, 0.8)

    /// - Precondition: 0.01 <= gain <= 1.
    package init(gain: Double) { self.gain = gain }

    init?(parameters: [Float]) {
        guard let gain = parameters.first, 0.01...1 ~= gain else { return nil }
        self.gain = Double(gain)
    }

    /// The best of four gains over the last `span` values. nil for too few values. Complexity: O(n).
    package init?(fitting values: [Double], horizon: Int, span: Int = 1_440) {
        let recent = values[max(0, values.count - span)...]
        let ahead = (horizon + 1) / 2
        guard recent.count >= 4 + ahead else { return nil }
        self.init(gain: Self.best(for: recent, ahead: ahead).gain)
    }

    /// The best of four gains by their absolute errors `ahead` steps ahead, from the second value on. Complexity: O(n).
    ///
    /// - Precondition: more than `ahead` values.
    static func best(for values: ArraySlice<Double>, ahead: Int) -> ExponentialSmoothing {
        let start = values.startIndex
        var level = Lanes(repeating: values[start])
        var errors = Lanes.zero
        for t in (start + 1)..<(values.endIndex - ahead) {
            level += Self.gains * (Lanes(repeating: values[t]) - level)
            let error = Lanes(repeating: values[t + ahead]) - level
            errors += error.replacing(with: -error, where: error .< 0)
        }
        var best = 0
        for k in 1..<4 where errors[k] < errors[best] { best = k }
        return ExponentialSmoothing(gain: gains[best])
    }

    package func forecast(_ values: [Double], origins: ForecastOrigins, horizon: Int, into paths: inout [Double]) {
        var t = max(0, origins.first - reach)
        var level = values[t]
        for i in 0..<origins.count {
            while t < origins[i] {
                level += gain * (values[t] - level)
                t += 1
            }
            for s in 0..<horizon { paths[i * horizon + s] = level }
        }
    }
}
