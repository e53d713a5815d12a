import Foundation
import TestSupport
import Testing

@testable import Analytics

@Suite("Decomposition as statsmodels") struct DecompositionTests {
    static let mongo = GoldenSeries.values("ms_1m/mongo-03")

    /// The part of the golden file that holds decompositions; values stand at indices 0, 1000 and 2879 (trend of `sd240`:
    /// 120, 1000 and 2759).
    struct Golden: Decodable, Sendable, CustomStringConvertible {
        struct STL: Decodable, Sendable {
            let trend: [Double]
            let seasonal: [Double]
            let resid_std: Double
            let Fs: Double
            let Ft: Double
        }

        struct Classical: Decodable, Sendable {
            let seasonal: [Double]
            let trend: [Double]
            let n_nan: Int
        }

        let name: String
        let stl240: STL
        let stl240_jump36_resid_std: Double
        let sd240: Classical
        var description: String { name }

        static let all: [Golden] = {
            guard let folder = Bundle.module.url(forResource: "Golden", withExtension: nil),
                let data = try? Data(contentsOf: folder.appendingPathComponent("statsmodels.json"))
            else { return [] }
            return (try? JSONDecoder().decode([Golden].self, from: data)) ?? []
        }()
    }

    /// Population standard deviation of the finite values.
    static func deviation(_ x: [Double]) -> Double {
        let finite = x.filter { $0.isFinite }
        let mean = finite.reduce(0, +) / Double(finite.count)
        return (finite.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(finite.count)).squareRoot()
    }

    static func at(_ indices: [Int], _ x: [Double]) -> [Double] { indices.map { $0 < x.count ? x[$0] : .nan } }

    /// The largest difference relative to the larger value, or to the part's own size where a value happens to lie near zero.
    static func error(_ a: [Double], _ b: [Double], size: Double = 0) -> Double {
        zip(a, b).map { $0 == $1 ? 0 : abs($0 - $1) / max(abs($0), abs($1), size) }.max() ?? .infinity
    }

    @Test func goldenDecompositionsAreThere() { #expect(Golden.all.count == 24) }

    @Test(arguments: Golden.all) func stlOfPeriod240(_ golden: Golden) throws {
        let fit = try #require(stl(GoldenSeries.values(golden.name), period: 240).value)
        #expect(Self.error(Self.at([0, 1000, 2879], fit.trend), golden.stl240.trend) < 1e-8)
        #expect(Self.error(Self.at([0, 1000, 2879], fit.seasonal[0]), golden.stl240.seasonal) < 1e-8)
        #expect(relativeError(Self.deviation(fit.residual), golden.stl240.resid_std) < 1e-8)
        #expect(relativeError(fit.seasonalStrengths[0], golden.stl240.Fs) < 1e-8)
        #expect(relativeError(fit.trendStrength, golden.stl240.Ft) < 1e-8)
    }

    @Test(arguments: Golden.all) func stlWithJumps(_ golden: Golden) throws {
        var options = STLOptions()
        options.trendJump = 36
        options.lowPassJump = 36
        let fit = try #require(stl(GoldenSeries.values(golden.name), period: 240, options: options).value)
        #expect(relativeError(Self.deviation(fit.residual), golden.stl240_jump36_resid_std) < 1e-8)
    }

    @Test(arguments: Golden.all) func classicalOfPeriod240(_ golden: Golden) throws {
        let x = GoldenSeries.values(golden.name)
        let fit = try #require(seasonalDecompose(x, period: 240).value)
        #expect(Self.error(Self.at([0, 1, 2, 3, 4], fit.seasonal[0]), golden.sd240.seasonal) < 1e-8)
        #expect(Self.error(Self.at([120, 1000, 2759], fit.trend), golden.sd240.trend) < 1e-8)
        #expect(fit.trend.count { $0.isNaN } == golden.sd240.n_nan)
        for t in [120, 500, 2759] {
            #expect(abs(fit.trend[t] + fit.seasonal[0][t] + fit.residual[t] - x[t]) <= 1e-9 * max(abs(x[t]), 1), "at \(t)")
        }
    }

    struct Reference: Sendable, CustomStringConvertible {
        let description: String
        let period: Int
        let options: STLOptions
        let trend: [Double]
        let seasonal: [Double]
        let deviation: Double
        let weights: Double

        init(
            _ name: String, _ period: Int, _ trend: [Double], _ seasonal: [Double], _ values: (Double, Double),
            _ set: (inout STLOptions) -> Void
        ) {
            description = name
            self.period = period
            self.trend = trend
            self.seasonal = seasonal
            (deviation, weights) = values
            var options = STLOptions()
            set(&options)
            self.options = options
        }
    }

    /// statsmodels 0.15.0 on ms_1m/mongo-03, at indices 0, 1000 and 2879; deviation of the residual and sum of the robustness weights.
    static let references = [
        Reference(
            "robust, one and three iterations", 240, [83.2996079673866, 133.11503507773287, 71.56398336346994],
            [45.522581444347665, 0.1322788274088368, 15.103176398757991], (12.595390035468752, 2392.9608564995788)
        ) { ($0.isRobust, $0.innerIterations, $0.outerIterations) = (true, 1, 3) },
        Reference(
            "robust with all windows and jumps", 287, [73.14109201184863, 131.14297508859036, 69.55135965653531],
            [-13.372082385353906, 4.247008973535897, 13.068004745375575], (15.44231890696532, 2382.2314267494394)
        ) {
            ($0.seasonal, $0.trend, $0.lowPass, $0.isRobust) = (35, 701, 289, true)
            ($0.seasonalJump, $0.trendJump, $0.lowPassJump) = (3, 36, 50)
        },
        Reference(
            "degrees 0", 7, [102.4362566380387, 136.30918780554188, 88.12093026818945],
            [3.8380425052301965, 5.460067704375768, 0.7857467368052756], (5.480291930118206, 2880)
        ) {
            ($0.seasonal, $0.seasonalDegree, $0.trendDegree, $0.lowPassDegree, $0.trendJump) = (11, 0, 0, 0, 3)
        },
        Reference(
            "fewer than three cycles", 1000, [138.0429786272605, 116.99221575324232, 137.13671016318625],
            [3.9737989808561474, 12.855542906496682, -46.06355433192861], (11.229926364793405, 2880)
        ) { _ in },
    ]

    @Test(arguments: references) func stlOptions(_ reference: Reference) throws {
        let fit = try #require(stl(Self.mongo, period: reference.period, options: reference.options).value)
        #expect(Self.error(Self.at([0, 1000, 2879], fit.trend), reference.trend) < 1e-8)
        #expect(Self.error(Self.at([0, 1000, 2879], fit.seasonal[0]), reference.seasonal) < 1e-8)
        #expect(relativeError(Self.deviation(fit.residual), reference.deviation) < 1e-8)
        #expect(relativeError(fit.weights.reduce(0, +), reference.weights) < 1e-8)
    }

    @Test func severalSeasons() throws {
        let fit = try #require(mstl(Self.mongo, periods: [240, 60]).value)
        #expect(fit.periods == [60, 240])
        #expect(Self.error(Self.at([0, 1000, 2879], fit.trend), [90.08886016278633, 135.24125437501434, 74.95146749359408]) < 1e-8)
        #expect(Self.error(Self.at([0, 1000, 2879], fit.seasonal[0]), [16.01865102015953, 9.691249908711255, -1.0183792740658575]) < 1e-8)
        #expect(Self.error(Self.at([0, 1000, 2879], fit.seasonal[1]), [10.510382015210894, -1.699710274984689, 13.97322493634243]) < 1e-8)
        #expect(relativeError(Self.deviation(fit.residual), 9.546458418478773) < 1e-8)
        #expect(fit.seasonalStrengths.count == 2)
    }

    @Test func severalSeasonsRobust() throws {
        var options = STLOptions()
        (options.isRobust, options.trendJump, options.lowPassJump) = (true, 20, 20)
        let fit = try #require(mstl(Self.mongo, periods: [240, 60], windows: [9, 13], options: options).value)
        #expect(
            Self.error(Self.at([0, 1000, 2879], fit.seasonal[0]), [7.424087385462124, 1.6956179834969949, -1.2406355710637524]) < 1e-8)
        #expect(relativeError(Self.deviation(fit.residual), 13.840168771679098) < 1e-8)
        #expect(relativeError(fit.weights.reduce(0, +), 2290.4037458370185) < 1e-8)
    }

    @Test func oddPeriod() throws {
        let fit = try #require(seasonalDecompose(Self.mongo, period: 7).value)
        let seasonal = [
            0.17974496641414156, 0.20429219989846195, 0.014669874497765136, 0.04069236428472099, -0.440092185558866, -0.2806205445786781,
            0.2813133250424545,
        ]
        #expect(Self.error(Array(fit.seasonal[0].prefix(7)), seasonal, size: 0.4) < 1e-8)
        #expect(Self.error(Self.at([3, 1000, 2876], fit.trend), [104.19285629999999, 137.17380842857142, 88.56666714285713]) < 1e-8)
        #expect(relativeError(Self.deviation(fit.residual), 6.036215488074876) < 1e-8)
    }

    @Test func aTenthOfTheWindowAsJumpChangesLittle() throws {
        let exact = try #require(stl(Self.mongo, period: 240).value)
        let fast = try #require(stl(Self.mongo, period: 240, options: .fast(period: 240)).value)
        let distance = Self.deviation(zip(exact.trend, fast.trend).map { $0 - $1 })
        #expect(distance > 0 && distance < 0.01 * Self.deviation(exact.trend))
    }

    @Test(arguments: [1.0, 1e300, 1e-300, 1e9]) func partsAddUpInEveryUnit(_ unit: Double) throws {
        let x = Self.mongo.prefix(480).map { unit == 1e9 ? 1e9 + $0 * 1e-3 : $0 / 200 * unit }
        let size = Self.deviation(x.map { $0 / unit }) * unit
        for fit in [stl(x, period: 48).value, seasonalDecompose(x, period: 48).value, mstl(x, periods: [12, 48]).value] {
            let fit = try #require(fit)
            #expect(fit.trendStrength.isFinite && fit.seasonalStrengths.allSatisfy { 0...1 ~= $0 })
            for t in stride(from: 24, to: 456, by: 7) {
                let sum = fit.seasonal.reduce(fit.trend[t] + fit.residual[t]) { $0 + $1[t] }
                #expect(abs(sum - x[t]) <= 1e-9 * max(size, abs(x[t]) * 1e-6), "at \(t)")
            }
        }
    }

    /// A large mean takes no digits of the strengths: they are those of the series without it.
    @Test func strengthsDoNotDependOnTheMean() throws {
        var random = SplitMix64(seed: 31)
        let noise = random.noise(600).map { ($0 * 4096).rounded() / 4096 / 1024 }
        for offset in [1e3, 1e6, 1e9] {
            let (near, far) = (noise.map { ($0 + offset) - offset }, noise.map { $0 + offset })
            for method in [{ stl($0, period: 12) }, { seasonalDecompose($0, period: 12) }] as [([Double]) -> Answer<Decomposition>] {
                let (a, b) = (try #require(method(near).value), try #require(method(far).value))
                #expect(relativeError(b.trendStrength, a.trendStrength) < 1e-8, "mean \(offset)")
                #expect(relativeError(b.seasonalStrengths[0], a.seasonalStrengths[0]) < 1e-8, "mean \(offset)")
            }
        }
    }

    struct Bad: Sendable, CustomStringConvertible {
        let description: String
        let values: [Double]
        let period: Int
        let reason: String
    }

    static let bad: [Bad] = {
        let ramp = (0..<100).map { Double($0 % 10) }
        var gap = ramp
        gap[40] = .nan
        var endless = ramp
        endless[99] = -.infinity
        return [
            Bad(description: "empty", values: [], period: 2, reason: "too short: 0 of 4 samples"),
            Bad(description: "one value", values: [3], period: 2, reason: "too short: 1 of 4 samples"),
            Bad(description: "fewer than two periods", values: ramp, period: 51, reason: "too short: 100 of 102 samples"),
            Bad(description: "constant", values: [Double](repeating: 4, count: 100), period: 10, reason: "constant"),
            Bad(description: "NaN", values: gap, period: 10, reason: "not finite: sample 40"),
            Bad(description: "all NaN", values: [Double](repeating: .nan, count: 50), period: 10, reason: "not finite: sample 0"),
            Bad(description: "infinity", values: endless, period: 10, reason: "not finite: sample 99"),
            Bad(description: "period 1", values: ramp, period: 1, reason: "a period below 2: 1"),
            Bad(description: "negative period", values: ramp, period: -3, reason: "a period below 2: -3"),
            Bad(description: "huge period", values: ramp, period: .max, reason: "too short: 100 of"),
        ]
    }()

    @Test(arguments: bad) func saysWhy(_ input: Bad) {
        for reason in [stl(input.values, period: input.period).reason, seasonalDecompose(input.values, period: input.period).reason] {
            #expect(reason?.hasPrefix(input.reason) == true, "\(reason ?? "an answer")")
        }
        #expect(mstl(input.values, periods: [input.period]).value == nil)
        #expect(mstl(input.values, periods: [input.period]).reason != nil)
    }

    static let hard: [(String, [Double])] = {
        var random = SplitMix64(seed: 5)
        let noise = random.noise(300)
        let top = Double.greatestFiniteMagnitude
        return [
            ("one ulp of noise", noise.map { $0 > 0 ? 1e9 : (1e9).nextUp }), ("1e9 + 1e-3", noise.map { 1e9 + 1e-3 * $0 }),
            ("one ulp once", (0..<300).map { $0 == 150 ? (0.1).nextUp : 0.1 }), ("the whole range", noise.map { $0 > 0 ? top : -top }),
            ("subnormal", noise.map { ($0 * 10).rounded() * Double.leastNonzeroMagnitude }),
            ("one spike", (0..<300).map { $0 == 200 ? 1e12 : 0 }), ("a repeated pattern", (0..<300).map { Double($0 % 10) }),
            ("a line", (0..<300).map { 0.1 * Double($0) }),
        ]
    }()

    @Test(arguments: hard.indices, [2, 10, 150]) func answersFiniteNumbers(_ index: Int, _ period: Int) throws {
        let (name, x) = Self.hard[index]
        var robust = STLOptions()
        robust.isRobust = true
        for options in [STLOptions(), robust, .fast(period: period)] {
            let fit = try #require(stl(x, period: period, options: options).value, "\(name)")
            #expect(finite(fit.trend) && finite(fit.seasonal[0]) && finite(fit.residual) && finite(fit.weights), "\(name)")
            #expect(0...1 ~= fit.trendStrength && 0...1 ~= fit.seasonalStrengths[0], "\(name)")
        }
        let fit = try #require(seasonalDecompose(x, period: period).value, "\(name)")
        #expect(finite(fit.seasonal[0]) && fit.trend.count { $0.isNaN } == 2 * (period / 2), "\(name)")
        #expect(0...1 ~= fit.trendStrength && 0...1 ~= fit.seasonalStrengths[0], "\(name)")
    }

    @Test func mistakesInOptions() {
        func reason(_ set: (inout STLOptions) -> Void) -> String? {
            var options = STLOptions()
            set(&options)
            return stl(Self.mongo, period: 12, options: options).reason
        }
        #expect(reason { $0.seasonal = 6 } == "a seasonal window that is not odd and at least 3: 6")
        #expect(reason { $0.seasonal = 1 } == "a seasonal window that is not odd and at least 3: 1")
        #expect(reason { $0.trend = 12 } == "a trend window that is not odd and greater than the period of 12: 12")
        #expect(reason { $0.lowPass = 11 } == "a low-pass window that is not odd and greater than the period of 12: 11")
        #expect(reason { $0.trendJump = 0 } == "a jump below 1")
        #expect(reason { $0.trendDegree = 2 } == "a degree that is not 0 or 1")
        #expect(reason { $0.innerIterations = 0 } == "a negative number of iterations")
        #expect(mstl(Self.mongo, periods: []).reason == "no period")
        #expect(mstl(Self.mongo, periods: [12], windows: [7, 9]).reason == "2 windows for 1 periods")
        #expect(mstl(Self.mongo, periods: [2000]).reason == "too short: 2880 samples for two periods")
    }

    @Test func tooMuchWorkIsRefused() {
        let x = (0..<400_000).map { Double(($0 &* 7919) % 1000) }
        #expect(stl(x, period: 100_000).reason == "too much work for 400000 samples and a period of 100000: use jumps")
        #expect(mstl(x, periods: [100_000]).reason == "too much work for 400000 samples and a period of 100000: use jumps")
    }
}
