import CassandraClient
import Records
import Storage
import StorageContract
import Synchronization
import TestSupport
import Testing
import TimeSeries

@testable import CassandraScript
@testable import CassandraStorage

private final class Times: Sendable {
    private let times = Mutex<[Milliseconds]>([])
    func add(_ time: Milliseconds) { times.withLock { $0.append(time) } }
    var sorted: [Milliseconds] { times.withLock { $0.sorted() } }
    var count: Int { times.withLock { $0.count } }
}

private final class Flag: Sendable { let isSet = Atomic(false) }

@Suite(.timeLimit(.minutes(2))) struct CassandraStoreTests {
    private func withStore(
        _ adjust: @escaping @Sendable (inout CassandraStoreOptions) -> Void = { _ in },
        _ body: @Sendable (CassandraStore, MemoryBackend) async throws -> Void
    ) async throws {
        let backend = MemoryBackend(adjust)
        let store = try await backend.openStore()
        do { try await body(store, backend) } catch {
            await store.close()
            await backend.node.stop()
            throw error
        }
        await store.close()
        await backend.node.stop()
    }

    private func batch(_ keys: [SeriesKey], at time: Milliseconds) -> StoreBatch {
        StoreBatch(
            windows: keys.map { windows($0, at: time) }, profiles: keys.map { profile($0, at: time) },
            forecasts: keys.map { forecast($0, at: time) },
            chunks: keys.map { chunk($0, from: time - hour, to: time) })
    }

    /// The life of a row is given when it is written; afterwards nothing of it is left, and nothing was deleted.
    @Test func rowsEndByThemselves() async throws {
        try await withStore({ $0.retention.windows = 2 * day }) { store, backend in
            let a = key("a")
            try await store.write(batch([a], at: start))
            #expect(try await store.latestWindows([a.id]).count == 1)
            // The lock of the migration.
            let tombstones = backend.memory.tombstones
            backend.memory.later.withLock { $0 = 4 * 86_400 }
            #expect(try await store.latestWindows([a.id]).isEmpty)
            #expect(try await store.windowsHistory(a.id, from: .min, to: .max, limit: 9).isEmpty)
            #expect(try await store.latestProfiles([a.id]).count == 1)
            #expect(try await store.series(a.id) != nil)
            backend.memory.later.withLock { $0 = 17 * 86_400 }
            #expect(try await store.chunks(of: a.id, from: .min, to: .max).isEmpty)
            #expect(try await store.series(a.id) == nil)
            #expect(try await store.series(matching: [], page: PageRequest(limit: 9)).isEmpty)
            #expect(backend.memory.tombstones == tombstones)
            #expect(try await store.applyRetention(StoreRetention(), now: .max) == 0)
        }
    }

    @Test func totalsSinceTheStartAndCheckpointsStay() async throws {
        try await withStore { store, backend in
            try await store.write(
                StoreBatch(
                    trafficTotals: [ResultStoreContract.total()],
                    checkpoints: CheckpointPart.cut([1], name: "a", time: start, revision: Revision(rawValue: 1))))
            backend.memory.later.withLock { $0 = 1000 * 86_400 }
            #expect(try await store.trafficTotals(TrafficQuery()).count == 1)
            #expect(try await store.checkpoint(named: "a")?.data == [1])
        }
    }

    /// Partitions of one row each are not batched together; rows of one partition are.
    @Test func batchesStayWithinAPartition() async throws {
        try await withStore { store, backend in
            try await store.write(batch((0..<20).map { key("m\($0)") }, at: start))
            for batch in backend.node.batches {
                #expect(Set(batch.map { "\($0.text) \($0.values[0] ?? [])" }).count == 1)
                #expect(batch.allSatisfy { $0.isPrepared })
            }
            #expect(backend.node.batches.contains { $0.count == 3 }, "three windows of one series")
        }
    }

    /// Nothing of the batch is to blame, so it must be kept until the tables are back.
    @Test func aTableThatWasDroppedIsWaitedFor() async throws {
        try await withStore { store, backend in
            let a = key("a")
            try await store.write(batch([a], at: start))
            let dropped = backend.memory.tables.withLock { $0.removeValue(forKey: "window_statistics_latest") }
            for _ in 0..<2 {
                let error = await #expect(throws: StorageError.self) { try await store.write(batch([a], at: start + 60_000)) }
                #expect(error?.code == .unavailable && error?.message.contains("`almanac init`") == true, "\(String(describing: error))")
            }
            backend.memory.tables.withLock { $0["window_statistics_latest"] = dropped }
            try await store.write(batch([a], at: start + 60_000))
            #expect(try await store.latestWindows([a.id]).map(\.time) == [start + 60_000])
        }
    }

    /// The same batch again writes no labels and no days, and changes nothing.
    @Test func whatIsKnownIsNotWrittenAgain() async throws {
        try await withStore { store, backend in
            let keys = (0..<5).map { key("m\($0)") }
            try await store.write(batch(keys, at: start))
            let before = try await contents(of: store, keys.map(\.id))
            func labels() -> Int { backend.node.batches.flatMap { $0 }.filter { $0.text.contains("labels") }.count }
            #expect(labels() == 5)
            try await store.write(batch(keys, at: start))
            #expect(labels() == 5)
            #expect(try await contents(of: store, keys.map(\.id)) == before)
        }
    }

    /// A node acknowledges before it syncs: what it has forgotten when it comes back is written again, and no epoch is given out twice.
    @Test func whatALostNodeForgotIsWrittenAgain() async throws {
        try await withStore { store, backend in
            let keys = (0..<5).map { key("m\($0)") }
            #expect(try await store.nextEpoch(for: "analyzers") == 1)
            for i in 0..<3 { try await store.write(batch(keys, at: start + Milliseconds(i) * hour)) }
            let before = try await contents(of: store, keys.map(\.id))
            backend.memory.forgetRows()
            #expect(try await store.latestWindows(keys.map(\.id)).isEmpty)
            await backend.node.disconnectAll()
            try await eventually("all is there again") { (try? await contents(of: store, keys.map(\.id))) == before }
            // Epochs come first.
            #expect(try await store.nextEpoch(for: "analyzers") > 1)
        }
    }

    /// Nobody closed it, and what is to be written again cannot be while the node is down.
    @Test(arguments: [true, false]) func aStoreThatIsDroppedEndsItsWork(isUp: Bool) async throws {
        let backend = MemoryBackend()
        try await untilAllTasksEnd("the store") {
            let store = try await backend.openStore()
            try await store.write(batch([key("a")], at: start))
            if !isUp {
                await backend.node.stop()
                try await eventually("the loss is noticed") { store.state.withLock { $0.settling != nil } }
            }
        }
        try await eventually("no connection is left") { backend.node.openConnections == 0 }
        await backend.node.stop()
    }

    @Test func aColumnIsAddedToTablesInUse() async throws {
        try await withStore { store, backend in
            try await store.write(batch([key("a")], at: start))
            #expect(backend.memory.columns("series").contains("name"))
            // Once more: nothing to do.
            try await CassandraSchema.install(backend.options)
            #expect(backend.memory.columns("series").filter { $0 == "name" }.count == 1)
            #expect(backend.memory.count("almanac_schema") == CassandraSchema.version)
        }
    }

    @Test func newerTablesAreRefused() async throws {
        try await withStore { store, backend in
            let session = try await CassandraSession.open(backend.options.client)
            try await session.query("INSERT INTO k.almanac_schema (id, version, applied) VALUES (0, 99, toTimestamp(now()))")
            await session.close()
            let newer = try CassandraStore(backend.options)
            let error = await #expect(throws: StorageError.self) { try await newer.checkHealth() }
            #expect(error?.code == .schema)
            await newer.close()
        }
    }

    /// The node is killed under load: what was acknowledged is there, what failed can be written again.
    @Test func aNodeThatDiesAndComesBack() async throws {
        try await withStore({ $0.client.attemptTimeout = 1000 }) { store, backend in
            let a = key("a")
            let (acknowledged, failed) = (Times(), Times())
            let isOver = Flag()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    var time = start
                    while !isOver.isSet.load(ordering: .relaxed) {
                        time += 5 * minute
                        while true {
                            do {
                                try await store.write(StoreBatch(windows: [windows(a, at: time)]))
                                acknowledged.add(time)
                                break
                            } catch let error as StorageError {
                                #expect(error.code == .unavailable, "\(error)")
                                failed.add(time)
                                try await Task.sleep(for: .milliseconds(20))
                            }
                        }
                    }
                }
                group.addTask {
                    for _ in 0..<3 {
                        let (written, refused) = (acknowledged.count, failed.count)
                        try await eventually("writes") { acknowledged.count > written + 5 }
                        await backend.node.stop()
                        backend.node.forget()
                        try await eventually("a write that fails") { failed.count > refused }
                        try await backend.node.start()
                    }
                    let written = acknowledged.count
                    try await eventually("writes at the end") { acknowledged.count > written + 5 }
                    isOver.isSet.store(true, ordering: .relaxed)
                }
                try await group.waitForAll()
            }
            let times = try await store.windowsHistory(a.id, from: .min, to: .max, limit: 100_000).map(\.time)
            #expect(times == acknowledged.sorted)
        }
    }

    @Test func noNode() async throws {
        let backend = MemoryBackend()
        try await backend.node.start()
        await backend.node.stop()
        let store = try CassandraStore(backend.options)
        let error = await #expect(throws: StorageError.self) { try await store.checkHealth() }
        #expect(error?.code == .unavailable)
        // Start order does not matter: it is tried again.
        try await backend.node.start()
        try await CassandraSchema.install(backend.options)
        try await store.checkHealth()
        await store.close()
        await backend.node.stop()
    }

    @Test func optionsAreChecked() {
        func fault(_ adjust: (inout CassandraStoreOptions) -> Void) -> String? {
            var options = CassandraStoreOptions(client: CassandraOptions(contactPoints: [NodeAddress(host: "a", port: 1)]))
            adjust(&options)
            do { try options.check() } catch { return error.code == .usage ? error.message : nil }
            return nil
        }
        #expect(fault { _ in } == nil)
        for name in ["", "A", "1a", "a-b", "system", "x; DROP", String(repeating: "a", count: 49)] {
            #expect(fault { $0.keyspace = name } != nil)
        }
        #expect(fault { $0.replication = .simple(factor: 0) } != nil)
        #expect(fault { $0.replication = .networkTopology([:]) } != nil)
        #expect(fault { $0.replication = .networkTopology(["d'c": 1]) } != nil)
        #expect(fault { $0.client.contactPoints = [] } != nil)
        #expect(CassandraReplication.simple(factor: 3).text == "{'class': 'SimpleStrategy', 'replication_factor': 3}")
        #expect(CassandraReplication.networkTopology(["b": 2, "a": 3]).text == "{'class': 'NetworkTopologyStrategy', 'a': 3, 'b': 2}")
    }

    @Test func theTablesAsTheyAreMade() {
        let table = CassandraTables.windows
        #expect(
            table.createType("k")
                == "CREATE TYPE IF NOT EXISTS k.window_statistics_fact (revision bigint, arrived bigint, count bigint, min double, max double, "
                + "avg double, stddev double, p50 double, p95 double, p99 double)")
        #expect(
            table.createTable("k").hasPrefix(
                "CREATE TABLE IF NOT EXISTS k.window_statistics (series text, day int, time_ms bigint, window_ms bigint, "
                    + "fact frozen<window_statistics_fact>, PRIMARY KEY ((series, day), time_ms, window_ms))"))
        #expect(CassandraTables.checkpoints.createTable("k").contains("CLUSTERING ORDER BY (revision DESC, parts ASC, part ASC)"))
        for table in CassandraTables.all {
            #expect(!table.select("k").contains("ALLOW"))
            #expect(table.insert("k").hasSuffix("USING TIMESTAMP ? AND TTL ?"))
        }
    }
}
