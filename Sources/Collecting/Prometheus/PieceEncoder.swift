import Messaging
import Records
import TimeSeries

/// Encodes what a ledger has to send, a record a shard. Sections are kept while a shard's set of series stays the same.
struct PieceEncoder {
    private struct Known {
        var members: [Int32]
        var section: SeriesSection
    }

    private var known: [Shard: Known] = [:]
    /// The last promise made. Of a piece of the past, which is longer than any allowed lateness, only the last record makes the new one: a reader that has
    /// seen half of the piece must not take the other half for late.
    private var promised: Milliseconds = 0
    private static let shortPiece: Milliseconds = 60_000
    let topic: String
    let source: UInt64

    init(topic: String, sourceName: String) {
        self.topic = topic
        source = Fingerprint(hashing: Array(sourceName.utf8)).high
    }

    mutating func forget() { known = [:] }

    /// `key` decodes a series' labels and type. With nothing to send there is still one record, without series, for its watermark.
    mutating func records(
        _ ledger: SeriesLedger, watermark: Milliseconds, key: (Int32) -> (labels: LabelSet, type: MetricType)
    ) -> ScrapeRecords {
        var result = ScrapeRecords()
        let runs = ledger.sortedRuns()
        let early = watermark - promised > PieceEncoder.shortPiece ? promised : watermark
        promised = max(promised, watermark)
        var at = 0
        while at < runs.count {
            let shard = ledger.series[Int(runs[at].series)].fingerprint.shard
            var end = at
            while end < runs.count, ledger.series[Int(runs[end].series)].fingerprint.shard == shard { end += 1 }
            var run = SampleRun()
            for one in mergedBySeries(runs[at..<end]) { append(one, of: ledger, to: &run) }
            let section = section(of: shard, run.series, key)
            let value = SamplesRecord.encode(
                source: source, watermark: end == runs.count ? watermark : early, section: section, counts: run.counts, times: run.times,
                values: run.values)
            result.append(ProducerRecord(topic: topic, key: .shard(shard), value: value), samples: run.values.count)
            at = end
        }
        if runs.isEmpty {
            let value = SamplesRecord.encode(
                source: source, watermark: watermark, section: SeriesSection([]), counts: [], times: [], values: [])
            result.append(
                ProducerRecord(topic: topic, key: .shard(Shard(UInt16(truncatingIfNeeded: source & 1_023))), value: value), samples: 0)
        }
        return result
    }

    private func mergedBySeries(_ runs: ArraySlice<SeriesLedger.Run>) -> [[SeriesLedger.Run]] {
        var groups: [[SeriesLedger.Run]] = []
        for run in runs {
            if let last = groups.last?.first, last.series == run.series {
                groups[groups.count - 1].append(run)
            } else {
                groups.append([run])
            }
        }
        return groups
    }

    /// Late samples and several answers may have left a series out of order.
    private func append(_ group: [SeriesLedger.Run], of ledger: SeriesLedger, to run: inout SampleRun) {
        guard let number = group.first?.series else { return }
        let indexes = group.flatMap { Array($0.range) }
        var isAscending = true
        for (a, b) in zip(indexes, indexes.dropFirst()) where ledger.times[a] > ledger.times[b] { isAscending = false }
        let ordered = isAscending ? indexes : indexes.sorted { (ledger.times[$0], $0) < (ledger.times[$1], $1) }
        for i in ordered {
            run.append(ScrapeCache.TimedSample(series: number, time: ledger.times[i], value: ledger.values[i]))
        }
    }

    private mutating func section(
        of shard: Shard, _ members: [Int32], _ key: (Int32) -> (labels: LabelSet, type: MetricType)
    ) -> SeriesSection {
        if let known = known[shard], known.members == members { return known.section }
        let section = SeriesSection(members.map(key))
        known[shard] = Known(members: members, section: section)
        return section
    }
}
