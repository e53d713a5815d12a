import Glibc
import TestSupport

@testable import Analytics

/// The synthetic series that seasonality detection is measured on: 2,880 values, noise AR(.8) of unit deviation unless said, periods
/// 60, 120, 240 and 480, random phase.
enum SeasonalClass: String, CaseIterable, Sendable {
    // Without a cycle.
    case whiteNoise = "white noise"
    case redNoise = "AR(.9)"
    case randomWalk = "random walk"
    case shiftedTrend = "trend with a level shift"
    // With a cycle.
    case sine = "sine of SNR 1"
    case sineWithOutliers = "sine with outliers"
    case pulseTrain = "pulse train"
    case sineOnRandomWalk = "sine on a random walk"
    case twoSines = "two periods, 60 and 480"

    static let count = 2880
    static let periods = [60.0, 120, 240, 480]

    var isSeasonal: Bool { ![.whiteNoise, .redNoise, .randomWalk, .shiftedTrend].contains(self) }

    /// Largest rate of false positives, or smallest rate of hits.
    var bound: Double {
        switch self {
        case .whiteNoise, .redNoise, .randomWalk, .shiftedTrend: 0.01
        case .sine, .sineWithOutliers: 0.97
        case .pulseTrain: 0.85
        case .sineOnRandomWalk, .twoSines: 0.8
        }
    }

    struct Sample {
        var values: [Double]
        var periods: [Double]
    }

    func sample(seed: UInt64) -> Sample {
        var random = SplitMix64(seed: seed)
        let n = Self.count
        let period = Self.periods[Int.random(in: 0..<4, using: &random)]
        switch self {
        case .whiteNoise: return Sample(values: random.noise(n), periods: [])
        case .redNoise: return Sample(values: random.unitAutoregression(0.9, count: n), periods: [])
        case .randomWalk: return Sample(values: random.walk(n), periods: [])
        case .shiftedTrend: return Sample(values: random.shiftedTrend(n), periods: [])
        case .sine:
            return Sample(values: random.unitAutoregression(0.8, count: n) .+ random.sine(period, 2.0.squareRoot(), n), periods: [period])
        case .sineWithOutliers:
            var x = random.unitAutoregression(0.8, count: n) .+ random.sine(period, 2.0.squareRoot(), n)
            for t in 0..<n where Double.random(in: 0..<1, using: &random) < 0.02 {
                x[t] += (Bool.random(using: &random) ? 1 : -1) * Double.random(in: 5..<15, using: &random)
            }
            return Sample(values: x, periods: [period])
        case .pulseTrain:
            let width = Double.random(in: 0.02..<0.1, using: &random)
            return Sample(values: random.unitAutoregression(0.8, count: n) .+ random.pulses(period, width, 4, n), periods: [period])
        case .sineOnRandomWalk:
            return Sample(values: random.walk(n).map { 0.1 * $0 } .+ random.sine(period, 2.0.squareRoot(), n), periods: [period])
        case .twoSines:
            let noise = random.unitAutoregression(0.8, count: n)
            return Sample(values: noise .+ random.sine(60, 1, n) .+ random.sine(480, 1, n), periods: [60, 480])
        }
    }
}

infix operator .+ : AdditionPrecedence

/// Sums of two series, value by value.
func .+ (a: [Double], b: [Double]) -> [Double] { zip(a, b).map { $0 + $1 } }

extension SplitMix64 {
    /// An autoregression of order one with deviation 1, from its stationary distribution.
    mutating func unitAutoregression(_ a: Double, count: Int) -> [Double] {
        let scale = (1 - a * a).squareRoot()
        var x = normal()
        return (0..<count).map { _ in
            x = a * x + scale * normal()
            return x
        }
    }

    mutating func walk(_ count: Int) -> [Double] {
        var x = 0.0
        return (0..<count).map { _ in
            x += normal()
            return x
        }
    }

    mutating func sine(_ period: Double, _ amplitude: Double, _ count: Int) -> [Double] {
        let phase = Double.random(in: 0..<(2 * .pi), using: &self)
        return (0..<count).map { amplitude * sin(2 * .pi * Double($0) / period + phase) }
    }

    /// Rectangular pulses that last the share `width` of the period.
    mutating func pulses(_ period: Double, _ width: Double, _ height: Double, _ count: Int) -> [Double] {
        let start = Int.random(in: 0..<Int(period), using: &self)
        let length = max(1, Int((width * period).rounded()))
        return (0..<count).map { ($0 + start) % Int(period) < length ? height : 0 }
    }

    /// A slope of up to 20 deviations over the record and one shift of 2 to 10 at a random time.
    mutating func shiftedTrend(_ count: Int) -> [Double] {
        let slope = Double.random(in: -20..<20, using: &self) / Double(count)
        let shift = Double.random(in: 2..<10, using: &self) * (Bool.random(using: &self) ? 1 : -1)
        let time = Int.random(in: (count / 10)..<(count * 9 / 10), using: &self)
        return unitAutoregression(0.8, count: count).enumerated().map { $1 + slope * Double($0) + ($0 >= time ? shift : 0) }
    }
}
