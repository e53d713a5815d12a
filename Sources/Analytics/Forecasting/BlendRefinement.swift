/// Moves the weights of the pool from those that each candidate earns by itself towards those whose blend errs least.
///
/// Candidates that err together are worth less than their errors say, and those that err on opposite sides more. Exponentiated gradient
/// on the mean absolute error of the blend (Kivinen and Warmuth 1997; stacking: Wolpert 1992), few steps from the earned weights and
/// their average: so far the past may teach, without the noise of the best fit.
struct BlendRefinement {
    typealias Lanes = SIMD8<Float>

    static let steps = 8
    /// First step size in units of the least error of a candidate, falling with the root of the step; smaller for few independent origins.
    private static let gain: Float = 4.5
    private static let shrinkage: Float = 30
    /// Candidates that earned less take no part.
    private static let threshold = 0.001

    /// What came: rows of `columns`.
    let actual: [Double]
    let columns: Int
    /// Largest error that counts, of each column.
    let caps: [Double]
    /// Weight of each origin.
    let recency: [Double]
    /// Number of origins that do not overlap, of each column.
    let independent: [Double]

    /// Refines a part of the columns of `weights` (at least trials.count x columns, each column summing to one).
    ///
    /// - Parameter trials: of each row, origins x columns.
    /// - Parameter errors: of each row and column, weighted sums over the origins; columns where the least is 0 stay as they are.
    /// - Parameter penalties: what is added to the error of a row, likewise.
    /// Complexity: O(steps * rows * origins * columns).
    func refine(_ weights: inout [Double], _ part: Range<Int>, trials: [[Double]], errors: [[Double]], penalties: [[Double]]) {
        for first in stride(from: part.lowerBound, to: part.upperBound, by: Lanes.scalarCount) {
            let group = first..<min(first + Lanes.scalarCount, part.upperBound)
            let rows = trials.indices.filter { row in group.contains { weights[row * columns + $0] > Self.threshold } }
            if rows.count > 1 { refine(&weights, group, rows, trials, errors, penalties) }
        }
    }

    private func refine(
        _ weights: inout [Double], _ group: Range<Int>, _ rows: [Int], _ trials: [[Double]], _ errors: [[Double]], _ penalties: [[Double]]
    ) {
        var units = [Double](repeating: 0, count: Lanes.scalarCount)
        var (gains, limits) = (Lanes.zero, Lanes.zero)
        for (k, s) in group.enumerated() {
            let least = rows.reduce(Double.infinity) { weights[$1 * columns + s] > Self.threshold ? min($0, errors[$1][s]) : $0 }
            guard least > 0, least.isFinite else { continue }
            units[k] = 1 / least
            limits[k] = Float(caps[s] / least)
            let count = Float(independent[s])
            gains[k] = Self.gain * count / (count + Self.shrinkage)
        }
        var start: [Lanes] = []
        var handicaps: [Lanes] = []
        for row in rows {
            var (earned, handicap) = (Lanes.zero, Lanes.zero)
            for (k, s) in group.enumerated() {
                let weight = weights[row * columns + s]
                earned[k] = weight > Self.threshold ? Float(weight) : 0
                handicap[k] = Float(penalties[row][s] * units[k])
            }
            start.append(earned)
            handicaps.append(handicap)
        }
        let departures = departures(trials, rows, group, units)
        let refined = descend(from: start, departures, handicaps, gains: gains, limits: limits)
        for (k, s) in group.enumerated() where gains[k] > 0 {
            let total = refined.reduce(0) { $0 + Double($1[k]) }
            guard total > 0, total.isFinite else { continue }
            for row in trials.indices { weights[row * columns + s] = 0 }
            for (place, row) in rows.enumerated() { weights[row * columns + s] = Double(refined[place][k]) / total }
        }
    }

    /// Origins x rows: forecast minus what came, in units of the least error.
    private func departures(_ trials: [[Double]], _ rows: [Int], _ group: Range<Int>, _ units: [Double]) -> [Lanes] {
        let count = recency.count
        // Lanes beyond the group read what follows and are multiplied by 0; the last rows have nothing behind them.
        let wide = min(count, max(0, count * columns - group.lowerBound - Lanes.scalarCount + columns) / columns)
        let factors = SIMD8<Double>((0..<Lanes.scalarCount).map { $0 < group.count ? units[$0] : 0 })
        var result = [Lanes](repeating: .zero, count: count * rows.count)
        result.withUnsafeMutableBufferPointer { out in
            for (place, row) in rows.enumerated() {
                trials[row].withUnsafeBufferPointer { x in
                    actual.withUnsafeBufferPointer { y in
                        guard let from = x.baseAddress, let came = y.baseAddress else { return }
                        for i in 0..<wide {
                            let k = i * columns + group.lowerBound
                            out[i * rows.count + place] = Lanes((Kernels.load8(from + k) - Kernels.load8(came + k)) * factors)
                        }
                        for i in wide..<count {
                            let k = i * columns + group.lowerBound
                            for s in 0..<group.count { out[i * rows.count + place][s] = Float((x[k + s] - y[k + s]) * units[s]) }
                        }
                    }
                }
            }
        }
        return result
    }

    private func descend(
        from start: [Lanes], _ departures: [Lanes], _ handicaps: [Lanes], gains: Lanes, limits: Lanes
    ) -> [Lanes] {
        let rows = start.count
        var (weights, average) = (start, [Lanes](repeating: .zero, count: rows))
        for step in 1...Self.steps {
            let gains = gains / Float(step).squareRoot()
            var gradient = handicaps
            addGradient(weights, departures, limits: limits, to: &gradient)
            var total = Lanes.zero
            for row in 0..<rows {
                var change = gains * gradient[row]
                change.replace(with: 3, where: change .> 3)
                change.replace(with: -3, where: change .< -3)
                // (1 - x / 16)^16 for exp(-x): any falling positive function will do.
                var factor = 1 - change / 16
                for _ in 0..<4 { factor *= factor }
                weights[row] *= factor
                total += weights[row]
            }
            total.replace(with: 1, where: total .<= 0)
            for row in 0..<rows {
                weights[row] /= total
                average[row] += weights[row]
            }
        }
        return average
    }

    private func addGradient(_ weights: [Lanes], _ departures: [Lanes], limits: Lanes, to gradient: inout [Lanes]) {
        let rows = weights.count
        departures.withUnsafeBufferPointer { departures in
            weights.withUnsafeBufferPointer { weights in
                gradient.withUnsafeMutableBufferPointer { gradient in
                    guard let d = departures.baseAddress, let w = weights.baseAddress, let g = gradient.baseAddress else { return }
                    for i in 0..<recency.count {
                        let here = d + i * rows
                        var error = Lanes.zero
                        for row in 0..<rows { error += w[row] * here[row] }
                        let weight = Float(recency[i])
                        var slope = Lanes.zero
                        slope.replace(with: weight, where: (error .> 0) .& (error .< limits))
                        slope.replace(with: -weight, where: (error .< 0) .& (error .> -limits))
                        for row in 0..<rows { g[row] += slope * here[row] }
                    }
                }
            }
        }
    }
}
