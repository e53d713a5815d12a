import Foundation
import History
import Records
import TestSupport
import TimeSeries

@testable import Backfilling

/// Series with their samples, what a reference analysis gives of them, and files that hold them.
struct SampleSet {
    var series: [(labels: LabelSet, times: [Milliseconds], values: [Double])] = []

    init(seed: UInt64, series count: Int, samples: Int) {
        var generator = SplitMix64(seed: seed)
        for i in 0..<count {
            let name = i % 3 == 0 ? "requests_total" : "temperature"
            let labels = LabelSet(name: name, [Label("host", "h\(i)"), Label("odd", i % 4 == 0 ? "a,\"b\"\t\\c" : "x")])
            var time: Milliseconds = 1_700_000_000_000 + Int64.random(in: 0..<60_000, using: &generator)
            var value = 100.0
            var (times, values): ([Milliseconds], [Double]) = ([], [])
            for _ in 0..<samples {
                time += Int64.random(in: 0..<50, using: &generator) == 0 ? 4_000_000 : 15_000
                value += i % 3 == 0 ? Double(Int.random(in: 0...9, using: &generator)) : Double.random(in: -1...1, using: &generator)
                times.append(time)
                values.append(value)
            }
            series.append((labels, times, values))
        }
    }

    static var options: HistoryOptions {
        var options = HistoryOptions()
        options.windows = [600_000, 3_600_000]
        options.profiles = 7_200_000
        return options
    }

    /// Every line of results, sorted.
    func expected(_ options: HistoryOptions = SampleSet.options) throws -> [String] {
        var writer = TransformWriter()
        for one in series {
            var analysis = HistoryAnalysis(series: SeriesKey(labels: one.labels, type: .guess(name: one.labels.name)), options: options)
            var rows = HistoryRows()
            try analysis.add(times: one.times, values: one.values, into: &rows)
            analysis.finish(into: &rows)
            _ = rows.write(to: &writer, series: SeriesNotation.bytes(one.labels), windows: options.windows.count)
        }
        return SampleSet.lines(writer.bytes)
    }

    static func lines(_ bytes: [UInt8]) -> [String] {
        String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init).sorted()
    }

    /// Rows of all series, mixed, as `series,time,value`.
    func csv(seed: UInt64) -> String {
        var generator = SplitMix64(seed: seed)
        var rows: [String] = []
        for one in series {
            let key = String(decoding: SeriesNotation.bytes(one.labels), as: UTF8.self).replacing("\"", with: "\"\"")
            for (time, value) in zip(one.times, one.values) { rows.append("\"\(key)\",\(time),\(value)") }
        }
        rows.shuffle(using: &generator)
        return "series,time,value\n" + rows.joined(separator: "\n") + "\n"
    }

    /// Rows as `transform` reads them.
    var tsv: String {
        series.map { one in
            let key = String(decoding: SeriesNotation.bytes(one.labels), as: UTF8.self)
            return zip(one.times, one.values).map { "\(key)\t\($0)\t\($1)\n" }.joined()
        }.joined()
    }
}

/// All lines of a folder of parts, sorted; and the bytes of each file.
struct PartFolder {
    let files: [String: [UInt8]]

    init(_ path: String) throws {
        var files: [String: [UInt8]] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: path) where name.hasSuffix(".tsv") {
            files[name] = try FileSystem.read(path + "/" + name)
        }
        self.files = files
    }

    var lines: [String] { files.values.flatMap { SampleSet.lines($0) }.sorted() }
}

/// A job on files, run in a folder of its own.
struct FileJob {
    let folder: TemporaryDirectory
    let input: String
    var options = SampleSet.options
    var badRows = BadRows.fail
    var jobs = 2
    var memoryBytes = RowFilesInput.memoryBytes
    var state = "state"

    var out: String { folder.file("out") }

    func run(sink: (any HistorySink)? = nil) async throws -> BackfillSummary {
        var job = BackfillJob(input: input, output: "files:\(out)", options: options)
        let report = BadRowReport(badRows)
        let directory = folder.file(state)
        let files = try InputFiles.find(input)
        let filter = try SeriesFilter([])
        let reader: any HistoryInput =
            files.allSatisfy(\.layout.keys.isEmpty)
            ? SeriesFilesInput(files: files, grid: (0, 60_000), filter: filter, badRows: report)
            : RowFilesInput(files: files, filter: filter, directory: directory, memoryBytes: memoryBytes)
        job.details = reader.details
        let journal = try Journal.open(directory: directory, job: job)
        let context = BackfillContext(
            job: job, journal: journal, jobs: jobs, badRows: report, progress: BackfillProgress(), directory: directory)
        return try await LocalBackfill(context, input: reader, sink: try sink ?? FilesSink(directory: out)).run()
    }
}
