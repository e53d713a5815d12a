import Foundation
import TestSupport
import Testing

@testable import Analytics

@Suite struct AwakeningTests {
    private let still = [Double](repeating: 3, count: 900)

    private func start(_ values: [Double], isAwake: Bool = false) -> Int { Awakening.start(values.span, isAwake: isAwake) }

    @Test func theFirstValueAfterAStandstillIsFound() {
        var random = SplitMix64(seed: 21)
        let (moving, short, before) = (random.noise(1_000), [Double](repeating: 3, count: 16), random.noise(200))
        for count in [20, 21, 100, 719, 720, 1_000] {
            #expect(start(still + moving[..<count]) == 900, "\(count)")
            #expect(start(short + moving[..<count]) == (count <= 100 ? 16 : 0), "\(count)")
            #expect(start(before + still[..<720] + moving[..<count]) == 920, "\(count)")
        }
    }

    @Test func whatIsNoAwakeningHasNoStart() {
        var random = SplitMix64(seed: 22)
        let (moving, before) = (random.noise(400), random.noise(200))
        #expect(start([]) == 0 && start([1]) == 0 && start(still) == 0 && start(moving) == 0)
        #expect(start(still + moving[..<19]) == 0, "it may be a burst")
        #expect(start(still + moving + [5, 5, 5, 5]) == 0, "it stands still again")
        #expect(start(before + still[..<719] + moving) == 0, "a standstill that is remembered")
        #expect(start(Array(still[..<15]) + moving) == 0)
        #expect(start(still[..<100] + moving + before) == 100 && start(still[..<70] + moving + before) == 0, "an eighth of all")
        // Most values equal the one before.
        #expect(start(still + (0..<300).map { Double($0 / 3) } + Array(moving[..<8])) == 0)
        // Numbers that compare with nothing do not count as standing still.
        #expect(start([Double](repeating: .nan, count: 900) + moving) == 0)
    }

    /// What was before says nothing: the forecast is that of the series that began with the movement, to the digit.
    @Test(arguments: [20, 50, 90, 300, 1_000], [1, 10, 40])
    func aSeriesThatWokeIsForecastAsIfItBeganThere(count: Int, horizon: Int) throws {
        var random = SplitMix64(seed: 23)
        let moving = random.autoregression(0.8, count: count).map { 50 + $0 }
        let woken = try #require(forecast(still + moving, horizon: horizon).value)
        #expect(woken == forecast(moving, horizon: horizon).value)
    }

    @Test func aModelIsOutdatedWhereTheSeriesWakesAndSleeps() throws {
        var random = SplitMix64(seed: 24)
        let values = still + random.noise(400)
        func model(_ end: Int) throws -> ForecastModel { try #require(ForecastModel.fit(Array(values[..<end]).span, horizon: 10).value) }
        func outdated(_ model: ForecastModel, by values: [Double]) -> Bool { model.isOutdated(for: values.span) }
        func outdated(_ model: ForecastModel, at end: Int) -> Bool { outdated(model, by: Array(values[..<end])) }
        let (constant, burst, awake) = (try model(900), try model(905), try model(930))
        #expect(!outdated(constant, at: 900) && outdated(constant, at: 901))
        #expect(!outdated(burst, at: 919) && outdated(burst, at: 920))
        #expect(burst.fitted == 905 && awake.fitted == 30)
        // Fitted on 30 values: a quarter more.
        #expect(!outdated(awake, at: 930) && !outdated(awake, at: 938) && outdated(awake, at: 939))
        #expect(!outdated(awake, by: values[..<930] + [7, 7, 7, 7, 7, 7]) && outdated(awake, by: values[..<930] + [7, 7, 7, 7, 7, 7, 7]))
        #expect(!outdated(awake, by: []))
        let restored = try #require(ForecastState(decoding: ForecastState(model: awake).encode())).model
        #expect(restored.fitted == 30 && restored.count == 930)
    }

    /// Counts that repeat now and then do not make it sleep and wake, with a fit each time, at each other look.
    @Test(arguments: [1.0, 2, 4]) func numbersThatRepeatDoNotWakeItAgainAndAgain(_ rate: Double) throws {
        var random = SplitMix64(seed: 26)
        func poisson() -> Double {
            var (count, product) = (0.0, Double.random(in: 0..<1, using: &random))
            while product > exp(-rate) { (count, product) = (count + 1, product * Double.random(in: 0..<1, using: &random)) }
            return count
        }
        let values = [Double](repeating: 0, count: 1_440) + (0..<600).map { _ in poisson() }
        var (model, changes) = (try #require(ForecastModel.fit(Array(values[..<1_440]).span, horizon: 10).value), 0)
        for end in stride(from: 1_444, through: 2_040, by: 4) {
            let history = Array(values[..<end])
            guard model.isOutdated(for: history.span) else { continue }
            let next = try #require(ForecastModel.fit(history.span, horizon: 10, after: model).value)
            if next.isAwake != model.isAwake { changes += 1 }
            model = next
        }
        // Of 150 looks; a third of them without memory.
        #expect(model.isAwake && changes <= 9, "\(changes)")
    }

    @Test func whatIsNotFiniteIsNamedByItsPlaceInAll() {
        var random = SplitMix64(seed: 27)
        var values = still + random.noise(40)
        values[910] = .nan
        #expect(forecast(values, horizon: 10).reason == forecast(Array(values[..<911]), horizon: 10).reason)
    }

    @Test func whatWasSaidOfFewValuesSaysWhy() throws {
        var random = SplitMix64(seed: 25)
        let values = still + random.noise(25)
        #expect(forecast(values, horizon: 10).reason == "began to move 25 samples ago, too few to test a forecast on a whole horizon")
    }

    /// Intervals of 80 % over the first hours, which were without width in half of the columns while the standstill was remembered.
    @Test(arguments: [2, 10])
    func intervalsCoverAfterAStandstill(_ horizon: Int) throws {
        var (inside, count) = ([Double](repeating: 0, count: 4), 0.0)
        for seed in 0..<20 as Range<UInt64> {
            var random = SplitMix64(seed: 300 + seed)
            let values = [Double](repeating: 0, count: 1_440) + random.autoregression(0.9, count: 620).map { 100 + 5 * $0 }
            for origin in stride(from: 1_500, through: 2_040, by: 60) {
                let forecast = try #require(forecast(Array(values[..<origin]), horizon: horizon).value)
                let next = values[origin..<(origin + horizon)]
                let mean = next.reduce(0, +) / Double(horizon)
                let cases = [
                    (forecast.path[horizon - 1], values[origin + horizon - 1]), (forecast.max, next.max() ?? 0),
                    (forecast.min, next.min() ?? 0),
                    (forecast.avg, mean),
                ]
                for (k, (prediction, actual)) in cases.enumerated() where prediction.interval80.contains(actual) { inside[k] += 1 }
                count += 1
            }
        }
        for (name, inside) in zip(["path", "max", "min", "avg"], inside) {
            #expect((0.72...0.88).contains(inside / count), "\(name): \(inside / count)")
        }
    }
}
