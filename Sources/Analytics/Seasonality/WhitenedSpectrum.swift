import Glibc

/// The periodogram of a series against a red-noise background.
///
/// The series is whitened first: x[t] - r x[t - 1] with its own first autocorrelation r, which turns autoregressive noise and random
/// walks into almost white noise, a level shift into one impulse and a slope into a constant. Impulses are then clipped to six robust
/// deviations, so that neither outliers nor shifts weigh. White noise needs no taper, hence no resolution is lost to one. What colour is
/// left is taken out by a running median of the periodogram over bands that widen with frequency; its fluctuation may only raise the
/// background, never lower it. Against that background an ordinate is exponential with mean 1 where there is no cycle.
struct WhitenedSpectrum {
    /// Number of innovations.
    let count: Int
    /// The innovations: clipped, without mean and slope.
    let innovations: [Double]
    let fourier: FourierTransform
    /// Points of the frequency grid to one cycle per record.
    let oversampling: Double
    /// Periodogram on the grid.
    let power: [Double]
    /// `power` over its background; 0 below two cycles per record.
    let ratio: [Double]

    /// Clipping of the innovations, in robust standard deviations.
    static let clip = 6.0

    /// - Parameters: `count` values round zero of a range about 1; at least 32.
    /// Returns nil for a series without innovations above rounding: constant, or a straight line.
    init?(_ x: UnsafePointer<Double>, count n: Int) {
        guard let innovations = Self.whitened(x, count: n) else { return nil }
        count = innovations.count
        self.innovations = innovations
        fourier = FourierTransform.of(atLeast: 2 * count)
        oversampling = Double(fourier.size) / Double(count)
        let fourier = self.fourier
        let raw = innovations.withUnsafeBufferPointer { u -> [Double] in
            guard let u = u.baseAddress else { return [] }
            return fourier.power(of: u, count: innovations.count)
        }
        let background = NoiseBackground(raw, oversampling: oversampling, count: count)
        ratio = background.ratio(raw)
        power = raw
    }

    private static func whitened(_ x: UnsafePointer<Double>, count n: Int) -> [Double]? {
        let square = Kernels.dot(x, x, count: n)
        guard square > 0 else { return nil }
        let r = min(max(Kernels.dot(x, x + 1, count: n - 1) / square, 0), 1)
        let m = n - 1
        var u = [Double](unsafeUninitializedCapacity: m) { out, filled in
            for t in 0..<m { out[t] = x[t + 1] - r * x[t] }
            filled = m
        }
        let (middle, deviation) = RobustScale.of(u)
        let isAboveRounding = u.withUnsafeMutableBufferPointer { u -> Bool in
            guard let p = u.baseAddress else { return false }
            Kernels.affine(p, count: m, minus: middle, times: 1)
            Kernels.clamp(p, count: m, to: clip * deviation)
            Kernels.affine(p, count: m, minus: Kernels.sum(p, count: m) / Double(m), times: 1)
            let center = Double(m - 1) / 2
            var slope = 0.0
            for t in 0..<m { slope += (Double(t) - center) * p[t] }
            slope /= Double(m) * (Double(m) * Double(m) - 1) / 12
            for t in 0..<m { p[t] -= slope * (Double(t) - center) }
            return Kernels.dot(p, p, count: m) > 1e-26 * square
        }
        return isAboveRounding ? u : nil
    }

    /// The threshold that an ordinate at `frequency` (cycles per record) exceeds by chance with a probability that is the same for every
    /// octave of frequencies, `chance` in all: long periods are as likely as short ones, although they are fewer on the grid. Below six
    /// cycles the background is uncertain, which calls for more.
    func threshold(_ frequency: Double, chance: Double) -> Double {
        log(2 * log(2.0) * frequency * log2(max(Double(count) / 8, 2)) / chance) + 2 * max(5.99 - frequency, 0)
    }
}

/// Median and 1.4826 times the median absolute deviation, from at most 640 evenly taken values.
enum RobustScale {
    static func of(_ values: [Double]) -> (middle: Double, deviation: Double) {
        let extent = values.withUnsafeBufferPointer { v in v.baseAddress.map { Kernels.extent($0, count: v.count) } }
        guard let extent else { return (0, 0) }
        let step = max((values.count + 639) / 640, 1)
        let size = (values.count + step - 1) / step
        var sample = [Double](unsafeUninitializedCapacity: size) { out, filled in
            for i in 0..<size { out[i] = values[i * step] }
            filled = size
        }
        guard let middle = OrderStatistics.median(&sample) else { return (0, 0) }
        for i in sample.indices { sample[i] = abs(sample[i] - middle) }
        let widest = max(extent.max - middle, middle - extent.min)
        // Where most values are equal, the spread of the others counts.
        for q in [0.5, 0.75, 0.9, 0.97, 0.995] {
            let rank = Int(q * Double(size - 1))
            OrderStatistics.select([rank], in: &sample)
            if sample[rank] > 1e-13 * widest { return (middle, 1.4826 * sample[rank]) }
        }
        return (middle, widest)
    }
}

/// A smooth background of a periodogram: piecewise power laws between the medians of bands.
private struct NoiseBackground {
    /// Logarithms of frequency (cycles per record) and level at the middle of each band.
    private var nodes: [(frequency: Double, level: Double, width: Double)] = []
    private let oversampling: Double
    private let floor: Double

    init(_ power: [Double], oversampling: Double, count: Int) {
        self.oversampling = oversampling
        let total = power.withUnsafeBufferPointer { p in p.baseAddress.map { Kernels.sum($0, count: p.count) } ?? 0 }
        floor = total / Double(max(power.count, 1)) * 1e-6
        let top = Double(count) / 2
        var low = 1.0
        var high = min(12, top)
        while low < top {
            var next = max(high * 1.6, high + 12)
            if next > top { (high, next) = (top, top) }
            addBand(power, low, high)
            low = high
            high = next
        }
        smooth()
    }

    private mutating func addBand(_ power: [Double], _ low: Double, _ high: Double) {
        let (from, to) = (Int((low * oversampling).rounded(.up)), min(Int(high * oversampling), power.count))
        guard to > from else { return }
        let step = max(1, (to - from) / 256)
        var values = stride(from: from, to: to, by: step).map { power[$0] }
        guard let median = OrderStatistics.median(&values) else { return }
        // The median of an exponential variable is ln 2 of its mean.
        let level = max(median / log(2.0), floor, .leastNormalMagnitude)
        nodes.append((log((low + high) / 2), log(level), high - low))
    }

    /// Raises each level to the straight line through it and its neighbours, at least four bands.
    private mutating func smooth() {
        let raw = nodes
        guard raw.count >= 4 else { return }
        for i in raw.indices {
            var (first, last) = (max(0, i - 2), min(raw.count - 1, i + 2))
            if i < 2 { last = min(3, raw.count - 1) }
            if i > raw.count - 3 { first = max(0, raw.count - 4) }
            let near = raw[first...last]
            func weight(_ width: Double) -> Double { min(width, 40) }
            let total = near.reduce(0) { $0 + weight($1.width) }
            let x = near.reduce(0) { $0 + weight($1.width) * $1.frequency } / total
            let y = near.reduce(0) { $0 + weight($1.width) * $1.level } / total
            var (cross, square) = (0.0, 0.0)
            for node in near {
                cross += weight(node.width) * (node.frequency - x) * (node.level - y)
                square += weight(node.width) * (node.frequency - x) * (node.frequency - x)
            }
            guard square > 0 else { continue }
            nodes[i].level = max(raw[i].level, y + cross / square * (raw[i].frequency - x))
        }
    }

    /// The level at a logarithm of frequency; below the first node the first slope goes on, if it rises.
    private func logLevel(_ frequency: Double) -> Double {
        guard let last = nodes.last, nodes.count > 1 else { return nodes.first?.level ?? 0 }
        if frequency >= last.frequency { return last.level }
        let upper = max(nodes.firstIndex { $0.frequency > frequency } ?? 1, 1)
        let (a, b) = (nodes[upper - 1], nodes[upper])
        var slope = (b.level - a.level) / (b.frequency - a.frequency)
        if frequency < a.frequency { slope = min(slope, 0) }
        return a.level + slope * (frequency - a.frequency)
    }

    /// `power` over the background; the background is evaluated every 8 % of frequency and linear in between.
    func ratio(_ power: [Double]) -> [Double] {
        var result = [Double](repeating: 0, count: power.count)
        var start = max(Int((2 * oversampling).rounded(.up)), 1)
        var level = exp(logLevel(log(Double(start) / oversampling)))
        while start < power.count {
            let end = max(start + 1, Int(Double(start) * 1.08))
            let next = exp(logLevel(log(Double(end) / oversampling)))
            let slope = (next - level) / Double(end - start)
            let base = level
            result.withUnsafeMutableBufferPointer { result in
                for j in start..<min(end, power.count) { result[j] = power[j] / (base + slope * Double(j - start)) }
            }
            start = end
            level = next
        }
        return result
    }
}
