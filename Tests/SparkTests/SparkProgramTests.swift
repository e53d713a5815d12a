#if Spark
    import Foundation
    import Glibc
    import Records
    import TestSupport
    import Testing

    /// The real program beside a real Spark Connect server, whose executors find the same program.
    @Suite(.serialized, .enabled(if: SparkServer.home != nil, "make test-spark installs Spark"))
    struct SparkProgramTests {
        /// The program under test: beside this test's own bundle.
        static var program: String {
            Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }?.bundleURL.deletingLastPathComponent().appendingPathComponent(
                "almanac"
            ).path
                ?? URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent("almanac").path
        }

        static func server() async throws -> SparkServer {
            let server = try SparkServer()
            try await server.start(path: URL(fileURLWithPath: program).deletingLastPathComponent().path)
            return server
        }

        struct Ended {
            var code: Int32
            var printed: String
        }

        static func run(_ arguments: [String], _ folder: TemporaryDirectory) throws -> Ended {
            let process = try ServerProcess(
                program, arguments, output: folder.file("output-\(UUID().uuidString)"), directory: folder.path,
                environment: ["ALMANAC_CONFIG": ""])
            let code = process.end(0)
            return Ended(code: code, printed: process.printed)
        }

        /// Rows of some series, disordered: gauges with gaps and odd labels, and a counter that resets.
        static func samples(_ folder: TemporaryDirectory, name: String = "samples.csv", series: Int = 12, rows: Int = 700) throws -> String
        {
            var random = SplitMix64(seed: 5)
            var lines: [String] = []
            for s in 0..<series {
                var counter = 0.0
                for i in 0..<rows where Int.random(in: 0..<20, using: &random) > 0 {
                    let time = 1_767_225_600_000 + i * 60_000 + s
                    counter = i % 300 == 299 ? 0 : counter + Double(Int.random(in: 0...50, using: &random))
                    let value = s % 3 == 0 ? "\(counter)" : "\(Double.random(in: -5...5, using: &random))"
                    let metric = s % 3 == 0 ? "requests_total" : "temperature"
                    lines.append("\(time),\(metric),\"host \"\"\(s)\"\", \\1\",\(s % 2 == 0 ? "" : "eu"),\(value)")
                }
            }
            lines.shuffle(using: &random)
            return try folder.write("time,metric,host,region,value\n" + lines.joined(separator: "\n") + "\n", to: name)
        }

        static func lines(_ directory: String) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasSuffix(".tsv") }.flatMap {
                try String(contentsOfFile: "\(directory)/\($0)", encoding: .utf8).split(separator: "\n").map(String.init)
            }.sorted()
        }

        static let what = ["--windows", "1h,3h", "--every", "5m", "--profiles", "6h", "--quantiles"]

        /// The same lines, byte for byte; also when the job is ended by a signal in between and goes on.
        @Test(.timeLimit(.minutes(10))) func backfillOnSparkEqualsThisMachines() async throws {
            let folder = try TemporaryDirectory()
            let csv = try Self.samples(folder)
            let local = try Self.run(["backfill", "--local", "--input", csv, "--output", "files:local"] + Self.what, folder)
            try #require(local.code == 0, "\(local.printed)")
            let expected = try Self.lines(folder.file("local"))
            #expect(expected.count > 1_000)

            let server = try await Self.server()
            defer { server.kill() }
            let arguments =
                ["backfill", "--spark", server.address, "--input", "csv:\(csv)", "--output", "files:spark", "--buckets", "4"] + Self.what
            let process = try ServerProcess(
                Self.program, arguments, output: folder.file("first"), directory: folder.path, environment: ["ALMANAC_CONFIG": ""])
            try await eventually("the first part is done", within: 120) {
                !process.isRunning || folder.read("spark/.state/journal.jsonl").contains("\"part\"")
            }
            #expect(process.end(SIGINT) == 1, "\(process.printed)")
            #expect(process.printed.contains("the same command goes on from there"), "\(process.printed)")
            let parts = folder.read("spark/.state/journal.jsonl").split(separator: "\n").count - 1
            #expect((1..<4).contains(parts), "parts done at the signal: \(parts)")

            let rest = try Self.run(arguments, folder)
            try #require(rest.code == 0, "\(rest.printed)")
            #expect(try Self.lines(folder.file("spark")) == expected)
            // Each part's series in order.
            for name in try FileManager.default.contentsOfDirectory(atPath: folder.file("spark")) where name.hasSuffix(".tsv") {
                let series = folder.read("spark/\(name)").split(separator: "\n").map { Array($0.split(separator: "\t")[1].utf8) }
                #expect(zip(series, series.dropFirst()).allSatisfy { !$1.lexicographicallyPrecedes($0) }, "\(name) is out of order")
            }

            // The rows stay with Spark.
            let kept = try Self.run(
                [
                    "backfill", "--spark", server.address, "--input", "csv:\(csv)", "--output", "spark:\(folder.file("table"))",
                    "--buckets", "2",
                    "--match", "{__name__=\"temperature\"}",
                ] + Self.what, folder)
            try #require(kept.code == 0, "\(kept.printed)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.file("table/bucket=1")).contains("_SUCCESS"))
        }

        @Test(.timeLimit(.minutes(10))) func faultsAreTold() async throws {
            let folder = try TemporaryDirectory()
            let server = try await Self.server()
            defer { server.kill() }
            try folder.write("time,metric,value\n1767225600000,up,1\nyesterday,up,2\n", to: "bad.csv")
            func backfill(_ more: [String]) throws -> Ended {
                try Self.run(
                    ["backfill", "--spark", server.address, "--output", "files:out-\(UUID().uuidString)", "--buckets", "1"] + more, folder)
            }
            let row = try backfill(["--input", "csv:\(folder.file("bad.csv"))"])
            #expect(
                row.code == 1 && row.printed.contains("transform on an executor: line") && row.printed.contains("yesterday"),
                "\(row.printed)")
            let skipped = try backfill(["--input", "csv:\(folder.file("bad.csv"))", "--bad-rows", "skip"])
            #expect(skipped.code == 0, "\(skipped.printed)")
            let column = try backfill(["--input", "csv:\(folder.file("bad.csv"))", "--value-column", "v"])
            #expect(column.code == 1 && column.printed.contains("there is no column 'v'"), "\(column.printed)")
            let command = try backfill(["--input", "csv:\(folder.file("bad.csv"))", "--transform-command", "no-such-program"])
            #expect(command.code == 1 && command.printed.contains("--transform-command"), "\(command.printed)")
            let table = try backfill(["--input", "table:no.such_table"])
            #expect(table.code == 1 && table.printed.contains("Spark: ["), "\(table.printed)")
            let nobody = try Self.run(
                ["backfill", "--spark", "sc://127.0.0.1:\(freePort())", "--output", "files:none", "--input", "x.csv"], folder)
            #expect(nobody.code == 1 && nobody.printed.contains("does not answer"), "\(nobody.printed)")
            // The executors get the program with the job.
            try FileManager.default.copyItem(atPath: Self.program, toPath: folder.file("almanac-shipped"))
            let shipped = try backfill(
                [
                    "--input", "csv:\(folder.file("bad.csv"))", "--bad-rows", "skip", "--ship-binary", folder.file("almanac-shipped"),
                    "--transform-command", "almanac-shipped transform",
                ])
            #expect(shipped.code == 0, "\(shipped.printed)")
        }

        /// Events with a fault go to their own folder; windows and days that are over come as records that the store takes.
        @Test(.timeLimit(.minutes(10))) func sparkStreamRunsToTheEndOfItsInput() async throws {
            let folder = try TemporaryDirectory()
            let server = try await Self.server()
            defer { server.kill() }
            try FileManager.default.createDirectory(atPath: folder.file("in"), withIntermediateDirectories: true)
            let simulated = try Self.run(
                [
                    "simulate", "vehicles", "--vehicles", "5", "--interval", "1m", "--start", "2026-01-01T00:00:00Z", "--duration", "2h",
                    "--malformed", "0.1", "--out", folder.file("in/a.ndjson"),
                ], folder)
            try #require(simulated.code == 0, "\(simulated.printed)")
            func stream(_ more: [String] = []) throws -> Ended {
                try Self.run(
                    [
                        "spark-stream", "--spark", server.address, "--input", "files:\(folder.file("in"))", "--output",
                        "files:\(folder.file("out"))", "--checkpoint", folder.file("checkpoint"), "--window", "5m/1m",
                    ] + more, folder)
            }
            let first = try stream(["--available-now"])
            try #require(first.code == 0, "\(first.printed)")
            func values(_ query: String) throws -> [String] {
                try FileManager.default.contentsOfDirectory(atPath: folder.file("out/\(query)")).filter { $0.hasSuffix(".txt") }.flatMap {
                    folder.read("out/\(query)/\($0)").split(separator: "\n").map(String.init)
                }
            }
            let windows = try values("windows-300000ms")
            #expect(windows.count > 100)
            for value in windows {
                guard case .windows(let rows) = try TrafficRecord.decode(Array(value.utf8)), rows.count == 1 else {
                    Issue.record("no record of a window: \(value)")
                    return
                }
            }
            #expect(try !values("dead-letters").isEmpty)
            // Nothing new: nothing is given twice.
            let again = try stream(["--available-now"])
            #expect(again.code == 0, "\(again.printed)")
            #expect(try values("windows-300000ms").count == windows.count)

            // Without an end, until a signal.
            let process = try ServerProcess(
                Self.program,
                [
                    "spark-stream", "--spark", server.address, "--input", "files:\(folder.file("in"))", "--output",
                    "files:\(folder.file("out2"))", "--checkpoint", folder.file("checkpoint2"), "--every", "1s",
                ], output: folder.file("endless"), directory: folder.path)
            try await eventually("a batch is done", within: 300) { folder.read("endless").contains("batch 0") || !process.isRunning }
            #expect(process.end(SIGINT) == 0 && process.printed.contains("stopped"), "\(process.printed)")
            let kafka = try Self.run(
                [
                    "spark-stream", "--spark", server.address, "--input", "kafka:127.0.0.1:1/events", "--output",
                    "files:\(folder.file("out3"))",
                    "--checkpoint", folder.file("checkpoint3"), "--once",
                ], folder)
            #expect(kafka.code == 1 && kafka.printed.lowercased().contains("kafka"), "\(kafka.printed)")
        }
    }
#endif
