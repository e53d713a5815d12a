import History
import Records
import TimeSeries

/// Where the samples of a local job come from, divided into parts with stable numbers.
package protocol HistoryInput: Sendable {
    /// What the journal must know of it: the same input gives the same parts.
    var details: [(name: String, value: String)] { get }

    /// Work before the first part can be read, such as sorting rows into buckets; done again after a crash unless the journal says that it is
    /// complete. Returns the size of each part, in any unit: what the remaining time is reckoned by.
    func prepare(_ context: BackfillContext) async throws -> [Int]

    /// Gives a part's series, sorted by the bytes of their text, the samples of each in order of time.
    func read(part: Int, into analysis: PartAnalysis) async throws

    /// All parts are done: what was made for the way goes.
    func finish() async
}

extension HistoryInput {
    package func prepare(_ context: BackfillContext) async throws -> [Int] { [] }
    package func finish() async {}
}

/// What all of a job share.
package struct BackfillContext: Sendable {
    package let job: BackfillJob
    package let journal: Journal
    /// Workers.
    package let jobs: Int
    package let badRows: BadRowReport
    package let progress: BackfillProgress
    /// The state folder.
    package let directory: String

    package init(job: BackfillJob, journal: Journal, jobs: Int, badRows: BadRowReport, progress: BackfillProgress, directory: String) {
        self.job = job
        self.journal = journal
        self.jobs = max(1, jobs)
        self.badRows = badRows
        self.progress = progress
        self.directory = directory
    }
}

/// The analysis of one part: series go in, lines go to its output. Used by one task.
package final class PartAnalysis {
    private let output: any HistoryPartSink
    private let progress: BackfillProgress
    private var analysis: SeriesAnalysis
    private var writer = TransformWriter()
    private var types: [Fingerprint: MetricType] = [:]
    package private(set) var samples = 0
    package var lines: Int { analysis.lines }
    /// Samples of a time that had another value before.
    package var conflicts: Int { analysis.conflicts }

    /// Bytes of lines given on in one go.
    private static let flushBytes = 256 << 10

    package init(options: HistoryOptions, output: any HistoryPartSink, progress: BackfillProgress) {
        analysis = SeriesAnalysis(options: options)
        self.output = output
        self.progress = progress
    }

    /// Begins a series.
    package func begin(_ key: SeriesKey, text: [UInt8]) {
        analysis.begin(ResolvedSeries(key: key, text: text))
        if MetricType.guess(name: key.labels.name) != key.type { types[key.id] = key.type }
    }

    /// Samples of the series, in order of time. Throws `HistoryOrderError`.
    package func add(times: UnsafeBufferPointer<Milliseconds>, values: UnsafeBufferPointer<Double>) throws(HistoryOrderError) {
        try analysis.add(times: times, values: values, into: &writer)
        samples += times.count
        progress.add(samples: times.count)
    }

    package func add(times: [Milliseconds], values: [Double]) throws(HistoryOrderError) {
        try analysis.add(times: times, values: values, into: &writer)
        samples += times.count
        progress.add(samples: times.count)
    }

    /// The series is whole.
    package func end() async throws {
        analysis.end(into: &writer)
        try await flush()
    }

    /// Gives lines on when there are enough of them.
    package func flush(atLeast bytes: Int = PartAnalysis.flushBytes) async throws {
        try Task.checkCancellation()
        if writer.bytes.count < max(1, bytes) { return }
        try await output.append(writer.bytes, types: types)
        writer.bytes.removeAll(keepingCapacity: true)
        types.removeAll(keepingCapacity: true)
    }
}
