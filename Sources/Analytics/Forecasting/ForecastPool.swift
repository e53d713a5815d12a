import Glibc

/// The candidates of one series, fitted, and how much each is believed.
struct ForecastPool: Sendable {
    let horizon: Int
    let paths: [any ForecastCandidate]
    let blocks: [any BlockCandidate]
    /// Of each path candidate at each step: paths.count rows of `horizon`, every column sums to one.
    private(set) var pathWeights: [Double] = []
    /// Of each candidate (paths, then blocks) for each statistic: rows of 3, every column sums to one.
    private(set) var statisticWeights: [Double] = []
    /// What a candidate's statistic lacks in the median: rows of 3.
    private(set) var corrections: [Double] = []

    var candidateCount: Int { paths.count + blocks.count }

    /// Fits the candidates to centred values.
    init(fitting values: [Double], horizon: Int, options: ForecastOptions) {
        var paths: [any ForecastCandidate] = [LastValue(), RecentMedian(width: 5), RecentMean(width: max(horizon, 4))]
        func add(_ candidate: (any ForecastCandidate)?) {
            if let candidate { paths.append(candidate) }
        }
        add(LevelAutoregression(fitting: values, horizon: horizon, maximumOrder: options.maximumOrder))
        add(DifferenceAutoregression(fitting: values, horizon: horizon, maximumOrder: options.maximumOrder))
        add(DampedHolt(fitting: values, horizon: horizon, trended: false))
        add(DampedHolt(fitting: values, horizon: horizon, trended: true))
        self.init(paths: paths, blocks: [RecentBlocks(blocks: 1), RecentBlocks(blocks: 3), RecentBlocks(blocks: 8)], horizon: horizon)
    }

    init(paths: [any ForecastCandidate], blocks: [any BlockCandidate], horizon: Int) {
        self.paths = paths
        self.blocks = blocks
        self.horizon = horizon
    }

    /// The forecasts of all candidates from many origins.
    struct Trials {
        /// For each path candidate origins.count rows of `horizon`.
        var paths: [[Double]]
        /// For each candidate (paths, then blocks) origins.count rows of 3.
        var statistics: [[Double]]
    }

    func trials(_ values: [Double], _ origins: ForecastOrigins) -> Trials {
        var result = Trials(paths: [], statistics: [])
        for candidate in paths {
            var rows = [Double](repeating: 0, count: origins.count * horizon)
            candidate.forecast(values, origins: origins, horizon: horizon, into: &rows)
            result.statistics.append(Self.statistics(rows, count: origins.count, horizon: horizon))
            result.paths.append(rows)
        }
        for candidate in blocks {
            var rows = [Double](repeating: 0, count: origins.count * 3)
            for i in 0..<origins.count {
                let block = candidate.forecast(values, origin: origins[i], horizon: horizon)
                rows[3 * i] = block.max
                rows[3 * i + 1] = block.min
                rows[3 * i + 2] = block.avg
            }
            result.statistics.append(rows)
        }
        return result
    }

    /// Statistics of each of `count` rows of `horizon` values.
    static func statistics(_ rows: [Double], count: Int, horizon: Int) -> [Double] {
        var result = [Double](repeating: 0, count: count * 3)
        rows.withUnsafeBufferPointer { rows in
            guard let rows = rows.baseAddress else { return }
            for i in 0..<count {
                let block = BlockStatistics(rows + i * horizon, count: horizon)
                result[3 * i] = block.max
                result[3 * i + 1] = block.min
                result[3 * i + 2] = block.avg
            }
        }
        return result
    }

    /// Sets corrections and weights by the errors at past origins.
    mutating func weigh(_ trials: inout Trials, actual: Actual, recency: [Double], sharpness: Double) {
        corrections = []
        var statisticErrors: [[Double]] = []
        for c in 0..<candidateCount {
            let shift = Self.medianResidual(trials.statistics[c], actual.statistics)
            corrections += shift
            Self.addToRows(&trials.statistics[c], shift)
            statisticErrors.append(Self.errors(trials.statistics[c], actual.statistics, width: 3, recency: recency))
        }
        let pathErrors = trials.paths.map { Self.errors($0, actual.paths, width: horizon, recency: recency) }
        pathWeights = Self.weights(pathErrors, sharpness: sharpness)
        statisticWeights = Self.weights(statisticErrors, sharpness: sharpness)
    }

    /// Believes only the last value: for series that mostly stand still.
    mutating func trustLastValue() {
        corrections = [Double](repeating: 0, count: candidateCount * 3)
        pathWeights = [Double](repeating: 0, count: paths.count * horizon)
        statisticWeights = [Double](repeating: 0, count: candidateCount * 3)
        guard let last = paths.firstIndex(where: { $0 is LastValue }) else { return }
        for s in 0..<horizon { pathWeights[last * horizon + s] = 1 }
        for k in 0..<3 { statisticWeights[3 * last + k] = 1 }
    }

    /// What came after each origin.
    struct Actual {
        let paths: [Double]
        let statistics: [Double]

        /// - Precondition: origins.last + horizon <= values.count.
        init(_ values: [Double], _ origins: ForecastOrigins, horizon: Int) {
            var rows: [Double] = []
            rows.reserveCapacity(origins.count * horizon)
            for i in 0..<origins.count { rows += values[origins[i]..<(origins[i] + horizon)] }
            paths = rows
            statistics = ForecastPool.statistics(rows, count: origins.count, horizon: horizon)
        }
    }

    /// The weighted forecasts: rows of `horizon`, rows of 3. Statistics of `trials` have their corrections in.
    func pooled(_ trials: Trials, count: Int) -> (paths: [Double], statistics: [Double]) {
        (
            Self.weightedSum(trials.paths, pathWeights, width: horizon, count: count),
            Self.weightedSum(trials.statistics, statisticWeights, width: 3, count: count)
        )
    }

    /// Adds the corrections to fresh trials.
    func correct(_ trials: inout Trials) {
        for c in 0..<candidateCount { Self.addToRows(&trials.statistics[c], Array(corrections[(3 * c)..<(3 * c + 3)])) }
    }

    // MARK: Sums over rows

    private static func medianResidual(_ rows: [Double], _ actual: [Double]) -> [Double] {
        let count = rows.count / 3
        var residuals = [Double](repeating: 0, count: count)
        return (0..<3).map { k in
            for i in 0..<count { residuals[i] = actual[3 * i + k] - rows[3 * i + k] }
            return OrderStatistics.median(&residuals) ?? 0
        }
    }

    private static func addToRows(_ rows: inout [Double], _ shift: [Double]) {
        for i in 0..<(rows.count / 3) {
            rows[3 * i] += shift[0]
            rows[3 * i + 1] += shift[1]
            rows[3 * i + 2] += shift[2]
        }
    }

    private static func errors(_ rows: [Double], _ actual: [Double], width: Int, recency: [Double]) -> [Double] {
        var errors = [Double](repeating: 0, count: width)
        rows.withUnsafeBufferPointer { rows in
            actual.withUnsafeBufferPointer { actual in
                errors.withUnsafeMutableBufferPointer { errors in
                    guard let rows = rows.baseAddress, let actual = actual.baseAddress, let errors = errors.baseAddress else { return }
                    for (i, weight) in recency.enumerated() {
                        Kernels.addAbsoluteDifferences(rows + i * width, actual + i * width, count: width, weight: weight, into: errors)
                    }
                }
            }
        }
        return errors
    }

    /// error^-sharpness, each column scaled to sum to one.
    private static func weights(_ errors: [[Double]], sharpness: Double) -> [Double] {
        guard let width = errors.first?.count else { return [] }
        var weights = [Double](repeating: 0, count: errors.count * width)
        for s in 0..<width {
            let smallest = errors.reduce(Double.infinity) { min($0, $1[s]) }
            var total = 0.0
            for c in errors.indices {
                // A perfect candidate takes all; relative to the best nothing overflows.
                let ratio = errors[c][s] > 0 ? smallest / errors[c][s] : 1
                let weight = power(ratio, sharpness)
                weights[c * width + s] = weight
                total += weight
            }
            for c in errors.indices { weights[c * width + s] /= total }
        }
        return weights
    }

    private static func power(_ x: Double, _ exponent: Double) -> Double {
        if exponent == 8 {
            let square = x * x
            return (square * square) * (square * square)
        }
        return pow(x, exponent)
    }

    private static func weightedSum(_ rows: [[Double]], _ weights: [Double], width: Int, count: Int) -> [Double] {
        var result = [Double](repeating: 0, count: count * width)
        result.withUnsafeMutableBufferPointer { out in
            weights.withUnsafeBufferPointer { weights in
                guard let out = out.baseAddress, let weights = weights.baseAddress else { return }
                for (c, candidate) in rows.enumerated() {
                    candidate.withUnsafeBufferPointer { candidate in
                        guard let candidate = candidate.baseAddress else { return }
                        for i in 0..<count {
                            Kernels.addProducts(candidate + i * width, weights + c * width, count: width, into: out + i * width)
                        }
                    }
                }
            }
        }
        return result
    }
}
