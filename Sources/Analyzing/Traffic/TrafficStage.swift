import Messaging
import Records
import Telemetry
import TimeSeries
import Traffic

/// Stage 1 of the traffic: the vehicles of one partition of the events. Counts go to the partials, visits and alerts where they are stored.
struct TrafficStage: PartitionStage {
    var state: TrafficPartition
    var options: TrafficOptions
    let topics: TrafficTopics
    /// Partitions of the partials, each of which is to know how far this one has come.
    let mergePartitions: Int
    let metrics: TrafficMetrics
    let joined: TrafficJoin?

    /// Other options from now on.
    mutating func apply(_ new: TrafficOptions) {
        if new == options { return }
        options = new
        state.apply(new)
    }

    mutating func ingest(_ record: ConsumerRecord, now: Milliseconds) -> [DeadLetter] {
        let joined = joined
        let arrived = record.appendTime > 0 ? record.appendTime : now
        let outcome = record.value.withUnsafeBytes {
            state.ingest($0, offset: record.offset, now: now, arrived: arrived, joined: joined)
        }
        metrics.count(outcome)
        guard case .malformed(let fault, let detail) = outcome else { return [] }
        return [DeadLetter(value: record.value, reason: "\(fault.rawValue): \(detail)")]
    }

    mutating func advance(now: Milliseconds) -> StageOutput {
        let given = state.advance(now: now)
        metrics.vehicles.set(Double(state.vehicleCount))
        var output = StageOutput()
        for (route, bytes) in given.partials {
            output.records.append(ProducerRecord(topic: topics.partials, key: .text(route), value: bytes))
        }
        if !given.progress.isEmpty {
            // Whole shards go to a partition, so the shard of a partition's number reaches it.
            for partition in 0..<mergePartitions {
                output.records.append(
                    ProducerRecord(topic: topics.partials, key: .shard(Shard(UInt16(partition))), value: given.progress))
            }
        }
        output.append(.visits(given.visits), to: topics.results)
        output.append(.alerts(given.alerts), to: topics.results)
        return output
    }

    func checkpoint() -> [UInt8] { state.checkpoint() }

    mutating func forgetOffsets() { state.forgetOffsets() }
}

extension StageOutput {
    mutating func append(_ results: TrafficRecord, to topic: String) {
        for (route, value) in results.encode() { records.append(ProducerRecord(topic: topic, key: .text(route), value: value)) }
    }
}

/// The number that a joined table or flow has for an event under the name of a field.
package typealias TrafficJoin = @Sendable (_ event: VehicleEvent, _ field: String) -> Double?

/// Names of the topics that traffic passes.
package struct TrafficTopics: Sendable {
    package var events = "iot-data-event"
    package var partials = "traffic-partials"
    package var results = "trafficdata"
    package var samples = "samples"
    package var checkpoints = "chunks"

    package init() {}
}
