import History
import Records
import TimeSeries

/// `almanac transform` without its streams: bytes of samples go in, lines of results come out. docs/formats/transform.md.
///
/// Rows of one series stand together in order of time; that they do is checked. Memory: one series' windows, the fingerprints of the series before.
package struct TransformFilter: HistoryFilter {
    private let badRows: BadRowReport
    private var scanner: RowScanner
    private let resolver: KeyResolver
    private var columns = RowColumns()
    /// The beginning of a line whose end has not come.
    private var partial: [UInt8] = []
    /// Lines before the bytes at hand.
    private var linesBefore = 0

    private var currentID: Int32 = -1
    private var analysis: SeriesAnalysis
    private var finished: Set<Fingerprint> = []

    package var output = TransformWriter()
    package var conflicts: Int { analysis.conflicts }

    /// - Parameter options: without a `problem`.
    package init(options: HistoryOptions, hasTypeColumn: Bool, badRows: BadRowReport) throws {
        analysis = SeriesAnalysis(options: options)
        self.badRows = badRows
        let layout = RowLayout.transform(hasType: hasTypeColumn)
        scanner = RowScanner(layout)
        resolver = KeyResolver(layout: layout, fallback: LabelSet([]), filter: try SeriesFilter([]))
    }

    package mutating func feed(_ bytes: ArraySlice<UInt8>) throws {
        guard let end = bytes.lastIndex(of: 0x0A) else {
            partial.append(contentsOf: bytes)
            if partial.count > RowScanner.longestLine {
                throw BackfillError(.badRow, "line \(linesBefore + 1): longer than 1 MiB; is this transform's input?")
            }
            return
        }
        var block: [UInt8] = []
        swap(&block, &partial)
        block.append(contentsOf: bytes[...end])
        try take(block)
        block.removeAll(keepingCapacity: true)
        block.append(contentsOf: bytes[(end + 1)...])
        swap(&block, &partial)
    }

    package mutating func finish() throws {
        if !partial.isEmpty { try take(partial) }
        partial = []
        endSeries()
    }

    private mutating func take(_ block: [UInt8]) throws {
        columns.removeAll()
        var failure: BackfillError?
        let (badRows, linesBefore) = (badRows, linesBefore)
        let count = block.withUnsafeBufferPointer { bytes in
            scanner.scan(bytes, into: &columns) { row in
                do throws(BackfillError) {
                    try badRows.note(row.message) { "line \(linesBefore + 1 + bytes[..<row.offset].count { $0 == 0x0A })" }
                    return true
                } catch {
                    failure = error
                    return false
                }
            }
        }
        if let failure { throw failure }
        var at = 0
        while at < columns.ids.count {
            let id = columns.ids[at]
            var end = at + 1
            while end < columns.ids.count, columns.ids[end] == id { end += 1 }
            try take(id, at..<end, block)
            at = end
        }
        self.linesBefore += count
    }

    private mutating func take(_ id: Int32, _ range: Range<Int>, _ block: [UInt8]) throws {
        if id != currentID { try begin(id, row: range.lowerBound, block) }
        if let wrong {
            for row in range { try note(wrong, row: row, block) }
            return
        }
        do {
            try columns.times.withUnsafeBufferPointer { times in
                try columns.values.withUnsafeBufferPointer { values in
                    try analysis.add(
                        times: UnsafeBufferPointer(rebasing: times[range]), values: UnsafeBufferPointer(rebasing: values[range]),
                        into: &output)
                }
            }
        } catch let error as HistoryOrderError {
            let line = line(ofRow: range.lowerBound + error.index, block)
            throw BackfillError(.badRow, "line \(line): \(error); rows must be sorted by series and time")
        }
    }

    /// Why the rows of the key at hand are bad; the series before goes on behind them.
    private var wrong: String?

    private mutating func begin(_ id: Int32, row: Int, _ block: [UInt8]) throws {
        wrong = nil
        switch resolver.resolve(scanner.table.key(Int(id))) {
        case .unwanted: break
        case .wrong(let message):
            currentID = id
            wrong = message
        case .series(let next):
            // The same series, its labels in another order.
            if analysis.series?.key == next.key {
                currentID = id
                return
            }
            endSeries()
            if finished.contains(next.key.id) {
                let text = String(decoding: next.text.prefix(120), as: UTF8.self)
                throw BackfillError(
                    .badRow,
                    "line \(line(ofRow: row, block)): the series \(text) comes back after another; rows must be sorted by series and time")
            }
            currentID = id
            analysis.begin(next)
        }
    }

    private func note(_ message: String, row: Int, _ block: [UInt8]) throws(BackfillError) {
        try badRows.note(message) { "line \(line(ofRow: row, block))" }
    }

    private mutating func endSeries() {
        if let series = analysis.end(into: &output) { finished.insert(series.key.id) }
    }

    /// The number of the line that gave a row of `columns`; scans the block again, line by line.
    private func line(ofRow row: Int, _ block: [UInt8]) -> Int {
        var scanner = RowScanner(scanner.layout)
        var columns = RowColumns()
        var line = linesBefore
        for text in block.split(separator: 0x0A, omittingEmptySubsequences: false) {
            line += 1
            _ = Array(text).withUnsafeBufferPointer { scanner.scan($0, into: &columns) { _ in true } }
            if columns.ids.count > row { return line }
        }
        return line
    }
}
