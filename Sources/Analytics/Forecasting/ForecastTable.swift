/// The fitted parts of a forecaster as one run of floats: a series' state lies in one allocation, is small, and can be written as it is.
///
/// Layout: number of candidates; for each its kind, its number of parameters, and these; weights of the candidates, and of the other rows
/// those of the statistics; corrections; local scale; departures; residual offsets (see `ForecastPool` and `ResidualQuantiles`).
struct ForecastTable: Sendable, Equatable {
    let values: [Float]

    struct Parts {
        let pool: ForecastPool
        let scale: LocalScale
        /// How far the pool's forecast ever was from where the series was, in each column: see `RecentRange`.
        let departures: [Float]
        let residuals: ResidualQuantiles
    }

    init(values: [Float]) { self.values = values }

    init(pool: ForecastPool, scale: LocalScale = .one, departures: [Float]? = nil, residuals: ResidualQuantiles) {
        var values = [Float(pool.candidates.count)]
        for candidate in pool.candidates {
            let parameters = candidate.parameters
            values += [Float(candidate.kind.rawValue), Float(parameters.count)]
            values += parameters
        }
        for row in 0..<pool.rows {
            // The other rows have no part in the path.
            let first = row < pool.candidates.count ? 0 : pool.horizon
            values += pool.weights[(row * pool.columns + first)..<((row + 1) * pool.columns)].map(Float.init)
        }
        values += pool.corrections.map(Float.init)
        values += scale.parameters
        values += departures ?? [Float](repeating: 0, count: pool.columns)
        values += residuals.offsets
        self.values = values
    }

    init(fitting values: [Double], origins: ForecastOrigins, horizon: Int, isSticky: Bool, options: ForecastOptions) {
        let columns = horizon + 3
        let actual = ForecastPool.actual(values, origins, horizon: horizon)
        let fitted = ForecastPool.fit(
            values, origins: origins, actual: actual, horizon: horizon, isSticky: isSticky, options: options)
        var forecasts = fitted.forecasts
        var errors = [Double](repeating: 0, count: origins.count)
        for i in 0..<origins.count {
            var sum = 0.0
            for k in (i * columns)..<(i * columns + horizon) { sum += abs(forecasts[k] - actual[k]) }
            errors[i] = sum / Double(horizon)
        }
        let departures = RecentRange.departures(forecasts, from: values, origins: origins, horizon: horizon)
        let scale = LocalScale(fitting: values, origins: origins, errors: errors)
        // The residuals are those of what will be told.
        Reconciliation.combineMeans(&forecasts, horizon: horizon)
        let residuals = ResidualQuantiles(
            forecasts: forecasts, actual: actual, width: columns, scales: scale.scales(values, origins: origins),
            widening: IntervalWidening.columns(horizon: horizon, origins: origins))
        self.init(pool: fitted.pool, scale: scale, departures: departures.map(Float.init), residuals: residuals)
    }

    /// Residual offset at a place of `Prediction.levels`: the offsets are the last of the values. - Precondition: an unpackable table.
    func offset(column: Int, place: Int, columns: Int) -> Float {
        values[values.count - (columns - column) * ResidualQuantiles.levelCount + place]
    }

    /// nil when the values are not what `init(pool:...)` writes at this horizon.
    func unpacked(horizon: Int) -> Parts? {
        var rest = values[...]
        func take(_ count: Int) -> [Float]? {
            guard count >= 0, count <= rest.count else { return nil }
            defer { rest = rest.dropFirst(count) }
            return Array(rest.prefix(count))
        }
        func takeCount(upTo limit: Int) -> Int? {
            guard let value = rest.popFirst(), value >= 0, value <= Float(limit) else { return nil }
            return Int(value)
        }
        guard let count = takeCount(upTo: ForecastPool.largestCount), count > 0 else { return nil }
        var candidates: [any ForecastCandidate] = []
        for _ in 0..<count {
            guard let raw = takeCount(upTo: 255), let kind = CandidateKind(rawValue: UInt8(raw)), let length = takeCount(upTo: 256),
                let parameters = take(length), let candidate = kind.make(parameters)
            else { return nil }
            candidates.append(candidate)
        }
        let (rows, columns) = (ForecastPool.rows(candidates: count), horizon + 3)
        guard let believed = take(count * columns), let others = take((rows - count) * 3), let corrections = take(rows * 3),
            let scaleParameters = take(LocalScale.parameterCount), let departures = take(columns),
            let offsets = take(columns * ResidualQuantiles.levelCount), rest.isEmpty,
            (believed + others + corrections + departures).allSatisfy(\.isFinite), departures.allSatisfy({ $0 >= 0 }),
            let scale = LocalScale(parameters: scaleParameters),
            let pool = ForecastPool(
                horizon: horizon, candidates: candidates, weights: Self.weights(believed, others, horizon: horizon),
                corrections: corrections.map(Double.init))
        else { return nil }
        let residuals = ResidualQuantiles(offsets: offsets)
        return residuals.isAscending ? Parts(pool: pool, scale: scale, departures: departures, residuals: residuals) : nil
    }

    /// Weights of all rows and columns: no row but those of the candidates has one in the path.
    private static func weights(_ candidates: [Float], _ others: [Float], horizon: Int) -> [Double] {
        let none = [Double](repeating: 0, count: horizon)
        return candidates.map(Double.init)
            + stride(from: 0, to: others.count, by: 3).flatMap { none + others[$0..<($0 + 3)].map(Double.init) }
    }
}
