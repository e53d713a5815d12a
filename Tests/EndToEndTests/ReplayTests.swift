import Foundation
import Glibc
import TestSupport
import Testing

/// Vehicles without vehicles: a file of events sent to the program, and a fleet within it.
@Suite(.serialized) struct ReplayTests {
    /// Totals since the start by route and type.
    private func totals(_ port: Int) async -> [String: Int] {
        let rows = await get("http://127.0.0.1:\(port)/api/v1/traffic/total?day=2026-02-16").object["rows"] as? [[String: Any]] ?? []
        var events: [String: Int] = [:]
        for row in rows {
            events["\(row["route"] ?? "") \(row["vehicleType"] ?? "")", default: 0] += (row["events"] as? NSNumber)?.intValue ?? 0
        }
        return events
    }

    @Test func aFileMayBeReplayedAgain() async throws {
        let folder = try TemporaryFolder()
        let port = freePort()
        let file = folder.path + "/day.ndjson"
        let simulated = try Program.run([
            "simulate", "vehicles", "--vehicles", "20", "--start", "2026-02-16T10:00:00Z", "--duration", "15m", "--malformed", "0.01",
            "--out", file,
        ])
        #expect(simulated.code == 0, "\(simulated)")
        // Blank lines and Windows' line ends do no harm.
        let lines = try String(contentsOfFile: file, encoding: .isoLatin1).split(separator: "\n")
        try (lines.joined(separator: "\r\n\n  \n")).write(toFile: file, atomically: true, encoding: .isoLatin1)
        let almanac = try Server(
            Program.path, ["run", "--data", folder.path + "/data", "--listen", "127.0.0.1:\(port)"], output: folder.path + "/run.log",
            environment: ["ALMANAC_COLLECT_HOST_ENABLED": "false"])
        try await eventually("it is ready") { await get("http://127.0.0.1:\(port)/-/ready").code == 200 }
        func replay(_ more: [String]) throws -> String {
            let replay = try Program.run(["replay", file, "--post", "http://127.0.0.1:\(port)/api/v1/traffic/events"] + more)
            #expect(replay.code == 0, "\(replay)")
            return replay.output
        }
        let told = try replay([])
        #expect(told.contains("\(lines.count) lines in") && told.contains("refused: they are dead letters"), "\(told)")
        var first: [String: Int] = [:]
        try await eventually("the totals hold still") {
            let now = await totals(port)
            defer { first = now }
            return !now.isEmpty && now == first && now.values.reduce(0, +) > lines.count * 9 / 10
        }
        _ = try replay(["--speed", "3600", "--batch", "100"])
        #expect(await totals(port) == first)
        #expect(almanac.end(SIGTERM) == 0)
    }

    @Test func whatCannotBeReadIsSaid() throws {
        let folder = try TemporaryFolder()
        let absent = try Program.run(["replay", folder.path + "/absent"])
        #expect(absent.code == 1 && absent.error.contains("cannot be read"), "\(absent)")
        let file = folder.path + "/long"
        try ("{}\n" + String(repeating: "x", count: 3 << 20)).write(toFile: file, atomically: true, encoding: .utf8)
        let long = try Program.run(["replay", file])
        #expect(long.code == 1 && long.error.contains("long:2: the line is longer"), "\(long)")
        let speed = try Program.run(["replay", file, "--speed", "soon"])
        #expect(speed.code == 64 && speed.error.contains("--speed soon"), "\(speed)")
    }

    @Test func oneCommandAnswersTotalWindowAndPoint() async throws {
        let folder = try TemporaryFolder()
        let port = freePort()
        let almanac = try Server(
            Program.path, ["run", "--simulate", "60", "--data", folder.path + "/data", "--listen", "127.0.0.1:\(port)"],
            output: folder.path + "/run.log", environment: ["ALMANAC_COLLECT_HOST_ENABLED": "false"])
        func rows(_ path: String, _ name: String) async -> Int {
            (await get("http://127.0.0.1:\(port)/api/v1/traffic/\(path)").object[name] as? [Any])?.count ?? 0
        }
        try await eventually("total, window and point are answered; \(almanac.printed.suffix(500))", within: 60) {
            let (totals, windows, visits) = (await rows("total", "rows"), await rows("window", "windows"), await rows("poi", "visits"))
            return totals > 0 && windows > 0 && visits > 0
        }
        #expect(almanac.end(SIGTERM) == 0, "\(almanac.printed.suffix(500))")
    }
}
