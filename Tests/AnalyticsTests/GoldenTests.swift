import Testing

@testable import Analytics

@Suite("Parity with statsmodels on 24 series") struct GoldenTests {
    static let tolerance = 1e-8

    @Test func goldenDataIsThere() {
        #expect(GoldenSeries.all.count == 24)
        #expect(GoldenSeries.all.allSatisfy { $0.values.count == 2880 })
    }

    @Test(arguments: GoldenSeries.all) func autocorrelation(_ series: GoldenSeries) throws {
        let acf = try #require(Analytics.autocorrelation(of: series.values, lags: 40).value)
        for (lag, r) in series.expected.acf40.enumerated() {
            #expect(relativeError(acf.values[lag], r) < Self.tolerance, "lag \(lag)")
        }
        let box = try #require(ljungBox(acf).value)
        #expect(relativeError(box.statistic, series.expected.ljungbox_q40) < Self.tolerance)
        #expect(relativeError(box.pValue, series.expected.ljungbox_p40) < Self.tolerance)
    }

    @Test(arguments: GoldenSeries.all) func partialAutocorrelation(_ series: GoldenSeries) throws {
        let pacf = try #require(Analytics.partialAutocorrelation(of: series.values, lags: 20).value)
        #expect(pacf.values.count == 21)
        for (lag, r) in series.expected.pacf_ldb20.enumerated() {
            #expect(relativeError(pacf.values[lag], r) < Self.tolerance, "lag \(lag)")
        }
    }

    @Test(arguments: GoldenSeries.all) func burgModel(_ series: GoldenSeries) throws {
        let model = try #require(burg(of: series.values, order: 10).value)
        for (i, a) in series.expected.burg10.enumerated() {
            #expect(relativeError(model.coefficients[i], a) < Self.tolerance, "coefficient \(i)")
        }
        #expect(relativeError(model.variance, series.expected.burg10_s2) < Self.tolerance)
    }

    @Test(arguments: GoldenSeries.all) func dickeyFuller(_ series: GoldenSeries) throws {
        let expected = series.expected.adf_c_aic
        let adf = try #require(augmentedDickeyFuller(of: series.values).value)
        #expect(adf.lags == expected.lag)
        #expect(adf.observations == expected.nobs)
        #expect(relativeError(adf.statistic, expected.stat) < Self.tolerance)
        #expect(relativeError(adf.pValue, expected.p) < Self.tolerance)
        #expect(relativeError(adf.informationCriterion, expected.icbest ?? .nan) < Self.tolerance)
        #expect(relativeError(adf.criticalValues.onePercent, expected.crit?["1%"] ?? .nan) < Self.tolerance)
        #expect(relativeError(adf.criticalValues.fivePercent, expected.crit?["5%"] ?? .nan) < Self.tolerance)
        #expect(relativeError(adf.criticalValues.tenPercent, expected.crit?["10%"] ?? .nan) < Self.tolerance)
        let trend = try #require(augmentedDickeyFuller(of: series.values, terms: .trend).value)
        #expect(trend.lags == series.expected.adf_ct_aic.lag)
        #expect(relativeError(trend.statistic, series.expected.adf_ct_aic.stat) < Self.tolerance)
        #expect(relativeError(trend.pValue, series.expected.adf_ct_aic.p) < Self.tolerance)
    }

    @Test(arguments: GoldenSeries.all) func kwiatkowski(_ series: GoldenSeries) throws {
        for (terms, expected) in [(DeterministicTerms.constant, series.expected.kpss_c), (.trend, series.expected.kpss_ct)] {
            let test = try #require(kpss(of: series.values, terms: terms).value)
            #expect(test.lags == expected.lags)
            #expect(relativeError(test.statistic, expected.stat) < Self.tolerance)
            #expect(relativeError(test.pValue, expected.p) < Self.tolerance)
        }
    }

    @Test(arguments: GoldenSeries.all) func profileHoldsTheSameAnswers(_ series: GoldenSeries) throws {
        let profile = Analytics.profile(of: series.values, acfLags: 40, pacfLags: 20)
        #expect(profile.reason == nil)
        #expect(profile.adf == augmentedDickeyFuller(of: series.values))
        #expect(profile.adfTrend == augmentedDickeyFuller(of: series.values, terms: .trend))
        #expect(relativeError(profile.kpss.value?.statistic, series.expected.kpss_c.stat) < Self.tolerance)
        #expect(relativeError(profile.kpssTrend.value?.statistic, series.expected.kpss_ct.stat) < Self.tolerance)
        #expect(profile.acf.value?.values.count == 41)
        #expect(profile.pacf.value?.values.count == 21)
        #expect(profile.ljungBox.value?.lags == 40)
        let adf = try #require(profile.adf.value)
        let level = try #require(profile.kpss.value)
        let verdict: StationarityVerdict =
            adf.pValue <= 0.05
            ? (level.pValue <= 0.05 ? .structuralBreakOrLongMemory : .stationary)
            : (level.pValue <= 0.05 ? .unitRoot : .inconclusive)
        #expect(profile.verdict == .value(verdict))
    }
}
