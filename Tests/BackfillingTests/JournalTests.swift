import History
import TestSupport
import Testing

@testable import Backfilling

@Suite struct JournalTests {
    private func job(every: Int64 = 300_000) -> BackfillJob {
        var options = HistoryOptions()
        options.every = every
        return BackfillJob(input: "in.csv", output: "files:out", options: options)
    }

    @Test func goesOnWhereItWas() throws {
        let folder = try TemporaryDirectory()
        do {
            let journal = try Journal.open(directory: folder.path, job: job())
            try journal.finish(part: 3, .init(samples: 10, lines: 6, badRows: 1))
            try journal.finish(stage: "spill", value: "8")
        }
        let journal = try Journal.open(directory: folder.path, job: job())
        #expect(journal.parts == [3: .init(samples: 10, lines: 6, badRows: 1)])
        #expect(journal.stage("spill") == "8" && !journal.isDone(part: 0))
    }

    @Test func refusesAnotherJobAndSaysWhy() throws {
        let folder = try TemporaryDirectory()
        do { _ = try Journal.open(directory: folder.path, job: job()) }
        let error = #expect(throws: BackfillError.self) { _ = try Journal.open(directory: folder.path, job: job(every: 60_000)) }
        #expect(error?.code == .otherJob && error?.message.contains("--every 1m") == true, "\(String(describing: error))")
    }

    @Test func oneProcessAtATime() throws {
        let folder = try TemporaryDirectory()
        let first = try Journal.open(directory: folder.path, job: job())
        let error = #expect(throws: BackfillError.self) { _ = try Journal.open(directory: folder.path, job: job()) }
        #expect(error?.message.contains("another process") == true)
        withExtendedLifetime(first) {}
    }

    /// Whatever byte a crash cut the file at, the parts before it count and the next start works.
    @Test func survivesACutAtAnyByte() throws {
        let folder = try TemporaryDirectory()
        let path = folder.path + "/journal.jsonl"
        do {
            let journal = try Journal.open(directory: folder.path, job: job())
            for part in 0..<3 { try journal.finish(part: part, .init(samples: part, lines: part)) }
        }
        let whole = try #require(try FileSystem.read(path))
        for length in 0...whole.count {
            try OutputFile(creating: path).write(Array(whole[..<length]))
            let journal = try Journal.open(directory: folder.path, job: job())
            let lines = whole[..<length].count { $0 == 0x0A }
            #expect(journal.parts.count == max(0, lines - 1), "cut at byte \(length)")
            try journal.finish(part: 7, .init(samples: 1, lines: 1))
        }
    }
}
