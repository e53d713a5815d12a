import Foundation
import History
import Synchronization
import TestSupport
import Testing
import TimeSeries

@testable import Backfilling

/// A sink that fails at the n-th commit, as a full disk would.
private final class FailingSink: HistorySink {
    private let inner: FilesSink
    private let left: Atomic<Int>

    init(_ inner: FilesSink, after commits: Int) {
        self.inner = inner
        left = Atomic(commits)
    }

    func open(part: Int) async throws -> any HistoryPartSink { Part(try await inner.open(part: part), self) }
    func finish() async throws {}
    func close() async {}

    private final class Part: HistoryPartSink {
        let inner: any HistoryPartSink
        let sink: FailingSink

        init(_ inner: any HistoryPartSink, _ sink: FailingSink) {
            self.inner = inner
            self.sink = sink
        }

        func append(_ lines: [UInt8], types: [Fingerprint: MetricType]) async throws { try await inner.append(lines, types: types) }

        func commit() async throws {
            if sink.left.subtract(1, ordering: .relaxed).oldValue <= 0 { throw BackfillError(.unavailable, "no space") }
            try await inner.commit()
        }

        func discard() async { await inner.discard() }
    }
}

@Suite struct LocalBackfillTests {
    private static let set = SampleSet(seed: 1, series: 24, samples: 1_500)

    private func job(_ text: String, _ name: String = "in.csv") throws -> FileJob {
        let folder = try TemporaryDirectory()
        return FileJob(folder: folder, input: try folder.write(text, to: name))
    }

    @Test func mixedRowsGiveTheLinesOfTheirSeries() async throws {
        let job = try job(LocalBackfillTests.set.csv(seed: 4))
        let summary = try await job.run()
        let expected = try LocalBackfillTests.set.expected()
        #expect(try PartFolder(job.out).lines == expected)
        #expect(summary.samples == 24 * 1_500 && summary.lines == expected.count)
    }

    @Test func transformsOwnFormGivesTheSame() async throws {
        let job = try job(LocalBackfillTests.set.tsv, "in.tsv")
        _ = try await job.run()
        #expect(try PartFolder(job.out).lines == LocalBackfillTests.set.expected())
    }

    /// Large enough for several buckets and stretches.
    private static let large: (text: String, set: SampleSet) = {
        let set = SampleSet(seed: 2, series: 30, samples: 9_000)
        return (set.csv(seed: 5), set)
    }()

    @Test func neitherWorkersNorMemoryChangeAByte() async throws {
        var first: [String: [UInt8]]?
        for (jobs, memory) in [(1, Int.max), (3, Int.max), (1, 0), (4, 0)] {
            var job = try job(LocalBackfillTests.large.text)
            job.options.profiles = nil
            job.jobs = jobs
            job.memoryBytes = memory
            _ = try await job.run()
            let files = try PartFolder(job.out).files
            #expect(files.count > 2)
            if let first { #expect(files == first, "\(jobs) jobs, memory \(memory)") }
            first = first ?? files
        }
    }

    @Test(arguments: [0, Int.max])
    func goesOnAfterFailuresToTheSameBytes(memory: Int) async throws {
        var whole = try job(LocalBackfillTests.large.text)
        whole.options.profiles = nil
        whole.memoryBytes = memory
        _ = try await whole.run()
        let expected = try PartFolder(whole.out).files
        var broken = FileJob(folder: whole.folder, input: whole.input, options: whole.options, jobs: 1, memoryBytes: memory, state: "other")
        let other = whole.folder.file("broken")
        var failures = 0
        while true {
            do {
                _ = try await broken.run(sink: FailingSink(FilesSink(directory: other), after: 1))
                break
            } catch let error as BackfillError {
                #expect(error.message == "no space")
                failures += 1
                try #require(failures < 20)
            }
            broken.jobs = 1 + failures % 3
        }
        #expect(failures >= 2)
        #expect(try PartFolder(other).files == expected)
    }

    @Test func badRowsNameTheirPlace() async throws {
        var rows = LocalBackfillTests.set.csv(seed: 6).split(separator: "\n").map(String.init)
        rows.insert("up,yesterday,1", at: 20_000)
        rows.insert("\"up{\",1700000000000,1", at: 30_000)
        var job = try job(rows.joined(separator: "\n"))
        job.jobs = 1
        let error = await #expect(throws: BackfillError.self) { _ = try await job.run() }
        #expect(error?.message.hasPrefix("\(job.input):20001: 'yesterday' is not a time") == true, "\(error?.message ?? "")")
        var lenient = FileJob(folder: job.folder, input: job.input, badRows: .skip, state: "lenient")
        lenient.jobs = 2
        let summary = try await lenient.run()
        #expect(summary.badRows == 2)
        #expect(try PartFolder(job.out).lines == LocalBackfillTests.set.expected())
    }

    @Test func filesOfOneSeriesAreNamedAfterTheFile() async throws {
        let folder = try TemporaryDirectory()
        try FileSystem.makeDirectory(folder.file("in/deep"))
        try folder.write("timestamp,value\n2026-01-01 00:00:00,1\n2026-01-01 00:10:00,3\n2026-01-01 00:05:00,2\n", to: "in/cpu-load.csv")
        try folder.write("value\n1\n2\n\n4\n", to: "in/deep/plain.csv")
        var job = FileJob(folder: folder, input: folder.file("in"))
        job.options.windows = [86_400_000]
        job.options.every = 86_400_000
        job.options.profiles = nil
        let summary = try await job.run()
        let lines = try PartFolder(job.out).lines
        #expect(summary.parts == 2)
        #expect(
            lines == [
                "windows\tcpu_load{file=\"cpu-load\"}\t1767225600000\t86400000\t1\t1.0\t1.0\t1.0\t\\N\t\\N\t\\N\t\\N\t\\N",
                "windows\tcpu_load{file=\"cpu-load\"}\t1767312000000\t86400000\t2\t2.0\t3.0\t2.5\t0.7071067811865476\t\\N\t\\N\t\\N\t\\N",
                "windows\tplain{folder=\"deep\"}\t0\t86400000\t1\t1.0\t1.0\t1.0\t\\N\t\\N\t\\N\t\\N\t\\N",
                "windows\tplain{folder=\"deep\"}\t86400000\t86400000\t2\t2.0\t4.0\t3.0\t1.4142135623730951\t\\N\t\\N\t\\N\t\\N",
            ], "\(lines.joined(separator: "\n"))")
    }

    @Test func ofTwoSamplesOfOneTimeTheFirstRowCounts() async throws {
        let rows = (0..<200).map { "up,\(1_700_000_000_000 + $0 % 100),\($0 < 100 ? 1 : 2)" }
        var job = try job("series,time,value\n" + rows.joined(separator: "\n"))
        job.options.windows = [300_000]
        job.options.profiles = nil
        _ = try await job.run()
        let lines = try PartFolder(job.out).lines
        #expect(lines.count == 1 && lines[0].contains("\t100\t1.0\t1.0\t1.0\t0.0"), "\(lines)")
    }

    @Test func aJobThatWasDoneSaysSoAndMissesItsOutput() async throws {
        let job = try job(LocalBackfillTests.set.csv(seed: 4))
        #expect(try await job.run().wasDone == false)
        #expect(try await job.run().wasDone)
        try FileManager.default.removeItem(atPath: "\(job.out)/part-00000.tsv")
        let error = await #expect(throws: BackfillError.self) { _ = try await job.run() }
        #expect(error?.message.contains("part-00000.tsv is gone") == true, "\(error?.message ?? "")")
    }

    @Test func anotherFileOfTheSameSizeIsAnotherJob() async throws {
        let job = try job("time,value\n1700000000,1\n1700000060,2\n")
        _ = try await job.run()
        _ = try job.folder.write("time,value\n1700000000,1\n1700000060,3\n", to: "in.csv")
        let error = await #expect(throws: BackfillError.self) { _ = try await job.run() }
        #expect(error?.code == .otherJob, "\(error?.message ?? "")")
    }

    @Test func aFileThatIsCutMeanwhileIsAnError() throws {
        let folder = try TemporaryDirectory()
        let file = try LineFile(try folder.write("a,1\nb,2\n", to: "in.csv"))
        var (buffer, skip) = ([UInt8](), 0)
        let error = #expect(throws: BackfillError.self) { _ = try file.lines(in: 8..<20, isLineStart: false, into: &buffer, skip: &skip) }
        #expect(error?.message.contains("became shorter") == true)
    }

    @Test func unnamedColumnsAndFilesThatAreNoText() async throws {
        let job = try job("time,value,\n1700000001,1,zz\n")
        #expect(try await job.run().samples == 1)
        let folder = try TemporaryDirectory()
        for (bytes, word) in [([0x1F, 0x8B, 8, 0], "gzip"), ([0xFF, 0xFE, 0x41, 0], "UTF-16"), ([0x50, 0x41, 0x52, 0x31], "Parquet")]
            as [([UInt8], String)]
        {
            let path = folder.file("x.csv")
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            let error = #expect(throws: BackfillError.self) { _ = try InputFiles.find(path) }
            #expect(error?.message.contains(word) == true, "\(error?.message ?? "")")
        }
    }

    @Test func headersThatMakeNoSense() throws {
        let folder = try TemporaryDirectory()
        for (text, word) in [
            ("time,value,host,host\n1700000000,1,a,b\n", "'host' twice"), ("time,value,value\n1,2,3\n", "'value' twice"),
            ("time,value," + String(repeating: "label", count: 20_000) + "\n1,2,3\n", "longer than 64 KiB"),
        ] {
            let path = try folder.write(text, to: "x.csv")
            let error = #expect(throws: BackfillError.self) { _ = try InputFiles.find(path) }
            #expect(error?.code == .usage && error?.message.contains(word) == true, "\(error?.message ?? "")")
        }
    }

    /// Neither waited for nor passed over.
    @Test(.timeLimit(.minutes(1))) func pipesAreRefusedByName() throws {
        let folder = try TemporaryDirectory()
        try folder.write("time,value\n1700000000,1\n", to: "a.csv")
        #expect(mkfifo(folder.file("b.csv"), 0o600) == 0)
        for input in [folder.path, folder.file("b.csv")] {
            let error = #expect(throws: BackfillError.self) { _ = try InputFiles.find(input) }
            #expect(error?.message.contains("b.csv is no file") == true, "\(error?.message ?? "")")
        }
    }

    @Test func outputWithinTheInputIsRefused() throws {
        let folder = try TemporaryDirectory()
        try FileSystem.makeDirectory(folder.file("in/deep"))
        try folder.write("time,value\n1700000000,1\n", to: "in/a.csv")
        try FileManager.default.createSymbolicLink(atPath: folder.file("link"), withDestinationPath: folder.file("in/deep"))
        func open(_ output: String) throws -> any HistoryInput {
            try FilesInput.open(
                folder.file("in"), filter: SeriesFilter([]), badRows: BadRowReport(.fail), grid: nil, directory: folder.file("state"),
                output: folder.file(output))
        }
        for output in ["in", "in/", "in/out", "in/deep/out/more", "link/out", "in/../in/x"] {
            let error = #expect(throws: BackfillError.self) { _ = try open(output) }
            #expect(error?.message.contains("lies in the input") == true, "\(output): \(error?.message ?? "")")
        }
        for output in ["out", "input", "in2/x"] { #expect(throws: Never.self) { _ = try open(output) } }
    }

    @Test func otherValuesOfATimeAreCounted() async throws {
        let job = try job("series,time,value\nup,1700000000,1\nup,1700000000,2\nup,1700000000,1\nup,1700000060,3\nup,1700000060,3\n")
        #expect(try await job.run().conflicts == 1)
        // Of a job that goes on, too.
        #expect(try await job.run().conflicts == 1)
    }

    @Test func progressTellsPartsAndTime() {
        let progress = BackfillProgress()
        progress.begin(sizes: [10, 10, 20], done: [0])
        progress.add(samples: 5_000_000)
        progress.finishPart(size: 10)
        let text = progress.snapshot.text(elapsedSeconds: 2, barWidth: 10)
        #expect(text == "[#####.....] 50% 2/3 parts, 5.0 M samples, 2.5 M samples/s, 4 s left", "\(text)")
    }
}
