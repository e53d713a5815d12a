import Logging
import Messaging
import Records
import Storage
import StorageContract
import Synchronization
import Telemetry
import TestSupport
import Testing
import TimeSeries

@testable import Storing

final class SettableClock: WallClock {
    private let time: Mutex<Milliseconds>
    init(_ time: Milliseconds) { self.time = Mutex(time) }
    func now() -> Milliseconds { time.withLock { $0 } }
    func set(_ now: Milliseconds) { time.withLock { $0 = now } }
}

/// A role with all that stands round it.
private final class Bench: Sendable {
    let log = MemoryLog()
    let store: any ResultStore
    let clock = SettableClock(start)
    let metrics = MetricRegistry()
    let statuses = Mutex<[String?]>([])
    let options: StoreRoleOptions

    init(store: any ResultStore = ModelStore()) {
        self.store = store
        var options = StoreRoleOptions()
        options.pollTimeout = 5
        options.firstBackoff = 1
        options.longestBackoff = 4
        options.housekeepingInterval = 5
        self.options = options
    }

    func role() -> StoreRole {
        StoreRole(
            log: log, store: store, clock: clock, metrics: metrics,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            options: options
        ) { status in self.statuses.withLock { $0.append(status) } }
    }

    /// Runs the role until `condition` holds, then stops it.
    func run(until condition: @Sendable () async throws -> Bool, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let role = role()
        let task = Task { try await role.run() }
        try await wait(condition, sourceLocation)
        task.cancel()
        try await task.value
    }

    func wait(_ condition: @Sendable () async throws -> Bool, _ sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let end = ContinuousClock.now + .seconds(20)
        while try await !condition() {
            if ContinuousClock.now > end {
                Issue.record("the condition did not come true within 20 s", sourceLocation: sourceLocation)
                return
            }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    func send(_ record: ResultRecord) {
        for value in record.encode(shard: Shard(0)) { log.append("prometheusdata", value) }
    }

    func isCommitted() -> Bool {
        options.topics.allSatisfy { topic in
            let count = log.records(topic).count
            return count == 0 || log.committed(topic) == Offset(count)
        }
    }

    func shows(_ line: String) -> Bool { metrics.render().contains("\n\(line)\n") }
}

@Suite struct StoreRoleTests {
    private let a = key("a", [("job", "x")])

    @Test func storesEveryKind() async throws {
        let bench = Bench()
        bench.send(.windows([windows(a, at: start), windows(key("b"), at: start)]))
        bench.send(.profiles([profile(a, at: start)]))
        bench.send(.forecasts([forecast(a, at: start)]))
        for value in ChunksRecord.encode([chunk(a, from: start - hour, to: start)]) { bench.log.append("chunks", value) }
        try await bench.run { bench.isCommitted() && bench.shows("almanac_store_lag_records{topic=\"chunks\"} 0") }
        #expect(try await bench.store.latestWindows([a.id, key("b").id]) == [windows(a, at: start), windows(key("b"), at: start)])
        #expect(try await bench.store.latestProfiles([a.id]) == [profile(a, at: start)])
        #expect(try await bench.store.latestForecasts([a.id]) == [forecast(a, at: start)])
        #expect(try await bench.store.chunks(of: a.id, from: 0, to: .max).count == 1)
        #expect(bench.statuses.withLock { $0.first } == "starting")
        #expect(bench.statuses.withLock { $0.last } == .some(nil))
        for line in [
            "almanac_store_rows_total{kind=\"windows\"} 2", "almanac_store_rows_total{kind=\"profile\"} 1",
            "almanac_store_rows_total{kind=\"chunk\"} 1", "almanac_store_retries_total 0",
        ] { #expect(bench.shows(line), "\(line)") }
    }

    /// Also before anything comes that could be written.
    @Test func aStoreThatIsAwayFromTheBeginningIsWaitedFor() async throws {
        let model = ModelStore()
        model.isAway.withLock { $0 = true }
        let bench = Bench(store: model)
        let role = bench.role()
        let task = Task { try await role.run() }
        try await bench.wait { bench.statuses.withLock { $0.contains { $0 == "the store: away" } } }
        #expect(bench.statuses.withLock { !$0.contains(nil) })
        #expect(bench.log.consumers == 0, "others have its part meanwhile")
        model.isAway.withLock { $0 = false }
        try await bench.wait { bench.statuses.withLock { $0.last == .some(nil) } }
        let asked = bench.statuses.withLock { $0 }
        #expect(asked.suffix(2) == ["starting", nil], "\(asked)")
        task.cancel()
        try await task.value
    }

    @Test func storesTrafficAndCheckpoints() async throws {
        let bench = Bench()
        let total = ResultStoreContract.total()
        let window = ResultStoreContract.window(at: start)
        let visit = ResultStoreContract.visit(entered: start)
        let alert = ResultStoreContract.alert(onset: start)
        let records: [TrafficRecord] = [
            .totals([total, ResultStoreContract.total("R2")]), .windows([window]), .visits([visit]), .alerts([alert]),
        ]
        for (_, value) in records.flatMap({ $0.encode() }) { bench.log.append("trafficdata", value) }
        bench.log.append("trafficdata", Array("{}".utf8))
        let state = (0..<500_000).map { UInt8(truncatingIfNeeded: $0) }
        let parts = CheckpointPart.cut(state, name: "traffic/0", time: start, revision: Revision(rawValue: 7))
        for part in parts { bench.log.append("chunks", CheckpointRecord.encode(part)) }
        bench.log.append("chunks", Array(CheckpointRecord.encode(parts[0]).prefix(20)))
        try await bench.run { bench.isCommitted() && bench.shows("almanac_store_lag_records{topic=\"trafficdata\"} 0") }
        #expect(try await bench.store.trafficTotals(TrafficQuery()).map(\.route) == ["R2", "Route-37"])
        #expect(try await bench.store.latestTrafficWindows() == [window])
        #expect(try await bench.store.visits(point: nil, vehicle: nil, from: 0, to: .max, limit: 9, insideOnly: true) == [visit])
        #expect(try await bench.store.alerts(rule: nil, subject: nil, from: 0, to: .max, limit: 9) == [alert])
        #expect(try await bench.store.checkpoint(named: "traffic/0")?.data == state)
        let letter = try #require(bench.log.records("trafficdata.dlq").first)
        #expect(letter.value == Array("{}".utf8) && letter.headers.last?.name == "reason")
        #expect(bench.log.records("chunks.dlq").count == 1)
        for line in [
            "almanac_store_rows_total{kind=\"traffic_total\"} 2", "almanac_store_rows_total{kind=\"traffic_window\"} 1",
            "almanac_store_rows_total{kind=\"visit\"} 1", "almanac_store_rows_total{kind=\"alert\"} 1",
            "almanac_store_rows_total{kind=\"checkpoint\"} 3", "almanac_store_dead_letters_total{topic=\"trafficdata\"} 1",
        ] { #expect(bench.shows(line), "\(line)") }
    }

    @Test func onePollIsOneTransaction() async throws {
        let model = ModelStore()
        let bench = Bench(store: model)
        for i in 0..<50 as Range<Int64> { bench.send(.windows([windows(a, at: start + i * 15 * second)])) }
        try await bench.run { bench.isCommitted() }
        #expect(model.writes.withLock { $0.map(\.windows.count) } == [50])
    }

    @Test func whatCannotBeDecodedIsBuriedBeforeTheCommit() async throws {
        let bench = Bench()
        let bad: [[UInt8]] = [Array("{".utf8), Array("{\"schema\":99}".utf8), [], [0xFF, 0, 1]]
        bench.log.append("prometheusdata", bad[0], shard: Shard(7))
        bench.send(.windows([windows(a, at: start)]))
        for value in bad.dropFirst() { bench.log.append("prometheusdata", value) }
        bench.log.append("chunks", [1, 2, 3])
        try await bench.run { bench.isCommitted() }
        let letters = bench.log.records("prometheusdata.dlq")
        #expect(letters.map(\.value) == bad)
        #expect(letters.first?.key == .shard(Shard(7)))
        #expect(letters.allSatisfy { $0.headers.last?.name == "reason" && $0.headers.last?.value.isEmpty == false })
        #expect(bench.log.records("chunks.dlq").map(\.value) == [[1, 2, 3]])
        #expect(try await bench.store.latestWindows([a.id]).count == 1)
        #expect(bench.shows("almanac_store_dead_letters_total{topic=\"prometheusdata\"} 4"))
    }

    @Test func aDeadLetterThatIsTooLargeKeepsItsReason() async throws {
        let bench = Bench()
        bench.log.append("chunks", [1, 2, 3])
        bench.log.fail(.produce, with: [MessagingError(.tooLarge, "too large")])
        try await bench.run { bench.isCommitted() }
        #expect(bench.log.records("chunks.dlq").map(\.value) == [[]])
    }

    @Test func waitsForTheStore() async throws {
        let model = ModelStore()
        let bench = Bench(store: model)
        model.fail(with: Array(repeating: StorageError(.unavailable, "no space left"), count: 6))
        bench.send(.windows([windows(a, at: start)]))
        try await bench.run { bench.isCommitted() }
        #expect(model.writes.withLock { $0.count } == 1)
        let statuses = bench.statuses.withLock { $0 }
        #expect(statuses.contains { $0?.contains("no space left") == true })
        #expect(statuses.last == .some(nil))
        #expect(bench.shows("almanac_store_retries_total 6"))
    }

    @Test func waitsForTheLog() async throws {
        let bench = Bench()
        let away = MessagingError(.unavailable, "broker away")
        for call in [MemoryLog.Call.consumer, .poll, .commit, .produce] { bench.log.fail(call, with: [away, away]) }
        bench.send(.windows([windows(a, at: start)]))
        bench.log.append("chunks", [9])
        try await bench.run { bench.isCommitted() }
        #expect(bench.log.records("chunks.dlq").count == 1)
        #expect(bench.shows("almanac_store_retries_total 8"))
    }

    /// Stopped while the store is away: nothing is committed, and the next run stores all of it.
    @Test func nothingIsLostWhenStoppedWhileTheStoreIsAway() async throws {
        let model = ModelStore()
        let bench = Bench(store: model)
        model.fail(with: Array(repeating: StorageError(.unavailable, "away"), count: 1_000_000))
        bench.send(.windows([windows(a, at: start)]))
        try await bench.run { bench.statuses.withLock { $0.contains { $0?.contains("away") == true } } }
        #expect(bench.log.committed("prometheusdata") == nil)
        model.fail(with: [])
        try await bench.run { bench.isCommitted() }
        #expect(try await model.latestWindows([a.id]).count == 1)
    }

    @Test(arguments: [StorageError.Code.corrupt, .schema]) func givesUpWhereWaitingIsOfNoUse(_ code: StorageError.Code) async throws {
        let model = ModelStore()
        let bench = Bench(store: model)
        model.fail(with: [StorageError(code, "damaged")])
        bench.send(.windows([windows(a, at: start)]))
        await #expect(throws: StorageError.self) { try await bench.role().run() }
        #expect(bench.log.committed("prometheusdata") == nil)
        #expect(bench.statuses.withLock { $0.last??.contains("damaged") } == true)
    }

    /// One record that the store refuses does not hold up the others.
    @Test func aRefusedRecordIsBuried() async throws {
        let model = ModelStore()
        let bench = Bench(store: model)
        let refused = StorageError(.usage, "too big")
        // Only the batch as a whole is refused.
        model.fail(with: [refused])
        for i in 0..<3 { bench.send(.windows([windows(key("m\(i)"), at: start)])) }
        try await bench.run { bench.isCommitted() }
        #expect(try await model.series(matching: [], page: PageRequest(limit: 9)).count == 3, "each was written on its own")
        #expect(bench.log.records("prometheusdata.dlq").isEmpty)

        // The batch, and the first of its records on its own.
        model.fail(with: [refused, refused])
        for i in 3..<6 { bench.send(.windows([windows(key("m\(i)"), at: start)])) }
        try await bench.run { bench.isCommitted() }
        #expect(try await model.series(matching: [], page: PageRequest(limit: 9)).count == 5)
        #expect(bench.log.records("prometheusdata.dlq").count == 1)
    }

    /// A crash between write and commit: the records come again, and the content is the same.
    @Test(arguments: [21, 22, 23] as [UInt64]) func crashBetweenWriteAndCommit(_ seed: UInt64) async throws {
        var random = SplitMix64(seed: seed)
        let directory = try TemporaryDirectory()
        let backend = SQLiteBackend(directory: directory)
        let keys = (0..<5).map { key("m\($0)") }
        let results = (0..<60).map { _ in
            windows(
                keys.randomElement(using: &random) ?? a, at: start + Int64.random(in: 0..<30, using: &random) * 5 * minute,
                revision: Int64.random(in: 1...1_000_000, using: &random))
        }
        let model = ModelStore()
        for result in results { try await model.write(StoreBatch(windows: [result])) }

        let log = MemoryLog()
        for part in stride(from: 0, to: results.count, by: 12) {
            let store = try await backend.open()
            let bench = Bench(store: store)
            for result in results[part..<(part + 12)] {
                for value in ResultRecord.windows([result]).encode(shard: Shard(0)) { log.append("prometheusdata", value) }
            }
            // The process dies when it is about to commit.
            log.fail(.commit, with: [MessagingError(.closed, "killed")])
            let role = StoreRole(
                log: log, store: store, clock: bench.clock, metrics: bench.metrics,
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), options: bench.options)
            await #expect(throws: MessagingError.self) { try await role.run() }
            #expect(log.committed("prometheusdata") == nil)
            await store.close()
        }
        let store = try await backend.open()
        #expect(try await contents(of: store, keys.map(\.id)) == contents(of: model, keys.map(\.id)), "seed \(seed)")
        await store.close()
    }

    @Test func appliesRetentionByTheClock() async throws {
        let model = ModelStore()
        let bench = Bench(store: model)
        try await model.write(StoreBatch(windows: [windows(a, at: start)]))
        let role = bench.role()
        let task = Task { try await role.run() }
        try await bench.wait { bench.statuses.withLock { $0.last } == .some(nil) }
        #expect(try await model.series(a.id) != nil)
        bench.clock.set(start + 40 * day)
        try await bench.wait { try await model.series(self.a.id) == nil }
        task.cancel()
        try await task.value
        #expect(!bench.shows("almanac_store_retention_rows_total 0"))
    }

    @Test func backoffGrowsToItsLimit() {
        var random = SplitMix64(seed: 5)
        var backoff = Backoff(first: 100, longest: 10_000)
        let waits = (0..<12).map { _ in backoff.next(using: &random) }
        for (wait, most) in zip(waits, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000, 10_000, 10_000] as [Milliseconds]) {
            #expect(wait <= most && wait >= most / 2)
        }
    }
}
