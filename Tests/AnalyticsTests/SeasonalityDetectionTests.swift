import TestSupport
import Testing

@testable import Analytics

@Suite struct SeasonalityDetectionTests {
    /// What 200 fixed seeds yield for a class.
    struct Rates {
        var found = 0.0
        var hit = 0.0
        var strongest = 0.0
        var superfluous = 0.0

        init(_ kind: SeasonalClass, seeds: ClosedRange<UInt64>) {
            let share = 1 / Double(seeds.count)
            for seed in seeds {
                let sample = kind.sample(seed: seed &* 7_919)
                let periods = seasonalPeriods(of: sample.values)
                if !periods.isEmpty { found += share }
                if !sample.periods.isEmpty, sample.periods.allSatisfy({ isHit(periods, $0) }) { hit += share }
                if let first = periods.first, sample.periods.contains(where: { isHit([first], $0) }) { strongest += share }
                if periods.count > sample.periods.count { superfluous += share }
            }
        }
    }

    /// Within 2 %.
    static func isHit(_ found: [SeasonalPeriod], _ period: Double) -> Bool { found.contains { abs($0.period / period - 1) < 0.02 } }

    @Test func ratesOnSyntheticSeries() {
        print("class".padded(to: 28) + "found    hit      first    superfluous  (200 seeds)")
        for kind in SeasonalClass.allCases {
            let rates = Rates(kind, seeds: 1...200)
            let numbers = [rates.found, rates.hit, rates.strongest, rates.superfluous].map { percent($0).padded(to: 9) }
            print(kind.rawValue.padded(to: 28) + numbers.joined())
            if kind.isSeasonal {
                #expect(rates.hit >= kind.bound, "\(kind.rawValue): hits \(percent(rates.hit)), seeds 7919 * (1...200)")
                #expect(rates.superfluous <= 0.03, "\(kind.rawValue): superfluous \(percent(rates.superfluous))")
            } else {
                #expect(rates.found <= kind.bound, "\(kind.rawValue): false positives \(percent(rates.found)), seeds 7919 * (1...200)")
            }
        }
    }

    private func percent(_ share: Double) -> String { "\((share * 1000).rounded() / 10) %" }

    @Test func theComponentIsOneCycleInTheUnitOfTheSeries() throws {
        var random = SplitMix64(seed: 3)
        let shape = (0..<120).map { $0 < 30 ? 4.0 : $0 < 60 ? -1 : -1 }
        let mean = shape.reduce(0, +) / 120
        let x = random.unitAutoregression(0.5, count: 2880).enumerated().map { 1e6 + 250 * ($1 * 0.3 + shape[$0 % 120]) }
        let season = try #require(seasonalPeriods(of: x).first)
        #expect(season.period == 120)
        #expect(season.component.count == 120)
        #expect(abs(season.component.reduce(0, +)) < 1e-6)
        for j in 0..<120 { #expect(abs(season.component[j] - 250 * (shape[j] - mean)) < 120, "phase \(j)") }
        #expect(season.strength > 0.95 && season.strength < 1)
    }

    @Test func strengthIsTheShareOfTheVariance() throws {
        for (amplitude, share) in [(0.7, 0.197), (1.0, 0.333), (2.0.squareRoot(), 0.5), (4, 0.889)] {
            var total = 0.0
            for seed in 1...20 as ClosedRange<UInt64> {
                var random = SplitMix64(seed: seed)
                let x = random.noise(2880) .+ random.sine(60, amplitude, 2880)
                total += try #require(seasonalPeriods(of: x).first, "seed \(seed)").strength / 20
            }
            #expect(abs(total - share) < 0.03, "amplitude \(amplitude): \(total)")
        }
    }

    @Test func componentsOfSeveralCyclesAddUp() throws {
        var random = SplitMix64(seed: 8)
        let (fast, slow) = (random.sine(60, 3, 2880), random.sine(480, 3, 2880))
        let periods = seasonalPeriods(of: random.noise(2880) .+ fast .+ slow)
        let minute = try #require(periods.first { $0.period == 60 })
        let hour = try #require(periods.first { abs($0.period - 480) < 5 })
        #expect(periods.count == 2)
        for t in stride(from: 0, to: 2400, by: 13) {
            #expect(abs(minute.component[t % 60] - fast[t]) < 0.8, "at \(t)")
            #expect(abs(hour.component[t % hour.component.count] - slow[t]) < 1.8, "at \(t)")
        }
    }

    @Test func periodsThatAreNoWholeNumber() throws {
        var random = SplitMix64(seed: 12)
        let periods = seasonalPeriods(of: random.noise(2880) .+ random.sine(68.37, 2, 2880))
        let season = try #require(periods.first)
        #expect(abs(season.period - 68.37) < 0.05)
        #expect(season.component.count == 68)
        #expect(periods.count == 1)
    }

    /// Shapes without any noise.
    @Test(arguments: [12, 60, 288, 700]) func cleanShapes(_ period: Int) {
        let n = 2880
        func check(_ name: String, _ shape: (Int) -> Double) {
            let periods = seasonalPeriods(of: (0..<n).map(shape))
            #expect(periods.first.map { abs($0.period / Double(period) - 1) < 0.02 } == true, "\(name) \(period): \(periods.map(\.period))")
            #expect(periods.count <= 2, "\(name) \(period): \(periods.map(\.period))")
            #expect((periods.first?.strength ?? 0) > 0.9)
        }
        check("saw") { Double($0 % period) }
        check("square") { $0 % period < period / 2 ? 1 : 0 }
        check("impulse") { $0 % period == 3 ? 1 : 0 }
        check("triangle") { Double(abs($0 % period - period / 2)) }
    }

    @Test func smoothCurvesWithoutACycle() {
        let curves: [(String, (Double) -> Double)] = [
            ("line", { $0 }), ("square", { $0 * $0 }), ("cube", { $0 * $0 * $0 }), ("root", { $0.squareRoot() }),
            ("hyperbola", { 1 / (1 + $0 / 100) }), ("one wave", { 1 / (1 + ($0 - 1000) * ($0 - 1000) / 1e4) }),
            ("step", { $0 < 1000 ? 0 : 1 }), ("two steps", { $0 < 1000 ? 0 : $0 < 2000 ? 1 : 5 }),
            ("bump", { 1000 < $0 && $0 < 1200 ? 1 : 0 }),
        ]
        for (name, curve) in curves {
            let x = (0..<2880).map { curve(Double($0)) }
            #expect(seasonalPeriods(of: x).isEmpty, "\(name): \(seasonalPeriods(of: x).map(\.period))")
        }
    }

    @Test func sparseEventsAndSwitchesAreNoCycle() {
        var found = 0
        for seed in 1...40 as ClosedRange<UInt64> {
            var random = SplitMix64(seed: seed)
            let spikes = (0..<2880).map { _ in Double.random(in: 0..<1, using: &random) < 0.01 ? 1.0 : 0 }
            var state = 0.0
            let switching = (0..<2880).map { _ in
                if Double.random(in: 0..<1, using: &random) < 0.02 { state = 1 - state }
                return state
            }
            if !seasonalPeriods(of: spikes).isEmpty { found += 1 }
            if !seasonalPeriods(of: switching).isEmpty { found += 1 }
        }
        #expect(found <= 1)
    }

    @Test func fewerThanFourCyclesAreNotEnough() {
        var random = SplitMix64(seed: 2)
        let x = random.noise(2880).map { 0.1 * $0 } .+ random.sine(960, 5, 2880)
        #expect(!seasonalPeriods(of: x).contains { $0.period > 750 })
    }

    @Test func longSeriesAreSearchedInTwoResolutions() {
        var random = SplitMix64(seed: 9)
        let n = 400_000
        let x = random.noise(n) .+ random.sine(40_000, 1, n) .+ random.sine(60, 1, n)
        let periods = seasonalPeriods(of: x)
        #expect(Self.isHit(periods, 60))
        #expect(Self.isHit(periods, 40_000))
        #expect(periods.count == 2)
    }

    static let empty: [(String, [Double])] = {
        var random = SplitMix64(seed: 17)
        let noise = random.noise(300)
        var gap = noise
        gap[7] = .nan
        var endless = noise
        endless[299] = .infinity
        let top = Double.greatestFiniteMagnitude
        return [
            ("empty", []), ("one value", [1]), ("63 values", (0..<63).map { Double($0 % 4) }),
            ("constant", [Double](repeating: 7, count: 500)), ("NaN", gap), ("infinity", endless),
            ("all NaN", [Double](repeating: .nan, count: 500)), ("one ulp of noise", noise.map { $0 > 0 ? 1e9 : (1e9).nextUp }),
            ("1e9 + 1e-3", noise.map { 1e9 + 1e-3 * $0 }), ("1e300", noise.map { 1e300 * $0 }), ("1e-300", noise.map { 1e-300 * $0 }),
            ("the whole range", noise.map { $0 > 0 ? top : -top }), ("one ulp once", (0..<300).map { $0 == 150 ? (0.1).nextUp : 0.1 }),
            ("subnormal", noise.map { ($0 * 10).rounded() * Double.leastNonzeroMagnitude }),
            ("one spike", (0..<300).map { $0 == 200 ? 1e12 : 0 }),
            ("a spike on noise", noise.enumerated().map { $0 == 100 ? 1e12 : $1 }), ("two values", (0..<300).map { $0 < 299 ? 1 : 2 }),
        ]
    }()

    @Test(arguments: empty.indices) func nothingIsFoundInBadInput(_ index: Int) {
        let (name, x) = Self.empty[index]
        #expect(seasonalPeriods(of: x).isEmpty, "\(name)")
    }

    @Test(arguments: [1e300, 1e-300, 0x1p500]) func theUnitDoesNotMatter(_ unit: Double) throws {
        var random = SplitMix64(seed: 21)
        let x = random.noise(960) .+ random.sine(48, 2, 960)
        let base = try #require(seasonalPeriods(of: x).first)
        let other = try #require(seasonalPeriods(of: x.map { $0 * unit }).first)
        #expect(other.period == base.period)
        #expect(abs(other.strength - base.strength) < 1e-9)
        for j in 0..<48 { #expect(abs(other.component[j] / unit - base.component[j]) < 1e-9) }
        let small = try #require(seasonalPeriods(of: x.map { 1e9 + 1e-3 * $0 }).first)
        #expect(small.period == base.period)
        #expect(abs(small.strength - base.strength) < 1e-3)
    }

    @Test func shortSeriesNeverTrap() {
        var random = SplitMix64(seed: 4)
        for n in 0...200 {
            let noise = random.noise(n)
            _ = seasonalPeriods(of: noise)
            _ = seasonalPeriods(of: (0..<n).map { Double($0 % 5) })
            _ = seasonalPeriods(of: (0..<n).map { Double($0 % 2) }, limit: 1)
            #expect(seasonalPeriods(of: noise, limit: 0).isEmpty)
            #expect(seasonalPeriods(of: noise, limit: -1).isEmpty)
        }
    }

    @Test func theProfileHoldsTheSameCycles() {
        for series in GoldenSeries.all {
            #expect(profile(of: series.values).seasonality == seasonalPeriods(of: series.values), "\(series.name)")
        }
    }

    /// What is known of the real series: hourly jobs on five-minute samples and on one-minute samples.
    @Test(arguments: [
        ("nab_aws_5m/ec2_cpu_utilization_53ea38", 12.0), ("nab_aws_5m/cpu_utilization_asg_misconfiguration", 12), ("syn/sine240", 240),
    ])
    func realCycles(_ name: String, _ period: Double) {
        #expect(Self.isHit(seasonalPeriods(of: GoldenSeries.values(name)), period))
    }

    @Test(arguments: ["syn/white", "syn/rw", "syn/ar.9", "smd_1m/machine-1-6_d23", "nab_aws_5m/ec2_disk_write_bytes_1ef3de"])
    func realSeriesWithoutACycle(_ name: String) {
        #expect(seasonalPeriods(of: GoldenSeries.values(name)).isEmpty)
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(width - count, 1)) }
}
