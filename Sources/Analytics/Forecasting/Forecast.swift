/// A predictive distribution by its centre and its quantiles.
package struct Prediction: Sendable, Equatable {
    /// The levels of `quantiles`.
    package static let levels = [0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975]

    /// The median of the distribution.
    package let expected: Double
    /// Ascending, at `levels`.
    package let quantiles: [Double]

    package var interval80: ClosedRange<Double> { quantiles[1]...quantiles[9] }
    package var interval95: ClosedRange<Double> { quantiles[0]...quantiles[10] }
}

/// The next `horizon` values: their maximum, minimum and mean, each forecast directly, and the path. What is expected of the mean and of each
/// step lies between what is expected of minimum and maximum.
package struct Forecast: Sendable, Equatable {
    package let horizon: Int
    package let max: Prediction
    package let min: Prediction
    package let avg: Prediction
    /// One prediction per step.
    package let path: [Prediction]
}

/// Settings of the forecaster; the defaults are meant for every series.
package struct ForecastOptions: Sendable, Equatable {
    /// Length of the past in samples on whose forecasts weights and intervals rest; longer for long horizons.
    package var span = 720
    /// Age in samples at which an origin counts half for the weights.
    package var halfLife = 240.0
    /// Weights fall as the mean absolute error to this power.
    package var sharpness = 12.0
    /// Largest order of the autoregressions but that on logarithms.
    package var maximumOrder = 28
    /// Of that on logarithms, which follows bursts that repeat better than the others: 48 samples are four hours at 5 minutes.
    package var maximumLogOrder = 48
    /// Periods in samples for which seasonal candidates compete, as found by `seasonalPeriods(of:)` or known, such as a day.
    package var seasonalPeriods: [Int] = []
    /// Samples below which nothing is forecast.
    package var minimumSamples = 10
    /// In samples: a season too where the series shows it, as scheduled jobs do. nil for none, for fewer than 4 samples, or where it is
    /// among `seasonalPeriods`.
    package var hour: Int?

    package init() {}

    /// Options with the seasons that are worth a candidate each: the two strongest that explain half of the series, and the day, which
    /// operations follow even where two days of samples do not prove it.
    package init(detected: [SeasonalPeriod], day: Int?) {
        let strongest = detected.filter { $0.strength >= 0.5 }.sorted { $0.strength > $1.strength }.prefix(2)
        for period in strongest.compactMap({ Int(exactly: $0.period.rounded()) }) + (day.map { [$0] } ?? [])
        where period >= 2 && !seasonalPeriods.contains(period) {
            seasonalPeriods.append(period)
        }
        if let day, day % 24 == 0, day / 24 >= 4, !seasonalPeriods.contains(day / 24) { hour = day / 24 }
    }
}

/// Expected maximum, minimum, mean and path of the next `horizon` values of an evenly spaced series, with 80 and 95 % intervals.
///
/// - Returns: no value for an empty, short or not finite series or a horizon below 1. A constant series gives that constant with
///   intervals of no width and the remark `constant`; a short one and one that mostly stands still say so in the remark.
/// Complexity: O(n * order + origins * horizon * candidates).
package func forecast(
    _ history: Span<Double>, horizon: Int, options: ForecastOptions = ForecastOptions()
) -> Answer<Forecast> {
    let model = ForecastModel.fit(history, horizon: horizon, options: options)
    guard let fitted = model.value else { return .none(model.reason ?? "no model") }
    return fitted.forecast(from: history)
}

package func forecast(_ history: [Double], horizon: Int, options: ForecastOptions = ForecastOptions()) -> Answer<Forecast> {
    forecast(history.span, horizon: horizon, options: options)
}
