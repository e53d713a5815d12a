import Glibc

/// A mergeable summary of values: count, min, max, mean and the sum of squared deviations from the mean.
///
/// One value at a time by Welford's update, two summaries by Chan, Golub and LeVeque (1979), both on deviations from a `reference` that is
/// one of the values: the mean is kept as reference + offset, so that a deviation of 1e-3 round 1e9 comes out to the last digits. No
/// squares are ever subtracted. Values that are not finite are for the caller to leave out; a spread beyond 1e154 overflows `m2` to infinity.
package struct Moments: Sendable, Equatable {
    package var count: Int = 0
    package var min: Double = .infinity
    package var max: Double = -.infinity
    /// One of the values (or their rounded mean).
    package var reference: Double = 0
    /// Mean minus reference.
    package var offset: Double = 0
    /// Sum of (x - mean)^2.
    package var m2: Double = 0

    package init() {}

    package init(count: Int, min: Double, max: Double, mean: Double, m2: Double) {
        self.count = count
        self.min = min
        self.max = max
        self.reference = mean
        self.m2 = m2
    }

    @inlinable package var mean: Double { reference + offset }

    /// O(1).
    @inlinable package mutating func add(_ x: Double) {
        if count == 0 { reference = x }
        count += 1
        let d = x - reference
        let delta = d - offset
        offset += delta / Double(count)
        m2 += delta * (d - offset)
        if x < min { min = x }
        if x > max { max = x }
    }

    /// O(1).
    @inlinable package mutating func merge(_ other: Moments) {
        if other.count == 0 { return }
        if count == 0 {
            self = other
            return
        }
        let weight = Double(other.count) / Double(count + other.count)
        let delta = (other.reference - reference) + (other.offset - offset)
        offset += delta * weight
        m2 += other.m2 + delta * delta * Double(count) * weight
        count += other.count
        if other.min < min { min = other.min }
        if other.max > max { max = other.max }
    }

    /// Sample standard deviation (divisor n-1); nil below two values and where `m2` underflowed (values that differ by less than 1e-154).
    /// Infinite where `m2` overflowed.
    @inlinable package var stddev: Double? {
        if count < 2 || (m2 < .leastNormalMagnitude && min < max) { return nil }
        return (m2 / Double(count - 1)).squareRoot()
    }
}

extension Moments {
    /// Summary of many values in two passes (mean, then squared deviations with the correction of Bjorck), four lanes at a time.
    /// Values that are not finite are left out. O(n).
    package init(of values: UnsafeBufferPointer<Double>) {
        self.init()
        guard let first = values.first else { return }
        var low = SIMD4<Double>(repeating: first)
        var high = low
        var sums = SIMD4<Double>.zero
        let lanes = values.count & ~3
        let raw = UnsafeRawBufferPointer(values)
        let shift = SIMD4<Double>(repeating: first)
        for i in stride(from: 0, to: lanes, by: 4) {
            let x = raw.loadUnaligned(fromByteOffset: i * 8, as: SIMD4<Double>.self)
            low.replace(with: x, where: x .< low)
            high.replace(with: x, where: x .> high)
            sums += x - shift
        }
        var sum = sums.sum()
        var least = low.min()
        var most = high.max()
        for i in lanes..<values.count {
            let x = values[i]
            if x < least { least = x }
            if x > most { most = x }
            sum += x - first
        }
        guard sum.isFinite else {
            for x in values where x.isFinite { add(x) }
            return
        }
        count = values.count
        min = least
        max = most
        reference = first
        offset = sum / Double(count)
        m2 = Moments.squaredDeviations(raw, count: values.count, reference: first, offset: offset)
    }

    private static func squaredDeviations(
        _ raw: UnsafeRawBufferPointer, count: Int, reference: Double, offset: Double
    ) -> Double {
        let shift = SIMD4<Double>(repeating: reference)
        let mean = SIMD4<Double>(repeating: offset)
        var squares = SIMD4<Double>.zero
        var rests = SIMD4<Double>.zero
        let lanes = count & ~3
        for i in stride(from: 0, to: lanes, by: 4) {
            let d = (raw.loadUnaligned(fromByteOffset: i * 8, as: SIMD4<Double>.self) - shift) - mean
            squares += d * d
            rests += d
        }
        var square = squares.sum()
        var rest = rests.sum()
        for i in lanes..<count {
            let d = (raw.loadUnaligned(fromByteOffset: i * 8, as: Double.self) - reference) - offset
            square += d * d
            rest += d
        }
        return Swift.max(0, square - rest * rest / Double(count))
    }
}
