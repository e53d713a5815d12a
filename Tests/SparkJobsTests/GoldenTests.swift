import Foundation
import SparkJobs
import Testing

/// The text of queries beside files that people read: what a change of the code does to the SQL shows in the difference.
@Suite struct GoldenTests {
    /// With ALMANAC_WRITE_GOLDEN=1 the files are written instead.
    private static func check(_ text: String, _ name: String) throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden")
        let file = folder.appendingPathComponent(name)
        if ProcessInfo.processInfo.environment["ALMANAC_WRITE_GOLDEN"] == "1" { try Data(text.utf8).write(to: file) }
        let golden = try String(contentsOf: file, encoding: .utf8)
        let difference = zip(
            text.split(separator: "\n", omittingEmptySubsequences: false), golden.split(separator: "\n", omittingEmptySubsequences: false)
        )
        .enumerated().first { $0.element.0 != $0.element.1 }
        #expect(
            text == golden,
            """
            \(name) differs from line \((difference?.offset ?? 0) + 1): \(difference.map { "\($0.element.0)" } ?? "length")
            ALMANAC_WRITE_GOLDEN=1 swift test --filter GoldenTests writes it anew
            """)
    }

    static func columns(_ pairs: KeyValuePairs<String, String>) -> [BackfillColumns.Column] { pairs.map { .init($0.key, $0.value) } }

    @Test func backfillOfLabels() throws {
        let columns = try BackfillColumns(
            of: Self.columns([
                "ts": "timestamp", "metric": "string", "host": "string", "odd `name": "string", "type": "string", "value": "double",
            ]))
        var query = BackfillQuery(
            source: "almanac_backfill_input", columns: columns, buckets: 8, command: "almanac transform",
            arguments: ["--windows", "1h,3h", "--from=-5"])
        query.from = -5
        query.to = 1_769_860_800_000
        query.conditions = [
            [.init("host", .equal, "a'b\\"), .init("__name__", .matches, "up|down")], [.init("missing", .notMatches, "x")],
        ]
        try Self.check(try query.lines(bucket: 3) + "\n", "backfill-labels.sql")
        try Self.check(try query.table(bucket: 3) + "\n", "backfill-table.sql")
    }

    @Test func backfillOfSeries() throws {
        let columns = try BackfillColumns(of: Self.columns(["series": "string", "time": "string", "value": "string"]))
        let query = BackfillQuery(source: "`main`.`samples`", columns: columns, buckets: 1, command: "./almanac transform", arguments: [])
        try Self.check(try query.lines(bucket: 0) + "\n", "backfill-series.sql")
    }

    @Test func chunks() throws {
        let query = ChunkQuery(command: "almanac transform", arguments: ["--windows", "1h", "--from", "it's"])
        try Self.check(query.lines(part: 7) + "\n", "chunks.sql")
        #expect(query.table(part: 7).contains(query.lines(part: 7)))
    }

    @Test func traffic() throws {
        var queries = TrafficQueries()
        queries.zone = "Europe/Rome"
        queries.routeZones = ["Route'1": "Asia/Tokyo"]
        queries.epoch = 2
        for query in [queries.window(queries.windows[0]), queries.days, queries.sinceStart, queries.deadLetters] {
            var text = "-- \(query.name), \(query.mode)\n"
            for step in query.steps {
                text += "\n-- view \(step.view)"
                if let watermark = step.watermark {
                    text +=
                        "; watermark on \(watermark.column) \(watermark.delay) ms behind, each once by \(watermark.distinct.joined(separator: ", "))"
                }
                text += "\n\(step.sql)\n"
            }
            try Self.check(text + "\n-- output\n\(query.output)\n", "traffic-\(query.name).sql")
        }
    }
}

@Suite struct SQLTextTests {
    @Test func literalsCannotBeLeft() {
        #expect(SQLText.literal("it's") == #"'it\'s'"#)
        #expect(SQLText.literal(#"\' OR 1=1 --"#) == #"'\\\' OR 1=1 --'"#)
        #expect(SQLText.literal("a\tb\nc\0") == #"'a\tb\nc\0'"#)
        #expect(SQLText.identifier("a`b") == "`a``b`")
    }

    @Test func tablesHaveParts() throws {
        #expect(try SQLText.table("a.b") == "`a`.`b`")
        #expect(try SQLText.table("`a.b`.c; DROP TABLE x") == "`a.b`.`c; DROP TABLE x`")
        for wrong in ["", "a..b", "`a", "a."] {
            #expect(throws: SparkJobError.self, "\(wrong)") { try SQLText.table(wrong) }
        }
    }
}

@Suite struct BackfillColumnsTests {
    @Test(arguments: [
        (["time", "x"], "no column is named value"), (["value", "x"], "no column is named time"),
        (["time", "value"], "no column is named series"),
        (["time", "ts", "value", "series"], "2 columns may hold time"), (["time", "value", "series", "host"], "further columns (host)"),
        (["time", "value", "metric", "name"], "2 columns may hold metric"),
    ])
    func saysWhatIsMissing(_ names: [String], _ words: String) {
        let error = #expect(throws: SparkJobError.self) { try BackfillColumns(of: names.map { .init($0, "string") }) }
        #expect(error?.description.contains(words) == true, "\(names): \(error?.description ?? "-")")
    }

    @Test func namesCanBeGiven() throws {
        let columns = try BackfillColumns(
            of: ["a", "b", "c", "d"].map { .init($0, "STRING") }, names: .init(time: "b", value: "c", metric: "a"))
        #expect(columns.metric?.name == "a" && columns.labels.map(\.name) == ["d"] && columns.time.type == "string")
        #expect(throws: SparkJobError.self) { try BackfillColumns(of: [.init("a", "string")], names: .init(time: "b")) }
    }
}

@Suite struct SparkInputTests {
    @Test func namesTheFormat() throws {
        #expect(try SparkInput("parquet:s3a://bucket/x") == .files(format: "parquet", path: "s3a://bucket/x"))
        #expect(try SparkInput("/data/x.csv") == .files(format: "csv", path: "/data/x.csv"))
        #expect(try SparkInput("hdfs://host/x.parquet/") == .files(format: "parquet", path: "hdfs://host/x.parquet/"))
        #expect(try SparkInput("table:main.samples") == .table("`main`.`samples`"))
        #expect(throws: SparkJobError.self) { try SparkInput("/data/x") }
        #expect(throws: SparkJobError.self) { try SparkInput("table:") }
    }

    @Test func endsOfStreams() throws {
        #expect(try StreamEnd("kafka:a:9092,b:9092/events") == .kafka(servers: "a:9092,b:9092", topic: "events"))
        #expect(try StreamEnd("files:/data/in") == .files("/data/in"))
        for wrong in ["kafka:a:9092", "kafka:/events", "files:", "x", "kafka:a/"] {
            #expect(throws: SparkJobError.self, "\(wrong)") { try StreamEnd(wrong) }
        }
    }
}
