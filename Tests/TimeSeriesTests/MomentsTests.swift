import TestSupport
import Testing

@testable import TimeSeries

@Suite struct MomentsTests {
    static func relative(_ a: Double, _ b: Double) -> Double { a == b ? 0 : abs(a - b) / max(abs(a), abs(b)) }

    /// The reference: sums of exact integers (deviations from 1e9 in units of 2^-23, the spacing of doubles there).
    static func exact(_ units: [Int64]) -> (mean: Double, stddev: Double) {
        let n = Int64(units.count)
        let sum = units.reduce(0, +)
        let squares = units.reduce(Int64(0)) { $0 + $1 * $1 }
        let unit = 1.0 / 8_388_608.0
        let scaled = Double(squares * n - sum * sum) / Double(n) / Double(n - 1)
        return (1e9 + Double(sum) / Double(n) * unit, scaled.squareRoot() * unit)
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func aLargeLevelWithSmallNoiseIsRightToTheLastDigits(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let units = (0..<2880).map { _ in Int64.random(in: -8389...8389, using: &random) }
        let values = units.map { 1e9 + Double($0) / 8_388_608.0 }
        let want = Self.exact(units)
        var merged = Moments()
        var at = 0
        while at < values.count {
            let end = min(values.count, at + Int.random(in: 1...200, using: &random))
            merged.merge(values[at..<end].withUnsafeBufferPointer { Moments(of: $0) })
            at = end
        }
        var single = Moments()
        for value in values { single.add(value) }
        for moments in [merged, single] {
            #expect(moments.count == 2880)
            #expect(moments.min == values.min() && moments.max == values.max(), "seed \(seed)")
            #expect(Self.relative(moments.mean, want.mean) < 1e-12, "seed \(seed)")
            #expect(Self.relative(moments.stddev ?? -1, want.stddev) < 1e-9, "seed \(seed)")
        }
    }

    @Test func valuesThatAreNotFiniteAreLeftOut() {
        let values = [1.0, .nan, 3.0, .infinity, 2.0, -.infinity, StaleMarker.value]
        let moments = values.withUnsafeBufferPointer { Moments(of: $0) }
        #expect(moments.count == 3 && moments.mean == 2 && moments.min == 1 && moments.max == 3)
        #expect(moments.stddev == 1)
    }

    @Test func emptyOneAndConstant() {
        #expect([Double]().withUnsafeBufferPointer { Moments(of: $0) } == Moments())
        #expect([4.5].withUnsafeBufferPointer { Moments(of: $0) }.stddev == nil)
        let constant = [Double](repeating: 0.1, count: 999).withUnsafeBufferPointer { Moments(of: $0) }
        #expect(constant.stddev == 0 && constant.mean == 0.1)
    }

    /// Values differ, but their squares are too small for a double: that is not the same as no deviation.
    @Test func squaresThatUnderflowGiveNoDeviation() {
        let tiny = [1e-300, 3e-300, -2e-300].withUnsafeBufferPointer { Moments(of: $0) }
        #expect(tiny.stddev == nil && tiny.min == -2e-300 && tiny.max == 3e-300)
        let constant = [1e-300, 1e-300].withUnsafeBufferPointer { Moments(of: $0) }
        #expect(constant.stddev == 0)
    }
}
