import Glibc

/// How many lagged differences a test takes.
package enum LagSelection: Sendable, Equatable {
    /// Akaike's criterion over 0 ... the largest lag, all on one common sample.
    case aic
    /// The Bayesian criterion, likewise.
    case bic
    case fixed(Int)
}

/// The augmented Dickey-Fuller test; the null hypothesis is a unit root.
package struct AugmentedDickeyFuller: Sendable, Equatable {
    /// The t-ratio of the level.
    package let statistic: Double
    package let pValue: Double
    package let lags: Int
    /// Rows of the regression.
    package let observations: Int
    package let criticalValues: CriticalValues
    /// The smallest value of the criterion; nil for a fixed lag.
    package let informationCriterion: Double?
    package let terms: DeterministicTerms

    package func rejects(at level: Double = 0.05) -> Bool { pValue <= level }
}

/// As statsmodels `adfuller(x, maxlag, regression, autolag)`: the lag is searched on one common sample and the regression repeated on the
/// longer sample of the chosen lag.
///
/// - Parameter maximumLag: default ceil(12 (n / 100)^(1/4)), at most n / 2 - 1 - the number of deterministic terms.
/// - Returns: no value for a constant or not finite series, fewer than 4 values (6 with trend), an invalid lag, or a series that follows
///   exactly from its own past, as a straight line does and one that changed in its first `lags` values alone. Complexity: O(n * lags);
///   about 60 us for n = 2,880 and 28 lags.
package func augmentedDickeyFuller(
    of values: Span<Double>, terms: DeterministicTerms = .constant, lags: LagSelection = .aic, maximumLag: Int? = nil
) -> Answer<AugmentedDickeyFuller> {
    switch CenteredSeries.make(of: values, minimum: 2 * (terms.count + 1)) {
    case .failure(let reason): return .none(reason)
    case .success(let series):
        let limit = AugmentedDickeyFuller.lagLimit(count: series.count, terms: terms)
        var largest = maximumLag ?? AugmentedDickeyFuller.defaultMaximumLag(count: series.count, terms: terms)
        if case .fixed(let lag) = lags { largest = lag }
        guard 0...limit ~= largest else {
            return .none("a lag of \(largest) is outside 0...\(limit) for \(series.count) samples")
        }
        let design = DickeyFullerDesign(values, levels: series, maximumLag: largest)
        return AugmentedDickeyFuller.test(design, series, terms: terms, lags: lags)
    }
}

package func augmentedDickeyFuller(
    of values: [Double], terms: DeterministicTerms = .constant, lags: LagSelection = .aic, maximumLag: Int? = nil
) -> Answer<AugmentedDickeyFuller> {
    augmentedDickeyFuller(of: values.span, terms: terms, lags: lags, maximumLag: maximumLag)
}

extension AugmentedDickeyFuller {
    static func lagLimit(count: Int, terms: DeterministicTerms) -> Int { count / 2 - terms.count - 1 }

    /// Schwert's rule (1989).
    static func defaultMaximumLag(count: Int, terms: DeterministicTerms) -> Int {
        min(Int(ceil(12 * pow(Double(count) / 100, 0.25))), lagLimit(count: count, terms: terms))
    }

    static func test(
        _ design: DickeyFullerDesign, _ series: CenteredSeries, terms: DeterministicTerms, lags: LagSelection
    ) -> Answer<AugmentedDickeyFuller> {
        if design.isStraight { return .none(.exact) }
        let deterministic: [DickeyFullerDesign.Column] = terms == .constant ? [.one] : [.one, .trend]
        var chosen = design.maximumLag
        var criterion: Double?
        if lags == .aic || lags == .bic {
            guard let best = search(design, deterministic, lags) else { return .none(.exact) }
            chosen = best.lag
            // In the unit of the series: ln SSR grows by ln scale^-2.
            criterion = best.criterion - 2 * Double(design.differenceCount - design.maximumLag) * log(series.scale)
        }
        let differences = chosen == 0 ? [] : (1...chosen).map { DickeyFullerDesign.Column.difference($0) }
        let fit = design.regress(on: deterministic + differences + [.level], firstRow: chosen)
        let observations = design.differenceCount - chosen
        // Where the level changed in the first rows alone, it is constant on those left and says nothing.
        guard let level = fit.coordinates.last, let residual = fit.residuals.last, let rank = fit.ranks.last,
            rank > (fit.ranks.dropLast().last ?? 0), observations > rank, !isExact(residual, level)
        else { return .none(.exact) }
        let statistic = level / (residual / Double(observations - rank)).squareRoot()
        guard statistic.isFinite else { return .none(.exact) }
        return .value(
            AugmentedDickeyFuller(
                statistic: statistic, pValue: MacKinnon.pValue(statistic, terms), lags: chosen, observations: observations,
                criticalValues: MacKinnon.criticalValues(terms, observations: observations), informationCriterion: criterion, terms: terms))
    }

    /// No residual beyond rounding.
    private static func isExact(_ residual: Double, _ level: Double) -> Bool {
        residual <= 0 || residual < 1e-24 * level * level
    }

    private static func search(
        _ design: DickeyFullerDesign, _ deterministic: [DickeyFullerDesign.Column], _ lags: LagSelection
    ) -> (lag: Int, criterion: Double)? {
        let differences = design.maximumLag == 0 ? [] : (1...design.maximumLag).map { DickeyFullerDesign.Column.difference($0) }
        let fit = design.regress(on: deterministic + [.level] + differences, firstRow: design.maximumLag)
        let rows = Double(design.differenceCount - design.maximumLag)
        let penalty = lags == .bic ? log(rows) : 2
        var best: (lag: Int, criterion: Double)?
        for lag in 0...design.maximumLag {
            let j = deterministic.count + lag
            let residual = fit.residuals[j]
            guard residual > 0 else { return nil }
            let criterion = rows * (log(2 * .pi) + log(residual / rows) + 1) + penalty * Double(fit.ranks[j])
            if criterion < (best?.criterion ?? .infinity) { best = (lag, criterion) }
        }
        return best
    }
}
