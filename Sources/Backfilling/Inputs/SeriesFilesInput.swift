import History
import Records
import TimeSeries

/// Files of one series each; each file is a part. One of up to 256 MiB is held whole (16 bytes a row) and sorted where its times go
/// back; a larger one is read in blocks and must be in order of time.
struct SeriesFilesInput: HistoryInput {
    let files: [InputFile]
    /// Of files without times: that of the first row, and the distance of rows.
    let grid: (start: Milliseconds, step: Milliseconds)?
    let filter: SeriesFilter
    let badRows: BadRowReport

    /// The largest file that is read whole, and sorted where it must be, bytes.
    private static let heldBytes = 256 << 20
    /// Samples analysed before lines are given on.
    private static let blockSamples = 1 << 11

    var details: [(name: String, value: String)] { files.map { ("file \($0.path)", "\($0.size) bytes of \($0.modified)") } }

    func prepare(_ context: BackfillContext) async throws -> [Int] { files.map(\.size) }

    func read(part: Int, into analysis: PartAnalysis) async throws {
        let file = files[part]
        let labels = file.fallback
        if !filter.takes(labels) { return }
        analysis.begin(SeriesKey(labels: labels, type: .guess(name: labels.name)), text: SeriesNotation.bytes(labels))
        if file.size <= SeriesFilesInput.heldBytes {
            try await hold(file, into: analysis)
        } else if try isOrdered(file) {
            try await stream(file, into: analysis)
        } else {
            throw BackfillError(.badRow, "\(file.path): its times go back; a file of over 256 MiB must be in order of time: sort it")
        }
        try await analysis.end()
    }

    private func isOrdered(_ file: InputFile) throws -> Bool {
        if file.layout.time == nil { return true }
        var reader = try SeriesFileReader(file, grid: grid, badRows: nil)
        var last = Milliseconds.min
        while try reader.next() {
            for time in reader.columns.times {
                if time < last { return false }
                last = time
            }
        }
        return true
    }

    private func stream(_ file: InputFile, into analysis: PartAnalysis) async throws {
        var reader = try SeriesFileReader(file, grid: grid, badRows: badRows)
        while try reader.next() {
            try analysis.add(times: reader.columns.times, values: reader.columns.values)
            try await analysis.flush()
        }
    }

    private func hold(_ file: InputFile, into analysis: PartAnalysis) async throws {
        var reader = try SeriesFileReader(file, grid: grid, badRows: badRows)
        var all = RowColumns()
        while try reader.next() {
            all.times += reader.columns.times
            all.values += reader.columns.values
        }
        if !zip(all.times, all.times.dropFirst()).allSatisfy({ $0 <= $1 }) { TimeOrder.sort(&all.times, &all.values) }
        for at in stride(from: 0, to: all.times.count, by: SeriesFilesInput.blockSamples) {
            let range = at..<min(all.times.count, at + SeriesFilesInput.blockSamples)
            try all.times.withUnsafeBufferPointer { times in
                try all.values.withUnsafeBufferPointer { values in
                    try analysis.add(
                        times: UnsafeBufferPointer(rebasing: times[range]), values: UnsafeBufferPointer(rebasing: values[range]))
                }
            }
            try await analysis.flush()
        }
    }
}

/// The rows of a file of one series, a block at a time.
private struct SeriesFileReader {
    /// Bytes read at once.
    private static let blockBytes = 1 << 20

    private let file: InputFile
    private let lines: LineFile
    private let grid: (start: Milliseconds, step: Milliseconds)?
    private let badRows: BadRowReport?
    private var scanner: RowScanner
    private(set) var columns = RowColumns()
    private var buffer: [UInt8] = []
    private var at: Int
    private var rows = 0

    /// - Parameter badRows: nil passes over bad rows in silence.
    init(_ file: InputFile, grid: (start: Milliseconds, step: Milliseconds)?, badRows: BadRowReport?) throws {
        self.file = file
        self.grid = grid
        self.badRows = badRows
        lines = try LineFile(file.path)
        scanner = RowScanner(file.layout)
        at = file.layout.headerBytes
    }

    /// Reads the next block into `columns`; false at the end.
    mutating func next() throws -> Bool {
        if at >= lines.size { return false }
        try Task.checkCancellation()
        var skip = 0
        let end = min(lines.size, at + SeriesFileReader.blockBytes)
        let begin = try lines.lines(in: at..<end, isLineStart: at == file.layout.headerBytes, into: &buffer, skip: &skip)
        at = end
        columns.removeAll()
        var failure: BackfillError?
        let (path, lines, badRows) = (file.path, lines, badRows)
        buffer.withUnsafeBufferPointer { bytes in
            _ = scanner.scan(UnsafeBufferPointer(rebasing: bytes[skip...]), into: &columns) { row in
                do throws(BackfillError) {
                    try badRows?.note(row.message) { "\(path):\(lines.lineNumber(at: begin + row.offset))" }
                    return true
                } catch {
                    failure = error
                    return false
                }
            }
        }
        if let failure { throw failure }
        if let grid, file.layout.time == nil {
            for i in columns.times.indices { columns.times[i] = grid.start + Milliseconds(rows + i) * grid.step }
            rows += columns.times.count
        }
        return true
    }
}

/// Samples into order of time; of one time the order given stays. O(n log n).
enum TimeOrder {
    static func sort(_ times: inout [Milliseconds], _ values: inout [Double]) {
        let (oldTimes, oldValues) = (times, values)
        let order = (0..<oldTimes.count).sorted { (oldTimes[$0], $0) < (oldTimes[$1], $1) }
        for (to, from) in order.enumerated() {
            times[to] = oldTimes[from]
            values[to] = oldValues[from]
        }
    }
}
