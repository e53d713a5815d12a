/// Path, maximum, minimum and mean are each forecast by themselves, but speak of the same values: here they are made to agree.
enum Reconciliation {
    /// Part of the mean's forecast that each other view of the same mean gets.
    private static let share = 0.3

    /// Moves the mean in each row of forecasts (the steps, then maximum, minimum and mean) towards that of the path and, where two steps are
    /// all, towards the middle of maximum and minimum, which then is the mean: forecasts of one quantity err less together, as those of a
    /// temporal hierarchy do (Athanasopoulos et al. 2017). Complexity: O(rows * horizon).
    static func combineMeans(_ rows: inout [Double], horizon: Int) {
        for first in stride(from: 0, to: rows.count, by: horizon + 3) {
            let statistics = first + horizon
            let (high, low, mean) = (rows[statistics], rows[statistics + 1], rows[statistics + 2])
            // Distances, so that what is the same stays so to the digit.
            let ofPath = rows[first..<statistics].reduce(0) { $0 + ($1 - mean) } / Double(horizon)
            rows[statistics + 2] += share * ofPath
            if horizon == 2 { rows[statistics + 2] += share * ((high - mean) / 2 + (low - mean) / 2) }
        }
    }

    /// Moves maximum and minimum so that the mean lies between them: where they are no more than those of the last block, and were never
    /// tested, the mean knows more of a level beyond.
    static func includeMean(_ row: inout [Double]) {
        let horizon = row.count - 3
        row[horizon] = max(row[horizon], row[horizon + 2])
        row[horizon + 1] = min(row[horizon + 1], row[horizon + 2])
    }

    /// Puts what is expected of the mean and of each step between the expected minimum and maximum, and the quantiles of minimum, mean and
    /// maximum in order. A minimum expected above the maximum meets it half-way.
    ///
    /// - Parameter predictions: of the steps, then maximum, minimum and mean; they come back in that order. Complexity: O(horizon).
    static func order(_ predictions: [Prediction]) -> [Prediction] {
        let horizon = predictions.count - 3
        var (high, low) = (predictions[horizon], predictions[horizon + 1])
        if high.expected < low.expected {
            // Each half by itself, as the sum of two large values is no number.
            let middle = high.expected / 2 + low.expected / 2
            (high, low) = (high.expecting(middle), low.expecting(middle))
        }
        func between(_ prediction: Prediction) -> Prediction {
            prediction.expecting(min(max(prediction.expected, low.expected), high.expected))
        }
        let mean = between(predictions[horizon + 2])
        return predictions[..<horizon].map(between) + [high.bounded(by: mean, max), low.bounded(by: mean, min), mean]
    }
}

extension Prediction {
    /// With another median; quantiles on the wrong side of it meet it, the others stay.
    fileprivate func expecting(_ value: Double) -> Prediction {
        if value == expected { return self }
        let middle = quantiles.count / 2
        let moved = quantiles.indices.map { k in
            k < middle ? Swift.min(quantiles[k], value) : k > middle ? Swift.max(quantiles[k], value) : value
        }
        return Prediction(expected: value, quantiles: moved)
    }

    /// Quantile by quantile.
    fileprivate func bounded(by other: Prediction, _ bound: (Double, Double) -> Double) -> Prediction {
        Prediction(expected: bound(expected, other.expected), quantiles: zip(quantiles, other.quantiles).map(bound))
    }
}
