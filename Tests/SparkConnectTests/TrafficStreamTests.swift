#if Spark
    import Foundation
    import Records
    import SparkClient
    import SparkJobs
    import Synchronization
    import TestSupport
    import TimeSeries
    import Traffic
    import TrafficSimulation
    import Testing

    extension SparkConnectTests {
        /// A day of vehicles through the analyzer's two stages and through Spark: equal where windows and days are over.
        @Suite struct TrafficStreamTests {
            /// A day on which clocks are put forward, events twice, out of order, late and broken.
            static func events(hours: Int) throws -> [UInt8] {
                var options = SimulationOptions()
                options.fleet.preset = try #require(FleetPreset.named("italy"))
                options.fleet.vehicles = 10
                options.fleet.interval = 120_000
                options.fleet.start = 1_774_728_000_000  // 2026-03-28T20:00Z
                options.delivery.duplicates = 0.02
                options.delivery.disorder = 0.03
                options.delivery.late = 0.01
                options.delivery.malformed = 0.02
                var simulation = try Simulation(options, truth: nil)
                var bytes: [UInt8] = []
                let end = options.fleet.start + Milliseconds(hours) * 3_600_000
                while simulation.write(until: end, limit: 10_000, &bytes) > 0 {}
                while simulation.writeRest(limit: 10_000, &bytes) > 0 {}
                return bytes
            }

            static func options() -> TrafficOptions {
                var options = TrafficOptions()
                options.windows = [.init(length: 30_000, slide: 10_000), .init(length: 600_000, slide: 300_000)]
                options.zone = "Europe/Rome"
                options.routeZones = ["SS5": "Asia/Tokyo"]
                options.points = []
                return options
            }

            /// What the built-in analyzer says: rows by what they are about, as texts.
            static func analyzed(_ bytes: [UInt8]) -> [String: String] {
                let options = options()
                var partition = TrafficPartition(options: options, source: 0, epoch: 1)
                var merge = TrafficMerge(options: options, sources: 1, epoch: 1)
                var rows: [String: String] = [:]
                var offset: Int64 = 0
                let now: Milliseconds = 1_900_000_000_000
                func step(force: Bool) throws {
                    let output = partition.advance(now: now, force: force)
                    for partial in output.partials {
                        try merge.ingest(partial.bytes, offset: offset)
                        offset += 1
                    }
                    if !output.progress.isEmpty {
                        try merge.ingest(output.progress, offset: offset)
                        offset += 1
                    }
                    let merged = merge.advance(now: now, force: force)
                    for (key, row) in texts(merged.windows, merged.totals) { rows[key] = row }
                }
                for (i, line) in bytes.split(separator: 0x0A).enumerated() {
                    line.withUnsafeBytes { _ = partition.ingest($0, offset: Int64(i), now: now) }
                    if i % 500 == 499 { try? step(force: false) }
                }
                try? step(force: true)
                return rows
            }

            static func texts(_ windows: [TrafficWindow], _ totals: [TrafficTotal]) -> [(String, String)] {
                windows.map {
                    (
                        "window \($0.time) \($0.window) \($0.route) \($0.vehicleType)",
                        "\($0.vehicles) \($0.events) \($0.speedAvg.map { "\($0)" } ?? "-") \($0.speedP10.map { "\($0)" } ?? "-") \($0.lowFuel)"
                    )
                } + totals.map { ("total \($0.day ?? "-") \($0.route) \($0.vehicleType)", "\($0.vehicles) \($0.events)") }
            }

            static func queries() -> TrafficQueries {
                var queries = TrafficQueries()
                queries.windows = [.init(length: 30_000, slide: 10_000), .init(length: 600_000, slide: 300_000)]
                queries.zone = "Europe/Rome"
                queries.routeZones = ["SS5": "Asia/Tokyo"]
                return queries
            }

            @Test(.timeLimit(.minutes(10))) func windowsAndDaysEqualTheAnalyzers() async throws {
                let folder = try TemporaryDirectory()
                let bytes = try Self.events(hours: 60)
                let lines = bytes.split(separator: 0x0A)
                try FileManager.default.createDirectory(atPath: folder.file("in"), withIntermediateDirectories: true)
                // Several batches: the watermark moves between them, and state is kept and dropped.
                for i in 0..<2 {
                    let part = lines[(i * lines.count / 2)..<((i + 1) * lines.count / 2)]
                    let path = folder.file("in/\(i).ndjson")
                    try Data(part.joined(separator: [0x0A])).write(to: URL(fileURLWithPath: path))
                    try FileManager.default.setAttributes(
                        [.modificationDate: Date(timeIntervalSince1970: 1_700_000_000 + Double(i))], ofItemAtPath: path)
                }
                let session = try SparkTrait.session()
                try await session.set(TrafficQueries.settings)
                let queries = Self.queries()
                try await session.makeView(
                    "almanac_raw",
                    .read(format: "text", schema: nil, options: ["maxFilesPerTrigger": "1"], paths: [folder.file("in")], isStreaming: true))
                let expected = Self.analyzed(bytes)
                var spark: [String: String] = [:]
                var newest: [String: Revision] = [:]
                for query in queries.windows.map({ queries.window($0) }) + [queries.days, queries.sinceStart] {
                    for value in try await Self.run(query, session, folder) {
                        let (windows, totals) = try Self.decoded(value)
                        for (key, row) in Self.texts(windows, totals) {
                            let revision = windows.first?.revision ?? totals.first?.revision ?? Revision(rawValue: 0)
                            if let known = newest[key], known > revision { continue }
                            newest[key] = revision
                            spark[key] = row
                        }
                    }
                }
                try Self.compare(spark, expected)
                await session.close()
            }

            private static func decoded(_ value: String) throws -> ([TrafficWindow], [TrafficTotal]) {
                switch try TrafficRecord.decode(Array(value.utf8)) {
                case .windows(let windows): (windows, [])
                case .totals(let totals): ([], totals)
                default: ([], [])
                }
            }

            /// Runs a query over all there is and gives its values.
            private static func run(_ query: TrafficQueries.Query, _ session: SparkSession, _ folder: TemporaryDirectory) async throws
                -> [String]
            {
                for step in query.steps { try await session.makeView(step.view, SparkPlan(step)) }
                let isFile = query.mode == "append"
                var options = ["checkpointLocation": folder.file("checkpoint/\(query.name)")]
                if isFile { options["path"] = folder.file("out/\(query.name)") }
                let id = try await session.start(
                    SparkStream(
                        name: query.name.replacing("-", with: "_"),
                        plan: .sql(isFile ? "SELECT value FROM (\(query.output))" : query.output),
                        format: isFile ? "text" : "memory", options: options, outputMode: query.mode, trigger: .availableNow))
                while try await !session.awaitTermination(id, milliseconds: 10_000) {}
                if let error = try await session.exception(id) { throw error }
                if !isFile {
                    return try await session.collect("SELECT value FROM \(query.name.replacing("-", with: "_"))").flatMap { batch in
                        (0..<batch.rows).compactMap { batch.string(0, $0) }
                    }
                }
                let files = try FileManager.default.contentsOfDirectory(atPath: folder.file("out/\(query.name)")).filter {
                    $0.hasSuffix(".txt")
                }
                return try files.flatMap { name in
                    try String(contentsOfFile: folder.file("out/\(query.name)/\(name)"), encoding: .utf8).split(separator: "\n").map(
                        String.init)
                }
            }

            /// Everything that Spark gave is the analyzer's, and nothing that is over is missing.
            private static func compare(_ spark: [String: String], _ expected: [String: String]) throws {
                let wrong = spark.filter { expected[$0.key] != $0.value }.sorted { $0.key < $1.key }
                #expect(
                    wrong.isEmpty,
                    "\(wrong.count) rows differ, such as \(wrong.prefix(3).map { "\($0.key): \($0.value), not \(expected[$0.key] ?? "there")" })"
                )
                func time(_ key: String) -> Int64 { Int64(key.split(separator: " ")[1]) ?? 0 }
                for window in [30_000, 600_000] {
                    func isWindow(_ key: String) -> Bool {
                        let parts = key.split(separator: " ")
                        return parts[0] == "window" && parts[2] == "\(window)"
                    }
                    let last = try #require(spark.keys.filter(isWindow).map(time).max())
                    let newest = try #require(expected.keys.filter(isWindow).map(time).max())
                    #expect(newest - last < 600_000 + 2 * Int64(window) + 300_000, "windows of \(window) ms end too early")
                    let missing = expected.keys.filter { isWindow($0) && time($0) <= last && spark[$0] == nil }
                    #expect(missing.isEmpty, "\(missing.count) windows are missing, such as \(missing.sorted().prefix(3))")
                }
                let totals = expected.filter { $0.key.hasPrefix("total - ") }
                #expect(totals.count > 5)
                #expect(totals.keys.allSatisfy { spark[$0] != nil })
                // The whole days among 60 hours, in both zones.
                for day in ["2026-03-28", "2026-03-29"] {
                    let missing = expected.keys.filter { $0.hasPrefix("total \(day)") && spark[$0] == nil }
                    #expect(missing.isEmpty && expected.keys.contains { $0.hasPrefix("total \(day)") }, "day \(day): \(missing.sorted())")
                }
            }
        }
    }

    extension SparkPlan {
        init(_ step: TrafficQueries.Step) {
            guard let watermark = step.watermark else {
                self = .sql(step.sql)
                return
            }
            self = .distinct(
                .watermark(.sql(step.sql), column: watermark.column, delay: "\(watermark.delay) milliseconds"), columns: watermark.distinct)
        }
    }
#endif
