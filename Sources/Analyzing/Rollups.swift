import Analytics
import History
import Records
import Storage
import TimeSeries

/// The long memory of each series: the mean of each sealed chunk, over four weeks at most.
extension AnalyzerState {
    /// Bytes of all rollups. O(series).
    package var rollupBytes: Int { (0..<Int32(table.bound)).reduce(0) { $0 + table[$1].rollup.memoryBytes } }

    /// The series held. O(series).
    var knownSeries: Set<Fingerprint> {
        var known: Set<Fingerprint> = []
        for id in 0..<Int32(table.bound) where !table[id].key.labels.labels.isEmpty { known.insert(table[id].key.id) }
        return known
    }

    /// What takes the summaries of stored chunks of the series held.
    var rollupRestoration: RollupRestoration { RollupRestoration(known: knownSeries, slot: options.rollupSlot) }

    /// Takes the rollups that an earlier owner's chunks give; what was sealed since stays.
    mutating func adopt(_ restoration: RollupRestoration) {
        for id in 0..<Int32(table.bound) {
            guard let older = restoration.rollups[table[id].key.id] else { continue }
            table[id].rollup = table[id].rollup.isEmpty ? older : older.merged(with: table[id].rollup)
        }
        table.noteSealed(restoration.others)
    }

    mutating func rollUp(_ id: Int32, _ sealed: [SealedOutput]) {
        for chunk in sealed {
            table[id].rollup.add(start: chunk.start, count: chunk.moments.count, mean: chunk.moments.mean, slot: options.rollupSlot)
        }
    }

    /// The cycles of the samples, and those of the rollup that are too long for the samples, strongest first.
    func cycles(_ id: Int32, _ series: EvenSeries, _ profile: SeriesProfile) -> [TimedCycle] {
        let covered = Milliseconds(max(series.values.count - 1, 0)) * series.step
        let fast = profile.timedCycles(step: series.step, start: series.end - covered)
        // A cycle is seen in the samples if they cover it four times.
        let slow = table[id].rollup.cycles(longerThan: Double(covered) / 4, slot: options.rollupSlot, fast: fast)
        return (fast + slow).sorted { $0.cycle.strength > $1.cycle.strength }
    }
}

/// Rollups in the making, from the summaries of stored chunks.
struct RollupRestoration: Sendable {
    private let known: Set<Fingerprint>
    private let slot: Milliseconds
    private(set) var rollups: [Fingerprint: Rollup] = [:]
    /// Ends of the newest chunks of all other series.
    private(set) var others: [Fingerprint: Milliseconds] = [:]

    init(known: Set<Fingerprint>, slot: Milliseconds) {
        self.known = known
        self.slot = slot
    }

    /// Takes summaries, those of one series in order of time.
    mutating func take(_ page: [ChunkSummary]) {
        for chunk in page {
            if known.contains(chunk.series) {
                rollups[chunk.series, default: Rollup()].add(start: chunk.start, count: chunk.count, mean: chunk.mean, slot: slot)
            } else {
                others[chunk.series] = max(others[chunk.series] ?? .min, chunk.end)
            }
        }
    }
}
