/// The fitted parts of a forecaster, packed: a series' state lies in one allocation, is small, and can be written as it is.
///
/// Layout, little endian: number of candidates (8 bits); for each its kind (8), its number of parameters (16), and these (floats of 32 bits);
/// weights of the candidates, and of the other rows those of the statistics, in 255ths (8); corrections and local scale (floats); departures
/// (`ShortFloat`); for each column the median of its residuals (float), how far the bounds of 95 and 80 % are from it (`ShortFloat`), and
/// how far the deciles between, in 255ths of the reach of 80 % (8). See `ForecastPool` and `ResidualQuantiles`.
struct ForecastTable: Sendable, Equatable {
    let bytes: [UInt8]

    struct Parts {
        let pool: ForecastPool
        let scale: LocalScale
        /// How far the pool's forecast ever was from where the series was, in each column: see `RecentRange`.
        let departures: [Float]
        let residuals: ResidualQuantiles
    }

    init(bytes: [UInt8]) { self.bytes = bytes }

    init(pool: ForecastPool, scale: LocalScale = .one, departures: [Float]? = nil, residuals: ResidualQuantiles) {
        var out = PackedWriter()
        out.put(UInt8(pool.candidates.count))
        for candidate in pool.candidates {
            let parameters = candidate.parameters
            out.put(candidate.kind.rawValue)
            out.put(UInt16(parameters.count))
            out.put(parameters)
        }
        for row in 0..<pool.rows {
            // The other rows have no part in the path.
            let first = row < pool.candidates.count ? 0 : pool.horizon
            // The least weight of a pool, a few percent, stays some.
            for weight in pool.weights[(row * pool.columns + first)..<((row + 1) * pool.columns)] { out.put(Self.part(weight)) }
        }
        out.put(pool.corrections.map(Float.init))
        out.put(scale.parameters)
        for departure in departures ?? [Float](repeating: 0, count: pool.columns) { out.put(ShortFloat(departure).bits) }
        for column in 0..<pool.columns { Self.put(Array(residuals.column(column)), to: &out) }
        // Without the room that growing left over.
        bytes = out.bytes.withUnsafeBytes { Array($0) }
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

    private static let median = ResidualQuantiles.levelCount / 2
    /// Places of 2.5, 10, 90 and 97.5 %, and of the deciles between.
    private static let bounds = [0, 1, ResidualQuantiles.levelCount - 2, ResidualQuantiles.levelCount - 1]
    private static let inner = (2..<(ResidualQuantiles.levelCount - 2)).filter { $0 != median }
    /// Bytes of a column's residuals, the last of all.
    private static let residualBytes = 4 + 2 * bounds.count + inner.count

    private static func put(_ offsets: [Float], to out: inout PackedWriter) {
        func reach(_ place: Int) -> Float { abs(offsets[place] - offsets[median]) }
        out.put([offsets[median]])
        for place in bounds { out.put(ShortFloat(reach(place)).bits) }
        for place in inner {
            let bound = reach(place < median ? bounds[1] : bounds[2])
            out.put(bound > 0 ? part(Double(reach(place) / bound)) : 0)
        }
    }

    /// In 255ths, 1 at most; 0 of what is no number.
    private static func part(_ share: Double) -> UInt8 { share > 0 ? UInt8((255 * min(share, 1)).rounded()) : 0 }

    // MARK: Reading

    /// The median of a column's residuals, and how far the bounds of 80 and 95 % are from it on one side. - Precondition: an unpackable table.
    func residual(column: Int, columns: Int) -> (median: Float, below: (Float, Float), above: (Float, Float)) {
        bytes.withUnsafeBytes { bytes in
            let start = bytes.count - (columns - column) * Self.residualBytes
            func reach(_ k: Int) -> Float {
                ShortFloat(bits: UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: start + 4 + 2 * k, as: UInt16.self))).value
            }
            let median = Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: UInt32.self)))
            return (median, (reach(1), reach(0)), (reach(2), reach(3)))
        }
    }

    /// nil when the bytes are not what `init(pool:...)` writes at this horizon.
    func unpacked(horizon: Int) -> Parts? {
        bytes.withUnsafeBytes { bytes in
            var reader = PackedReader(bytes)
            guard let parts = Self.parts(&reader, horizon: horizon), reader.isAtEnd else { return nil }
            return parts
        }
    }

    private static func parts(_ reader: inout PackedReader, horizon: Int) -> Parts? {
        guard let candidates = candidates(&reader) else { return nil }
        let (rows, columns) = (ForecastPool.rows(candidates: candidates.count), horizon + 3)
        guard let weights = weights(&reader, candidates: candidates.count, horizon: horizon),
            let corrections = reader.takeFloats(rows * 3), corrections.allSatisfy(\.isFinite),
            let scale = reader.takeFloats(LocalScale.parameterCount).flatMap(LocalScale.init(parameters:)),
            let departures = shortFloats(&reader, columns),
            let residuals = residuals(&reader, columns: columns),
            let pool = ForecastPool(
                horizon: horizon, candidates: candidates, weights: weights, corrections: corrections.map(Double.init))
        else { return nil }
        return Parts(pool: pool, scale: scale, departures: departures, residuals: residuals)
    }

    private static func candidates(_ reader: inout PackedReader) -> [any ForecastCandidate]? {
        guard let count = reader.take(UInt8.self), 1...ForecastPool.largestCount ~= Int(count) else { return nil }
        var candidates: [any ForecastCandidate] = []
        for _ in 0..<count {
            guard let kind = reader.take(UInt8.self).flatMap(CandidateKind.init(rawValue:)), let length = reader.take(UInt16.self),
                length <= 256,
                let parameters = reader.takeFloats(Int(length)), let candidate = kind.make(parameters)
            else { return nil }
            candidates.append(candidate)
        }
        return candidates
    }

    /// Weights of all rows and columns, each of which sums to one: no row but those of the candidates has one in the path.
    private static func weights(_ reader: inout PackedReader, candidates: Int, horizon: Int) -> [Double]? {
        let (rows, columns) = (ForecastPool.rows(candidates: candidates), horizon + 3)
        guard let ofCandidates = reader.takeBytes(candidates * columns), let ofOthers = reader.takeBytes((rows - candidates) * 3) else {
            return nil
        }
        var weights = ofCandidates.map(Double.init)
        weights.reserveCapacity(rows * columns)
        for first in stride(from: 0, to: ofOthers.count, by: 3) {
            weights += repeatElement(0, count: horizon)
            weights += ofOthers[first..<(first + 3)].lazy.map(Double.init)
        }
        for column in 0..<columns {
            var total = 0.0
            for k in stride(from: column, to: weights.count, by: columns) { total += weights[k] }
            guard total > 0 else { return nil }
            for k in stride(from: column, to: weights.count, by: columns) { weights[k] /= total }
        }
        return weights
    }

    /// nil where one is no finite number.
    private static func shortFloats(_ reader: inout PackedReader, _ count: Int) -> [Float]? {
        let values = (0..<count).compactMap { _ in reader.take(UInt16.self).map { ShortFloat(bits: $0).value } }
        return values.count == count && values.allSatisfy(\.isFinite) ? values : nil
    }

    private static func residuals(_ reader: inout PackedReader, columns: Int) -> ResidualQuantiles? {
        var offsets = [Float](repeating: 0, count: columns * ResidualQuantiles.levelCount)
        for first in stride(from: 0, to: offsets.count, by: ResidualQuantiles.levelCount) {
            guard let middle = reader.take(UInt32.self).map(Float.init(bitPattern:)) else { return nil }
            func put(_ reach: Float, at place: Int) { offsets[first + place] = place < median ? middle - reach : middle + reach }
            put(0, at: median)
            var (below, above): (Float, Float) = (0, 0)
            for place in bounds {
                guard let reach = reader.take(UInt16.self).map({ ShortFloat(bits: $0).value }) else { return nil }
                if place == bounds[1] { below = reach } else if place == bounds[2] { above = reach }
                put(reach, at: place)
            }
            for place in inner {
                guard let part = reader.take(UInt8.self) else { return nil }
                put(Float(part) / 255 * (place < median ? below : above), at: place)
            }
        }
        let residuals = ResidualQuantiles(offsets: offsets)
        return residuals.isAscending ? residuals : nil
    }
}
