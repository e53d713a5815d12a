import Glibc

/// The candidates of one series, fitted, and how much each is believed.
///
/// All tables have a column for each step of the path, then one each for maximum, minimum and mean of the horizon, and a row for each path
/// candidate, then one for each block candidate, then one for the blend of the paths (these have no weight in the path).
struct ForecastPool: Sendable {
    let horizon: Int
    private(set) var candidates: [any ForecastCandidate]
    /// Every column sums to one.
    private(set) var weights: [Double]
    /// What a candidate's statistics lack in the median: 3 a row.
    private(set) var corrections: [Double]

    /// Path candidates kept: what the others add is small, and a state has to be, too.
    static let largestCount = 5
    /// By how much the blend has to be better than a candidate.
    private static let blendHandicap = 1.05

    var columns: Int { horizon + 3 }
    var rows: Int { Self.rows(candidates: candidates.count) }
    private var blendRow: Int { rows - 1 }

    static func rows(candidates: Int) -> Int { candidates + BlockCandidate.allCases.count + 1 }

    /// How many values before the origin a forecast needs.
    var reach: Int {
        candidates.reduce(max(LocalScale.reach, BlockCandidate.depth * horizon)) { max($0, $1.reach) } + 2
    }

    /// Nothing but the last value.
    init(lastValue horizon: Int) {
        self.init(horizon: horizon, candidates: [LastValue()])
        for s in 0..<columns { weights[s] = 1 }
    }

    /// The last value or the smoothed level; for maximum and minimum the last block, which has their bias in noise and in a random walk.
    init(short history: ShortHistory, horizon: Int) {
        self.init(horizon: horizon, candidates: [LastValue(), history.smoothing])
        func put(_ column: Int, level: Double, block: Double) {
            weights[column] = 1 - level - block
            weights[columns + column] = level
            weights[candidates.count * columns + column] = block
        }
        // One step is its own maximum, minimum and mean.
        for s in 0..<(horizon > 1 ? horizon : columns) { put(s, level: history.share, block: 0) }
        guard horizon > 1 else { return }
        put(horizon + HorizonStatistic.max.rawValue, level: 0, block: 1)
        put(horizon + HorizonStatistic.min.rawValue, level: 0, block: 1)
        let mean = history.meanShares(horizon: horizon)
        put(horizon + HorizonStatistic.avg.rawValue, level: mean.level, block: mean.block)
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
            LogAutoregression(fitting: values, maximumOrder: options.maximumLogOrder),
        ]
        var periods = options.seasonalPeriods
        if let hour = options.hour, SeasonalAutoregression.isVisible(period: hour, in: values, ahead: (horizon + 1) / 2) {
            periods.append(hour)
        }
        for period in periods where origins.first > period {
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
        let caps = HorizonTable.errorCaps(trials[0], actual, columns: columns)
        corrections = shifts(trials, evidence) + [0, 0, 0]
        var errors: [[Double]] = []
        for c in trials.indices {
            correct(&trials[c], candidate: c)
            errors.append(HorizonTable.errors(trials[c], actual, caps: caps, recency: evidence.recency))
        }
        var sizes = candidates.map { Double($0.parameters.count) } + BlockCandidate.allCases.map { _ in 0 }
        func penalties() -> [[Double]] { Self.penalties(errors, sizes: sizes, length: evidence.length) }
        earn(0..<horizon, errors, penalties(), sharpness: sharpness, lastValueBonus: lastValueBonus)
        guard sharpness.isFinite else {
            return earn(horizon..<columns, errors, penalties(), sharpness: sharpness, lastValueBonus: lastValueBonus)
        }
        let refinement = BlendRefinement(
            actual: actual, columns: columns, caps: caps, recency: evidence.recency, independent: evidence.independent)
        refinement.refine(&weights, 0..<horizon, trials: trials, errors: errors, penalties: penalties())
        trials.append(blend(trials, evidence))
        errors.append(HorizonTable.errors(trials[blendRow], actual, caps: caps, recency: evidence.recency))
        sizes.append(blendSize(sizes))
        let penalties = penalties()
        // What few horizons say about their statistics is half chance.
        let m = evidence.independent[columns - 1]
        earn(horizon..<columns, errors, penalties, sharpness: sharpness * m / (m + 3), lastValueBonus: lastValueBonus)
        refinement.refine(&weights, horizon..<columns, trials: trials, errors: errors, penalties: penalties)
        for s in horizon..<columns { gate(s, trials, actual, errors, penalties) }
    }

    /// The statistics of the blended path at each origin, corrected like those of a candidate. Path columns are the blend.
    private mutating func blend(_ trials: [[Double]], _ evidence: Evidence) -> [Double] {
        var table = weighted(trials, count: evidence.recency.count)
        HorizonTable.refreshStatistics(&table, horizon: horizon)
        corrections.replaceSubrange((3 * blendRow)..., with: shifts([table], evidence))
        correct(&table, candidate: blendRow)
        return table
    }

    /// Parameters of the blend: those of its parts, by their shares in the path.
    private func blendSize(_ sizes: [Double]) -> Double {
        candidates.indices.reduce(0) { sum, c in
            sum + sizes[c] * weights[(c * columns)..<(c * columns + horizon)].reduce(0, +) / Double(horizon)
        }
    }

    /// The gate of one statistic, such as the minimum of a series with bursts: where the last block was right to the digit at most origins,
    /// the best candidate takes all, and that block is favoured by 3 %.
    private mutating func gate(_ s: Int, _ trials: [[Double]], _ actual: [Double], _ errors: [[Double]], _ penalties: [[Double]]) {
        let block = candidates.count
        var same = 0
        for k in stride(from: s, to: actual.count, by: columns) where trials[block][k] == actual[k] { same += 1 }
        // Perfect ones have been told apart already.
        guard 2 * same * columns > actual.count, errors[block][s] > 0 else { return }
        let dear = errors.indices.map { c in
            isAdmitted(c, to: s) ? (errors[c][s] + penalties[c][s]) * (c == blendRow ? Self.blendHandicap : 1) : .infinity
        }
        let best = dear.indices.min { dear[$0] < dear[$1] } ?? block
        let winner = dear[block] <= 1.03 * dear[best] ? block : best
        for c in 0..<rows { weights[c * columns + s] = c == winner ? 1 : 0 }
    }

    /// What the statistics of tables lack in the median, shrunk: a bias seen in a few horizons is half chance. Least is expected of the
    /// mean: unlike an extreme it has that of its path.
    private func shifts(_ tables: [[Double]], _ evidence: Evidence) -> [Double] {
        let m = evidence.independent[columns - 1]
        return HorizonTable.medianResiduals(tables, evidence.actual, horizon: horizon).enumerated().map { k, shift in
            shift * m / (m + (k % 3 == HorizonStatistic.avg.rawValue ? 4 : 1))
        }
    }

    /// Errors are of values that were fitted: those to come are larger by some 2 p / n for p parameters and n values (twice the part
    /// that Akaike's final prediction error of 1969 has, sqrt((n + p) / (n - p)), since the order was chosen too).
    private static func penalties(_ errors: [[Double]], sizes: [Double], length: Int) -> [[Double]] {
        zip(errors, sizes).map { errors, size in errors.map { $0 * 2 * size / Double(length) } }
    }

    /// Weights of each row by its own errors, in some columns: all of the path or all of the statistics.
    private mutating func earn(
        _ part: Range<Int>, _ measured: [[Double]], _ penalties: [[Double]], sharpness: Double, lastValueBonus: Double
    ) {
        let contenders = part.lowerBound < horizon ? candidates.indices : measured.indices
        var errors = contenders.map { c in part.map { measured[c][$0] + penalties[c][$0] } }
        for c in contenders {
            // Origins lie a stride apart and may miss at one step what they see at another: the whole path breaks ties.
            let tie = part.lowerBound < horizon ? 0.001 * errors[c].reduce(0, +) / Double(horizon) : 0
            let handicap = handicap(c, lastValueBonus: lastValueBonus)
            for k in errors[c].indices { errors[c][k] = (errors[c][k] + tie) * handicap }
        }
        for (k, s) in part.enumerated() {
            let contenders = contenders.filter { isAdmitted($0, to: s) }
            let smallest = contenders.reduce(Double.infinity) { min($0, errors[$1][k]) }
            let plain = plain(s).filter { smallest == 0 && errors[$0][k] == 0 }
            var total = 0.0
            for c in contenders {
                // Perfect candidates take all; relative to the best nothing overflows.
                let isChosen = plain.isEmpty || plain.contains(c)
                let weight = !isChosen ? 0 : errors[c][k] > 0 ? pow(smallest / errors[c][k], sharpness) : 1
                weights[c * columns + s] = weight
                total += weight
            }
            for c in contenders { weights[c * columns + s] /= total }
        }
    }

    /// What is taken where more than one foresaw all to the digit, as the series stood still and may have begun to move: the last value, for
    /// maximum and minimum the last block, for the mean half of each.
    private func plain(_ column: Int) -> [Int] {
        let block = candidates.count
        switch HorizonStatistic(rawValue: column - horizon) {
        case nil: return [0]
        case .max, .min: return [block]
        case .avg: return [0, block]
        }
    }

    /// The blend of the paths competes for maximum and mean; for the minimum it gained nothing on any set.
    private func isAdmitted(_ row: Int, to column: Int) -> Bool {
        row != blendRow || column != horizon + HorizonStatistic.min.rawValue
    }

    /// The first candidate is the last value. A seasonal one has to win clearly: its period may be of chance. So has the blend, which was
    /// fitted to these very origins.
    private func handicap(_ row: Int, lastValueBonus: Double) -> Double {
        if row == 0 { return lastValueBonus }
        if row == blendRow { return Self.blendHandicap }
        return row < candidates.count && candidates[row].kind == .seasonalAutoregression ? 1.1 : 1
    }

    /// Drops weights of a few percent, path candidates that matter nowhere, and the least that are too many.
    private mutating func prune(_ trials: inout [[Double]]) {
        let importance = candidates.indices.map { c in (0..<columns).reduce(0) { max($0, weights[c * columns + $1]) } }
        let strongest = candidates.indices.sorted { importance[$0] > importance[$1] }.prefix(Self.largestCount)
        let kept = strongest.filter { importance[$0] > 0.03 }.sorted()
        let (old, shifts, count) = (weights, corrections, candidates.count)
        let places = kept + (count..<rows)
        // The blend of what is kept is made anew; its weight and correction are those of the whole, which is near.
        let tables = places.dropLast().map { trials[$0] }
        candidates = kept.map { candidates[$0] }
        trials = tables
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

    /// The forecasts of each row but the blend from many origins: tables of origins.count rows, statistics not yet corrected.
    func trials(_ values: [Double], _ origins: ForecastOrigins) -> [[Double]] {
        var result: [[Double]] = []
        var paths = [Double](repeating: 0, count: origins.count * horizon)
        for candidate in candidates {
            candidate.forecast(values, origins: origins, horizon: horizon, into: &paths)
            result.append(HorizonTable.of(paths, count: origins.count, horizon: horizon))
        }
        let blocks = PastBlocks(values, origins: origins, horizon: horizon, depth: BlockCandidate.depth)
        for candidate in BlockCandidate.allCases {
            var table = [Double](repeating: 0, count: origins.count * columns)
            for i in 0..<origins.count {
                HorizonTable.put(candidate.forecast(blocks, origin: origins[i]), into: &table, at: i * columns + horizon)
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
        return HorizonTable.of(paths, count: origins.count, horizon: horizon)
    }

    /// The weighted forecast at the end of `values`.
    func forecast(_ values: [Double]) -> [Double] {
        var trials = trials(values, ForecastOrigins(first: values.count, stride: 1, count: 1))
        for c in trials.indices { correct(&trials[c], candidate: c) }
        return pooled(trials, count: 1)
    }

    /// `count` rows of weighted forecasts.
    /// - Parameter trials: of all rows but the blend.
    private func pooled(_ trials: [[Double]], count: Int) -> [Double] {
        var result = weighted(trials, count: count)
        let (high, mean) = (HorizonStatistic.max.rawValue, HorizonStatistic.avg.rawValue)
        let place = blendRow * columns + horizon
        let shares = (weights[place + high], weights[place + mean])
        guard shares.0 > 0 || shares.1 > 0 else { return result }
        let shifts = (corrections[3 * blendRow + high], corrections[3 * blendRow + mean])
        result.withUnsafeMutableBufferPointer { out in
            guard let out = out.baseAddress else { return }
            for row in stride(from: out, to: out + count * columns, by: columns) {
                let block = BlockStatistics(row, count: horizon)
                row[horizon + high] += shares.0 * (block.max + shifts.0)
                row[horizon + mean] += shares.1 * (block.avg + shifts.1)
            }
        }
        return result
    }

    /// `count` rows of the weighted sums of tables.
    private func weighted(_ trials: [[Double]], count: Int) -> [Double] {
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
}
