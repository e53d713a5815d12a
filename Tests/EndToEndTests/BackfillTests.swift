import Foundation
import Glibc
import TestSupport
import Testing

/// `almanac backfill` and `almanac transform` as programs.
@Suite(.serialized) struct BackfillTests {
    private static let files = 12

    /// Files of one series each.
    private static func makeInput(_ folder: TemporaryFolder) throws -> String {
        let input = folder.path + "/in"
        try FileManager.default.createDirectory(atPath: input, withIntermediateDirectories: true)
        var random = SplitMix64(seed: 17)
        for f in 0..<files {
            var text = "timestamp,value\n"
            var value = 50.0
            for i in 0..<2_500 {
                value += Double.random(in: -1...1, using: &random)
                text += "\(1_700_000_000 + i * 15),\((value * 1000).rounded() / 1000)\n"
            }
            try text.write(toFile: "\(input)/load_\(f).csv", atomically: true, encoding: .utf8)
        }
        return input
    }

    private static func arguments(_ input: String, _ output: String) -> [String] {
        [
            "backfill", "--input", input, "--output", "files:\(output)", "--windows", "10m,1h", "--profiles", "10m", "--quantiles",
            "--jobs", "2",
        ]
    }

    private static func parts(_ folder: String) throws -> [String: Data] {
        var parts: [String: Data] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) where name.hasPrefix("part-") {
            parts[name] = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)"))
        }
        return parts
    }

    private static func journalLines(_ output: String) -> Int {
        (try? Data(contentsOf: URL(fileURLWithPath: output + "/.state/journal.jsonl")))?.count { $0 == 0x0A } ?? 0
    }

    /// SIGKILL whenever another part is done; the end is the uninterrupted run's, byte for byte.
    @Test func killedAgainAndAgainItEndsInTheSameBytes() async throws {
        let folder = try TemporaryFolder()
        let input = try BackfillTests.makeInput(folder)
        let whole = try Program.run(BackfillTests.arguments(input, folder.path + "/whole"))
        #expect(whole.code == 0, "\(whole.error)")
        let expected = try BackfillTests.parts(folder.path + "/whole")
        #expect(expected.count == BackfillTests.files && expected.values.allSatisfy { $0.count > 50_000 })

        let output = folder.path + "/killed"
        var kills = 0
        var code: Int32 = -1
        while code != 0 {
            let before = BackfillTests.journalLines(output)
            let server = try Server(Program.path, BackfillTests.arguments(input, output), output: folder.path + "/log-\(kills)")
            while server.isRunning, BackfillTests.journalLines(output) <= before { usleep(2_000) }
            if server.isRunning, kills < 8 {
                server.kill(SIGKILL)
                kills += 1
                code = server.end(SIGKILL)
                continue
            }
            try await eventually("the last run ends", within: 300) { !server.isRunning }
            code = server.end(SIGTERM)
            try #require(code == 0, "\(server.printed)")
        }
        #expect(kills >= 3)
        let names = try FileManager.default.contentsOfDirectory(atPath: output).filter { $0.hasPrefix("part-") && !$0.hasSuffix(".tsv") }
        #expect(names.isEmpty, "left behind: \(names)")
        let parts = try BackfillTests.parts(output)
        #expect(parts == expected, "after \(kills) kills")
    }

    @Test func aSignalEndsItCleanly() async throws {
        let folder = try TemporaryFolder()
        let input = try BackfillTests.makeInput(folder)
        let output = folder.path + "/out"
        let server = try Server(Program.path, BackfillTests.arguments(input, output), output: folder.path + "/log")
        try await eventually("a part is done") { BackfillTests.journalLines(output) > 1 }
        #expect(server.end(SIGTERM) == 1)
        #expect(server.printed.contains("of 12 parts done; the same command goes on from there"), "\(server.printed)")
        let rest = try Program.run(BackfillTests.arguments(input, output))
        #expect(rest.code == 0 && rest.output.hasPrefix("12 parts, 30000 samples"), "\(rest)")
        let other = try Program.run(BackfillTests.arguments(input, output) + ["--every", "1m"])
        #expect(other.code == 1 && other.error.contains("is another: its options is"), "\(other.error)")
    }

    @Test func transformGivesTheSameLines() throws {
        let folder = try TemporaryFolder()
        let input = try BackfillTests.makeInput(folder)
        #expect(try Program.run(BackfillTests.arguments(input, folder.path + "/out")).code == 0)
        var rows = ""
        for f in (0..<BackfillTests.files).reversed() {
            for line in try String(contentsOfFile: "\(input)/load_\(f).csv", encoding: .utf8).split(separator: "\n").dropFirst() {
                let fields = line.split(separator: ",")
                rows += "load_\(f)\t\(fields[0])000\t\(fields[1])\n"
            }
        }
        let filtered = try Program.run(["transform", "--windows", "10m,1h", "--profiles", "10m", "--quantiles"], input: rows)
        #expect(filtered.code == 0 && filtered.error.isEmpty, "\(filtered.error)")
        let parts = try BackfillTests.parts(folder.path + "/out").values.flatMap {
            String(decoding: $0, as: UTF8.self).split(separator: "\n")
        }
        #expect(filtered.output.split(separator: "\n").sorted() == parts.sorted())
    }

    @Test func transformRefusesWhatItWasNotPromised() throws {
        let bad = try Program.run(["transform"], input: "a\t1000\t1\na\tsoon\t1\n")
        #expect(bad.code == 65 && bad.error.hasPrefix("line 2: 'soon' is not a time"), "\(bad)")
        let unsorted = try Program.run(["transform", "--bad-rows", "skip"], input: "a\t2000\t1\na\t1000\t1\n")
        #expect(unsorted.code == 65 && unsorted.error.hasPrefix("line 2: the time 1000 is before 2000"), "\(unsorted)")
        let skipped = try Program.run(["transform", "--bad-rows", "skip"], input: "a\t1000\t1\na\tsoon\t1\n")
        #expect(skipped.code == 0 && skipped.error.hasPrefix("1 bad row left out: line 2"), "\(skipped)")
        let empty = try Program.run(["transform"], input: "")
        #expect(empty.code == 0 && empty.output.isEmpty && empty.error.isEmpty)
    }

    @Test func resultsGoIntoTheStoreAndOutOfItsArchive() throws {
        let folder = try TemporaryFolder()
        let input = try BackfillTests.makeInput(folder)
        let data = ["--set", "data=\(folder.path)/data"]
        let stored = try Program.run(
            ["backfill", "--input", input, "--output", "store", "--state", folder.path + "/state", "--profiles", "none"] + data)
        #expect(stored.code == 0, "\(stored.error)")
        #expect(FileManager.default.fileExists(atPath: folder.path + "/data/almanac.db"))
        // The archive of raw samples is empty: nothing to analyse, and no error.
        let archive = try Program.run([
            "backfill", "--input", "sqlite:\(folder.path)/data/almanac.db", "--output", "files:\(folder.path)/again",
        ])
        #expect(archive.code == 0 && archive.output.contains(" 0 samples"), "\(archive)")
    }

    @Test(arguments: [
        (["--output", "files:x", "--input", "/no/such/file.csv"], "cannot be read"),
        (["--output", "nowhere", "--input", "x"], "files:DIR, store or topic"),
        (["--output", "files:x", "--input", "x", "--match", "{a"], "--match"),
        (["--output", "files:x", "--input", "x", "--windows", "1h,1h"], "--windows"),
        (["--output", "files:x", "--input", "prometheus:http://127.0.0.1:1"], "--from and --to"),
    ])
    func mistakesSayWhatToDo(_ arguments: [String], _ message: String) throws {
        let folder = try TemporaryFolder()
        let result = try Program.run(["backfill", "--state", folder.path + "/state"] + arguments)
        #expect(result.code != 0 && result.error.contains(message), "\(result.error)")
    }
}
