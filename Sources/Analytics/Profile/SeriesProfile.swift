/// What a series is like: its memory, whether it is stationary, its cycles.
package struct SeriesProfile: Sendable, Equatable {
    /// Number of samples.
    package let count: Int
    package let acf: Answer<Autocorrelation>
    /// Lags whose autocorrelation lies outside Bartlett's 95 % bound.
    package let significantLags: [Int]
    /// Over all lags of `acf`.
    package let ljungBox: Answer<LjungBox>
    package let pacf: Answer<PartialAutocorrelation>
    package let stationarity: Stationarity
    /// Strongest first; empty when none was found with certainty.
    package let seasonality: [SeasonalPeriod]
    /// Why the profile is empty: `constant`, `too short: 7 of 20 samples`, `not finite: sample 3`; nil for a full one.
    package let reason: String?

    package var adf: Answer<AugmentedDickeyFuller> { stationarity.adf }
    package var adfTrend: Answer<AugmentedDickeyFuller> { stationarity.adfTrend }
    package var kpss: Answer<KPSS> { stationarity.kpss }
    package var kpssTrend: Answer<KPSS> { stationarity.kpssTrend }
    package var verdict: Answer<StationarityVerdict> { stationarity.verdict }
}

/// The profile of evenly spaced values; gaps are for the caller to close.
///
/// - Parameters:
///   - acfLags: default min(int(10 log10 n), n - 1).
///   - pacfLags: default min(int(10 log10 n), n / 2 - 1).
///   - minimumSamples: below it no part answers (at least 6).
/// Complexity: O(n * lags + n log n), 0.22 to 0.35 ms for n = 2,880; the tests share the centred series, its lagged sums and the cross
/// products. Cycles as `seasonalPeriods(of:)` finds them.
package func profile(
    of values: Span<Double>, acfLags: Int? = nil, pacfLags: Int? = nil, minimumSamples: Int = 20
) -> SeriesProfile {
    let n = values.count
    let lags = min(max(acfLags ?? Autocorrelation.defaultLags(count: n), 1), max(n - 1, 0))
    let partialLags = min(max(pacfLags ?? PartialAutocorrelation.defaultLags(count: n), 1), max(n / 2 - 1, 0))
    let most = max(lags, partialLags)
    switch CenteredSeries.make(of: values, minimum: max(minimumSamples, 6), padding: most) {
    case .failure(let reason): return SeriesProfile(count: n, reason)
    case .success(let series):
        var sums = LaggedSums(series)
        sums.extend(to: most)
        let acf = Autocorrelation(sums: sums, lags: lags)
        let partial = PartialAutocorrelation(Autocorrelation(sums: sums, lags: partialLags))
        return SeriesProfile(
            count: n, acf: .value(acf), significantLags: acf.significantLags, ljungBox: Analytics.ljungBox(acf), pacf: .value(partial),
            stationarity: Stationarity.test(values, series, sums), seasonality: SeasonalityDetection.periods(in: series), reason: nil)
    }
}

package func profile(
    of values: [Double], acfLags: Int? = nil, pacfLags: Int? = nil, minimumSamples: Int = 20
) -> SeriesProfile {
    profile(of: values.span, acfLags: acfLags, pacfLags: pacfLags, minimumSamples: minimumSamples)
}

extension SeriesProfile {
    /// A profile that only says why.
    init(count: Int, _ reason: Unanswerable) {
        self.init(
            count: count, acf: .none(reason), significantLags: [], ljungBox: .none(reason), pacf: .none(reason),
            stationarity: Stationarity(
                adf: .none(reason), kpss: .none(reason), adfTrend: .none(reason), kpssTrend: .none(reason),
                verdict: reason == .constant ? .value(.constant, remark: "constant") : .none(reason)),
            seasonality: [], reason: reason.description)
    }
}
