/// The forecaster's state as bytes, little endian, for a checkpoint.
///
/// Version (8 bits), kind (8), horizon (16), samples known and fitted (32 each); shrink, factor, mean, floor (64 each); number of bytes (32) and the table;
/// factors and counts of the widths; whether a forecast is pending (8) and that. What cannot be right is refused.
extension ForecastState {
    /// 2: other candidates; 3: a row for the blend, no zeros; 4: a packed table, what was fitted. A state of an older version is fitted anew.
    static let version: UInt8 = 4

    /// Complexity: O(size), without allocation beyond the result.
    package func encode() -> [UInt8] {
        var out = PackedWriter()
        let pending = pendingForecast
        out.put(Self.version)
        out.put(model.kind.rawValue)
        out.put(UInt16(clamping: model.horizon))
        out.put(UInt32(clamping: model.count))
        out.put(UInt32(clamping: model.fitted))
        let scaling = model.scaling
        for value in [scaling.shrink, scaling.factor, scaling.mean, scaling.floor] { out.put(value.bitPattern) }
        out.put(UInt32(clamping: model.table.bytes.count))
        out.put(model.table.bytes)
        out.put(widths.factors)
        for count in widths.counts { out.put(count) }
        out.put(pending == nil ? UInt8(0) : 1)
        if let pending {
            out.put(UInt16(clamping: pending.arrived))
            out.put(UInt16(clamping: pending.missing))
            out.put([pending.high, pending.low, pending.sum, pending.scale])
            out.put(pending.centre)
        }
        return out.bytes
    }

    /// nil for bytes of another version or that are damaged.
    package init?(decoding bytes: [UInt8]) {
        let state: ForecastState? = bytes.withUnsafeBytes { bytes in
            var reader = PackedReader(bytes)
            return reader.take(UInt8.self) == Self.version ? Self.decode(&reader) : nil
        }
        guard let state else { return nil }
        self = state
    }

    private static func decode(_ reader: inout PackedReader) -> ForecastState? {
        guard let kind = reader.take(UInt8.self).flatMap(ForecastModel.Kind.init(rawValue:)),
            let horizon = reader.take(UInt16.self).map(Int.init), 1...1_440 ~= horizon, let count = reader.take(UInt32.self),
            let fitted = reader.take(UInt32.self), fitted <= count,
            let scaling = scaling(&reader), let length = reader.take(UInt32.self),
            let table = reader.takeBytes(Int(length)).map(ForecastTable.init(bytes:)), table.unpacked(horizon: horizon) != nil,
            let widths = widths(&reader), let hasPending = reader.take(UInt8.self), hasPending <= 1
        else { return nil }
        var pending: PendingForecast?
        if hasPending == 1 {
            pending = Self.pending(&reader, horizon: horizon)
            if pending == nil { return nil }
        }
        guard reader.isAtEnd else { return nil }
        let model = ForecastModel(
            horizon: horizon, kind: kind, count: Int(count), fitted: Int(fitted), scaling: scaling, table: table)
        return ForecastState(model: model, widths: widths, pending: pending)
    }

    private static func widths(_ reader: inout PackedReader) -> IntervalWidths? {
        guard let factors = reader.takeFloats(IntervalWidths.groupCount * 2) else { return nil }
        var counts: [UInt16] = []
        for _ in 0..<IntervalWidths.groupCount {
            guard let count = reader.take(UInt16.self) else { return nil }
            counts.append(count)
        }
        return IntervalWidths(factors: factors, counts: counts)
    }

    private static func scaling(_ reader: inout PackedReader) -> SeriesScaling? {
        var values: [Double] = []
        for _ in 0..<4 {
            guard let bits = reader.take(UInt64.self) else { return nil }
            values.append(Double(bitPattern: bits))
        }
        guard values[0] == 1 || values[0] == 0.25, values[1].isNormal, values[1] > 0, values[2].isFinite,
            values[3] == 0 || values[3] == -.infinity
        else { return nil }
        return SeriesScaling(shrink: values[0], factor: values[1], mean: values[2], floor: values[3])
    }

    private static func pending(_ reader: inout PackedReader, horizon: Int) -> PendingForecast? {
        guard let arrived = reader.take(UInt16.self).map(Int.init), let missing = reader.take(UInt16.self).map(Int.init),
            let sums = reader.takeFloats(4), let centre = reader.takeFloats(horizon + 3),
            missing <= arrived, arrived < horizon, (sums + centre).allSatisfy(\.isFinite), sums[3] >= 0
        else { return nil }
        return PendingForecast(
            horizon: horizon, centre: centre, scale: sums[3], arrived: arrived, missing: missing, high: sums[0], low: sums[1], sum: sums[2])
    }
}
