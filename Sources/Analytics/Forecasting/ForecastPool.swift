import Glibc

/// The candidates of one series, fitted, and how much each is believed.
///
/// All tables have a column for each step of the path, then one each for maximum, minimum and mean of the horizon, and a row for each path
/// candidate, then one for each block candidate (whose path columns are zero).
struct ForecastPool: Sendable {
    let horizon: Int
    private(set) var candidates: [any ForecastCandidate]
    /// Every column sums to one.
    private(set) var weights: [Double]
    /// What a candidate's statistics lack in the median: 3 a row.
    private(set) var corrections: [Double]

    /// Path candidates kept: what the others add is small, and a state has to be, too.
    static let largestCount = 5

    var columns: Int { horizon + 3 }
    var rows: Int { candidates.count + BlockCandidate.allCases.count }
    /// How many values before the origin a forecast needs.
    var reach: Int {
        candidates.reduce(max(LocalScale.reach, BlockCandidate.depth * horizon)) { max($0, $1.reach) } + 2
    }

    /// Nothing but the last value.
    init(lastValue horizon: Int) {
        self.init(horizon: horizon, candidates: [LastValue()])
        for s in 0..<columns { weights[s] = 1 }
    }

    /// The last value; for maximum and minimum the last block, which has their bias in noise and in a random walk, and for the mean
    /// half of each, since a walk favours the one and noise the other.
    init(short horizon: Int) {
        self.init(lastValue: horizon)
        let block = candidates.count * columns
        for (k, share) in [1, 1, 0.5].enumerated() {
            weights[horizon + k] = 1 - share
            weights[block + horizon + k] = share
        }
    }

    private init(horizon: Int, candidates: [any ForecastCandidate]) {
        self.horizon = horizon
        self.candidates = candidates
        weights = []
        corrections = []
        resize()
    }

    init?(horizon: Int, candidates: [any ForecastCandidate], weights: [Double], corrections: [Double]) {
        self.init(horizon: horizon, candidates: candidates)
        guard weights.count == self.weights.count, corrections.count == self.corrections.count else { return nil }
        self.weights = weights
        self.corrections = corrections
    }

    private mutating func resize() {
        weights = [Double](repeating: 0, count: rows * columns)
        corrections = [Double](repeating: 0, count: rows * 3)
    }

    // MARK: Fitting

    /// Fits all candidates to centred values and weighs them by their errors at past origins. Returns the forecasts that the pool
    /// would have made there.
    static func fit(
        _ values: [Double], origins: ForecastOrigins, actual: [Double], horizon: Int, isSticky: Bool, options: ForecastOptions
    ) -> (pool: ForecastPool, forecasts: [Double]) {
        let order = options.maximumOrder
        var candidates: [(any ForecastCandidate)?] = [
            LastValue(), RecentMedian(width: 5), RecentMedian(width: 60),
            ExponentialSmoothing(fitting: values, horizon: horizon),
            WinsorisedAutoregression(fitting: values, maximumOrder: order),
            DifferenceAutoregression(fitting: values, maximumOrder: order),
            LogAutoregression(fitting: values, maximumOrder: order),
        ]
        for period in options.seasonalPeriods where origins.first > period {
            candidates.append(SeasonalAutoregression(fitting: values, period: period, maximumOrder: order))
        }
        var pool = ForecastPool(horizon: horizon, candidates: candidates.compactMap { $0 })
        var trials = pool.trials(values, origins)
        // The gate for series that mostly stand still: the best candidate takes all, and the last value is favoured.
        let sharpness = isSticky ? .infinity : options.sharpness
        let recency = (0..<origins.count).map { exp2(Double(origins[$0] - origins.last) / options.halfLife) }
        let evidence = Evidence(
            actual: actual, recency: recency, length: values.count,
            independent: (0..<pool.columns).map { Self.independent(origins, column: $0, horizon: horizon) })
        pool.weigh(&trials, evidence, sharpness: sharpness, lastValueBonus: isSticky ? 0.97 : 1)
        pool.prune(&trials)
        return (pool, pool.pooled(trials, count: origins.count))
    }

    /// What the weights rest on.
    private struct Evidence {
        /// What came after each origin.
        let actual: [Double]
        let recency: [Double]
        /// Number of values fitted.
        let length: Int
        /// Number of origins that do not overlap, of each column.
        let independent: [Double]
    }

    /// Number of origins that share no value of a column: over `column` + 1 steps, the whole horizon for the statistics.
    static func independent(_ origins: ForecastOrigins, column: Int, horizon: Int) -> Double {
        Double(origins.count) / max(Double(min(column + 1, horizon)) / Double(origins.stride), 1)
    }

    /// Sets corrections and weights by the errors at past origins.
    private mutating func weigh(_ trials: inout [[Double]], _ evidence: Evidence, sharpness: Double, lastValueBonus: Double) {
        let actual = evidence.actual
        let caps = Self.errorCaps(trials[0], actual, columns: columns)
        corrections = medianResiduals(trials, actual)
        shrinkCorrections(independent: evidence.independent[columns - 1])
        var errors: [[Double]] = []
        for c in trials.indices {
            correct(&trials[c], candidate: c)
            errors.append(Self.errors(trials[c], actual, caps: caps, recency: evidence.recency))
        }
        let penalties = penalties(errors, length: evidence.length)
        earn(errors, penalties, sharpness: sharpness, lastValueBonus: lastValueBonus)
        if sharpness.isFinite {
            let refinement = BlendRefinement(
                actual: actual, columns: columns, caps: caps, recency: evidence.recency, independent: evidence.independent)
            refinement.refine(&weights, trials: trials, errors: errors, penalties: penalties)
            for s in horizon..<columns { gate(s, trials, actual, errors, penalties) }
        }
    }

    /// The gate of one statistic, such as the minimum of a series with bursts: where the last block was right to the digit at most origins,
    /// the best candidate takes all, and that block is favoured by 3 %.
    private mutating func gate(_ s: Int, _ trials: [[Double]], _ actual: [Double], _ errors: [[Double]], _ penalties: [[Double]]) {
        let block = candidates.count
        var same = 0
        for k in stride(from: s, to: actual.count, by: columns) where trials[block][k] == actual[k] { same += 1 }
        guard 2 * same * columns > actual.count else { return }
        let dear = (0..<rows).map { errors[$0][s] + penalties[$0][s] }
        let best = dear.indices.min { dear[$0] < dear[$1] } ?? block
        let winner = dear[block] <= 1.03 * dear[best] ? block : best
        for c in 0..<rows { weights[c * columns + s] = c == winner ? 1 : 0 }
    }

    /// A bias seen in a few horizons is half chance. Least is expected of the mean: unlike an extreme it has that of its path.
    private mutating func shrinkCorrections(independent m: Double) {
        for k in corrections.indices { corrections[k] *= m / (m + (k % 3 == HorizonStatistic.avg.rawValue ? 4 : 1)) }
    }

    /// Errors are of values that were fitted: those to come are larger by some 2 p / n for p parameters and n values (twice the part
    /// that Akaike's final prediction error of 1969 has, sqrt((n + p) / (n - p)), since the order was chosen too).
    private func penalties(_ errors: [[Double]], length: Int) -> [[Double]] {
        errors.indices.map { c in
            let count = c < candidates.count ? candidates[c].parameters.count : 0
            return errors[c].map { $0 * 2 * Double(count) / Double(length) }
        }
    }

    /// Weights of each candidate by its own errors.
    private mutating func earn(_ measured: [[Double]], _ penalties: [[Double]], sharpness: Double, lastValueBonus: Double) {
        var errors = measured
        for c in errors.indices {
            for s in 0..<columns { errors[c][s] += penalties[c][s] }
        }
        // Origins lie a stride apart and may miss at one step what they see at another: the whole path breaks ties.
        for c in candidates.indices {
            let mean = errors[c][..<horizon].reduce(0, +) / Double(horizon)
            for s in 0..<horizon { errors[c][s] += 0.001 * mean }
        }
        // The first candidate is the last value. A seasonal one has to win clearly: its period may be of chance.
        for s in 0..<columns { errors[0][s] *= lastValueBonus }
        for c in candidates.indices where candidates[c].kind == .seasonalAutoregression {
            for s in 0..<columns { errors[c][s] *= 1.1 }
        }
        for s in 0..<columns {
            let contenders = s < horizon ? 0..<candidates.count : 0..<rows
            let smallest = contenders.reduce(Double.infinity) { min($0, errors[$1][s]) }
            var total = 0.0
            for c in contenders {
                // A perfect candidate takes all; relative to the best nothing overflows.
                let weight = errors[c][s] > 0 ? pow(smallest / errors[c][s], sharpness) : 1
                weights[c * columns + s] = weight
                total += weight
            }
            for c in contenders { weights[c * columns + s] /= total }
        }
    }

    /// Drops weights of a few percent, path candidates that matter nowhere, and the least that are too many.
    private mutating func prune(_ trials: inout [[Double]]) {
        let importance = candidates.indices.map { c in (0..<columns).reduce(0) { max($0, weights[c * columns + $1]) } }
        let strongest = candidates.indices.sorted { importance[$0] > importance[$1] }.prefix(Self.largestCount)
        let kept = strongest.filter { importance[$0] > 0.03 }.sorted()
        let (old, shifts, count) = (weights, corrections, candidates.count)
        let places = kept + (count..<rows)
        candidates = kept.map { candidates[$0] }
        trials = places.map { trials[$0] }
        resize()
        for (c, place) in places.enumerated() {
            for s in 0..<columns {
                let weight = old[place * columns + s]
                weights[c * columns + s] = weight > 0.03 ? weight : 0
            }
            for k in 0..<3 { corrections[3 * c + k] = shifts[3 * place + k] }
        }
        normalize()
    }

    /// Makes columns sum to one; the first candidate takes a column that has lost all.
    private mutating func normalize() {
        for s in 0..<columns {
            let total = stride(from: s, to: weights.count, by: columns).reduce(0) { $0 + weights[$1] }
            guard total > 0 else {
                weights[s] = 1
                continue
            }
            for k in stride(from: s, to: weights.count, by: columns) { weights[k] /= total }
        }
    }

    // MARK: Forecasting

    /// The forecasts of each candidate from many origins: rows.count tables of origins.count rows, statistics not yet corrected.
    func trials(_ values: [Double], _ origins: ForecastOrigins) -> [[Double]] {
        var result: [[Double]] = []
        var paths = [Double](repeating: 0, count: origins.count * horizon)
        for candidate in candidates {
            candidate.forecast(values, origins: origins, horizon: horizon, into: &paths)
            result.append(Self.table(paths, count: origins.count, horizon: horizon))
        }
        let blocks = PastBlocks(values, origins: origins, horizon: horizon, depth: BlockCandidate.depth)
        for candidate in BlockCandidate.allCases {
            var table = [Double](repeating: 0, count: origins.count * columns)
            for i in 0..<origins.count {
                Self.put(candidate.forecast(blocks, origin: origins[i]), into: &table, at: i * columns + horizon)
            }
            result.append(table)
        }
        return result
    }

    /// What came after each origin. - Precondition: origins.last + horizon <= values.count.
    static func actual(_ values: [Double], _ origins: ForecastOrigins, horizon: Int) -> [Double] {
        var paths: [Double] = []
        paths.reserveCapacity(origins.count * horizon)
        for i in 0..<origins.count { paths += values[origins[i]..<(origins[i] + horizon)] }
        return table(paths, count: origins.count, horizon: horizon)
    }

    /// The weighted forecast at the end of `values`.
    func forecast(_ values: [Double]) -> [Double] {
        var trials = trials(values, ForecastOrigins(first: values.count, stride: 1, count: 1))
        for c in trials.indices { correct(&trials[c], candidate: c) }
        return pooled(trials, count: 1)
    }

    /// `count` rows of weighted forecasts.
    private func pooled(_ trials: [[Double]], count: Int) -> [Double] {
        var result = [Double](repeating: 0, count: count * columns)
        result.withUnsafeMutableBufferPointer { out in
            weights.withUnsafeBufferPointer { weights in
                guard let out = out.baseAddress, let weights = weights.baseAddress else { return }
                for (c, trial) in trials.enumerated() {
                    trial.withUnsafeBufferPointer { trial in
                        guard let trial = trial.baseAddress else { return }
                        for i in 0..<count {
                            Kernels.addProducts(trial + i * columns, weights + c * columns, count: columns, into: out + i * columns)
                        }
                    }
                }
            }
        }
        return result
    }

    private func correct(_ table: inout [Double], candidate c: Int) {
        let shift = (corrections[3 * c], corrections[3 * c + 1], corrections[3 * c + 2])
        for k in stride(from: horizon, to: table.count, by: columns) {
            table[k] += shift.0
            table[k + 1] += shift.1
            table[k + 2] += shift.2
        }
    }

    // MARK: Tables

    /// Paths, each followed by its statistics.
    private static func table(_ paths: [Double], count: Int, horizon: Int) -> [Double] {
        let columns = horizon + 3
        return [Double](unsafeUninitializedCapacity: count * columns) { out, filled in
            filled = count * columns
            paths.withUnsafeBufferPointer { paths in
                guard let x = paths.baseAddress, let out = out.baseAddress else { return }
                for i in 0..<count {
                    (out + i * columns).update(from: x + i * horizon, count: horizon)
                    let block = BlockStatistics(x + i * horizon, count: horizon)
                    let place = i * columns + horizon
                    (out[place], out[place + 1], out[place + 2]) = (block.max, block.min, block.avg)
                }
            }
        }
    }

    private static func put(_ block: BlockStatistics, into table: inout [Double], at place: Int) {
        table[place] = block.max
        table[place + 1] = block.min
        table[place + 2] = block.avg
    }

    /// Step between rows for medians that need no more than some 180 of them: neighbours overlap.
    private static func sampling(_ count: Int, _ columns: Int) -> Int { columns * max(1, count / columns / 180) }

    /// Of the three statistics of each row.
    private func medianResiduals(_ trials: [[Double]], _ actual: [Double]) -> [Double] {
        let step = Self.sampling(actual.count, columns)
        return ColumnSort.medians(rows: (actual.count + step - 1) / step, columns: 3 * rows) { i, place in
            let k = i * step + horizon + place % 3
            return actual[k] - trials[place / 3][k]
        }
    }

    /// Errors beyond some 100 times the median one of the last value count as that: a single burst does not decide the weights.
    ///
    /// The mean is over all rows: in a series that mostly stands still, a sample may miss every change, and a cap of 0 makes all
    /// candidates alike.
    private static func errorCaps(_ lastValue: [Double], _ actual: [Double], columns: Int) -> [Double] {
        let rows = actual.count / columns
        let unlimited = [Double](repeating: .infinity, count: columns)
        let sums = errors(lastValue, actual, caps: unlimited, recency: [Double](repeating: 1, count: rows))
        let step = sampling(actual.count, columns)
        let medians = ColumnSort.medians(rows: (actual.count + step - 1) / step, columns: columns) { i, s in
            abs(actual[i * step + s] - lastValue[i * step + s])
        }
        return (0..<columns).map { s in
            let cap = 100 * medians[s] + 10 * sums[s] / Double(rows)
            return cap > 0 ? cap : .infinity
        }
    }

    /// Weighted sums of capped absolute errors of each column.
    private static func errors(_ table: [Double], _ actual: [Double], caps: [Double], recency: [Double]) -> [Double] {
        let columns = caps.count
        var sums = [Double](repeating: 0, count: columns)
        table.withUnsafeBufferPointer { table in
            actual.withUnsafeBufferPointer { actual in
                guard let table = table.baseAddress, let actual = actual.baseAddress else { return }
                // There are four columns at least; the last lanes overlap those before them.
                for first in stride(from: 0, to: columns, by: 4) {
                    let s = min(first, columns - 4)
                    let cap = Kernels.Lanes(caps[s], caps[s + 1], caps[s + 2], caps[s + 3])
                    var sum = Kernels.Lanes.zero
                    for (i, weight) in recency.enumerated() {
                        let error = Kernels.magnitude(Kernels.load(table + i * columns + s) - Kernels.load(actual + i * columns + s))
                        sum += weight * error.replacing(with: cap, where: error .> cap)
                    }
                    for k in 0..<4 { sums[s + k] = sum[k] }
                }
            }
        }
        return sums
    }
}
