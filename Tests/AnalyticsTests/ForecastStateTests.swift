import Foundation
import TestSupport
import Testing

@testable import Analytics

@Suite struct ForecastStateTests {
    /// What a replay saw of one kind of prediction.
    private struct Coverage {
        var inside80 = 0.0
        var inside95 = 0.0
        var count = 0.0
        var share80: Double { inside80 / count }
        var share95: Double { inside95 / count }

        mutating func add(_ prediction: Prediction, _ value: Double) {
            count += 1
            if prediction.interval80.contains(value) { inside80 += 1 }
            if prediction.interval95.contains(value) { inside95 += 1 }
        }
    }

    private struct Replay {
        let context = 600
        let horizon = 10
        /// By samples from the first: the path's fifth step, and the mean.
        var path: [Range<Int>: Coverage] = [:]
        var avg: [Range<Int>: Coverage] = [:]

        /// Walks through `values` (NaN: missing) with a fit every `refit` samples, and a restart from bytes at `restart`.
        mutating func run(_ values: [Double], parts: [Range<Int>], refit: Int, restart: Int? = nil, calibrated: Bool = true) throws {
            var filled = values
            for t in 1..<values.count where filled[t].isNaN { filled[t] = filled[t - 1] }
            let first = try #require(ForecastModel.fit(Array(filled[..<context]).span, horizon: horizon).value)
            var state = ForecastState(model: first)
            for t in context..<(values.count - horizon) {
                let history = Array(filled[(t - context)..<t])
                if t > context { state.update(values[t - 1]) }
                if t % refit == 0 { state.refit(try #require(ForecastModel.fit(history.span, horizon: horizon).value)) }
                if t == restart { state = try #require(ForecastState(decoding: state.encode())) }
                let answer = calibrated ? state.forecast(from: history.span) : state.model.forecast(from: history.span)
                let forecast = try #require(answer.value)
                let next = values[t..<(t + horizon)]
                guard next.allSatisfy({ $0.isFinite }), let part = parts.first(where: { $0.contains(t) }) else { continue }
                path[part, default: Coverage()].add(forecast.path[4], values[t + 4])
                avg[part, default: Coverage()].add(forecast.avg, next.reduce(0, +) / Double(horizon))
            }
        }
    }

    /// A level shift to 50 with five times the noise, a gap, a counter's reset (which a rate shows as a missing value) and a restart:
    /// coverage is back soon, and with no full fit after the shift.
    @Test func coverageRecoversAfterAShiftAGapAndARestart() throws {
        var random = SplitMix64(seed: 77)
        var x: [Double] = []
        for t in 0..<3_600 { x.append(t < 1_500 ? 10 + random.normal() : 50 + 5 * random.normal()) }
        for t in 1_700..<1_725 { x[t] = .nan }
        x[2_100] = .nan
        let parts = [600..<1_490, 1_500..<1_600, 2_000..<3_590]
        var replay = Replay()
        try replay.run(x, parts: parts, refit: 1_200, restart: 1_900)
        for (name, coverages) in [("path", replay.path), ("avg", replay.avg)] {
            let (before, after) = (try #require(coverages[parts[0]]), try #require(coverages[parts[2]]))
            #expect(0.7...0.9 ~= before.share80, "\(name) before: \(before)")
            #expect(0.88...1 ~= before.share95, "\(name) before: \(before)")
            #expect(0.7...0.9 ~= after.share80, "\(name) after: \(after)")
            #expect(0.88...1 ~= after.share95, "\(name) after: \(after)")
        }
    }

    /// The local scale and the factors each do their part: the model alone, never fitted again, stays too narrow.
    @Test func calibrationWidensWhatAFixedModelLeavesNarrow() throws {
        var random = SplitMix64(seed: 12)
        // After 1,000 the series wanders instead of returning: errors of ten steps grow, those of one do not.
        var x: [Double] = [0]
        for t in 1..<3_000 { x.append((t < 1_000 ? 0.2 : 0.995) * x[t - 1] + random.normal()) }
        let part = 1_400..<2_990
        var fixed = Replay()
        try fixed.run(x, parts: [part], refit: .max, calibrated: false)
        var tracked = Replay()
        try tracked.run(x, parts: [part], refit: .max)
        let (bare, calibrated) = (try #require(fixed.path[part]), try #require(tracked.path[part]))
        #expect(bare.share80 < 0.6, "\(bare)")
        #expect(0.72...0.88 ~= calibrated.share80, "\(calibrated)")
    }

    @Test func aStateGoesOnWhereItsBytesWereWritten() throws {
        let x = GoldenSeries.values("ms_1m/mongo-03")
        let model = try #require(ForecastModel.fit(Array(x.prefix(1_000)).span, horizon: 10).value)
        var state = ForecastState(model: model)
        for t in 1_000..<1_207 {
            _ = state.forecast(from: Array(x[..<t]).span)
            state.update(x[t])
        }
        var restored = try #require(ForecastState(decoding: state.encode()))
        #expect(restored.encode() == state.encode())
        for t in 1_207..<1_300 {
            let history = Array(x[..<t])
            #expect(state.forecast(from: history.span) == restored.forecast(from: history.span))
            state.update(x[t])
            restored.update(x[t])
        }
        #expect(restored.widths == state.widths)
        #expect(state.widths != IntervalWidths())
    }

    /// The promised bound: 2 KB over the samples, pending forecast included.
    @Test(arguments: ["ms_1m/mongo-03", "ms_1m/ingress-05", "smd_1m/machine-1-6_d21", "smd_1m/machine-2-7_d01"], [10, 40])
    func aStateIsSmall(_ name: String, horizon: Int) throws {
        let x = GoldenSeries.values(name)
        var options = ForecastOptions()
        options.seasonalPeriods = [1_440]
        var state = ForecastState(model: try #require(ForecastModel.fit(x.span, horizon: horizon, options: options).value))
        _ = state.forecast(from: x.span)
        #expect(state.encode().count <= 2_048, "\(name): \(state.encode().count)")
    }

    /// As large as a fit can make it: five candidates, all of the highest order, the one on logarithms of 48.
    @Test(arguments: [(10, 1_536), (40, 2_304)])
    func theLargestStateIsSmallToo(horizon: Int, limit: Int) throws {
        let order = (0..<28).map { Float($0) / 100 }
        let kinds: [(CandidateKind, [Float])] = [
            (.seasonalAutoregression, [1_440, 1, 0]), (.seasonalAutoregression, [720, 2, 0]), (.seasonalAutoregression, [60, 4, 0]),
            (.winsorisedAutoregression, [-1, 1, 0]), (.logAutoregression, [-1, 0.1, 0, 2] + (28..<48).map { Float($0) / 100 }),
        ]
        let candidates = try kinds.map { try #require($0.make($1 + order)) }
        #expect(candidates.count == ForecastPool.largestCount)
        let rows = ForecastPool.rows(candidates: candidates.count)
        let pool = try #require(
            ForecastPool(
                horizon: horizon, candidates: candidates, weights: [Double](repeating: 1 / Double(rows), count: (horizon + 3) * rows),
                corrections: [Double](repeating: 0, count: 3 * rows)))
        let offsets = [Float](repeating: 0, count: (horizon + 3) * ResidualQuantiles.levelCount)
        let model = ForecastModel(
            horizon: horizon, kind: .pooled, count: 2_880, scaling: SeriesScaling(shrink: 1, factor: 1, mean: 0, floor: 0),
            table: ForecastTable(pool: pool, residuals: ResidualQuantiles(offsets: offsets)))
        var state = ForecastState(model: model)
        #expect(state.forecast(from: [Double](repeating: 0.5, count: 1_600).span).value != nil)
        let bytes = state.encode()
        #expect(state.pendingForecast != nil && bytes.count <= limit, "\(bytes.count)")
        #expect(ForecastState(decoding: bytes)?.encode() == bytes)
    }

    @Test func shortFloatsAreNearAndInOrder() {
        var random = SplitMix64(seed: 5)
        let some = (0..<2_000).map { _ in Float(exp(Double.random(in: -30...30, using: &random))) }.sorted()
        for (value, next) in zip(some, some.dropFirst()) {
            let short = ShortFloat(value)
            #expect((value...(value * 257 / 256)).contains(short.value) && short.value <= ShortFloat(next).value, "\(value), then \(next)")
            #expect(ShortFloat(short.value) == short)
        }
        for exact: Float in [0, 1, 0.5, 3, 100] { #expect(ShortFloat(exact).value == exact) }
        #expect(ShortFloat(-0.0).value == 0)
        #expect(
            ShortFloat(.greatestFiniteMagnitude).value.isFinite && !ShortFloat(.infinity).value.isFinite && !ShortFloat(.nan).value.isFinite
        )
    }

    @Test func everyKindOfModelSurvivesItsBytes() throws {
        var random = SplitMix64(seed: 3)
        let sticky: [Double] = (0..<400).map { Double($0 / 30 % 4) }
        let constant = [Double](repeating: 1e300, count: 30)
        let tiny: [Double] = random.noise(300).map { abs($0) * 1e-300 }
        let series: [(ForecastModel.Kind, [Double])] = [
            (.constant, constant), (.short, random.noise(12)), (.sticky, sticky), (.pooled, random.noise(300)), (.pooled, tiny),
        ]
        for (kind, values) in series {
            for horizon in [1, 10, 37] {
                let model = try #require(ForecastModel.fit(values.span, horizon: horizon).value)
                if horizon < 37 { #expect(model.kind == kind) }
                var state = ForecastState(model: model)
                let forecast = state.forecast(from: values.span)
                #expect(forecast.value != nil)
                var restored = try #require(ForecastState(decoding: state.encode()), "\(kind) at \(horizon)")
                #expect(restored.forecast(from: values.span) == forecast)
            }
        }
    }

    /// Damaged bytes are refused, or make a state that works; nothing traps.
    @Test func damagedBytesDoNoHarm() throws {
        var random = SplitMix64(seed: 99)
        let x = random.autoregression(0.7, count: 300)
        var state = ForecastState(model: try #require(ForecastModel.fit(x.span, horizon: 10).value))
        _ = state.forecast(from: x.span)
        state.update(x[5])
        let bytes = state.encode()
        for length in 0..<bytes.count { #expect(ForecastState(decoding: Array(bytes[..<length])) == nil) }
        #expect(ForecastState(decoding: bytes + [0]) == nil)
        for round in 0..<3_000 {
            var damaged = bytes
            for _ in 0...(round % 4) {
                damaged[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            guard var restored = ForecastState(decoding: damaged) else { continue }
            for t in 0..<12 { restored.update(x[t]) }
            _ = restored.forecast(from: x.span)
            _ = restored.forecast(from: Array(x.prefix(3)).span)
        }
    }

    @Test func missingValuesAreNotScored() throws {
        var random = SplitMix64(seed: 14)
        let x = random.noise(400)
        let model = try #require(ForecastModel.fit(x.span, horizon: 10).value)
        var state = ForecastState(model: model)
        state.update(5)
        #expect(state.widths == IntervalWidths())
        _ = state.forecast(from: x.span)
        for _ in 0..<10 { state.update(.nan) }
        #expect(state.widths == IntervalWidths())
        #expect(state.pendingForecast == nil)
        _ = state.forecast(from: x.span)
        state.skip(3)
        #expect(state.pendingForecast?.missing == 3)
        state.skip(1_000_000)
        #expect(state.pendingForecast == nil)
        // One missing of ten: the statistics are scored, of the nine.
        _ = state.forecast(from: x.span)
        for k in 0..<10 { state.update(k == 4 ? .nan : 0) }
        // Four steps in the first third, one of them missing in the second.
        let counts: [UInt16] = [4, 2, 3, 1, 1, 1]
        #expect(state.widths.counts == counts)
        #expect(state.widths.factors[0] < 1)
    }

    @Test func widthsSettleWhereTheyCover() {
        var random = SplitMix64(seed: 15)
        var widths = IntervalWidths()
        // Intervals of half the width that standard normal errors need.
        var inside = 0.0
        for t in 0..<4_000 {
            let error = abs(Float(random.normal()))
            if t >= 1_000, error <= 0.64 * widths.factors[6] { inside += 1 }
            widths.score(column: 10, horizon: 10, error: error, reaches: (0.64, 0.98))
        }
        let share = inside / 3_000
        #expect(0.78...0.82 ~= share)
        let offsets = widths.apply(to: [-0.98, -0.64, -0.5, -0.3, -0.1, 0, 0.1, 0.3, 0.5, 0.64, 0.98], column: 10, horizon: 10)
        #expect(offsets == offsets.sorted())
        #expect(1.0...1.55 ~= offsets[9])
        #expect(1.4...2.5 ~= offsets[10])
    }

    /// A fit every seven scores, none of which knows the bursts: what is learnt about the tails outlives them, at 95 %; a wide 80 % does not.
    @Test func heavyTailsAreCoveredThoughFitsAreFrequent() {
        var random = SplitMix64(seed: 18)
        var widths = IntervalWidths()
        var inside = 0.0
        for t in 0..<21_000 {
            // One in ten is ten times as large: half of these exceed 6.7, so the outer reach needs a factor of three.
            let error = abs(Float(random.normal() * (t % 10 == 3 ? 10 : 1)))
            if t % 7 == 0 { widths.relax() }
            if t >= 1_000, error <= 2.2 * widths.factors[7] { inside += 1 }
            widths.score(column: 10, horizon: 10, error: error, reaches: (1.4, 2.2))
        }
        let share = inside / 20_000
        #expect(0.94...0.96 ~= share)
        for _ in 0..<500 { widths.score(column: 10, horizon: 10, error: 1_000, reaches: (1, 2)) }
        widths.relax()
        #expect(widths.factors[6] == 1.5)
        #expect(widths.factors[7] == 5)
    }

    /// With a fit every three samples a forecast of ten steps is scored all the same, in the unit of the newest model.
    @Test func aForecastThatWaitsOutlivesAFit() throws {
        var random = SplitMix64(seed: 16)
        let x = random.noise(700).map { 40 + 8 * $0 }
        func model(_ end: Int) throws -> ForecastModel {
            try #require(ForecastModel.fit(Array(x[(end - 400)..<end]).span, horizon: 10).value)
        }
        var state = ForecastState(model: try model(400))
        for t in 400..<700 {
            if t % 3 == 0 { state.refit(try model(t)) }
            _ = state.forecast(from: Array(x[(t - 400)..<t]).span)
            state.update(x[t])
        }
        #expect(state.widths.counts[3...] == [30, 30, 30])
        // The unit of a model of twice the values: everything that waits is half as large in it.
        state = ForecastState(model: try model(400))
        _ = state.forecast(from: Array(x[..<400]).span)
        for t in 400..<404 { state.update(x[t]) }
        let before = try #require(state.pendingForecast)
        let wide = SeriesScaling(shrink: 1, factor: state.model.scaling.factor / 2, mean: state.model.scaling.mean, floor: 0)
        let other = ForecastModel(horizon: 10, kind: .pooled, count: 400, scaling: wide, table: state.model.table)
        state.refit(other)
        let after = try #require(state.pendingForecast)
        for (a, b) in zip(
            before.centre + [before.scale, before.high, before.low, before.sum],
            after.centre + [after.scale, after.high, after.low, after.sum])
        {
            #expect(abs(a - 2 * b) < 1e-5, "\(a) \(b)")
        }
        #expect(after.arrived == 4)
        // Another horizon has other columns.
        state.refit(try #require(ForecastModel.fit(Array(x[..<400]).span, horizon: 5).value))
        #expect(state.pendingForecast == nil)
    }

    /// Where nearly all of the past stands still, it knows no residual: what moves now says how far it goes.
    @Test func whatBeginsToMoveIsNotForecastExactly() throws {
        var random = SplitMix64(seed: 9)
        var values = [Double](repeating: 50, count: 600)
        for step in random.noise(200) { values.append((values.last ?? 0) + step) }
        var outside = 0
        for origin in stride(from: 606, to: 700, by: 1) {
            let model = try #require(ForecastModel.fit(Array(values[..<(origin - origin % 15)]).span, horizon: 10).value)
            let state = try #require(model.forecast(from: Array(values[..<origin]).span).value)
            if origin > 615, !state.path[4].interval80.contains(values[origin + 4]) { outside += 1 }
            if origin > 615 { #expect(state.avg.interval95.upperBound > state.avg.interval95.lowerBound) }
        }
        #expect(outside < 34, "of 84, a fifth is expected")
    }

    /// Forecasts of a series that was never negative are not either, until it is.
    @Test func whatHasBecomeNegativeIsForecastSo() throws {
        var random = SplitMix64(seed: 8)
        var values = random.noise(600).map { abs(5 + $0) }
        let model = try #require(ForecastModel.fit(values.span, horizon: 10).value)
        #expect(try #require(model.forecast(from: values.span).value).min.quantiles.allSatisfy { $0 >= 0 })
        values += [-20.3, -19.8, -20.1]
        let forecast = try #require(model.forecast(from: values.span).value)
        #expect(forecast.path[0].interval95.lowerBound < -15 && forecast.min.expected < -15)
    }

    @Test func bytesOfAnotherVersionAreRefused() throws {
        var random = SplitMix64(seed: 17)
        var bytes = ForecastState(model: try #require(ForecastModel.fit(random.noise(300).span, horizon: 10).value)).encode()
        #expect(ForecastState(decoding: bytes) != nil)
        bytes[0] -= 1
        #expect(ForecastState(decoding: bytes) == nil)
    }
}
