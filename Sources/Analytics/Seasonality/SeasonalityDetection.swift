/// The cycles of an evenly spaced series that no red noise explains, strongest first; empty when there is none.
///
/// A cycle is reported when it is seen at least four times and lasts three samples or more. Found are single lines of the whitened
/// spectrum (`WhitenedSpectrum`) and pulse trains (`pulsePeriod`); harmonics are joined with their fundamental. White noise,
/// autoregressive noise, random walks, trends and level shifts yield a cycle in at most a few of a thousand series; outliers,
/// shifts and drift do not hide one. docs/decisions/0101-seasonality-detection.md has the reasons and the measurements.
///
/// - Parameters:
///   - values: any unit; gaps are for the caller to close.
///   - limit: the most cycles to report.
///   - calendar: periods in samples that the calendar suggests (a day, a week), shortest first. They need less evidence, for each is one
///     test and no search, and a cycle that the record cannot tell from one is taken for it.
/// - Returns: empty for fewer than 64 values, a constant series, a straight line, or any value that is not finite.
/// Complexity: O(n log n), 0.13 to 0.22 ms for 2,880 values. Above 65,536 values the periods up to 16,384 samples are sought in the latest
/// 65,536 values, longer ones in means of blocks: O(n), 0.6 s and three copies of the series for 10 million values.
package func seasonalPeriods(of values: Span<Double>, limit: Int = 4, calendar: [Double] = []) -> [SeasonalPeriod] {
    guard case .success(let series) = CenteredSeries.make(of: values, minimum: SeasonalityDetection.leastCount) else { return [] }
    return SeasonalityDetection.periods(in: series, limit: limit, calendar: calendar)
}

package func seasonalPeriods(of values: [Double], limit: Int = 4, calendar: [Double] = []) -> [SeasonalPeriod] {
    seasonalPeriods(of: values.span, limit: limit, calendar: calendar)
}

enum SeasonalityDetection {
    static let leastCount = 64
    /// Above it a series is searched in two resolutions.
    static let mostCount = 65_536
    /// A cycle that explains less than this is not worth a report.
    static let leastStrength = 0.02

    static func periods(in series: CenteredSeries, limit: Int = 4, calendar: [Double] = []) -> [SeasonalPeriod] {
        let n = series.count
        guard n >= leastCount, limit > 0 else { return [] }
        var found: [SeasonalPeriod]
        if n <= mostCount {
            found = described(search(series.storage, count: n, limit: limit, calendar: calendar), series.storage, from: 0, to: n, series)
        } else {
            let recent = Array(series.storage[(n - mostCount)..<n])
            found = described(search(recent, count: mostCount, limit: limit), recent, from: n - mostCount, to: n, series)
            let block = (n + mostCount - 1) / mostCount
            let means = blockMeans(series.storage, count: n, block: block)
            let longest = Double(mostCount) / CycleSearch.leastCycles
            let slow = search(means, count: means.count, limit: limit).map { $0 * Double(block) }.filter { $0 > longest }
            found += described(slow, series.storage, from: 0, to: n, series)
        }
        return Array(found.sorted { $0.strength > $1.strength }.prefix(limit))
    }

    private static func search(_ values: [Double], count: Int, limit: Int, calendar: [Double] = []) -> [Double] {
        values.withUnsafeBufferPointer { x in
            x.baseAddress.map { CycleSearch.periods($0, count: count, limit: limit, calendar: calendar) } ?? []
        }
    }

    private static func blockMeans(_ values: [Double], count n: Int, block: Int) -> [Double] {
        values.withUnsafeBufferPointer { x in
            guard let base = x.baseAddress else { return [] }
            return (0..<(n / block)).map { Kernels.sum(base + $0 * block, count: block) / Double(block) }
        }
    }

    /// Components and strengths from `values`, which are the samples `start` ..< `end` of the series.
    private static func described(
        _ periods: [Double], _ values: [Double], from start: Int, to end: Int, _ series: CenteredSeries
    ) -> [SeasonalPeriod] {
        if periods.isEmpty { return [] }
        var components = SeasonalComponents(values, count: end - start)
        return periods.sorted().compactMap { period in
            let (component, strength) = components.fold(period)
            guard strength >= leastStrength else { return nil }
            // Phases count from the first sample of the series.
            let shift = Int(Double(start).truncatingRemainder(dividingBy: period)) % component.count
            let rotated = component[(component.count - shift)...] + component[..<(component.count - shift)]
            return SeasonalPeriod(period: period, strength: strength, component: rotated.map { series.deviation($0) })
        }
    }
}
