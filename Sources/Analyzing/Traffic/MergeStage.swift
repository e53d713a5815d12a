import Messaging
import Records
import TimeSeries
import Traffic

/// Stage 2 of the traffic: the partials of some routes, added up. Rows go where they are stored, counts and speeds also become series.
struct MergeStage: PartitionStage {
    var state: TrafficMerge
    var options: TrafficOptions
    let topics: TrafficTopics
    let samples: TrafficSamples

    /// Other options from now on.
    mutating func apply(_ new: TrafficOptions) {
        if new == options { return }
        options = new
        state.apply(new)
    }

    mutating func ingest(_ record: ConsumerRecord, now: Milliseconds) -> [DeadLetter] {
        do {
            try state.ingest(record.value, offset: record.offset)
            return []
        } catch {
            return [DeadLetter(value: record.value, reason: "\(error)")]
        }
    }

    mutating func advance(now: Milliseconds) -> StageOutput {
        let given = state.advance(now: now)
        var output = StageOutput()
        output.append(.totals(given.totals), to: topics.results)
        output.append(.windows(given.windows), to: topics.results)
        output.records += samples.records(given.series)
        return output
    }

    func checkpoint() -> [UInt8] { state.checkpoint() }

    mutating func forgetOffsets() { state.forgetOffsets() }
}

/// Series of the traffic as records of samples, by shard.
package struct TrafficSamples: Sendable {
    let topic: String
    /// Whose watermark it is: that of one partition of the merge.
    let source: UInt64

    package init(topic: String, partition: Int32) {
        self.topic = topic
        source = Fingerprint(hashing: Array("traffic/\(partition)".utf8)).high
    }

    /// One record for each shard and time; each series once in it.
    package func records(_ points: [TrafficSeriesPoint]) -> [ProducerRecord] {
        var groups: [Place: [(labels: LabelSet, value: Double)]] = [:]
        for point in points {
            let labels = TrafficSamples.labels(point)
            groups[Place(time: point.time, shard: labels.fingerprint.shard.index), default: []].append((labels, point.value))
        }
        return groups.keys.sorted().compactMap { place in
            guard let group = groups[place] else { return nil }
            let section = SeriesSection(group.map { (labels: $0.labels, type: .gauge) })
            let value = SamplesRecord.encode(
                source: source, watermark: place.time, section: section, time: place.time, values: group.map(\.value))
            return ProducerRecord(topic: topic, key: .shard(Shard(place.shard)), value: value)
        }
    }

    private struct Place: Hashable, Comparable {
        var time: Milliseconds
        var shard: UInt16
        static func < (a: Place, b: Place) -> Bool { (a.time, a.shard) < (b.time, b.shard) }
    }

    private static func labels(_ point: TrafficSeriesPoint) -> LabelSet {
        var labels = [Label("__name__", point.name), Label("route", point.route)]
        if let type = point.vehicleType { labels.append(Label("type", type)) }
        return LabelSet(labels)
    }
}
