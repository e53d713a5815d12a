import Analytics
import History
import TimeSeries

/// What has been learnt of one series beyond its samples: the fitted forecaster with its calibration, and the anomaly detector. Rests in the store
/// as a model state, so that a new owner goes on where the former one was.
struct SeriesModels: Sendable {
    /// The forecaster until the next full fit.
    var forecaster: SeriesForecaster?
    /// The cycles of the newest profile, for the next fit; learnt again by the next profile after a start.
    var cycles: [SeasonalPeriod] = []
    var detector: AnomalyDetector?
    /// The detector has been given all samples up to here.
    var detectedTo: Milliseconds = .min
    /// When the state was last sent to the store.
    var savedAt: Milliseconds = .min

    init() {}
}

// MARK: - Bytes

/// docs/formats/chunks.md, model states. Little-endian.
extension SeriesModels {
    private static let version: UInt8 = 1

    func encode() -> [UInt8] {
        var bytes: [UInt8] = [SeriesModels.version]
        func put(_ value: Int64) { withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) } }
        func put(_ part: [UInt8]) {
            put(Int64(part.count))
            bytes.append(contentsOf: part)
        }
        put(forecaster?.fittedAt ?? 0)
        put(forecaster?.step ?? 0)
        put(forecaster?.seenTo ?? 0)
        put(forecaster?.state.encode() ?? [])
        put(detectedTo)
        put(detector?.encode() ?? [])
        put(Int64(bitPattern: Fingerprint(hashing: bytes).low))
        return bytes
    }

    /// Parts that are damaged or of another version are left out: they are learnt anew. nil where nothing can be read.
    init?(decoding bytes: [UInt8], anomalies: AnomalyOptions) {
        // A sum over all of it: what a damaged byte would make of a forecast cannot be told otherwise.
        let sum = bytes.suffix(8).enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << (8 * UInt64($1.offset)) }
        guard bytes.count > 8, sum == Fingerprint(hashing: Array(bytes.dropLast(8))).low else { return nil }
        var rest = bytes.dropLast(8)
        guard rest.popFirst() == SeriesModels.version else { return nil }
        func number() -> Int64? {
            guard rest.count >= 8 else { return nil }
            defer { rest = rest.dropFirst(8) }
            return rest.prefix(8).enumerated().reduce(Int64(0)) { $0 | Int64($1.element) << (8 * Int64($1.offset)) }
        }
        func part() -> [UInt8]? {
            guard let count = number(), count >= 0, count <= rest.count else { return nil }
            defer { rest = rest.dropFirst(Int(count)) }
            return Array(rest.prefix(Int(count)))
        }
        guard let fittedAt = number(), let step = number(), let seenTo = number(), let forecast = part(), let detectedTo = number(),
            let detection = part(), rest.isEmpty
        else { return nil }
        let times = 0...Int64(1) << 53
        if 1...(31 * 86_400_000) ~= step, times ~= fittedAt, times ~= seenTo, let state = ForecastState(decoding: forecast) {
            forecaster = SeriesForecaster(state: state, fittedAt: fittedAt, step: step, seenTo: seenTo)
        }
        if times ~= detectedTo, let known = AnomalyDetector(decoding: detection, options: anomalies) {
            detector = known
            self.detectedTo = detectedTo
        }
    }
}
