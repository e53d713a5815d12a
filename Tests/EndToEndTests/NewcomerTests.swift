import Foundation
import TestSupport
import Testing

/// `almanac run` with nothing configured, as the first thing that a newcomer does.
@Suite(.serialized) struct NewcomerTests {
    /// A program on a free port in a folder of its own.
    struct Instance {
        let folder: TemporaryFolder
        let port: Int
        let server: Server
        var url: String { "http://127.0.0.1:\(port)" }

        init(_ configuration: String? = nil) throws {
            folder = try TemporaryFolder()
            port = freePort()
            var arguments = ["run"]
            if let configuration {
                try configuration.write(toFile: folder.path + "/almanac.yaml", atomically: true, encoding: .utf8)
                arguments += ["--config", folder.path + "/almanac.yaml"]
            }
            server = try Server(
                Program.path, arguments, output: folder.path + "/out.log",
                environment: ["ALMANAC_LISTEN": "127.0.0.1:\(port)", "ALMANAC_DATA": folder.path + "/data"])
        }
    }

    static let originalPaths = [
        "/all_metrics", "/autocorrelation_stationarity_seasonality_metadata", "/max_min_avg_std_metric", "/prediction_of_metric_values",
    ]

    @Test func theMachineInFrontShowsOnAllPathsWithinAMinuteAndItEndsInOrder() async throws {
        let instance = try Instance("collect: {interval: 2s, host: {enabled: true, interval: 2s}}\nanalyze: {interval: 1s}\n")
        try await eventually("ready: \(instance.server.printed)") { await get(instance.url + "/-/ready").code == 200 }
        for path in Self.originalPaths {
            try await eventually("\(path) tells of node_load1: \(instance.server.printed)") {
                await get(instance.url + path).text.contains("node_load1")
            }
        }
        #expect(await get(instance.url + "/", accept: "text/html").text.contains("<html"))
        #expect(await get(instance.url + "/", accept: "application/json").object["name"] as? String != nil)
        #expect(await get(instance.url + "/api/v1/series?metric=node_load1").text.contains("node_load1"))
        #expect(await get(instance.url + "/-/healthy").code == 200)
        #expect(await get(instance.url + "/openapi.json").object["openapi"] != nil)
        let missing = await get(instance.url + "/nothing")
        #expect(missing.code == 404 && missing.object["title"] != nil)
        let started = ContinuousClock.now
        #expect(instance.server.end(SIGTERM) == 0, "\(instance.server.printed)")
        #expect(ContinuousClock.now - started < .seconds(10))
        #expect(!instance.server.printed.contains("Fatal"))
        for name in ["time_metadata", "time_value", "time_predict"] {
            let line = try String(contentsOfFile: instance.folder.path + "/data/logs/\(name).log", encoding: .utf8)
            #expect(line.contains(" - \(name) - INFO - "))
        }
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/promtool"), "promtool is not installed (Debian: prometheus)"))
    func promtoolAcceptsWhatItShows() async throws {
        let instance = try Instance()
        try await eventually("ready") { await get(instance.url + "/-/ready").code == 200 }
        let page = await get(instance.url + "/metrics")
        let file = instance.folder.path + "/page.txt"
        try page.body.write(to: URL(fileURLWithPath: file))
        let promtool = Process()
        promtool.executableURL = URL(fileURLWithPath: "/usr/bin/promtool")
        promtool.arguments = ["check", "metrics"]
        promtool.standardInput = FileHandle(forReadingAtPath: file)
        let complaint = try instance.folder.file("complaint")
        promtool.standardError = complaint
        promtool.standardOutput = complaint
        try promtool.run()
        promtool.waitUntilExit()
        #expect(promtool.terminationStatus == 0, "\(instance.folder.read("complaint"))")
    }

    @Test func aTakenPortAndAnUsedFolderAreOneClearLine() async throws {
        let instance = try Instance()
        try await eventually("ready") { await get(instance.url + "/-/ready").code == 200 }
        let samePort = try Program.run(
            ["run"], environment: ["ALMANAC_LISTEN": "127.0.0.1:\(instance.port)", "ALMANAC_DATA": instance.folder.path + "/other"])
        #expect(samePort.code == 1 && samePort.error.contains("\(instance.port)"), "\(samePort)")
        #expect(!samePort.error.contains("Fatal"))
        let sameFolder = try Program.run(
            ["run"], environment: ["ALMANAC_LISTEN": "127.0.0.1:\(freePort())", "ALMANAC_DATA": instance.folder.path + "/data"])
        #expect(sameFolder.code == 1 && sameFolder.error.contains("in use"), "\(sameFolder)")
        let noFolder = try Program.run(
            ["run"], environment: ["ALMANAC_LISTEN": "127.0.0.1:\(freePort())", "ALMANAC_DATA": "/proc/nothing"])
        #expect(noFolder.code == 1 && noFolder.error.contains("/proc/nothing"), "\(noFolder)")
        let open = try Program.run(
            ["run"], environment: ["ALMANAC_LISTEN": "0.0.0.0:\(freePort())", "ALMANAC_DATA": instance.folder.path + "/third"])
        #expect(open.code == 1 && open.error.contains("token"), "\(open)")
    }

    @Test func describeTellsOfAFileAndTheSameAsJSON() throws {
        var csv = "value\n"
        for i in 0..<500 { csv += "\(50 + 10 * sin(Double(i) / 20) + Double((i * 7919) % 13) / 10)\n" }
        let text = try Program.run(["describe", "-"], input: csv)
        #expect(text.code == 0, "\(text.error)")
        for word in ["500", "ADF", "KPSS"] { #expect(text.output.contains(word), "\(word) in \(text.output)") }
        let json = try Program.run(["describe", "--json", "-"], input: csv)
        #expect(json.code == 0)
        #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(json.output.utf8)) }
        #expect(!json.output.contains("nan"))
        let odd = try Program.run(["describe", "-"], input: "value\n1\nzebra\n")
        #expect((odd.output + odd.error).contains("line 3 \"zebra\" is not a number"), "\(odd)")
        let empty = try Program.run(["describe", "-"], input: "")
        #expect(empty.code != 0 && !empty.error.isEmpty, "\(empty)")
    }

    @Test func helpVersionAndCheck() throws {
        for command in [[], ["run"], ["exporter"], ["check"], ["describe"], ["version"]] {
            let help = try Program.run(command + ["--help"])
            #expect(help.code == 0 && help.output.contains("USAGE"), "\(command)")
        }
        #expect(try Program.run(["version"]).output.contains("0.1.0"))
        let folder = try TemporaryFolder()
        try "analyze:\n  intervall: 15s\nlisten: nowhere\n".write(toFile: folder.path + "/bad.yaml", atomically: true, encoding: .utf8)
        let check = try Program.run(["check", folder.path + "/bad.yaml"])
        let printed = check.output + check.error
        #expect(check.code == 1 && printed.contains(":2:") && printed.contains(":3:") && printed.contains("interval"), "\(printed)")
    }
}

extension NewcomerTests {
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/promtool"), "promtool is not installed (Debian: prometheus)"))
    func theExporterAloneServesItsPage() async throws {
        let folder = try TemporaryFolder()
        let port = freePort()
        let server = try Server(Program.path, ["exporter", "--listen", "127.0.0.1:\(port)"], output: folder.path + "/out.log")
        try await eventually("the page: \(server.printed)") { await get("http://127.0.0.1:\(port)/metrics").code == 200 }
        let page = await get("http://127.0.0.1:\(port)/metrics").text
        #expect(page.contains("\nnode_load1 ") && page.contains("node_memory_MemTotal_bytes"), "\(page.prefix(500))")
        #expect(server.end(SIGTERM) == 0)
    }
}
