import Messaging
import TimeSeries

/// One partition of `samples` that this process owns: what it has been analysed to, and how far its owner has come.
struct PartitionAnalysis: Sendable {
    enum Phase: Sendable, Equatable {
        /// Its chunks are on their way from the store; records that come meanwhile come again.
        case loading
        /// Reads what an earlier owner had read after its last chunks; gives no results.
        case replaying(until: Offset)
        case live
    }

    var phase = Phase.loading
    /// nil while loading.
    var state: AnalyzerState?
    /// The offset of the next record.
    var position: Offset = 0
    /// Newest rows that an earlier owner gave.
    var latestRows: [Fingerprint: Milliseconds] = [:]
    /// What the group has committed.
    var committed: Offset?
    /// Which taking over this is: what an earlier one still brings is not its.
    var generation = 0
    /// Since when a poll with room for records of this partition has brought none.
    var silentSince = ContinuousClock.now
    /// Retention has removed what the replay was to bring.
    var isEmptied = false

    /// The offset to commit: what a new owner would need.
    var needed: Offset? {
        guard phase == .live, let state else { return nil }
        return state.neededOffsets().values.min()
    }

    var isReplayed: Bool {
        guard case .replaying(let end) = phase else { return false }
        return position >= end || isEmptied
    }

    /// The end of a replay that has brought nothing for so long; nil otherwise. Silence alone says little: the broker may be away.
    func silentReplay(longerThan patience: Duration) -> Offset? {
        guard case .replaying(let end) = phase, position < end, ContinuousClock.now - silentSince >= patience else { return nil }
        return end
    }
}

/// What a new owner of a partition starts from.
struct LoadedPartition: LoadedOwnership {
    var partition: Int32
    var generation: Int
    var state: AnalyzerState
    var latestRows: [Fingerprint: Milliseconds]
    /// Where the replay begins and ends.
    var from: Offset
    var until: Offset
    var chunks: Int
}
