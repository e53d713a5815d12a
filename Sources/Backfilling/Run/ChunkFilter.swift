import History
import Records
import TimeSeries

/// `almanac transform --chunks` without its streams: chunks of the raw archive go in, lines of results come out. docs/formats/transform.md.
///
/// A row is `SERIES \t TYPE \t START \t CHUNK`; rows of one series stand together, in order of time. Memory: one chunk, one series' windows, the
/// fingerprints of the series before.
package struct ChunkFilter: HistoryFilter {
    /// Of a line, bytes.
    package static let longestLine = 32 << 20
    /// Of a chunk whose line is not longer than that, bytes.
    package static let largestChunk = 16 << 20

    /// The beginning of a line whose end has not come.
    private var partial: [UInt8] = []
    private var line = 0
    private var chunk = ChunkSamples()

    /// SERIES and TYPE of the series at hand.
    private var name: [UInt8] = []
    private var analysis: SeriesAnalysis
    private var finished: Set<Fingerprint> = []

    package var output = TransformWriter()
    package var conflicts: Int { analysis.conflicts }

    /// - Parameter options: without a `problem`.
    package init(options: HistoryOptions) { analysis = SeriesAnalysis(options: options) }

    package mutating func feed(_ bytes: ArraySlice<UInt8>) throws {
        var rest = bytes
        while let end = rest.firstIndex(of: 0x0A) {
            if partial.isEmpty {
                try take(rest[..<end])
            } else {
                var whole: [UInt8] = []
                swap(&whole, &partial)
                whole.append(contentsOf: rest[..<end])
                try take(whole[...])
            }
            rest = rest[(end + 1)...]
        }
        partial.append(contentsOf: rest)
        if partial.count > ChunkFilter.longestLine {
            throw BackfillError(.badRow, "line \(line + 1): longer than \(ChunkFilter.longestLine >> 20) MiB; are these chunks?")
        }
    }

    package mutating func finish() throws {
        if !partial.isEmpty { try take(partial[...]) }
        partial = []
        endSeries()
    }

    private mutating func take(_ row: ArraySlice<UInt8>) throws(BackfillError) {
        line += 1
        let fields = row.split(separator: 0x09, omittingEmptySubsequences: false)
        guard fields.count == 4 else {
            throw BackfillError(
                .badRow, "line \(line): \(fields.count) fields; a row of chunks has SERIES, TYPE, START and CHUNK between tabs")
        }
        let name = row[fields[0].startIndex..<fields[1].endIndex]
        if !self.name.elementsEqual(name) { try begin(fields, name) }
        guard let data = Base64.decode(fields[3]) else { throw unreadable(fields[2], "it is no base64") }
        do { try chunk.decode(data) } catch { throw unreadable(fields[2], "\(error)") }
        do {
            try chunk.withSamples { (times, values) throws(HistoryOrderError) in
                try analysis.add(times: times, values: values, into: &output)
            }
        } catch {
            throw BackfillError(.badRow, "line \(line): \(error); chunks must be sorted by series and time")
        }
    }

    private func unreadable(_ start: ArraySlice<UInt8>, _ why: String) -> BackfillError {
        let name = String(decoding: analysis.series?.text.prefix(200) ?? [], as: UTF8.self)
        let time = String(decoding: start.prefix(20), as: UTF8.self)
        return BackfillError(.badRow, "line \(line): the chunk of \(name) from \(time) cannot be read: \(why)")
    }

    private mutating func begin(_ fields: [ArraySlice<UInt8>], _ name: ArraySlice<UInt8>) throws(BackfillError) {
        endSeries()
        let key: SeriesKey
        do {
            key = SeriesKey(labels: try SeriesNotation.parse(fields[0]), type: try ChunkRow.type(fields[1]))
        } catch {
            throw BackfillError(.badRow, "line \(line): \(error)")
        }
        if finished.contains(key.id) {
            throw BackfillError(
                .badRow,
                "line \(line): the series \(String(decoding: fields[0].prefix(120), as: UTF8.self)) comes back after another; "
                    + "chunks must be sorted by series and time")
        }
        self.name = Array(name)
        analysis.begin(ResolvedSeries(key: key, text: SeriesNotation.bytes(key.labels)))
    }

    private mutating func endSeries() {
        name = []
        if let series = analysis.end(into: &output) { finished.insert(series.key.id) }
    }
}

/// A sealed chunk as a row: what `ChunkFilter` reads of it.
package enum ChunkRow {
    private static let names: [MetricType: String] = [.gauge: "gauge", .counter: "counter", .unknown: "unknown"]

    /// The text of a type.
    package static func text(_ type: MetricType) -> String { names[type] ?? "unknown" }

    static func type(_ text: ArraySlice<UInt8>) throws(BackfillError) -> MetricType {
        guard let type = names.first(where: { $0.value.utf8.elementsEqual(text) })?.key else {
            throw BackfillError(.badRow, "the type '\(String(decoding: text.prefix(40), as: UTF8.self))' is not gauge, counter or unknown")
        }
        return type
    }
}
