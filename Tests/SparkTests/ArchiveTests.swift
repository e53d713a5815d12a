#if Spark
    import Foundation
    import Glibc
    import TestSupport
    import Testing

    extension SparkProgramTests {
        /// An archive that the product wrote: it scrapes itself, and seals what it has every ten seconds. Returns the folder of its data.
        static func archive(_ folder: TemporaryDirectory) async throws -> String {
            let port = freePort()
            let data = folder.file("data")
            let config = try folder.write(
                """
                data: \(data)
                listen: 127.0.0.1:\(port)
                store: {history_interval: 1s}
                collect:
                  host: {enabled: false}
                  scrape: [{job: self, targets: ["127.0.0.1:\(port)"], interval: 500ms, timeout: 500ms}]
                analyze: {interval: 1s, windows: [10s], allowed_lateness: 1s, chunk_span: 10s, idle_timeout: 5s, forecast: {metrics: [none]}}
                """, to: "almanac.yaml")
            let server = try ServerProcess(
                program, ["run", "--config", config], output: folder.file("run"), directory: folder.path,
                environment: ["ALMANAC_CONFIG": ""])
            try await eventually("three chunks of each series are there: \(folder.read("run"))", within: 180, every: .seconds(1)) {
                guard server.isRunning else { return true }
                let look = try run(
                    ["backfill", "--input", "sqlite:\(data)/almanac.db", "--output", "files:look", "--state", UUID().uuidString] + short,
                    folder)
                let samples = look.printed.split(separator: " parts, ").last?.prefix { $0.isNumber } ?? ""
                return (Int(samples) ?? 0) > 10_000
            }
            #expect(server.end(SIGTERM) == 0, "\(server.printed)")
            return data
        }

        private static let short = ["--windows", "10s,30s", "--every", "1s", "--profiles", "10s", "--quantiles"]

        private static func parts(_ path: String) throws -> [String: Data] {
            let names = try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(".tsv") }
            return try Dictionary(uniqueKeysWithValues: names.map { ($0, try Data(contentsOf: URL(fileURLWithPath: "\(path)/\($0)"))) })
        }

        /// The product's own archive: file by file the same bytes, also when the job is ended in between.
        @Test(.timeLimit(.minutes(10))) func theArchiveGivesTheSameFilesOnSpark() async throws {
            let folder = try TemporaryDirectory()
            let data = try await Self.archive(folder)
            let local = try Self.run(["backfill", "--input", "sqlite:\(data)/almanac.db", "--output", "files:local"] + Self.short, folder)
            try #require(local.code == 0, "\(local.printed)")
            let expected = try Self.parts(folder.file("local"))
            #expect(expected.count == 64 && expected.values.reduce(0) { $0 + $1.count } > 1_000_000)

            let server = try await Self.server()
            defer { server.kill() }
            // As the configuration's store, ended by a signal on the way.
            let arguments =
                ["backfill", "--spark", server.address, "--input", "store", "--config", "almanac.yaml", "--output", "files:spark"]
                + Self.short
            let process = try ServerProcess(
                Self.program, arguments, output: folder.file("first"), directory: folder.path, environment: ["ALMANAC_CONFIG": ""])
            try await eventually("some parts are done", within: 200) {
                !process.isRunning || folder.read("spark/.state/journal.jsonl").split(separator: "\n").count > 4
            }
            #expect(process.end(SIGINT) == 1 && process.printed.contains("goes on from there"), "\(process.printed)")
            let rest = try Self.run(arguments, folder)
            try #require(rest.code == 0, "\(rest.printed)")
            let found = try Self.parts(folder.file("spark"))
            #expect(Set(found.keys) == Set(expected.keys))
            for (name, bytes) in expected { #expect(found[name] == bytes, "\(name) differs") }
            // Both tell the same counts.
            let counts = local.printed.split(separator: " results, ").first
            #expect(counts?.hasPrefix("64 parts, ") == true && rest.printed.contains(counts ?? "?"), "\(local.printed) \(rest.printed)")

            // Some series, which stay with Spark.
            let kept = try Self.run(
                [
                    "backfill", "--spark", server.address, "--input", "sqlite:\(data)/almanac.db", "--match", "{__name__=\"up\"}",
                    "--output",
                    "spark:\(folder.file("table"))",
                ] + Self.short, folder)
            #expect(kept.code == 0 && kept.printed.contains("64 parts, "), "\(kept.printed)")
            let folders = try FileManager.default.contentsOfDirectory(atPath: folder.file("table"))
            #expect(folders.count == 1 && folders[0].hasPrefix("bucket="), "\(folders)")

            // What cannot be reached is told.
            func failure(_ input: String, _ more: [String] = []) throws -> String {
                let ended = try Self.run(
                    ["backfill", "--spark", server.address, "--input", input, "--output", "files:\(UUID().uuidString)"] + more, folder)
                #expect(ended.code == 1, "\(input): \(ended.printed)")
                return ended.printed
            }
            #expect(try failure("sqlite:/no/such/file.db").contains("/no/such/file.db cannot be read"))
            #expect(try failure("prometheus:http://127.0.0.1:1").contains("read by this machine alone"))
            let absent = try failure("sqlite:\(data)/almanac.db", ["--transform-command", "no-such-program"])
            #expect(absent.contains("the executors have no such command"), "\(absent)")
        }
    }
#endif
