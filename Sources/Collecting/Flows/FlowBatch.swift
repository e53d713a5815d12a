import Flows
import Messaging
import Records
import TimeSeries

/// Samples of one flow on their way to the log: gathers them, and encodes them shard by shard. Knows each series once; sections are kept
/// while a shard sends the same series.
struct FlowBatch {
    private struct Series {
        var labels: LabelSet
        var type: MetricType
        var shard: Shard
        var newest: Milliseconds
    }

    private struct Sample {
        var series: Int32
        var time: Milliseconds
        var value: Double
    }

    private struct Known {
        var members: [Int32]
        var section: SeriesSection
    }

    /// A record stays well below what brokers take.
    private static let maximumSeries = 4_096
    private static let maximumSamples = 32_768
    /// When there is no room, series without a sample for so long make some.
    private static let staleness: Milliseconds = 3_600_000
    /// Longer than what analyzers allow for lateness.
    private static let shortPiece: Milliseconds = 60_000

    let topic: String
    let source: UInt64
    private let maxSeries: Int
    private var indexes: [LabelSet: Int32] = [:]
    private var series: [Series] = []
    private var samples: [Sample] = []
    private var sections: [Shard: Known] = [:]
    private var promised: Milliseconds = 0
    private var newest: Milliseconds = .min
    private var forgotAt: Milliseconds = .min
    /// Samples left out because their series is one too many.
    private(set) var overLimit = 0

    init(_ definition: FlowDefinition, topic: String) {
        self.topic = topic
        maxSeries = definition.maxSeries
        source = Fingerprint(hashing: Array("flow:\(definition.name)".utf8)).high
    }

    var count: Int { samples.count }

    mutating func add(_ new: [FlowSample]) {
        for sample in new {
            newest = max(newest, sample.time)
            guard let i = index(of: sample.labels) else {
                overLimit += 1
                continue
            }
            series[Int(i)].newest = max(series[Int(i)].newest, sample.time)
            samples.append(Sample(series: i, time: sample.time, value: sample.value))
        }
    }

    private mutating func index(of labels: LabelSet) -> Int32? {
        if let known = indexes[labels] { return known }
        if series.count >= maxSeries { return nil }
        let i = Int32(series.count)
        indexes[labels] = i
        series.append(
            Series(labels: labels, type: MetricType.guess(name: labels.name), shard: labels.fingerprint.shard, newest: .min))
        return i
    }

    /// Encodes what was gathered and begins anew. Of a piece of the past only the last record makes the new promise: a reader that has seen
    /// half of the piece must not take the other half for late.
    mutating func take(watermark: Milliseconds) -> ScrapeRecords {
        var result = ScrapeRecords()
        let order = samples.indices.sorted { a, b in
            let (x, y) = (samples[a], samples[b])
            if x.series != y.series {
                let (p, q) = (series[Int(x.series)].shard.index, series[Int(y.series)].shard.index)
                return p != q ? p < q : x.series < y.series
            }
            return (x.time, a) < (y.time, b)
        }
        let early = watermark - promised > FlowBatch.shortPiece ? promised : watermark
        promised = max(promised, watermark)
        var at = 0
        while at < order.count {
            let shard = series[Int(samples[order[at]].series)].shard
            var (members, counts, times, values) = ([Int32](), [Int](), [Milliseconds](), [Double]())
            while at < order.count, values.count < FlowBatch.maximumSamples {
                let sample = samples[order[at]]
                if members.last != sample.series {
                    if members.count == FlowBatch.maximumSeries || series[Int(sample.series)].shard != shard { break }
                    members.append(sample.series)
                    counts.append(0)
                }
                counts[counts.count - 1] += 1
                times.append(sample.time)
                values.append(sample.value)
                at += 1
            }
            let value = SamplesRecord.encode(
                source: source, watermark: at == order.count ? watermark : early, section: section(of: shard, members), counts: counts,
                times: times, values: values)
            result.append(ProducerRecord(topic: topic, key: .shard(shard), value: value), samples: values.count)
        }
        samples.removeAll(keepingCapacity: true)
        forgetStale()
        return result
    }

    private mutating func section(of shard: Shard, _ members: [Int32]) -> SeriesSection {
        if let known = sections[shard], known.members == members { return known.section }
        let section = SeriesSection(members.map { (series[Int($0)].labels, series[Int($0)].type) })
        sections[shard] = Known(members: members, section: section)
        return section
    }

    /// Label values that come and go must not fill the table for ever. Between two batches, so that no number is in use.
    mutating func forgetStale() {
        if !samples.isEmpty { return }
        guard series.count >= maxSeries, newest - FlowBatch.staleness / 6 > forgotAt else { return }
        forgotAt = newest
        series.removeAll { $0.newest < newest - FlowBatch.staleness }
        indexes = Dictionary(uniqueKeysWithValues: series.enumerated().map { ($1.labels, Int32($0)) })
        sections = [:]
    }
}
