/// Decomposition with several seasons (Bandara, Hyndman and Bergmeir 2021), as statsmodels `MSTL(x, periods=periods).fit()`: STL for
/// each period in turn, shortest first, on what the other seasons leave, twice.
///
/// - Parameters:
///   - periods: in samples. Those of half the series or longer are left out, as are repeated ones.
///   - windows: the seasonal window for each period; default 11, 15, 19, ...
///   - options: of every STL; its `seasonal` is not used.
/// - Returns: no value where `stl` has none, without a usable period, or with another number of windows than periods.
package func mstl(
    _ values: Span<Double>, periods: [Int], windows: [Int]? = nil, options: STLOptions = STLOptions()
) -> Answer<Decomposition> {
    guard !periods.isEmpty else { return .none("no period") }
    if let windows, windows.count != periods.count { return .none("\(windows.count) windows for \(periods.count) periods") }
    var plan: [(period: Int, window: Int)] = []
    if let windows {
        plan = zip(periods, windows).map { ($0, $1) }.sorted { $0.0 < $1.0 }
    } else {
        plan = Set(periods).sorted().enumerated().map { ($1, 11 + 4 * $0) }
    }
    plan = plan.filter { 2.0 * Double($0.period) < Double(values.count) }
    guard let shortest = plan.first else { return .none("too short: \(values.count) samples for two periods") }
    guard shortest.period >= 2 else { return .none("a period below 2: \(shortest.period)") }
    switch CenteredSeries.make(of: values, minimum: 4) {
    case .failure(let reason): return .none(reason)
    case .success(let series): return MultipleSeasons.compute(series, plan, options)
    }
}

package func mstl(
    _ values: [Double], periods: [Int], windows: [Int]? = nil, options: STLOptions = STLOptions()
) -> Answer<Decomposition> {
    mstl(values.span, periods: periods, windows: windows, options: options)
}

private enum MultipleSeasons {
    static func compute(_ series: CenteredSeries, _ plan: [(period: Int, window: Int)], _ options: STLOptions) -> Answer<Decomposition> {
        let n = series.count
        var rest = Array(series.storage.prefix(n))
        var seasons = [[Double]](repeating: [Double](repeating: 0, count: n), count: plan.count)
        var trend: [Double] = []
        var weights: [Double] = []
        for _ in 0..<(plan.count == 1 ? 1 : 2) {
            for (i, part) in plan.enumerated() {
                var own = options
                own.seasonal = part.window
                if let mistake = own.mistake(period: part.period) { return .none(mistake) }
                for t in 0..<n { rest[t] += seasons[i][t] }
                var fit = STLFit(rest, count: n, period: part.period, options: own)
                guard fit.work < 1e11 else { return .none("too much work for \(n) samples and a period of \(part.period): use jumps") }
                fit.run()
                seasons[i] = fit.season
                (trend, weights) = (fit.trend, fit.weights)
                for t in 0..<n { rest[t] -= seasons[i][t] }
            }
        }
        return .value(
            Decomposition(series, trend: trend, seasonal: seasons, weights: weights, periods: plan.map(\.period)))
    }
}
