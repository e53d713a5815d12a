/// An autoregression iterated over the horizon. The forecast of step s is linear in the last `order` values: sum over j of
/// weights[j][s] * x[t - 1 - j]; for many origins that map is made once and each is one small matrix product.
struct AutoregressivePath {
    private let coefficients: [Double]
    /// Whether the values are differences, whose forecasts are summed.
    private let cumulated: Bool

    private static let block = 8

    init(_ coefficients: [Double], cumulated: Bool) {
        self.coefficients = coefficients
        self.cumulated = cumulated
    }

    /// Adds the forecasts from the values before each origin to `paths` (origins.count rows of `horizon`). Values before the start count as
    /// zero.
    func add(_ values: [Double], origins: ForecastOrigins, horizon: Int, into paths: inout [Double]) {
        if coefficients.isEmpty { return }
        if origins.count < Self.block { return iterate(values, origins: origins, horizon: horizon, into: &paths) }
        let width = (horizon + Self.block - 1) / Self.block * Self.block
        let weights = map(horizon: horizon, width: width)
        values.withUnsafeBufferPointer { x in
            weights.withUnsafeBufferPointer { weights in
                paths.withUnsafeMutableBufferPointer { paths in
                    guard let x = x.baseAddress, let w = weights.baseAddress, let out = paths.baseAddress else { return }
                    for i in 0..<origins.count {
                        let end = origins[i]
                        let reach = min(coefficients.count, end)
                        Self.multiply(x + end, reach: reach, w, width: width, horizon: horizon, out + i * horizon)
                    }
                }
            }
        }
    }

    private func iterate(_ values: [Double], origins: ForecastOrigins, horizon: Int, into paths: inout [Double]) {
        let order = coefficients.count
        for i in 0..<origins.count {
            let end = origins[i]
            var recent = [Double](repeating: 0, count: order + horizon)
            for j in 0..<min(order, end) { recent[order - 1 - j] = values[end - 1 - j] }
            var total = 0.0
            for s in 0..<horizon {
                var next = 0.0
                for j in 0..<order { next += coefficients[j] * recent[order + s - 1 - j] }
                recent[order + s] = next
                total = cumulated ? total + next : next
                paths[i * horizon + s] += total
            }
        }
    }

    /// order x width.
    private func map(horizon: Int, width: Int) -> [Double] {
        let p = coefficients.count
        var rows: [[Double]] = []
        rows.reserveCapacity(horizon)
        for s in 0..<horizon {
            var row = [Double](repeating: 0, count: p)
            for j in 0..<max(0, p - s) { row[j] = coefficients[s + j] }
            for i in 0..<min(s, p) {
                let (f, earlier) = (coefficients[i], rows[s - 1 - i])
                for j in 0..<p { row[j] += f * earlier[j] }
            }
            rows.append(row)
        }
        var weights = [Double](repeating: 0, count: p * width)
        for j in 0..<p {
            var total = 0.0
            for s in 0..<horizon {
                total = cumulated ? total + rows[s][j] : rows[s][j]
                weights[j * width + s] = total
            }
        }
        return weights
    }

    @inline(__always)
    private static func multiply(
        _ end: UnsafePointer<Double>, reach: Int, _ w: UnsafePointer<Double>, width: Int, horizon: Int,
        _ out: UnsafeMutablePointer<Double>
    ) {
        var s = 0
        while s < horizon {
            var low = Kernels.Lanes.zero
            var high = Kernels.Lanes.zero
            for j in 0..<reach {
                let value = Kernels.Lanes(repeating: end[-1 - j])
                low += value * Kernels.load(w + j * width + s)
                high += value * Kernels.load(w + j * width + s + 4)
            }
            if s + block <= horizon {
                Kernels.store(Kernels.load(out + s) + low, out + s)
                Kernels.store(Kernels.load(out + s + 4) + high, out + s + 4)
            } else {
                for k in 0..<(horizon - s) { out[s + k] += k < 4 ? low[k] : high[k - 4] }
            }
            s += block
        }
    }
}
