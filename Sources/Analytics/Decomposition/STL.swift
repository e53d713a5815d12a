import Glibc

/// The parameters of STL. Windows are odd numbers of points; nil takes the default of statsmodels.
package struct STLOptions: Sendable, Equatable {
    /// Cycles in the smoother of each phase, at least 3.
    package var seasonal = 7
    /// Default: the smallest odd number of at least 1.5 period / (1 - 1.5 / seasonal). Greater than the period.
    package var trend: Int?
    /// Default: the smallest odd number greater than the period. Greater than the period.
    package var lowPass: Int?
    /// Degrees of the local regressions, 0 or 1.
    package var seasonalDegree = 1
    package var trendDegree = 1
    package var lowPassDegree = 1
    /// Regressions are computed at every so many points; a tenth of the window changes the result by a few thousandths and takes a tenth of
    /// the time.
    package var seasonalJump = 1
    package var trendJump = 1
    package var lowPassJump = 1
    /// Whether observations far from the fit lose weight.
    package var isRobust = false
    /// Default 5, or 2 when robust.
    package var innerIterations: Int?
    /// Default 0, or 15 when robust.
    package var outerIterations: Int?

    package init() {}

    /// Jumps of a tenth of each window, rounded up.
    package static func fast(period: Int) -> STLOptions {
        var options = STLOptions()
        options.trendJump = max(1, (options.trendWindow(period) + 9) / 10)
        options.lowPassJump = max(1, (period + 10) / 10)
        return options
    }

    func trendWindow(_ period: Int) -> Int {
        if let trend { return trend }
        let least = Int((1.5 * Double(period) / (1 - 1.5 / Double(seasonal))).rounded(.up))
        return least + (least % 2 == 0 ? 1 : 0)
    }

    func lowPassWindow(_ period: Int) -> Int { lowPass ?? period + 1 + (period % 2) }

    /// What is wrong with the parameters.
    func mistake(period: Int) -> String? {
        if period < 2 { return "a period below 2: \(period)" }
        if seasonal < 3 || seasonal % 2 == 0 { return "a seasonal window that is not odd and at least 3: \(seasonal)" }
        for (name, window) in [("trend", trendWindow(period)), ("low-pass", lowPassWindow(period))] {
            if window < 3 || window % 2 == 0 || window <= period {
                return "a \(name) window that is not odd and greater than the period of \(period): \(window)"
            }
        }
        if [seasonalJump, trendJump, lowPassJump].contains(where: { $0 < 1 }) { return "a jump below 1" }
        if [seasonalDegree, trendDegree, lowPassDegree].contains(where: { $0 != 0 && $0 != 1 }) { return "a degree that is not 0 or 1" }
        if (innerIterations ?? 1) < 1 || (outerIterations ?? 0) < 0 { return "a negative number of iterations" }
        return nil
    }
}

/// Seasonal-trend decomposition by local regression (Cleveland, Cleveland, McRae and Terpenning 1990), as statsmodels
/// `STL(x, period).fit()`.
///
/// A robust fit of a series most of whose values are equal is decided by rounding, here as there: half the residuals are zero.
///
/// - Returns: no value for a mistake in the options, fewer than two periods, a constant or not finite series, or when the work would
///   exceed some 2e11 multiplications (a minute): jumps and a shorter period help.
/// Complexity: O(iterations * n * window / jump); 5 ms for n = 2,880 and a period of 240.
package func stl(_ values: Span<Double>, period: Int, options: STLOptions = STLOptions()) -> Answer<Decomposition> {
    guard period >= 2, period <= values.count / 2 else {
        return .none(period < 2 ? .invalid("a period below 2: \(period)") : .tooShort(count: values.count, minimum: period &* 2))
    }
    if let mistake = options.mistake(period: period) { return .none(mistake) }
    switch CenteredSeries.make(of: values, minimum: 2 * period) {
    case .failure(let reason): return .none(reason)
    case .success(let series):
        var fit = STLFit(series.storage, count: series.count, period: period, options: options)
        guard fit.work < 2e11 else { return .none("too much work for \(series.count) samples and a period of \(period): use jumps") }
        fit.run()
        return .value(fit.decomposition(series))
    }
}

package func stl(_ values: [Double], period: Int, options: STLOptions = STLOptions()) -> Answer<Decomposition> {
    stl(values.span, period: period, options: options)
}

/// One run of STL on a series with mean zero.
struct STLFit {
    private let y: [Double]
    private let count: Int
    private let period: Int
    private let inner: Int
    private let outer: Int
    private let seasonalLoess: Loess
    private let trendLoess: Loess
    private let lowPassLoess: Loess
    private(set) var trend: [Double]
    private(set) var season: [Double]
    private(set) var weights: [Double]
    private var isWeighted = false
    /// Season before its own trend is removed, with one period more at each end.
    private var extended: [Double]
    private var work1: [Double]
    private var work2: [Double]

    /// - Parameter values: `count` values, any number of others behind them; options without a mistake.
    init(_ values: [Double], count: Int, period: Int, options: STLOptions) {
        y = values
        self.count = count
        self.period = period
        inner = options.innerIterations ?? (options.isRobust ? 2 : 5)
        outer = options.outerIterations ?? (options.isRobust ? 15 : 0)
        seasonalLoess = Loess(window: options.seasonal, degree: options.seasonalDegree, jump: options.seasonalJump)
        trendLoess = Loess(window: options.trendWindow(period), degree: options.trendDegree, jump: options.trendJump)
        lowPassLoess = Loess(window: options.lowPassWindow(period), degree: options.lowPassDegree, jump: options.lowPassJump)
        trend = [Double](repeating: 0, count: count)
        season = trend
        weights = [Double](repeating: 1, count: count)
        extended = [Double](repeating: 0, count: count + 2 * period)
        work1 = extended
        work2 = extended
    }

    /// Multiplications, roughly.
    var work: Double {
        let windows = [seasonalLoess, trendLoess, lowPassLoess].reduce(0.0) { $0 + Double(min($1.window, count)) / Double($1.jump) }
        return Double(count) * windows * Double(inner) * Double(outer + 1) * (outer > 0 ? 5 : 1)
    }

    mutating func run() {
        for pass in 0...outer {
            for _ in 0..<inner { improve() }
            if pass < outer { updateWeights() }
        }
    }

    func decomposition(_ series: CenteredSeries) -> Decomposition {
        Decomposition(series, trend: trend, seasonal: [season], weights: weights, periods: [period])
    }

    /// One pass of the inner loop: the season of what the trend leaves, then the trend of what the season leaves.
    private mutating func improve() {
        for i in 0..<count { work1[i] = y[i] - trend[i] }
        smoothPhases()
        lowPass()
        for i in 0..<count {
            season[i] = extended[period + i] - work1[i]
            work2[i] = y[i] - season[i]
        }
        smooth(trendLoess, work2, weights: isWeighted ? weights : nil, into: &trend)
    }

    private func smooth(_ loess: Loess, _ values: [Double], weights: [Double]?, into out: inout [Double]) {
        values.withUnsafeBufferPointer { values in
            out.withUnsafeMutableBufferPointer { out in
                guard let y = values.baseAddress, let out = out.baseAddress else { return }
                if let weights {
                    weights.withUnsafeBufferPointer { loess.smooth(y, count: count, weights: $0.baseAddress, into: out) }
                } else {
                    loess.smooth(y, count: count, weights: nil, into: out)
                }
            }
        }
    }

    /// Smooths the values of each phase (from `work1`) and extends them by one cycle at each end, into `extended`.
    private mutating func smoothPhases() {
        let most = (count - 1) / period + 1
        var phase = [Double](repeating: 0, count: most)
        var robust = phase
        var smoothed = [Double](repeating: 0, count: most + 2)
        for j in 0..<period {
            let k = (count - 1 - j) / period + 1
            for i in 0..<k {
                phase[i] = work1[i * period + j]
                robust[i] = weights[i * period + j]
            }
            smoothPhase(phase, isWeighted ? robust : nil, count: k, into: &smoothed)
            for m in 0..<(k + 2) { extended[m * period + j] = smoothed[m] }
        }
    }

    private func smoothPhase(_ phase: [Double], _ robust: [Double]?, count k: Int, into smoothed: inout [Double]) {
        let window = min(seasonalLoess.window, k)
        phase.withUnsafeBufferPointer { phase in
            smoothed.withUnsafeMutableBufferPointer { out in
                guard let y = phase.baseAddress, let out = out.baseAddress else { return }
                func fill(_ weights: UnsafePointer<Double>?) {
                    seasonalLoess.smooth(y, count: k, weights: weights, into: out + 1)
                    out[0] = seasonalLoess.value(y, at: -1, 0..<window, count: k, weights) ?? out[1]
                    out[k + 1] = seasonalLoess.value(y, at: Double(k), (k - window)..<k, count: k, weights) ?? out[k]
                }
                if let robust { robust.withUnsafeBufferPointer { fill($0.baseAddress) } } else { fill(nil) }
            }
        }
    }

    /// The slow part of `extended`: moving averages of one period, one period and three, then a regression, into `work1`.
    private mutating func lowPass() {
        let n = count + 2 * period
        Self.movingAverage(extended, count: n, length: period, into: &work1)
        Self.movingAverage(work1, count: n - period + 1, length: period, into: &work2)
        Self.movingAverage(work2, count: n - 2 * period + 2, length: 3, into: &work1)
        work2 = work1
        smooth(lowPassLoess, work2, weights: nil, into: &work1)
    }

    private static func movingAverage(_ x: [Double], count n: Int, length: Int, into out: inout [Double]) {
        var sum = 0.0
        for i in 0..<length { sum += x[i] }
        let scale = Double(length)
        out[0] = sum / scale
        for i in 1..<max(n - length + 1, 1) {
            sum += x[i + length - 1] - x[i - 1]
            out[i] = sum / scale
        }
    }

    /// Bisquare weights of the residuals in units of six median absolute residuals.
    private mutating func updateWeights() {
        isWeighted = true
        for i in 0..<count { weights[i] = abs(y[i] - trend[i] - season[i]) }
        let middle = count / 2
        let other = count - middle - 1
        var ordered = weights
        OrderStatistics.select([min(middle, other), max(middle, other)], in: &ordered)
        let reach = 3 * (ordered[middle] + ordered[other])
        for i in 0..<count {
            let r = weights[i]
            if reach == 0 || r <= 0.001 * reach {
                weights[i] = 1
            } else if r <= 0.999 * reach {
                let u = r / reach
                weights[i] = (1 - u * u) * (1 - u * u)
            } else {
                weights[i] = 0
            }
        }
    }
}
