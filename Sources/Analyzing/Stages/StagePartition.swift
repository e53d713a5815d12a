import Messaging
import TimeSeries

/// One partition of a stage that this process owns: its state, and how far its owner has come.
struct StagePartition<Stage: PartitionStage>: Sendable {
    enum Phase: Sendable, Equatable {
        case loading
        /// Reads again what an earlier owner had read after its checkpoint; gives nothing.
        case replaying(until: Offset)
        case live
    }

    var phase = Phase.loading
    var stage: Stage?
    var epoch: Int64 = 0
    /// The offset of the next record.
    var position: Offset = 0
    /// What the last checkpoint covers that was sent, what of it is committed, and when the next is due.
    var written: Offset?
    var committed: Offset?
    var nextCheckpoint: Milliseconds = .min
    /// Which taking over this is: what an earlier one still brings is not its.
    var generation = 0
    /// Since when polls have brought no record of this partition.
    var silentSince = ContinuousClock.now
    /// Retention has removed what the replay was to bring.
    var isEmptied = false
    var replayedBytes = 0

    /// A backlog of more than this is worked off as what is new: what it gives would have to be held till its end.
    private static var maximumReplay: Int { 128 << 20 }

    var isReplayed: Bool {
        guard case .replaying(let end) = phase else { return false }
        return position >= end || isEmptied || replayedBytes > Self.maximumReplay
    }

    func silentReplay(longerThan patience: Duration) -> Offset? {
        guard case .replaying(let end) = phase, position < end, ContinuousClock.now - silentSince >= patience else { return nil }
        return end
    }
}

/// What a new owner of a partition starts from.
struct LoadedStage<Stage: PartitionStage>: LoadedOwnership {
    var partition: Int32
    var generation: Int
    var epoch: Int64
    var stage: Stage
    /// Where the replay begins and ends.
    var from: Offset
    var until: Offset
}
