import Analytics
import TimeSeries

/// What has been learnt of one series beyond its samples: the fitted forecaster with its calibration, and the anomaly detector. Rests in the store
/// as a model state, so that a new owner goes on where the former one was.
struct SeriesModels: Sendable {
    /// The forecaster until the next full fit.
    struct Forecaster: Sendable {
        var state: ForecastState
        var fittedAt: Milliseconds
        /// Milliseconds between the values it was fitted on.
        var step: Milliseconds
        /// The end of the series when it was last told of new values.
        var seenTo: Milliseconds
    }

    var forecaster: Forecaster?
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
        return bytes
    }

    /// Parts that are damaged or of another version are left out: they are learnt anew. nil where nothing can be read.
    init?(decoding bytes: [UInt8], anomalies: AnomalyOptions) {
        var rest = bytes[...]
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
        if step > 0, let state = ForecastState(decoding: forecast) {
            forecaster = Forecaster(state: state, fittedAt: fittedAt, step: step, seenTo: seenTo)
        }
        if let known = AnomalyDetector(decoding: detection, options: anomalies) {
            detector = known
            self.detectedTo = detectedTo
        }
    }
}
