/// What ADF (null: unit root) and KPSS (null: stationary) say together at 5 %.
package enum StationarityVerdict: String, Sendable, CaseIterable {
    case stationary
    case unitRoot = "unit-root"
    case structuralBreakOrLongMemory = "structural-break-or-long-memory"
    case inconclusive
    case constant

    package init(adfRejects: Bool, kpssRejects: Bool) {
        self =
            switch (adfRejects, kpssRejects) {
            case (true, false): .stationary
            case (false, true): .unitRoot
            case (true, true): .structuralBreakOrLongMemory
            case (false, false): .inconclusive
            }
    }
}

/// Both tests, round a level and round a line, and what they say together.
package struct Stationarity: Sendable, Equatable {
    package let adf: Answer<AugmentedDickeyFuller>
    package let kpss: Answer<KPSS>
    package let adfTrend: Answer<AugmentedDickeyFuller>
    package let kpssTrend: Answer<KPSS>
    /// From the two tests round a level. No value when one of them has none; `constant` for a constant series.
    package let verdict: Answer<StationarityVerdict>
}

/// Complexity: O(n * lags); all regressions share one set of cross products.
package func stationarity(of values: Span<Double>) -> Stationarity {
    switch CenteredSeries.make(of: values, minimum: 6) {
    case .failure(let reason):
        return Stationarity(
            adf: .none(reason), kpss: .none(reason), adfTrend: .none(reason), kpssTrend: .none(reason),
            verdict: reason == .constant ? .value(.constant, remark: "constant") : .none(reason))
    case .success(let series):
        return Stationarity.test(values, series, LaggedSums(series))
    }
}

package func stationarity(of values: [Double]) -> Stationarity { stationarity(of: values.span) }

extension Stationarity {
    static func test(_ values: Span<Double>, _ series: CenteredSeries, _ sums: LaggedSums) -> Stationarity {
        let lag = AugmentedDickeyFuller.defaultMaximumLag(count: series.count, terms: .constant)
        let trendLag = AugmentedDickeyFuller.defaultMaximumLag(count: series.count, terms: .trend)
        let design = DickeyFullerDesign(values, levels: series, maximumLag: lag)
        let trendDesign = trendLag == lag ? design : DickeyFullerDesign(values, levels: series, maximumLag: trendLag)
        let adf = AugmentedDickeyFuller.test(design, series, terms: .constant, lags: .aic)
        let level = KPSS.test(series, sums, terms: .constant, lags: .automatic)
        return Stationarity(
            adf: adf, kpss: level,
            adfTrend: AugmentedDickeyFuller.test(trendDesign, series, terms: .trend, lags: .aic),
            kpssTrend: KPSS.test(series, sums, terms: .trend, lags: .automatic),
            verdict: verdict(adf, level))
    }

    private static func verdict(_ adf: Answer<AugmentedDickeyFuller>, _ kpss: Answer<KPSS>) -> Answer<StationarityVerdict> {
        guard let unitRoot = adf.value else { return .none(adf.reason ?? "no ADF") }
        guard let stationary = kpss.value else { return .none(kpss.reason ?? "no KPSS") }
        return .value(StationarityVerdict(adfRejects: unitRoot.rejects(), kpssRejects: stationary.rejects()))
    }
}
