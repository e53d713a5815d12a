import Analytics
import Records
import TimeSeries

/// One series that the analyzer holds.
struct AnalyzedSeries: Sendable {
    var key: SeriesKey
    var history: SampleHistory
    var openOffsets = OpenOffsets()
    /// The chunk that the newest samples fall into: most samples need no division to find theirs.
    var openStart: Milliseconds = .max
    var openEnd: Milliseconds = .min
    /// Grid times from this one on must be evaluated again, because a late sample came.
    var dirtyFrom: Milliseconds = .max
    /// Samples below this input offset are in the chunks that an earlier owner sealed.
    var replayFrom: Int64 = 0
    /// The source it belongs to.
    var source: UInt64 = 0
    /// What has been learnt beyond the samples.
    var models = SeriesModels()
    /// Means of the sealed chunks of the last weeks.
    var rollup = Rollup()

    init(key: SeriesKey) {
        self.key = key
        history = SampleHistory(isCounter: key.type == .counter)
    }
}

/// All series of the process by dense id. A section of series that was seen before costs one look-up.
struct SeriesTable: Sendable {
    private(set) var series: [AnalyzedSeries] = []
    private var ids: [Fingerprint: Int32] = [:]
    private var sections: [UInt64: [Int32]] = [:]
    private var symbols: Set<ExactText> = []
    /// Series that are not held, of which chunks up to these times are stored: what a replay brings again of them must not replace those.
    private var sealedBefore: [Fingerprint: Milliseconds] = [:]
    private var free: [Int32] = []
    private static let maximumSections = 1 << 18
    /// Stands for a series that is not held because there are too many.
    static let refused: Int32 = -1
    /// Series held at most; more are refused until others have left.
    var limit: Int

    init(limit: Int = .max) { self.limit = limit }
    private static let maximumSymbols = 1 << 20

    var count: Int { series.count - free.count }
    /// Ids up to here may be in use.
    var bound: Int { series.count }

    subscript(id: Int32) -> AnalyzedSeries {
        get { series[Int(id)] }
        _modify { yield &series[Int(id)] }
    }

    /// The ids of a section's series, `refused` where there is no room; decodes it when it is new.
    mutating func section(
        hash: UInt64, bytes: @autoclosure () -> UnsafeRawBufferPointer
    ) throws(DecodingFailure) -> [Int32] {
        if let known = sections[hash] { return known }
        let keys = try SeriesSection.decode(bytes())
        if sections.count >= SeriesTable.maximumSections { sections.removeAll() }
        var scratch = WindowScratch()
        let made = keys.map { key -> Int32 in
            guard let known = ids[key.id] else { return count < limit ? intern(key) : SeriesTable.refused }
            retype(known, key.type, &scratch)
            return known
        }
        sections[hash] = made
        return made
    }

    /// The dense id of a series that is held.
    func id(of series: Fingerprint) -> Int32? { ids[series] }

    /// The dense id of a series, made if it is new.
    mutating func intern(_ key: SeriesKey) -> Int32 {
        if let known = ids[key.id] { return known }
        let shared = SeriesKey(labels: sharing(key.labels), type: key.type, id: key.id)
        let id: Int32
        if let reused = free.popLast() {
            id = reused
            series[Int(id)] = AnalyzedSeries(key: shared)
        } else {
            id = Int32(series.count)
            series.append(AnalyzedSeries(key: shared))
        }
        ids[key.id] = id
        // Kept: a series that has nothing newer leaves, and may come again.
        if let end = sealedBefore[key.id] { series[Int(id)].history.markSealed(through: end) }
        return id
    }

    /// Chunks up to these times are stored; counts for series that are not held yet.
    mutating func noteSealed(_ ends: [Fingerprint: Milliseconds]) {
        sealedBefore.merge(ends.filter { ids[$0.key] == nil }) { max($0, $1) }
    }

    /// What a source says of a series now counts, whatever was said before.
    private mutating func retype(_ id: Int32, _ type: MetricType, _ scratch: inout WindowScratch) {
        let key = series[Int(id)].key
        if type == .unknown || key.type == type { return }
        series[Int(id)].key = SeriesKey(labels: key.labels, type: type, id: key.id)
        series[Int(id)].history.reinterpret(asCounter: type == .counter, scratch: &scratch)
        series[Int(id)].models = SeriesModels()
        // Means of values say nothing of rates.
        if type == .counter || key.type == .counter { series[Int(id)].rollup = Rollup() }
    }

    /// Equal label texts share one storage.
    private mutating func sharing(_ labels: LabelSet) -> LabelSet {
        LabelSet(labels.labels.map { Label(symbol($0.name), symbol($0.value)) })
    }

    private mutating func symbol(_ text: String) -> String {
        if text.utf8.count < 16 { return text }
        if symbols.count >= SeriesTable.maximumSymbols { symbols.removeAll() }
        return symbols.insert(ExactText(text)).memberAfterInsert.text
    }

    mutating func remove(_ id: Int32) {
        ids[series[Int(id)].key.id] = nil
        series[Int(id)] = AnalyzedSeries(key: SeriesKey(labels: LabelSet([]), type: .unknown))
        free.append(id)
        // Sections name dense ids; they are cheap to decode again.
        sections.removeAll()
    }
}
