import Messaging
import TimeSeries

/// An analysis of one partition of a topic whose whole state is a value: fed with records, asked for what is due, and written down as bytes from
/// which a successor goes on. Pure; `StageRole` does its input and output.
protocol PartitionStage: Sendable {
    /// Takes a record in. Returns what is wrong with one that cannot be taken: it goes to the dead-letter topic.
    mutating func ingest(_ record: ConsumerRecord, now: Milliseconds) -> [DeadLetter]

    /// What is due. Called between polls, and never before the partition has caught up.
    mutating func advance(now: Milliseconds) -> StageOutput

    /// The state after all records taken so far.
    func checkpoint() -> [UInt8]

    /// The topic is another one than that of the checkpoint: its offsets begin anew.
    mutating func forgetOffsets()
}

/// A part of a record that cannot be used, and why.
struct DeadLetter: Sendable {
    var value: [UInt8]
    var reason: String
}

/// What a stage gives to the outside.
struct StageOutput: Sendable {
    var records: [ProducerRecord] = []
    /// More is due at once.
    var isMore = false
}

/// What a stage role works on. Times in milliseconds.
struct StageOptions: Sendable {
    /// Names the checkpoints, the epochs and the status: `traffic` or `traffic-merge`.
    var name: String
    var topic: String
    var group: String
    var checkpointTopic = "chunks"
    /// The group that carries checkpoints into the store.
    var storeGroup = "almanac-store"
    /// Between two checkpoints of a partition; longer for large states, so that they cost at most `checkpointRate`.
    var checkpointInterval: Milliseconds = 15_000
    /// Bytes of checkpoints a second and partition.
    var checkpointRate = 1 << 20
    var storePatience = Duration.seconds(30)
    /// How long a replay may bring nothing before the topic is asked whether anything is left.
    var replayPatience = Duration.seconds(5)

    /// Of one partition, for checkpoints and epochs.
    func name(of partition: Int32) -> String { "\(name)-\(partition)" }
}
