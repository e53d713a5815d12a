import Foundation
import Glibc
import Storage
import TestSupport
import Testing
import TrafficTruth

/// A simulated fleet posts to the program, which is killed again and again: every total, window and visit is the simulation's truth.
@Suite(.serialized) struct TrafficCrashTests {
    @Test func killedWhileVehiclesReportItEndsWithTheTruth() async throws {
        let folder = try TemporaryFolder()
        let port = freePort()
        let seed = UInt64.random(in: 1...1_000_000)
        var random = SplitMix64(seed: seed)
        let arguments = ["run", "--data", folder.path + "/data", "--listen", "127.0.0.1:\(port)"]
        let environment = ["ALMANAC_COLLECT_HOST_ENABLED": "false"]
        func start() throws -> Server {
            try Server(Program.path, arguments, output: folder.path + "/run.log", environment: environment)
        }
        var almanac = try start()
        try await eventually("it is ready") { await get("http://127.0.0.1:\(port)/-/ready").code == 200 }
        let simulator = try Server(
            Program.path,
            [
                "simulate", "vehicles", "--post", "http://127.0.0.1:\(port)/api/v1/traffic/events", "--truth",
                folder.path + "/truth.ndjson",
                "--seed", "\(seed)", "--vehicles", "80", "--interval", "20s", "--start", "2026-02-16T22:30:00Z", "--duration", "2h",
                "--speed", "max", "--batch", "500", "--duplicates", "0.03", "--disorder", "0.1", "--late", "0.03", "--too-late", "0.01",
                "--malformed", "0.02",
            ], output: folder.path + "/simulate.log")
        for _ in 0..<4 {
            try await Task.sleep(for: .milliseconds(Int(random.next() % 2_000)))
            #expect(almanac.end(SIGKILL) != 0)
            almanac = try start()
        }
        try await eventually("all is sent, seed \(seed): \(simulator.printed.suffix(300))", within: 180) { !simulator.isRunning }
        #expect(simulator.end(SIGTERM) == 0, "seed \(seed): \(simulator.printed.suffix(500))")
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.path + "/truth.ndjson")))
        let truth = try TruthComparison.rows(ofTruth: bytes)
        // The last window is given when the partition is idle, after all that came before.
        let last = truth.rows.compactMap { $0.hasPrefix("window") ? Int64($0.split(separator: " ")[1]) : nil }.max() ?? 0
        try await eventually("the last window is given, seed \(seed)", within: 120) {
            let windows = await get("http://127.0.0.1:\(port)/api/v1/traffic/window").object["windows"] as? [[String: Any]]
            return (windows?.first?["timeMs"] as? NSNumber)?.int64Value == last
        }
        // What is shown comes from the topic; a busy machine's store may be a little behind.
        let store = try SQLiteStore(SQLiteStoreOptions(path: folder.path + "/data/almanac.db"))
        var stored: Set<String> = []
        try await eventually("the store has it, seed \(seed)", within: 60) {
            stored = try await TruthComparison.rows(of: store, open: truth.open)
            return stored == truth.rows
        }
        await store.close()
        #expect(almanac.end(SIGTERM) == 0, "\(almanac.printed.suffix(500))")
        let isTruth = stored == truth.rows
        #expect(isTruth, "seed \(seed): \(TruthComparison.difference(stored, truth.rows))")
        #expect(truth.rows.count > 5_000)
    }
}
