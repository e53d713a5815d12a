#if Spark
    import Foundation
    import Glibc
    import SparkClient
    import TestSupport
    import Testing

    extension SparkProgramTests {
        /// A `transform` that tells that it runs, by a file of its process, and waits for the file `go` before it reads.
        static func waitingTransform(_ folder: TemporaryDirectory) throws -> String {
            let path = try folder.write(
                """
                #!/bin/sh
                touch \(folder.path)/running-$$
                until [ -e \(folder.path)/go ]; do [ -d \(folder.path) ] || exit 1; sleep 0.05; done
                exec \(program) transform "$@"
                """, to: "waiting-transform")
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
            return path
        }

        static func running(_ folder: TemporaryDirectory) -> [Int32] {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
            return names.compactMap { $0.hasPrefix("running-") ? Int32($0.dropFirst(8)) : nil }
        }

        private static func parent(_ pid: Int32) -> Int32? {
            // pid (name) state parent ...; a name may hold anything.
            let text = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
            let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
            return fields.count > 1 ? Int32(fields[1]) : nil
        }

        private static func commandLine(_ pid: Int32) -> String {
            (try? String(contentsOfFile: "/proc/\(pid)/cmdline", encoding: .utf8)) ?? ""
        }

        /// The executor above a process; none where it is another one's.
        private static func executor(above pid: Int32, of server: SparkServer) -> Int32? {
            var process = pid
            while let next = parent(process), next > 1 {
                if commandLine(next).contains("CoarseGrainedExecutorBackend") { return parent(next) == server.pid ? next : nil }
                process = next
            }
            return nil
        }

        /// SIGKILL to the executor that is at work: its tasks are done by another, to the same bytes.
        @Test(.timeLimit(.minutes(10))) func anExecutorIsLost() async throws {
            let folder = try TemporaryDirectory()
            let csv = try Self.samples(folder)
            let local = try Self.run(["backfill", "--local", "--input", csv, "--output", "files:local"] + Self.what, folder)
            try #require(local.code == 0, "\(local.printed)")
            let server = try SparkServer(master: "local-cluster[2,1,1024]")
            try await server.start(path: URL(fileURLWithPath: Self.program).deletingLastPathComponent().path)
            defer { server.kill() }
            let process = try ServerProcess(
                Self.program,
                [
                    "backfill", "--spark", server.address, "--input", "csv:\(csv)", "--output", "files:spark", "--buckets", "2",
                    "--transform-command", try Self.waitingTransform(folder),
                ] + Self.what, output: folder.file("log"), directory: folder.path, environment: ["ALMANAC_CONFIG": ""])
            try await eventually("a transform runs: \(server.printed.suffix(2_000))", within: 180) {
                !process.isRunning || !Self.running(folder).isEmpty
            }
            let child = try #require(Self.running(folder).first, "\(process.printed)")
            let executor = try #require(Self.executor(above: child, of: server))
            Glibc.kill(executor, SIGKILL)
            try await eventually("the executor is gone") { !Self.commandLine(executor).contains("CoarseGrainedExecutorBackend") }
            try folder.write("", to: "go")
            try await eventually("the job ends", within: 300, every: .milliseconds(50)) { !process.isRunning }
            #expect(process.end(0) == 0, "\(process.printed)")
            #expect(try Self.lines(folder.file("spark")) == Self.lines(folder.file("local")))
        }

        /// SIGKILL to this program again and again: started anew it goes on to the same bytes.
        @Test(.timeLimit(.minutes(10))) func theProgramIsKilled() async throws {
            let folder = try TemporaryDirectory()
            let csv = try Self.samples(folder)
            let local = try Self.run(["backfill", "--local", "--input", csv, "--output", "files:local"] + Self.what, folder)
            try #require(local.code == 0, "\(local.printed)")
            let server = try await Self.server()
            defer { server.kill() }
            let arguments =
                ["backfill", "--spark", server.address, "--input", "csv:\(csv)", "--output", "files:spark", "--buckets", "4"] + Self.what
            func done() -> Int { max(0, folder.read("spark/.state/journal.jsonl").split(separator: "\n").count - 1) }
            for _ in 0..<2 {
                let before = done()
                let process = try ServerProcess(
                    Self.program, arguments, output: folder.file("log"), directory: folder.path, environment: ["ALMANAC_CONFIG": ""])
                try await eventually("another part is done", within: 180) { !process.isRunning || done() > before }
                #expect(process.end(SIGKILL) == -SIGKILL, "\(process.printed)")
            }
            #expect((2..<4).contains(done()))
            let rest = try Self.run(arguments, folder)
            #expect(rest.code == 0, "\(rest.printed)")
            #expect(try Self.lines(folder.file("spark")) == Self.lines(folder.file("local")))
            let left = try FileManager.default.contentsOfDirectory(atPath: folder.file("spark")).filter {
                $0.hasPrefix("part-") && !$0.hasSuffix(".tsv")
            }
            #expect(left.isEmpty, "left behind: \(left)")
        }

        /// At whatever moment the signal comes, before a job of Spark's began or after: nothing goes on there. What did would hold the only core.
        @Test(.timeLimit(.minutes(15))) func nothingGoesOnAfterASignal() async throws {
            let folder = try TemporaryDirectory()
            let csv = try Self.samples(folder, series: 3, rows: 50)
            let server = try SparkServer(master: "local[1]")
            try await server.start(path: URL(fileURLWithPath: Self.program).deletingLastPathComponent().path)
            defer { server.kill() }
            // A view whose rows take years to read. Not of one range: Spark does not look for an end within it.
            let session = try SparkSession(SparkURL(server.address))
            _ = try await session.collect(
                """
                CREATE VIEW endless AS SELECT 'up' AS series, a.id AS time, CAST(b.id AS DOUBLE) AS value
                FROM range(3000000) a CROSS JOIN range(3000000) b
                """)
            let waiting = try Self.waitingTransform(folder)
            let seed = UInt64.random(in: 0...UInt64.max)
            var random = SplitMix64(seed: seed)
            for round in 0..<8 {
                let what = ["backfill", "--spark", server.address, "--buckets", "1"] + Self.what
                // The first two are ended when they are at work.
                let moment = round < 2 ? 5 : Double.random(in: 0...2.5, using: &random)
                let place = "seed \(seed), round \(round), signal at \(moment) s"
                let process = try ServerProcess(
                    Self.program,
                    what + [
                        "--output", "files:stopped-\(round)", "--transform-command", waiting, "--input",
                        round == 0 ? "csv:\(csv)" : "table:endless",
                    ],
                    output: folder.file("log-\(round)"), directory: folder.path, environment: ["ALMANAC_CONFIG": ""])
                try await eventually("it is connected", within: 60) {
                    folder.read("log-\(round)").contains(" at sc://") || !process.isRunning
                }
                let deadline = ContinuousClock.now + .seconds(moment)
                try await eventually("the moment", within: 100) {
                    round == 0 ? !Self.running(folder).isEmpty || !process.isRunning : ContinuousClock.now > deadline
                }
                #expect(process.isRunning, "\(place): \(process.printed)")
                #expect(process.end(SIGINT) != 0, "\(place): \(process.printed)")
                // Spark cannot end a command that neither reads nor writes.
                try folder.write("", to: "go")
                let next = try ServerProcess(
                    Self.program, what + ["--output", "files:after-\(round)", "--input", "csv:\(csv)"],
                    output: folder.file("next-\(round)"),
                    directory: folder.path, environment: ["ALMANAC_CONFIG": ""])
                try await eventually("\(place): another job has the core", within: 60, every: .milliseconds(50)) { !next.isRunning }
                try #require(next.end(SIGKILL) == 0, "\(place): \(process.printed) \(next.printed)\n\(server.printed.suffix(4_000))")
                try FileManager.default.removeItem(atPath: folder.file("go"))
                for pid in Self.running(folder) {
                    #expect(!Self.commandLine(pid).contains("waiting-transform"), "\(place): a transform was left behind")
                    try FileManager.default.removeItem(atPath: folder.file("running-\(pid)"))
                }
            }
            await session.close()
        }
    }
#endif
