/// Folds a series at known periods, shortest first: each cycle is what the drift and the shorter cycles leave.
struct SeasonalComponents {
    /// The series without the cycles that were folded so far.
    private var rest: [Double]
    private let count: Int

    /// - Parameter values: `count` values, any number of others behind them.
    init(_ values: [Double], count: Int) {
        rest = values
        self.count = count
    }

    /// The cycle of `period` (at least 2) and its strength, 0 for less than two cycles; takes the cycle out of the series. O(n).
    ///
    /// The drift is the centred moving average of one period. A phase's value is the mean over the cycles without its smallest and its
    /// largest value, so that an outlier does not show.
    mutating func fold(_ period: Double) -> (component: [Double], strength: Double) {
        let length = max(Int(period.rounded()), 2)
        let half = length / 2
        guard count > 2 * half + length else { return ([Double](repeating: 0, count: length), 0) }
        let cycles = CycleSegments(period: period, length: length, count: count)
        var detrended = Self.detrended(rest, count: count, length: length)
        let cycle = Self.phaseMeans(detrended, cycles.shifted(by: half, count: detrended.count), length: length)
        Self.subtract(cycle, from: &detrended, cycles.shifted(by: half, count: detrended.count))
        let strength = Self.strength(cycle, residuals: &detrended)
        Self.subtract(cycle, from: &rest, cycles)
        return (cycle, strength)
    }

    /// The samples cut into cycles: runs of samples whose phases follow one another from a first one on.
    private struct CycleSegments {
        struct Segment {
            var start: Int
            var end: Int
            var phase: Int
        }
        var segments: [Segment] = []

        init(period: Double, length: Int, count: Int) {
            var (start, cycle) = (0, 1.0)
            while start < count {
                // Each cycle from its own start, so that no rounding adds up.
                let end = min(max(Int((cycle * period).rounded(.up)), start + 1), count)
                segments.append(Segment(start: start, end: min(end, start + length), phase: 0))
                // A cycle may hold one sample more than the component, which belongs to the last phase.
                for extra in min(start + length, end)..<end { segments.append(Segment(start: extra, end: extra + 1, phase: length - 1)) }
                start = end
                cycle += 1
            }
        }

        /// The same for a series that begins `offset` samples later.
        func shifted(by offset: Int, count: Int) -> CycleSegments {
            var result = self
            result.segments = segments.compactMap { segment in
                let first = max(segment.start, offset)
                let end = min(segment.end, offset + count)
                guard first < end else { return nil }
                return Segment(start: first - offset, end: end - offset, phase: segment.phase + first - segment.start)
            }
            return result
        }
    }

    /// Value i is x[t] less the mean of the `length` values round t = length / 2 + i, the outermost two halved for an even length.
    private static func detrended(_ x: [Double], count n: Int, length: Int) -> [Double] {
        let half = length / 2
        return [Double](unsafeUninitializedCapacity: n - 2 * half) { out, filled in
            x.withUnsafeBufferPointer { x in
                let weight = 1 / Double(length)
                let edge = length % 2 == 0 ? 0.5 : 0
                var sum = 0.0
                for t in 0..<(2 * half + 1) { sum += x[t] }
                out[0] = x[half] - (sum - edge * (x[0] + x[2 * half])) * weight
                for i in 1..<(n - 2 * half) {
                    sum += x[i + 2 * half] - x[i - 1]
                    out[i] = x[i + half] - (sum - edge * (x[i] + x[i + 2 * half])) * weight
                }
            }
            filled = n - 2 * half
        }
    }

    private static func phaseMeans(_ values: [Double], _ cycles: CycleSegments, length: Int) -> [Double] {
        var totals = [Double](repeating: 0, count: length)
        var counts = totals
        var lows = [Double](repeating: .infinity, count: length)
        var highs = [Double](repeating: -.infinity, count: length)
        values.withUnsafeBufferPointer { x in
            totals.withUnsafeMutableBufferPointer { totals in
                lows.withUnsafeMutableBufferPointer { lows in
                    highs.withUnsafeMutableBufferPointer { highs in
                        for segment in cycles.segments {
                            let shift = segment.start - segment.phase
                            for j in segment.phase..<(segment.phase + segment.end - segment.start) {
                                let value = x[shift + j]
                                totals[j] += value
                                lows[j] = value < lows[j] ? value : lows[j]
                                highs[j] = value > highs[j] ? value : highs[j]
                            }
                        }
                    }
                }
            }
        }
        for segment in cycles.segments {
            for j in segment.phase..<(segment.phase + segment.end - segment.start) { counts[j] += 1 }
        }
        for j in 0..<length {
            if counts[j] >= 5 {
                totals[j] = (totals[j] - lows[j] - highs[j]) / (counts[j] - 2)
            } else if counts[j] > 0 {
                totals[j] /= counts[j]
            }
        }
        let middle = totals.reduce(0, +) / Double(length)
        for j in 0..<length { totals[j] -= middle }
        return totals
    }

    private static func subtract(_ cycle: [Double], from values: inout [Double], _ cycles: CycleSegments) {
        values.withUnsafeMutableBufferPointer { x in
            cycle.withUnsafeBufferPointer { cycle in
                for segment in cycles.segments {
                    for i in 0..<(segment.end - segment.start) { x[segment.start + i] -= cycle[segment.phase + i] }
                }
            }
        }
    }

    /// The variance of the cycle, less what noise leaves in it, over that plus the variance of the residuals clipped at six deviations.
    private static func strength(_ cycle: [Double], residuals: inout [Double]) -> Double {
        let scale = RobustScale.of(residuals)
        let count = residuals.count
        let square = residuals.withUnsafeMutableBufferPointer { r -> Double in
            guard let p = r.baseAddress else { return 0 }
            Kernels.affine(p, count: count, minus: scale.middle, times: 1)
            Kernels.clamp(p, count: count, to: WhitenedSpectrum.clip * scale.deviation)
            return Kernels.dot(p, p, count: count)
        }
        let noise = square / Double(max(count - cycle.count, 1))
        let seasonal = cycle.reduce(0) { $0 + $1 * $1 } / Double(cycle.count)
        let signal = max(seasonal - noise * Double(cycle.count) / Double(count), 0)
        return signal > 0 ? signal / (signal + noise) : 0
    }
}
