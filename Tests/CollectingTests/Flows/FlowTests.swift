import Coordination
import Flows
import Foundation
import Logging
import Messaging
import MessagingContract
import Records
import Synchronization
import Telemetry
import TestSupport
import Testing
import TimeSeries

@testable import Collecting

private let start: Milliseconds = 1_767_225_600_000

/// A folder that goes with the test.
private final class Folder {
    let path = NSTemporaryDirectory() + "almanac-flows-\(UUID().uuidString)"
    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ text: String, to name: String) throws { try text.write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8) }

    func append(_ text: String, to name: String) throws {
        let handle = try #require(FileHandle(forWritingAtPath: "\(path)/\(name)"))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(text.utf8))
        try handle.close()
    }
}

/// Flows on an embedded log, or on one that only takes records.
private struct FlowBench {
    let log: any MessageLog
    let registry = MetricRegistry()
    let sources: FlowSources
    let task: Task<Void, Never>

    init(
        _ flows: [FlowDefinition], joins: [JoinDefinition] = [], log: any MessageLog, state: String? = nil,
        coordinator: any Coordinator = Everything()
    ) throws {
        self.log = log
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let environment = CollectEnvironment(clock: SystemTime(), logger: logger, registry: registry)
        let made = try FlowSources(
            flows: flows, joins: joins, topic: "samples", stateDirectory: state, log: log, coordinator: coordinator,
            environment: environment, registry: registry)
        sources = made
        task = Task { await made.run() }
    }

    func stop() async {
        task.cancel()
        await task.value
    }

    static func embedded(_ folder: Folder) async throws -> EmbeddedLog {
        var options = EmbeddedLogOptions(directory: folder.path + "/log")
        options.partitions = ["samples": 4, "weather": 2]
        return try await EmbeddedLog.open(
            options, clock: SystemTime(), metrics: MetricRegistry(), logger: Logger(label: "log") { _ in SwiftLogNoOpLogHandler() })
    }
}

/// Flows that have nothing to do, or no more, must not end the process that runs them.
@Suite struct FlowLifeTests {
    @Test(arguments: [true, false]) func runsUntilItIsCancelled(isFile: Bool) async throws {
        let folder = try Folder()
        try folder.write("{\"t\": 1}\n", to: "a.json")
        let source: FlowDefinition.Source = isFile ? .file(path: folder.path + "/a.json", follows: false) : .http
        let flow = FlowDefinition(name: "a", source: source, values: [.init(metric: "temp", field: "t")])
        let bench = try FlowBench([flow], log: try await FlowBench.embedded(folder), state: folder.path)
        let hasEnded = Mutex(false)
        let watch = Task {
            await bench.task.value
            hasEnded.withLock { $0 = true }
        }
        if isFile { try await eventually("the file is read") { bench.sources.status().first?.isFinished == true } }
        // Nothing says that it goes on but time, here that of syncing the log.
        for _ in 0..<20 { try await bench.log.produce([ProducerRecord(topic: "weather", key: .text("k"), value: [1])]) }
        #expect(!hasEnded.withLock { $0 })
        await bench.stop()
        await watch.value
        await bench.log.close()
    }
}

/// All records of a topic as they stand.
private func records(_ topic: String, _ log: any MessageLog) async throws -> [ProducerRecord] {
    let left = try await log.endOffsets(topic: topic).values.reduce(0, +)
    if left == 0 { return [] }
    let consumer = try await log.tail(topics: [topic], from: .earliest)
    var records: [ProducerRecord] = []
    while records.count < left {
        for record in try await consumer.poll(maxBytes: 1 << 20, timeout: 100).records {
            records.append(ProducerRecord(topic: topic, key: record.key, value: record.value, headers: record.headers))
        }
    }
    await consumer.close()
    return records
}

private func weather(_ source: FlowDefinition.Source) -> FlowDefinition {
    var flow = FlowDefinition(
        name: "weather", source: source, values: [.init(metric: "temp", field: "t"), .init(metric: "rain_mm", field: "rain.mm")])
    flow.time = FlowTime(field: "at", form: .epochMilliseconds)
    flow.labels = [.init(name: "station", text: .field("s"))]
    return flow
}

private func row(_ i: Int, station: String = "a") -> String {
    "{\"s\": \"\(station)\", \"t\": \(i), \"at\": \(start + Int64(i) * 1_000)}"
}

@Suite struct FlowTests {
    @Test func aTopicBecomesSeriesAndWhatIsNoneIsPutAside() async throws {
        let folder = try Folder()
        let log = try await FlowBench.embedded(folder)
        let bodies = [row(0), row(1, station: "b"), "nonsense", "[\(row(2)), {\"t\": 1}]"]
        try await log.produce(
            bodies.enumerated().map { i, body in
                ProducerRecord(topic: "weather", key: .text("k\(i % 2)"), value: Array(body.utf8))
            })
        let bench = try FlowBench([weather(.topic("weather"))], log: log)
        try await eventually("all is committed") {
            try await log.committedOffsets(topic: "weather", group: "collect-flow-weather").values.reduce(0, +) == 4
        }
        let decoded = try Decoded(try await records("samples", log))
        #expect(decoded.samples[#"temp{station="a"}"#]?.sorted { $0.time < $1.time } == [Sample(start, 0), Sample(start + 2_000, 2)])
        #expect(decoded.samples[#"temp{station="b"}"#] == [Sample(start + 1_000, 1)])
        #expect(decoded.sources.count == 1 && decoded.watermarks.allSatisfy { $0 <= start + 2_000 - 5_000 })
        let letters = try await records("weather.dlq", log)
        let reasons = letters.compactMap { $0.headers.first.map { String(decoding: $0.value, as: UTF8.self) } }.sorted()
        #expect(reasons.count == 2 && reasons[0].hasPrefix("not JSON: ") && reasons[1] == "record 2: the time at is missing", "\(reasons)")
        #expect(letters.contains { $0.value == Array("nonsense".utf8) })
        await bench.stop()
        // A successor goes on behind it.
        try await log.produce([ProducerRecord(topic: "weather", key: .text("k0"), value: Array(row(9).utf8))])
        let next = try FlowBench([weather(.topic("weather"))], log: log)
        try await eventually("the new one is there") {
            try Decoded(try await records("samples", log)).samples[#"temp{station="a"}"#]?.count == 3
        }
        await next.stop()
        await log.close()
    }

    @Test func nothingIsCommittedBeforeItIsDurable() async throws {
        let folder = try Folder()
        let real = try await FlowBench.embedded(folder)
        try await real.produce([ProducerRecord(topic: "weather", key: .text("k"), value: Array(row(0).utf8))])
        let log = RefusingLog(real)
        let bench = try FlowBench([weather(.topic("weather"))], log: log)
        try await eventually("it has been tried") { log.refusals > 2 }
        #expect(try await real.committedOffsets(topic: "weather", group: "collect-flow-weather").values.reduce(0, +) == 0)
        log.refuses(false)
        try await eventually("it is committed") {
            try await real.committedOffsets(topic: "weather", group: "collect-flow-weather").values.reduce(0, +) == 1
        }
        #expect(try Decoded(try await records("samples", real)).samples.count == 1)
        await bench.stop()
        await real.close()
    }

    @Test func aFileIsFollowedRotatedAndGoneOnWith() async throws {
        let folder = try Folder()
        var flow = weather(.file(path: folder.path + "/w.csv", follows: true))
        flow.format = .csv(separator: 44, columns: [])
        let header = "at,s,t,\"rain.mm\"\n"
        func line(_ i: Int) -> String { "\(start + Int64(i) * 1_000),\"st,1\",\(i),\(i % 2 == 0 ? "0.5" : "")\n" }
        try folder.write(header + line(0) + line(1) + "broken\n" + String(line(2).dropLast(9)), to: "w.csv")
        let log = MemoryLog()
        let bench = try FlowBench([flow], log: log, state: folder.path)
        func times() throws -> [Int] {
            try (Decoded(log.records).samples[#"temp{station="st,1"}"#] ?? []).map { Int($0.time - start) / 1_000 }
        }
        try await eventually("what is whole is read") { try times() == [0, 1] }
        try folder.append(String(line(2).suffix(9)), to: "w.csv")
        try await eventually("the rest of the line makes it whole") { try times() == [0, 1, 2] }
        #expect(try Decoded(log.records).samples[#"rain_mm{station="st,1"}"#]?.map(\.value) == [0.5, 0.5])
        try folder.append(line(3).trimmingCharacters(in: .newlines), to: "w.csv")
        try folder.write(header + line(4), to: "w.csv")
        try await eventually("the old file to its end, then the new one") { try times() == [0, 1, 2, 3, 4] }
        try await eventually("the place is remembered") { FileBookmark.load(folder.path + "/flow-weather.position")?.position ?? 0 > 20 }
        await bench.stop()
        try folder.append(line(5), to: "w.csv")
        let next = try FlowBench([flow], log: log, state: folder.path)
        try await eventually("only what is new") { try times() == [0, 1, 2, 3, 4, 5] }
        await next.stop()
    }

    @Test func aLongFileIsReadOnceAndNothingOfItIsLate() async throws {
        let folder = try Folder()
        try folder.write((0..<30_000).map { row($0 * 10, station: "s\($0 % 7)") }.joined(separator: "\n"), to: "w.json")
        let log = MemoryLog()
        let bench = try FlowBench([weather(.file(path: folder.path + "/w.json", follows: false))], log: log)
        try await eventually("read to its end") { bench.sources.status().first?.isFinished == true }
        let decoded = try Decoded(log.records)
        #expect(decoded.samples.values.reduce(0) { $0 + $1.count } == 30_000)
        #expect(log.records.count < 100)
        // No record comes after a promise beyond its samples.
        var promised: Milliseconds = .min
        for record in log.records {
            let one = try Decoded([record])
            #expect((one.samples.values.joined().map(\.time).min() ?? .max) > promised)
            promised = max(promised, one.watermarks[0])
        }
        #expect(promised == start + 299_990_000 - 5_000)
        await bench.stop()
    }

    @Test func requestsAreAnsweredWhenDurable() async throws {
        let log = MemoryLog()
        let bench = try FlowBench([weather(.http)], log: log)
        let answer = try await bench.sources.intake.accept(flow: "weather", body: Array("\(row(0))\n{\"s\": 1}\n\(row(1))".utf8))
        #expect(answer.accepted == 2 && answer.rejected == 1)
        #expect(answer.errors.map(\.record) == [2] && answer.errors[0].reason == "the time at is missing")
        #expect(try Decoded(log.records).samples[#"temp{station="a"}"#]?.count == 2)
        await #expect(throws: FlowIntake.Failure.unknownFlow("x")) { try await bench.sources.intake.accept(flow: "x", body: []) }
        log.set(.fails(MessagingError(.unavailable, "away")))
        await #expect(throws: MessagingError.self) { try await bench.sources.intake.accept(flow: "weather", body: Array(row(2).utf8)) }
        log.set(.takes)
        #expect(try await bench.sources.intake.accept(flow: "weather", body: Array(row(2).utf8)).accepted == 1)
        #expect(bench.registry.render().contains("almanac_flow_records_total{flow=\"weather\",result=\"rejected\"} 1"))
        await bench.stop()
    }

    @Test func seriesBeyondTheLimitAreRefusedUntilOthersHaveAged() async throws {
        var flow = weather(.http)
        flow.maxSeries = 2
        flow.time = FlowTime(field: "at", form: .epochMilliseconds)
        let log = MemoryLog()
        let bench = try FlowBench([flow], log: log)
        let intake = bench.sources.intake
        _ = try await intake.accept(flow: "weather", body: Array((0..<3).map { row($0, station: "s\($0)") }.joined(separator: "\n").utf8))
        #expect(try Decoded(log.records).samples.count == 2)
        for i in [5_000, 5_001] { _ = try await intake.accept(flow: "weather", body: Array(row(i, station: "late").utf8)) }
        #expect(try Decoded(log.records).samples.count == 3)
        await bench.stop()
    }

    @Test func joinsAreLoadedBeforeTheFirstRecordAndTablesAgainWhenTheyChange() async throws {
        let folder = try Folder()
        let log = try await FlowBench.embedded(folder)
        var limits = JoinDefinition(name: "limits", source: .topic("speed-limits"), key: "routeId")
        limits.time = FlowTime(field: "from", form: .epochMilliseconds)
        let stations = JoinDefinition(name: "stations", source: .table(path: folder.path + "/stations.csv", separator: 44), key: "id")
        try await log.produce(
            [(start, 50), (start + 1_500, 90)].map { time, limit in
                let json = "{\"routeId\": \"a\", \"limit\": \(limit), \"from\": \(time)}"
                return ProducerRecord(topic: "speed-limits", key: .text("a"), value: Array(json.utf8))
            } + [ProducerRecord(topic: "speed-limits", key: .text("b"), value: [0])])
        try await log.produce((0..<3).map { ProducerRecord(topic: "weather", key: .text("k"), value: Array(row($0).utf8)) })
        var flow = weather(.topic("weather"))
        flow.values = [.init(metric: "limit", field: "limit")]
        flow.transforms = [
            .enrich(join: "limits", on: "s", fields: ["limit"]), .enrich(join: "stations", on: "s", fields: ["city"]),
        ]
        flow.labels = [.init(name: "city", text: .field("city"))]
        let bench = try FlowBench([flow], joins: [stations, limits], log: log)
        try await eventually("the table is waited for") { bench.sources.waitingFor?.contains("stations.csv") ?? false }
        #expect(try await log.endOffsets(topic: "samples").values.reduce(0, +) == 0)
        try folder.write("id,city\na,Bari\n", to: "stations.csv")
        try await eventually("all is enriched") {
            try Decoded(try await records("samples", log)).samples[#"limit{city="Bari"}"#]?.map(\.value) == [50, 50, 90]
        }
        try folder.write("id,city\na,Lecce\n", to: "stations.csv")
        try await eventually("the table is read again") {
            bench.sources.joins.text(join: "stations", key: "a", field: "city", at: start) == "Lecce"
        }
        #expect(bench.sources.joins.number(join: "limits", key: "a", field: "limit", at: start + 1_499) == 50)
        await bench.stop()
        await log.close()
    }

    @Test func aFlowThatIsAnotherProcesssIsLeft() async throws {
        struct Nothing: Coordinator {
            func nextEpoch(for name: String) async throws -> Int64 { 1 }
            func owns(_ name: String) -> Bool { false }
        }
        let folder = try Folder()
        try folder.write(row(0) + "\n", to: "w.json")
        let log = MemoryLog()
        let bench = try FlowBench([weather(.file(path: folder.path + "/w.json", follows: true))], log: log, coordinator: Nothing())
        try await eventually("it looks at it") { bench.sources.status().first?.problem == nil }
        try await Task.sleep(for: .milliseconds(50))
        #expect(log.records.isEmpty)
        await bench.stop()
    }
}

@Suite struct FlowPromiseTests {
    @Test func theSlowestPartThatIsHeardCounts() {
        var promise = FlowPromise(disorder: 5)
        promise.begin(0, now: 0)
        promise.begin(1, now: 0)
        #expect(promise.value(now: 0) == 0)
        promise.observe(0, 1_000, now: 1)
        // The other may be about to begin long before.
        #expect(promise.value(now: 2) == 0)
        promise.observe(1, 400, now: 3)
        promise.observe(1, 300, now: 4)
        #expect(promise.value(now: 4) == 395)
        promise.observe(0, 2_000, now: 11_000)
        #expect(promise.value(now: 11_000) == 1_995)
        promise.observe(1, 500, now: 11_001)
        #expect(promise.value(now: 11_001) == 1_995)
        promise.end(1)
        promise.observe(0, 3_000, now: 11_002)
        #expect(promise.value(now: 11_002) == 2_995)
        #expect(promise.newest == 3_000)
    }
}
