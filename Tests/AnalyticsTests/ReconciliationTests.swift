import Glibc
import TestSupport
import Testing

@testable import Analytics

@Suite struct ReconciliationTests {
    private func prediction(_ expected: Double, width: Double = 1) -> Prediction {
        Prediction(expected: expected, quantiles: (-5...5).map { expected + Double($0) * width })
    }

    /// The mean of two steps is that of the path and the middle of maximum and minimum as well; of more steps the former alone.
    @Test func meansAreCombined() {
        func combined(_ row: [Double]) -> [Double] {
            var row = row
            Reconciliation.combineMeans(&row, horizon: row.count - 3)
            return row
        }
        let two = combined([2, 4, 5, -1, 6])
        #expect(two[..<4] == [2, 4, 5, -1])
        #expect(abs(two[4] - (0.4 * 6 + 0.3 * 3 + 0.3 * 2)) < 1e-12)
        let three = combined([1, 2, 6, 9, 0, 5])
        #expect(abs(three[5] - (0.7 * 5 + 0.3 * 3)) < 1e-12)
        #expect(combined([3, 3, 3, 3]) == [3, 3, 3, 3])
        let same = [Double](repeating: 0.1, count: 43)
        #expect(combined(same) == same)
        var rows = [2.0, 4, 5, -1, 6, 3, 3, 3, 3, 3, 2, 4, 5, -1, 6]
        Reconciliation.combineMeans(&rows, horizon: 2)
        #expect(rows == two + [3, 3, 3, 3, 3] + two)
    }

    @Test func untestedExtremesIncludeTheMean() {
        var row = [4.0, 4, 3, 1, 4]
        Reconciliation.includeMean(&row)
        #expect(row == [4, 4, 4, 1, 4])
        row = [0, 0, 3, 1, 0.5]
        Reconciliation.includeMean(&row)
        #expect(row == [0, 0, 3, 0.5, 0.5])
    }

    @Test func whatIsExpectedIsInOrder() {
        let ordered = Reconciliation.order([prediction(12), prediction(5), prediction(10), prediction(4), prediction(2)])
        #expect(ordered.map(\.expected) == [10, 5, 10, 4, 4])
        // The interval of the step that moved stays where it was, as far as the step is in it.
        #expect(ordered[0].quantiles == [7, 8, 9, 10, 10, 10, 13, 14, 15, 16, 17])
        #expect(ordered[1] == prediction(5))
        #expect(ordered[4].quantiles == [-3, -2, -1, 0, 1, 4, 4, 4, 5, 6, 7])
        #expect(ordered[3].quantiles == [-3, -2, -1, 0, 1, 4, 4, 4, 5, 6, 7])
    }

    @Test func crossedExtremesMeetHalfway() {
        let ordered = Reconciliation.order([prediction(0), prediction(1), prediction(3), prediction(9)])
        #expect(ordered.map(\.expected) == [2, 2, 2, 2])
        let large = Double.greatestFiniteMagnitude
        let far = Reconciliation.order([
            prediction(0, width: 0), prediction(0.8 * large, width: 0), prediction(large, width: 0), prediction(0),
        ])
        #expect(far.allSatisfy { $0.expected.isFinite && $0.quantiles.allSatisfy(\.isFinite) })
    }

    /// Whatever comes in, in units of any size.
    @Test func orderHoldsForAnyForecasts() {
        var random = SplitMix64(seed: 91)
        for run in 0..<500 {
            let horizon = 1 + run % 7
            let before = (0..<(horizon + 3)).map { _ in
                let unit = pow(10, Double(run % 61 - 30) * 10)
                let quantiles = random.noise(11).map { $0 * unit }.sorted()
                return Prediction(expected: quantiles[5], quantiles: quantiles)
            }
            let after = Reconciliation.order(before)
            #expect(after.count == before.count)
            let (high, low, mean) = (after[horizon], after[horizon + 1], after[horizon + 2])
            for prediction in after {
                #expect(
                    prediction.quantiles == prediction.quantiles.sorted() && prediction.expected == prediction.quantiles[5], "run \(run)")
                #expect(low.expected <= prediction.expected && prediction.expected <= high.expected, "run \(run)")
            }
            for k in 0..<11 { #expect(low.quantiles[k] <= mean.quantiles[k] && mean.quantiles[k] <= high.quantiles[k], "run \(run)") }
            #expect(Reconciliation.order(after) == after, "run \(run): order is kept")
        }
    }

    /// The mean of ten steps of young autoregressions errs less for the path's mean in it.
    @Test func theCombinedMeanErrsLess() throws {
        var random = SplitMix64(seed: 92)
        var (combined, own) = (0.0, 0.0)
        for _ in 0..<400 {
            let x = random.autoregression(0.9, count: 100)
            let model = try #require(ForecastModel.fit(Array(x[..<90]).span, horizon: 10).value)
            let parts = try #require(model.table.unpacked(horizon: 10))
            let values = x[..<90].map { model.scaling.center($0) }
            var row = parts.pool.forecast(values)
            RecentRange(values, horizon: 10)?.confine(&row, to: parts.departures)
            let mean = model.scaling.center(x[90...].reduce(0, +) / 10)
            own += abs(row[12] - mean)
            combined += abs(try model.outlook(from: Array(x[..<90]).span).get().centre[12] - mean)
        }
        #expect(combined < 0.99 * own, "\(combined / own)")
    }
}
