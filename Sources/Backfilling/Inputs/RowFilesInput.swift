import History
import Records
import Synchronization
import TimeSeries

/// Files whose rows name their series, in any order: rows go once into buckets by the fingerprint of their series, then each bucket is a part.
///
/// Memory: inputs of up to 256 MB wait in memory, in about as many bytes. Larger ones wait in files of the state folder, 20 bytes a row;
/// then a worker holds one bucket at a time, 36 bytes a row: with 256 buckets at most that is input / 256 or the largest series, whichever
/// is more. Beside that each worker knows the series, about 300 bytes each.
final class RowFilesInput: HistoryInput {
    /// Bytes of rows in a bucket, about, while there are fewer than the most.
    private static let bucketBytes = 4 << 20
    private static let maximumBuckets = 256
    /// Inputs up to this size need no files.
    static let memoryBytes = 256 << 20
    private static let stretchBytes = 4 << 20
    /// Samples analysed before lines are given on.
    private static let blockSamples = 1 << 11

    private let files: [InputFile]
    private let filter: SeriesFilter
    private let buckets: Int
    private let store: BucketStore
    private let isSpilled: Bool

    init(files: [InputFile], filter: SeriesFilter, directory: String, memoryBytes: Int = RowFilesInput.memoryBytes) {
        self.files = files
        self.filter = filter
        let size = files.reduce(0) { $0 + $1.size }
        buckets = max(1, min(RowFilesInput.maximumBuckets, size / RowFilesInput.bucketBytes))
        isSpilled = size > memoryBytes
        store = BucketStore(buckets: buckets, directory: isSpilled ? directory + "/buckets" : nil)
    }

    var details: [(name: String, value: String)] { files.map { ("file \($0.path)", "\($0.size) bytes of \($0.modified)") } }

    // MARK: Rows into buckets

    /// A stretch of a file: what one worker scans in one go.
    private struct Stretch: Sendable {
        var file: Int
        var range: Range<Int>
    }

    func prepare(_ context: BackfillContext) async throws -> [Int] {
        let sizes = Array(repeating: max(1, files.reduce(0) { $0 + $1.size } / buckets), count: buckets)
        if isSpilled, context.journal.stage("buckets") != nil { return sizes }
        try store.clear()
        let stretches = stretches()
        let scanners = (0..<context.jobs).map { _ in
            ScannerBox(BucketScanner(files: files, filter: filter, buckets: buckets, badRows: context.badRows))
        }
        var at = 0
        // Rounds: stretches are scanned side by side and put away in order, so that of two samples of one time the first stays the first.
        while at < stretches.count {
            try Task.checkCancellation()
            context.progress.set(stage: "reading rows", share: Double(at) / Double(stretches.count))
            let round = Array(stretches[at..<min(stretches.count, at + context.jobs)])
            for frames in await scan(round, scanners) {
                for (bucket, frame) in try frames.get().enumerated() { try store.append(frame, to: bucket) }
            }
            at += round.count
        }
        context.progress.set(stage: nil)
        try store.finish()
        if isSpilled { try context.journal.finish(stage: "buckets", value: "\(buckets)") }
        return sizes
    }

    private typealias Scanned = Result<[BucketFrame], BackfillError>

    /// Scans stretches side by side, one for each scanner at most; the answers are in their order.
    private func scan(_ round: [Stretch], _ scanners: [ScannerBox]) async -> [Scanned] {
        await withTaskGroup(of: (Int, Scanned).self) { group in
            for (i, (stretch, scanner)) in zip(round, scanners).enumerated() {
                group.addTask { (i, scanner.scan(file: stretch.file, stretch.range)) }
            }
            var results: [(Int, Scanned)] = []
            for await result in group { results.append(result) }
            return results.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    private func stretches() -> [Stretch] {
        var all: [Stretch] = []
        for (i, file) in files.enumerated() {
            var at = file.layout.headerBytes
            while at < file.size {
                let end = min(file.size, at + RowFilesInput.stretchBytes)
                all.append(Stretch(file: i, range: at..<end))
                at = end
            }
        }
        return all
    }

    // MARK: A bucket

    func read(part: Int, into analysis: PartAnalysis) async throws {
        var bucket = GatheredBucket(try store.frames(part))
        for i in bucket.order {
            let text = bucket.texts[i]
            let labels: LabelSet
            do { labels = try SeriesNotation.parse(text) } catch { throw BackfillError(.unavailable, "a bucket is damaged: \(error)") }
            analysis.begin(SeriesKey(labels: labels, type: bucket.types[i]), text: text)
            let range = bucket.sort(series: i)
            var at = range.lowerBound
            while at < range.upperBound {
                let end = min(range.upperBound, at + RowFilesInput.blockSamples)
                try bucket.withSamples(at..<end) { times, values in try analysis.add(times: times, values: values) }
                try await analysis.flush()
                at = end
            }
            try await analysis.end()
        }
        store.release(part)
    }

    func finish() async { store.remove() }
}

/// A scanner that goes from task to task without being copied; one task at a time uses it.
private final class ScannerBox: Sendable {
    private let scanner: Mutex<BucketScanner>

    init(_ scanner: BucketScanner) { self.scanner = Mutex(scanner) }

    func scan(file: Int, _ range: Range<Int>) -> Result<[BucketFrame], BackfillError> {
        scanner.withLock { $0.scan(file: file, range) }
    }
}

/// Scans stretches and divides their rows by bucket. One a worker: it keeps what it has learnt of keys.
private struct BucketScanner: Sendable {
    let files: [InputFile]
    let filter: SeriesFilter
    let buckets: Int
    let badRows: BadRowReport

    /// Of the file that was scanned last; files of one layout share it.
    private var scanner: RowScanner?
    private var fallback: LabelSet?
    /// By key: its bucket, or what stands for none.
    private var places: [Int32] = []
    private static let unwanted: Int32 = -1
    private static let wrong: Int32 = -2
    private var series: [ResolvedSeries?] = []
    private var messages: [Int: String] = [:]
    private var columns = RowColumns()
    private var buffer: [UInt8] = []
    /// By key: its number in the frame of the stretch at hand, and that stretch.
    private var local: [(stretch: Int, id: Int32)] = []
    private var stretch = 0

    init(files: [InputFile], filter: SeriesFilter, buckets: Int, badRows: BadRowReport) {
        self.files = files
        self.filter = filter
        self.buckets = buckets
        self.badRows = badRows
    }

    mutating func scan(file number: Int, _ range: Range<Int>) -> Result<[BucketFrame], BackfillError> {
        do throws(BackfillError) {
            return .success(try frames(files[number], range))
        } catch {
            return .failure(error)
        }
    }

    private mutating func frames(_ file: InputFile, _ range: Range<Int>) throws(BackfillError) -> [BucketFrame] {
        use(file)
        let lines = try LineFile(file.path)
        var skip = 0
        let isStart = range.lowerBound == file.layout.headerBytes
        let begin = try lines.lines(in: range, isLineStart: isStart, into: &buffer, skip: &skip)
        columns.removeAll()
        var failure: BackfillError?
        let note = { [badRows] (message: String, offset: Int) in
            do throws(BackfillError) {
                try badRows.note(message) { "\(file.path):\(lines.lineNumber(at: begin + offset))" }
                return true
            } catch {
                failure = error
                return false
            }
        }
        buffer.withUnsafeBufferPointer { bytes in
            _ = scanner?.scan(UnsafeBufferPointer(rebasing: bytes[skip...]), into: &columns) { note($0.message, $0.offset) }
        }
        if let failure { throw failure }
        try resolve(file, lines, begin, skip)
        return divide()
    }

    private mutating func use(_ file: InputFile) {
        if scanner?.layout == file.layout, fallback == file.fallback { return }
        // Where every row names its metric the file's name does not matter.
        let isNamed = file.layout.roles.contains(.series) || file.layout.roles.contains(.name)
        if scanner?.layout == file.layout, isNamed { return }
        scanner = RowScanner(file.layout)
        fallback = file.fallback
        places = []
        series = []
        messages = [:]
        local = []
    }

    /// Makes series of the keys that are new; those that are none make their rows bad ones.
    private mutating func resolve(_ file: InputFile, _ lines: LineFile, _ begin: Int, _ skip: Int) throws(BackfillError) {
        guard let scanner else { return }
        let resolver = KeyResolver(layout: file.layout, fallback: file.fallback, filter: filter)
        let count = file.layout.keys.isEmpty ? 1 : scanner.table.count
        while places.count < count {
            let key = file.layout.keys.isEmpty ? [] : Array(scanner.table.key(places.count))
            switch resolver.resolve(key) {
            case .series(let one):
                series.append(one)
                places.append(Int32(one.key.id.high % UInt64(buckets)))
            case .unwanted:
                series.append(nil)
                places.append(BucketScanner.unwanted)
            case .wrong(let message):
                messages[places.count] = message
                series.append(nil)
                places.append(BucketScanner.wrong)
            }
            local.append((-1, 0))
        }
        if messages.isEmpty { return }
        for (row, id) in columns.ids.enumerated() where places[Int(id)] == BucketScanner.wrong {
            let message = messages[Int(id)] ?? ""
            let key = scanner.table.key(Int(id))
            try badRows.note(message) { "\(file.path):\(place(of: key, occurrence: row, lines, begin, skip))" }
        }
    }

    /// The line of the first row in the buffer that holds the key; for messages.
    private func place(of key: ArraySlice<UInt8>, occurrence: Int, _ lines: LineFile, _ begin: Int, _ skip: Int) -> Int {
        let text = Array(key)
        var at = skip
        while at + text.count <= buffer.count, !buffer[at..<(at + text.count)].elementsEqual(text) { at += 1 }
        let lineStart = buffer[skip..<min(at, buffer.count)].lastIndex(of: 0x0A).map { $0 + 1 } ?? skip
        return lines.lineNumber(at: begin + lineStart - skip)
    }

    /// The rows by bucket, in their order.
    private mutating func divide() -> [BucketFrame] {
        stretch += 1
        var frames = Array(repeating: BucketFrame(), count: buckets)
        var counts = [Int](repeating: 0, count: buckets)
        for id in columns.ids where places[Int(id)] >= 0 { counts[Int(places[Int(id)])] += 1 }
        for bucket in frames.indices {
            frames[bucket].ids.reserveCapacity(counts[bucket])
            frames[bucket].times.reserveCapacity(counts[bucket])
            frames[bucket].values.reserveCapacity(counts[bucket])
        }
        for row in columns.ids.indices {
            let id = Int(columns.ids[row])
            let bucket = Int(places[id])
            if bucket < 0 { continue }
            if local[id].stretch != stretch, let one = series[id] {
                local[id] = (stretch, Int32(frames[bucket].series.count))
                frames[bucket].series.append(one)
            }
            frames[bucket].ids.append(local[id].id)
            frames[bucket].times.append(columns.times[row])
            frames[bucket].values.append(columns.values[row])
        }
        return frames
    }
}

/// The rows of a bucket, put together by series.
struct GatheredBucket {
    private(set) var texts: [[UInt8]] = []
    private(set) var types: [MetricType] = []
    /// The series by the bytes of their text.
    private(set) var order: [Int] = []
    /// Where the samples of each series end.
    private var ends: [Int] = []
    private var times: [Milliseconds] = []
    private var values: [Double] = []

    init(_ frames: [DecodedFrame]) {
        var numbers: [[UInt8]: Int] = [:]
        var maps: [[Int]] = []
        for frame in frames {
            maps.append(
                zip(frame.texts, frame.types).map { text, type in
                    if let known = numbers[text] { return known }
                    numbers[text] = texts.count
                    texts.append(text)
                    types.append(type)
                    return texts.count - 1
                })
        }
        var counts = [Int](repeating: 0, count: texts.count)
        for (frame, map) in zip(frames, maps) { for id in frame.ids { counts[map[Int(id)]] += 1 } }
        var next: [Int] = []
        var sum = 0
        for count in counts {
            next.append(sum)
            sum += count
            ends.append(sum)
        }
        times = [Milliseconds](repeating: 0, count: sum)
        values = [Double](repeating: 0, count: sum)
        for (frame, map) in zip(frames, maps) {
            for row in frame.ids.indices {
                let series = map[Int(frame.ids[row])]
                times[next[series]] = frame.times[row]
                values[next[series]] = frame.values[row]
                next[series] += 1
            }
        }
        order = texts.indices.sorted { texts[$0].lexicographicallyPrecedes(texts[$1]) }
    }

    /// Puts the samples of a series in order of time, of one time the first row first; returns their places.
    mutating func sort(series: Int) -> Range<Int> {
        let range = (series == 0 ? 0 : ends[series - 1])..<ends[series]
        if !zip(times[range], times[range].dropFirst()).allSatisfy({ $0 <= $1 }) {
            var (ownTimes, ownValues) = (Array(times[range]), Array(values[range]))
            TimeOrder.sort(&ownTimes, &ownValues)
            times.replaceSubrange(range, with: ownTimes)
            values.replaceSubrange(range, with: ownValues)
        }
        return range
    }

    func withSamples(
        _ range: Range<Int>, _ body: (UnsafeBufferPointer<Milliseconds>, UnsafeBufferPointer<Double>) throws -> Void
    ) throws {
        try times.withUnsafeBufferPointer { times in
            try values.withUnsafeBufferPointer { values in
                try body(UnsafeBufferPointer(rebasing: times[range]), UnsafeBufferPointer(rebasing: values[range]))
            }
        }
    }
}
