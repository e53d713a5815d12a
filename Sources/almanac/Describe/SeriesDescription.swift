import Analytics
import TimeSeries

/// All that is said about one series.
struct SeriesDescription {
    var name: String
    var column: String
    var statistics: Statistics
    var even: EvenSeries
    /// The last values that profile and forecast look at.
    var analysed: Int
    var profile: SeriesProfile
    var forecast: Answer<Forecast>
    /// nil unless it was asked for.
    var decomposition: SeriesDecomposition?
    var notes: [String]

    struct Statistics: Equatable {
        var moments: Moments
        var p50: Double
        var p95: Double
        var p99: Double
    }

    /// Beyond this the tests take minutes and say nothing new.
    static let maximumAnalysed = 50_000
    static let maximumHorizonSteps = 10_000

    /// Throws `CSVError` for a series that has no values or whose times make no grid.
    static func make(
        _ series: CSVSeries, name: String, step: Milliseconds?, horizon: Milliseconds, decompose: SeriesDecomposition.Choice? = nil
    ) throws -> SeriesDescription {
        var finite = series.values.filter { !$0.isNaN }
        var moments = Moments()
        for value in finite { moments.add(value) }
        let even = try EvenSeries.make(series, step: step)
        var notes = even.notes
        if series.badRows > 0 {
            let more = series.badRows > series.badRowNotes.count ? "; and more" : ""
            notes.append(
                "\(Count.text(series.badRows, "row is", "rows are")) left out: \(series.badRowNotes.joined(separator: "; "))\(more)")
        }
        if series.missing > 0 { notes.append("\(Count.text(series.missing, "value is", "values are")) missing or not finite") }
        let tail = Array(even.values.suffix(maximumAnalysed))
        if tail.count < even.values.count { notes.append("profile and forecast look at the last \(Count.digits(tail.count)) steps") }
        let steps = min(max(1, Int((horizon + even.step / 2) / even.step)), maximumHorizonSteps)
        if Milliseconds(steps) * even.step != horizon {
            notes.append(
                "the forecast reaches \(DurationLabel.text(Milliseconds(steps) * even.step)), \(Count.text(steps, "step", "steps"))")
        }
        let profile = Analytics.profile(of: tail)
        return SeriesDescription(
            name: name, column: series.column, statistics: Statistics(moments: moments, quantilesOf: &finite), even: even,
            analysed: tail.count, profile: profile, forecast: Analytics.forecast(tail, horizon: steps),
            decomposition: decompose.map { SeriesDecomposition(tail, step: even.step, found: profile.seasonality, choice: $0) },
            notes: notes)
    }

    /// Length of the forecast.
    var horizon: Milliseconds { Milliseconds(forecast.value?.horizon ?? 0) * even.step }
}

extension SeriesDescription.Statistics {
    /// Quantiles by linear interpolation between order statistics at rank q (n - 1), as Prometheus' `quantile_over_time`.
    init(moments: Moments, quantilesOf values: inout [Double]) {
        self.moments = moments
        values.sort()
        func quantile(_ q: Double, _ sorted: [Double]) -> Double {
            guard let last = sorted.indices.last else { return .nan }
            let position = q * Double(last)
            let low = Int(position)
            let high = Swift.min(low + 1, last)
            return sorted[low] + (sorted[high] - sorted[low]) * (position - Double(low))
        }
        p50 = quantile(0.5, values)
        p95 = quantile(0.95, values)
        p99 = quantile(0.99, values)
    }
}
