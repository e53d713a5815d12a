/// Forecasts that are linear in the last `order` values: step s is base + sum over j of weights[j][s] * x[t - 1 - j].
///
/// An autoregression iterated h times is such a map; making it once turns h dependent recursions per origin into one small
/// matrix product.
struct LinearPath: Sendable {
    let order: Int
    let horizon: Int
    /// `horizon` rounded up to whole blocks.
    private let width: Int
    /// order x width.
    private let weights: [Double]

    private static let block = 8

    /// The h-step map of an autoregression on centred values, or with `cumulated` on their differences, whose forecasts are then summed.
    init(autoregression a: [Double], horizon: Int, cumulated: Bool) {
        let p = a.count
        let width = (horizon + Self.block - 1) / Self.block * Self.block
        // rows[s][j]: weight of x[t - 1 - j] in step s.
        var rows: [[Double]] = []
        rows.reserveCapacity(horizon)
        for s in 0..<horizon {
            var row = [Double](repeating: 0, count: p)
            for j in 0..<max(0, p - s) { row[j] = a[s + j] }
            for i in 0..<min(s, p) {
                let (f, earlier) = (a[i], rows[s - 1 - i])
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
        order = p
        self.horizon = horizon
        self.width = width
        self.weights = weights
    }

    /// Adds the map of the values before each origin to `paths` (origins.count rows of `horizon`). Values before the start count as zero.
    func add(_ values: [Double], origins: ForecastOrigins, into paths: inout [Double]) {
        guard order > 0 else { return }
        values.withUnsafeBufferPointer { x in
            weights.withUnsafeBufferPointer { weights in
                paths.withUnsafeMutableBufferPointer { paths in
                    guard let x = x.baseAddress, let w = weights.baseAddress, let out = paths.baseAddress else { return }
                    for i in 0..<origins.count {
                        let end = origins[i]
                        add(x + end, reach: min(order, end), w, out + i * horizon)
                    }
                }
            }
        }
    }

    @inline(__always)
    private func add(
        _ end: UnsafePointer<Double>, reach: Int, _ w: UnsafePointer<Double>, _ out: UnsafeMutablePointer<Double>
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
            if s + Self.block <= horizon {
                Kernels.store(Kernels.load(out + s) + low, out + s)
                Kernels.store(Kernels.load(out + s + 4) + high, out + s + 4)
            } else {
                for k in 0..<(horizon - s) { out[s + k] += k < 4 ? low[k] : high[k - 4] }
            }
            s += Self.block
        }
    }
}
