import TestSupport
import Testing

@testable import Analytics

/// The parts that the pool's weights and intervals are made with.
@Suite struct ForecastBlendTests {
    // MARK: Sorting

    @Test func columnsAreSortedEachByItself() {
        var random = SplitMix64(seed: 61)
        for count in Array(0...40) + [63, 64, 65, 180, 360] {
            // Many ties in the last columns.
            var rows = (0..<count).map { _ in
                ColumnSort.Lanes((0..<8).map { k in Float(k < 5 ? random.normal() : Double(Int.random(in: 0...3, using: &random))) })
            }
            let expected = (0..<8).map { k in rows.map { $0[k] }.sorted() }
            ColumnSort.sort(&rows)
            for k in 0..<8 { #expect(rows.map { $0[k] } == expected[k], "\(count) rows, column \(k)") }
        }
    }

    @Test func mediansOfManyColumns() {
        var random = SplitMix64(seed: 62)
        let table = (0..<21).map { _ in random.noise(37) }
        let medians = ColumnSort.medians(rows: 37, columns: 21) { table[$1][$0] }
        for (k, median) in medians.enumerated() { #expect(Float(median) == Float(table[k].sorted()[18])) }
    }

    // MARK: Weights

    private struct Case {
        let trials: [[Double]]
        let actual: [Double]
        let columns: Int
        var weights: [Double]

        var errors: [[Double]] {
            trials.map { trial in
                (0..<columns).map { s in stride(from: s, to: actual.count, by: columns).reduce(0) { $0 + abs(trial[$1] - actual[$1]) } }
            }
        }

        func blended(_ s: Int) -> Double {
            stride(from: s, to: actual.count, by: columns).reduce(0) { sum, k in
                sum + abs(trials.indices.reduce(-actual[k]) { $0 + weights[$1 * columns + s] * trials[$1][k] })
            }
        }

        mutating func refine(part: Range<Int>? = nil, penalties: [[Double]]? = nil, independent: Double = 1_000) {
            let refinement = BlendRefinement(
                actual: actual, columns: columns, caps: [Double](repeating: .infinity, count: columns),
                recency: [Double](repeating: 1, count: actual.count / columns),
                independent: [Double](repeating: independent, count: columns))
            let none = errors.map { $0.map { _ in 0.0 } }
            refinement.refine(&weights, part ?? 0..<columns, trials: trials, errors: errors, penalties: penalties ?? none)
        }
    }

    private func noise(_ count: Int, _ random: inout SplitMix64) -> [Double] { random.noise(count) }

    /// Two that err on opposite sides are worth half each, though one errs twice as much: their own errors gave it next to nothing.
    @Test func oppositeErrorsAreBlended() {
        var random = SplitMix64(seed: 63)
        let size = random.noise(300).map { abs($0) }
        let actual = [Double](repeating: 0, count: 300)
        var one = Case(trials: [size, size.map { -2 * $0 }], actual: actual, columns: 1, weights: [0.9, 0.1])
        one.refine()
        // No error at all at 2 : 1; 0.7 of one's own where it began.
        #expect(one.blended(0) < 0.6 * size.reduce(0, +), "\(one.weights)")
        #expect(abs(one.weights[0] + one.weights[1] - 1) < 1e-9)
        // Few independent origins teach little.
        var few = Case(trials: one.trials, actual: actual, columns: 1, weights: [0.9, 0.1])
        few.refine(independent: 1)
        #expect(few.weights[0] > one.weights[0] + 0.05, "\(few.weights)")
        // A penalty keeps away.
        var dear = Case(trials: one.trials, actual: actual, columns: 1, weights: [0.9, 0.1])
        dear.refine(penalties: [[0], [3 * one.errors[1][0]]])
        #expect(dear.weights[0] > 0.9, "\(dear.weights)")
    }

    /// Random candidates in eleven columns, one group full and one not: better at the past than the weights it began with (few steps: not
    /// in each column), and columns do not touch each other.
    @Test func refinementLowersTheErrorOfTheBlend() {
        var random = SplitMix64(seed: 64)
        var totals = (before: 0.0, after: 0.0)
        for round in 0..<20 {
            let (columns, count, rows) = (11, 120, 2 + round % 5)
            let actual = noise(columns * count, &random)
            let trials = (0..<rows).map { row in zip(actual, noise(columns * count, &random)).map { $0 + (0.5 + 0.3 * Double(row)) * $1 } }
            var all = Case(
                trials: trials, actual: actual, columns: columns, weights: [Double](repeating: 1 / Double(rows), count: rows * columns))
            let before = (0..<columns).map(all.blended)
            all.refine()
            for s in 0..<columns {
                #expect(all.blended(s) <= before[s] * 1.05, "seed 64, round \(round), column \(s)")
                totals = (totals.before + before[s], totals.after + all.blended(s))
                #expect(abs((0..<rows).reduce(0) { $0 + all.weights[$1 * columns + s] } - 1) < 1e-6)
            }
            func column(_ table: [Double], _ s: Int) -> [Double] { stride(from: s, to: table.count, by: columns).map { table[$0] } }
            for s in [0, 7, 8, 10] {
                var alone = Case(
                    trials: trials.map { column($0, s) }, actual: column(actual, s), columns: 1,
                    weights: [Double](repeating: 1 / Double(rows), count: rows))
                alone.refine()
                for row in 0..<rows { #expect(abs(alone.weights[row] - all.weights[row * columns + s]) < 1e-5) }
            }
        }
        #expect(totals.after < 0.97 * totals.before, "\(totals)")
    }

    @Test func aPerfectCandidateIsLeftAlone() {
        let actual = (0..<60).map(Double.init)
        var one = Case(trials: [actual.map { $0 + 1 }, actual], actual: actual, columns: 1, weights: [0.25, 0.75])
        one.refine()
        #expect(one.weights == [0.25, 0.75])
    }

    // MARK: The blend as a candidate

    /// The model's path, statistics and blend put together again from its candidates, one by one.
    @Test(arguments: ["ms_1m/mongo-03", "ms_1m/ingress-05", "smd_1m/machine-2-7_d01"])
    func theBlendedPathCompetesForMaximumAndMean(_ name: String) throws {
        let history = Array(GoldenSeries.values(name).prefix(2_000))
        let horizon = 10
        let model = try #require(ForecastModel.fit(history.span, horizon: horizon).value)
        let pool = try #require(model.table.unpacked(horizon: horizon)).pool
        let (columns, last) = (pool.columns, pool.rows - 1)
        let (high, low, mean) = (last * columns + horizon, last * columns + horizon + 1, last * columns + horizon + 2)
        #expect(pool.weights[low] == 0 && pool.weights[(last * columns)..<high].allSatisfy { $0 == 0 })
        for s in 0..<columns {
            let total = stride(from: s, to: pool.weights.count, by: columns).reduce(0) { $0 + pool.weights[$1] }
            #expect(abs(total - 1) < 1e-5, "column \(s)")
        }
        let values = history.map(model.scaling.center)
        var path = [Double](repeating: 0, count: horizon)
        var (top, middle) = (0.0, 0.0)
        for (c, candidate) in pool.candidates.enumerated() {
            let steps = candidate.path(values, origin: values.count, horizon: horizon)
            for s in 0..<horizon { path[s] += pool.weights[c * columns + s] * steps[s] }
            top += pool.weights[c * columns + horizon] * ((steps.max() ?? 0) + pool.corrections[3 * c])
            middle += pool.weights[c * columns + horizon + 2] * (steps.reduce(0, +) / 10 + pool.corrections[3 * c + 2])
        }
        let blocks = PastBlocks(
            values, origins: ForecastOrigins(first: values.count, stride: 1, count: 1), horizon: horizon, depth: BlockCandidate.depth)
        for (k, candidate) in BlockCandidate.allCases.enumerated() {
            let c = pool.candidates.count + k
            let block = candidate.forecast(blocks, origin: values.count)
            top += pool.weights[c * columns + horizon] * (block.max + pool.corrections[3 * c])
            middle += pool.weights[c * columns + horizon + 2] * (block.avg + pool.corrections[3 * c + 2])
        }
        top += pool.weights[high] * ((path.max() ?? 0) + pool.corrections[3 * last])
        middle += pool.weights[mean] * (path.reduce(0, +) / 10 + pool.corrections[3 * last + 2])
        let forecast = pool.forecast(values)
        for s in 0..<horizon { #expect(abs(forecast[s] - path[s]) < 1e-9) }
        #expect(abs(forecast[horizon] - top) < 1e-9 && abs(forecast[horizon + 2] - middle) < 1e-9)
    }

    /// Of an autoregression with a unit far from white noise, the mean is that of the path.
    @Test func theBlendIsUsed() throws {
        var random = SplitMix64(seed: 65)
        let history = random.autoregression(0.9, count: 2_000)
        let model = try #require(ForecastModel.fit(history.span, horizon: 10).value)
        let pool = try #require(model.table.unpacked(horizon: 10)).pool
        #expect(pool.weights[pool.weights.count - 1] > 0.1, "\(pool.weights.suffix(3))")
    }

    /// Columns from four on, where the last lanes overlap, against one value at a time.
    @Test func errorsOfTablesAreThoseOfAScalarLoop() {
        var random = SplitMix64(seed: 66)
        for columns in 4...13 {
            let rows = 17
            let (table, actual) = (random.noise(rows * columns), random.noise(rows * columns))
            let caps = (0..<columns).map { $0 % 3 == 0 ? .infinity : 0.5 + 0.1 * Double($0) }
            let recency = (0..<rows).map { 1 / Double(1 + $0) }
            let errors = HorizonTable.errors(table, actual, caps: caps, recency: recency)
            for s in 0..<columns {
                var expected = 0.0
                for i in 0..<rows { expected += recency[i] * min(abs(table[i * columns + s] - actual[i * columns + s]), caps[s]) }
                #expect(abs(errors[s] - expected) < 1e-12, "\(columns) columns, \(s)")
            }
        }
    }

    /// A part of the columns is refined as it is with all; the rest stays.
    @Test func aPartOfTheColumnsIsRefined() {
        var random = SplitMix64(seed: 67)
        let (columns, count) = (13, 40)
        let actual = random.noise(columns * count)
        let trials = (0..<3).map { _ in zip(actual, random.noise(columns * count)).map { $0 + $1 } }
        var whole = Case(trials: trials, actual: actual, columns: columns, weights: [Double](repeating: 1.0 / 3, count: 3 * columns))
        var part = whole
        whole.refine()
        part.refine(part: 10..<13)
        for s in 0..<columns {
            for row in 0..<3 {
                let expected = s < 10 ? 1.0 / 3 : whole.weights[row * columns + s]
                #expect(abs(part.weights[row * columns + s] - expected) < 1e-5, "row \(row), column \(s)")
            }
        }
    }

    // MARK: Widening

    @Test func fewResidualsWidenMore() {
        for statistic in [nil] + HorizonStatistic.allCases.map(Optional.init) {
            let widenings = [2.0, 3, 5, 10, 30, 300].map { IntervalWidening(independent: $0, statistic: statistic) }
            #expect(widenings.map(\.inner) == widenings.map(\.inner).sorted(by: >))
            #expect(widenings.allSatisfy { $0.outer >= $0.inner && $0.inner > 1 })
            #expect(widenings.last.map { $0.outer < 1.1 } == true)
        }
    }

    /// Of 41 origins two apart steps up to 13 were seen six times; the rest grow from there like a random walk.
    @Test func whatWasHardlySeenGrowsFromWhatWas() throws {
        let origins = ForecastOrigins(first: 40, stride: 2, count: 41)
        let columns = IntervalWidening.columns(horizon: 40, origins: origins)
        #expect(columns.count == 43)
        #expect(columns[..<13].allSatisfy { $0.floor == nil })
        let end = try #require(columns[39].floor)
        #expect(end.column == 12)
        #expect(abs(end.below - (40.0 / 13).squareRoot()) < 1e-12 && end.below == end.above)
        let (high, low) = (try #require(columns[40].floor), try #require(columns[41].floor))
        #expect(high.above > end.above && high.below < end.below)
        #expect(low.below == high.above && low.above == high.below)
        // Where all was seen often, nothing has a floor.
        let many = IntervalWidening.columns(horizon: 10, origins: ForecastOrigins(first: 40, stride: 2, count: 360))
        #expect(many.allSatisfy { $0.floor == nil })
    }

    @Test func aFloorHoldsWhereResidualsAreAlike() {
        // Column 0 spreads from -1 to 1, column 1 not at all.
        let actual = (0..<202).map { $0 % 2 == 0 ? Double($0) / 100 - 1 : 0 }
        let none = [Double](repeating: 0, count: 202)
        let plain = IntervalWidening(independent: 1e9, statistic: nil)
        let floored = IntervalWidening(independent: 1e9, statistic: nil, floor: .init(column: 0, below: 0.5, above: 2))
        let quantiles = ResidualQuantiles(
            forecasts: none, actual: actual, width: 2, scales: [Double](repeating: 1, count: 101), widening: [plain, floored])
        let (first, second) = (quantiles.column(0).map(Double.init), quantiles.column(1).map(Double.init))
        #expect(abs(second[1] - 0.5 * first[1]) < 1e-5 && abs(second[9] - 2 * first[9]) < 1e-5)
        #expect(quantiles.isAscending)
    }
}
