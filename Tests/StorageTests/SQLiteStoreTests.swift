import Foundation
import GRDB
import Records
import StorageContract
import Synchronization
import TestSupport
import Testing
import TimeSeries

@testable import Storage

private func aBatch(_ n: Int = 1, at time: Milliseconds = start) -> StoreBatch {
    StoreBatch(windows: (0..<n).map { windows(key("m\($0)"), at: time) })
}

/// Opens `path`, which must fail; the error.
private func openingError(_ path: String) throws -> StorageError {
    try #require(throws: StorageError.self) { _ = try SQLiteStore(SQLiteStoreOptions(path: path)) }
}

@Suite struct SQLiteOpeningTests {
    @Test func isDurableAndCompact() async throws {
        let directory = try TemporaryDirectory()
        let store = try SQLiteStore(SQLiteStoreOptions(path: directory.file("a.db")))
        let settings = try await store.pool.writeWithoutTransaction { db in
            try ["synchronous", "journal_mode", "auto_vacuum", "application_id"].map { try String.fetchOne(db, sql: "PRAGMA \($0)") }
        }
        #expect(settings == ["2", "wal", "2", "\(SQLiteSchema.applicationID)"])
        await store.close()
    }

    @Test func notADatabase() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("a.db")
        let content = Data("This is a letter, not a database. ".utf8 + Array(repeating: UInt8(ascii: "x"), count: 9000))
        try content.write(to: URL(fileURLWithPath: path))
        let error = try openingError(path)
        #expect(error.code == .corrupt)
        #expect(error.message.contains(path) && error.message.contains("move the file aside"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == content, "the file is left alone")
    }

    /// Damage anywhere gives an error or a right answer, never a crash or a wrong one.
    @Test(arguments: 1...8 as ClosedRange<UInt64>) func corruptPages(_ seed: UInt64) async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("a.db")
        var store = try SQLiteStore(SQLiteStoreOptions(path: path))
        let keys = (0..<200).map { key("m\($0)") }
        for i in 0..<10 as Range<Int64> {
            try await store.write(
                StoreBatch(
                    windows: keys.map { windows($0, at: start + i * 5 * minute) },
                    chunks: keys.map { chunk($0, from: start + i * hour, to: start + (i + 1) * hour, bytes: 300) }))
        }
        await store.close()
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        var random = SplitMix64(seed: seed)
        for page in 2..<(bytes.count / 4096) where Int.random(in: 0..<3, using: &random) == 0 {
            for i in 0..<64 { bytes[page * 4096 + i] = UInt8.random(in: 0...255, using: &random) }
        }
        try bytes.write(to: URL(fileURLWithPath: path))
        do {
            store = try SQLiteStore(SQLiteStoreOptions(path: path))
        } catch let error as StorageError {
            #expect(error.code == .corrupt || error.code == .schema, "seed \(seed): \(error)")
            return
        }
        var failures: [StorageError] = []
        for key in keys {
            do {
                _ = try await store.windowsHistory(key.id, from: 0, to: .max, limit: 1000)
                _ = try await store.chunks(of: key.id, from: 0, to: .max)
                _ = try await store.latestWindows([key.id])
            } catch let error as StorageError { failures.append(error) }
        }
        do { try await store.write(aBatch(200, at: start + day)) } catch let error as StorageError { failures.append(error) }
        #expect(!failures.isEmpty, "seed \(seed): a third of the pages is damaged")
        #expect(failures.allSatisfy { $0.code == .corrupt && $0.message.contains(path) }, "seed \(seed): \(failures)")
        await store.close()
    }

    @Test func anotherProgramsDatabase() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("photos.db")
        let other = try DatabaseQueue(path: path)
        try other.write { try $0.execute(sql: "CREATE TABLE photos (id INTEGER)") }
        try other.close()
        let before = try Data(contentsOf: URL(fileURLWithPath: path))
        let error = try openingError(path)
        #expect(error.code == .usage && error.message.contains("another program"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
    }

    @Test func newerSchema() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("a.db")
        let store = try SQLiteStore(SQLiteStoreOptions(path: path))
        try await store.pool.write { db in try db.execute(sql: "INSERT INTO grdb_migrations VALUES ('v999')") }
        await store.close()
        let error = try openingError(path)
        #expect(error.code == .schema && error.message.contains("newer version") && error.message.contains(path))
    }

    @Test func pathsThatCannotBe() throws {
        let directory = try TemporaryDirectory()
        try Data("x".utf8).write(to: URL(fileURLWithPath: directory.file("file")))
        for path in [directory.file("file/a.db"), "/proc/almanac/a.db", directory.path] {
            let error = try openingError(path)
            #expect(error.code == .unavailable && error.message.contains(path.hasSuffix("a.db") ? "directory" : path), "\(error)")
        }
    }

    @Test(.enabled(if: geteuid() != 0, "root may write everywhere")) func unwritableDirectory() throws {
        let directory = try TemporaryDirectory()
        try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: directory.path)
        defer { try? FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: directory.path) }
        let error = try openingError(directory.file("a.db"))
        #expect(error.code == .unavailable && error.message.contains("permissions"))
    }

    @Test func migratesFromVersion1() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("a.db")
        try Version1Fixture.build(path)
        let store = try SQLiteStore(SQLiteStoreOptions(path: path))
        let up = key("up", [("job", "node")], type: .gauge)
        #expect(try await store.series(up.id) == StoredSeries(key: up, firstSeen: start - hour, lastSeen: start))
        #expect(try await store.latestWindows([up.id]).map { $0.windows.map(\.avg) } == [[0.75]])
        #expect(try await store.windowsHistory(up.id, from: 0, to: .max, limit: 9).map(\.time) == [start])
        #expect(try await store.latestProfiles([up.id]).map(\.verdict) == ["stationary"])
        #expect(try await store.latestForecasts([up.id]).map(\.path.count) == [1])
        #expect(try await store.forecastHistory(up.id, from: 0, to: .max, limit: 9).map { $0.max?.upper95 } == [5])
        let stored = try #require(try await store.chunks(of: up.id, from: 0, to: .max).first)
        #expect(stored.data == [1, 2, 3] && stored.moments.mean == 1.5 && stored.replayOffset == 77)
        await store.close()
    }

    /// The version before the tables of the traffic.
    @Test func migratesFromVersion4() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("a.db")
        try Version4Fixture.build(path)
        let store = try SQLiteStore(SQLiteStoreOptions(path: path))
        let up = key("up", [("job", "node")], type: .gauge)
        #expect(try await store.latestWindows([up.id]).map { $0.windows.map(\.avg) } == [[0.75]])
        #expect(try await store.chunks(of: up.id, from: 0, to: .max).map(\.data) == [[1, 2, 3]])
        #expect(try await store.anomalies(of: up.id, from: 0, to: .max, limit: 9).map(\.cause) == ["level up"])
        let states = Mutex<[ModelStateResult]>([])
        try await store.modelStates(shards: [up.id.shard]) { page in states.withLock { $0 += page } }
        #expect(states.withLock { $0.map(\.data) } == [[7, 8]])
        #expect(try await store.nextEpoch(for: "analyze/3") == 42)
        let batch = StoreBatch(
            trafficTotals: [ResultStoreContract.total()], visits: [ResultStoreContract.visit(entered: start)],
            checkpoints: CheckpointPart.cut([1, 2], name: "traffic/0", time: start, revision: Revision(rawValue: 1)))
        try await store.write(batch)
        #expect(try await store.trafficTotals(TrafficQuery()) == batch.trafficTotals)
        #expect(try await store.checkpoint(named: "traffic/0")?.data == [1, 2])
        await store.close()
    }
}

@Suite struct SQLiteStoreTests {
    /// A file that may not grow stands for a full disk: SQLite gives the same code.
    @Test func fullDisk() async throws {
        let directory = try TemporaryDirectory()
        let store = try SQLiteStore(SQLiteStoreOptions(path: directory.file("a.db")))
        try await store.write(aBatch(10))
        let keys = (0..<500).map { key("m\($0)") }
        let some = keys.prefix(20).map(\.id)
        let before = try await contents(of: store, some)
        try await store.pool.writeWithoutTransaction { db in
            let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
            try db.execute(sql: "PRAGMA max_page_count = \(pages + 5)")
        }
        for _ in 0..<3 {
            let error = await #expect(throws: StorageError.self) { try await store.write(aBatch(500, at: start + hour)) }
            #expect(error?.code == .unavailable && error?.message.contains("no space left") == true)
            #expect(try await contents(of: store, some) == before, "nothing is half-written")
        }
        let health = await #expect(throws: StorageError.self) { try await store.checkHealth() }
        #expect(health?.message.contains("no space left") == true)
        try await store.pool.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA max_page_count = 100000000") }
        try await store.write(aBatch(500, at: start + hour))
        try await store.checkHealth()
        #expect(try await store.latestWindows(keys.map(\.id)).map(\.time) == Array(repeating: start + hour, count: 500))
        await store.close()
    }

    /// What a killed process leaves behind, with the log cut off anywhere: every write that the rest of the log holds is whole, and none
    /// that was acknowledged before the cut is missing.
    @Test(arguments: [31, 32, 33] as [UInt64]) func killedProcess(_ seed: UInt64) async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("a.db")
        let store = try SQLiteStore(SQLiteStoreOptions(path: path))
        let keys = (0..<20).map { key("m\($0)") }
        var random = SplitMix64(seed: seed)
        var sizes: [Int] = []
        func size(_ file: String) throws -> Int {
            (try FileManager.default.attributesOfItem(atPath: file)[.size] as? NSNumber)?.intValue ?? 0
        }
        for i in 0..<20 as Range<Int64> {
            try await store.write(StoreBatch(windows: keys.map { windows($0, at: start + i * 5 * minute) }))
            sizes.append(try size(path + "-wal"))
        }
        for round in 0..<6 {
            let copy = directory.file("copy\(round).db")
            try FileManager.default.copyItem(atPath: path, toPath: copy)
            var wal = try Data(contentsOf: URL(fileURLWithPath: path + "-wal"))
            let cut = round == 0 ? wal.count : Int.random(in: (sizes.first ?? 0)...wal.count, using: &random)
            wal.removeSubrange(cut...)
            try wal.write(to: URL(fileURLWithPath: copy + "-wal"))
            let after = try SQLiteStore(SQLiteStoreOptions(path: copy))
            let acknowledged = sizes.filter { $0 <= cut }.count
            for key in keys {
                let times = try await after.windowsHistory(key.id, from: 0, to: .max, limit: 100).map(\.time)
                #expect(times == (0..<acknowledged).map { start + Int64($0) * 5 * minute }, "seed \(seed), cut at \(cut) of \(sizes)")
            }
            await after.close()
        }
        await store.close()
    }

    /// Reads of one series must not walk others' rows or all of its own: the plans are part of the promise.
    @Test func readsSeek() async throws {
        let directory = try TemporaryDirectory()
        let store = try SQLiteStore(SQLiteStoreOptions(path: directory.file("a.db")))
        let plans = try await store.read { db in
            try [
                "SELECT * FROM window_statistics WHERE hour = 1 AND series = 1 AND time_ms > 1 ORDER BY time_ms, window_ms",
                "SELECT * FROM forecasts WHERE hour = 1 AND series = 1 AND time_ms > 1 ORDER BY time_ms, horizon_ms",
                "SELECT max(hour) FROM window_statistics WHERE hour < 9", "SELECT max(hour) FROM profiles WHERE hour < 9",
                "SELECT * FROM series WHERE name = 'a' AND fingerprint > 'b' ORDER BY fingerprint",
            ].map { sql in (sql, try Row.fetchAll(db, sql: "EXPLAIN QUERY PLAN " + sql).map { $0["detail"] as String }) }
        }
        for (sql, steps) in plans { #expect(steps.allSatisfy { $0.hasPrefix("SEARCH") }, "\(sql): \(steps)") }
        await store.close()
    }

    @Test func movedFile() async throws {
        let directory = try TemporaryDirectory()
        let store = try SQLiteStore(SQLiteStoreOptions(path: directory.file("a.db")))
        try await store.checkHealth()
        try FileManager.default.moveItem(atPath: directory.file("a.db"), toPath: directory.file("b.db"))
        let error = await #expect(throws: StorageError.self) { try await store.checkHealth() }
        #expect(error?.code == .unavailable && error?.message.contains("moved or deleted") == true)
        await store.close()
    }

    @Test func aMissingTableIsASchemaError() async throws {
        let directory = try TemporaryDirectory()
        let store = try SQLiteStore(SQLiteStoreOptions(path: directory.file("a.db")))
        try await store.pool.write { db in try db.execute(sql: "DROP TABLE series_seen") }
        let error = await #expect(throws: StorageError.self) { try await store.write(aBatch()) }
        #expect(error?.code == .schema)
        await store.close()
    }

    /// The views are there for people; each must at least answer.
    @Test func viewsAnswer() async throws {
        let directory = try TemporaryDirectory()
        let store = try SQLiteStore(SQLiteStoreOptions(path: directory.file("a.db")))
        let a = key("a", [("job", "x")])
        try await store.write(
            StoreBatch(
                windows: [windows(a, at: start)], profiles: [profile(a, at: start)], forecasts: [forecast(a, at: start)],
                chunks: [chunk(a, from: start - hour, to: start)],
                anomalies: [
                    AnomalyResult(
                        series: a, time: start, revision: Revision(rawValue: 1), onset: start, end: nil, score: 0.9, expected: 1, seen: 9,
                        cause: "level up")
                ],
                trafficTotals: [ResultStoreContract.total()], trafficWindows: [ResultStoreContract.window(at: start)],
                visits: [
                    ResultStoreContract.visit(entered: start), ResultStoreContract.visit("v2", entered: start, isWithdrawn: true),
                ], alerts: [ResultStoreContract.alert(onset: start)],
                checkpoints: CheckpointPart.cut([1, 2], name: "traffic/0", time: start, revision: Revision(rawValue: 1))))
        let ofTraffic = [
            "traffic_totals_view": "|Route-37|Bus|2|5|1|2025-10-14T00:00:00Z",
            "traffic_windows_view": "2025-10-14T00:00:00Z|30.0|Route-37|Bus|2|5|20.3666666666667|12.5|1",
            "point_visits_view": "poi|v1|Large Truck|Route-37|2025-10-14T00:00:00Z|2025-10-14T00:00:01Z||1.0|33.877495|-95.50238|"
                + "0.333333333333333",
            "traffic_alerts_view": "speeding|v1|Bus|Route-37|2025-10-14T00:00:00Z||131.5|110.0|speed 131.5 km/h above 110",
            "checkpoints_view": "traffic/0|2025-10-14T00:00:00Z|1|1|1|2",
        ]
        let rows = try await store.read { db in
            let views = try String.fetchAll(db, sql: "SELECT name FROM sqlite_master WHERE type = 'view'")
            return try views.filter { !ofTraffic.keys.contains($0) }.map {
                ($0, try Row.fetchAll(db, sql: "SELECT * FROM \($0)").map { $0["notation"] as String? })
            }
        }
        #expect(rows.count == 8)
        for (view, notations) in rows { #expect(notations.allSatisfy { $0 == "a{job=\"x\"}" } && !notations.isEmpty, "\(view)") }
        for (view, line) in ofTraffic {
            let columns = try await store.read { db in try db.columns(in: view).map(\.name) }
            let shown = columns.map { "coalesce(\"\($0)\", '')" }.joined(separator: " || '|' || ")
            #expect(try await store.read { db in try String.fetchAll(db, sql: "SELECT \(shown) FROM \(view)") } == [line], "\(view)")
        }
        let time = try await store.read { db in try String.fetchOne(db, sql: "SELECT time FROM window_statistics_view") }
        #expect(time == "2025-10-14T00:00:00Z")
        await store.close()
    }

    /// Past its limit the oldest goes, and only that.
    @Test func sizeLimit() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("a.db")
        let store = try SQLiteStore(SQLiteStoreOptions(path: path))
        let keys = (0..<40).map { key("m\($0)") }
        let hours = 60 as Int64
        for h in 0..<hours {
            var batch = StoreBatch()
            for key in keys {
                for i in 0..<12 { batch.windows.append(windows(key, at: start + h * hour + Int64(i) * 5 * minute)) }
                batch.chunks.append(chunk(key, from: start + h * hour, to: start + (h + 1) * hour, bytes: 600))
            }
            try await store.write(batch)
        }
        let now = start + hours * hour
        func fileBytes() async throws -> Int64 {
            try await store.pool.writeWithoutTransaction { db in
                _ = try db.checkpoint(.truncate)
            }
            return (try FileManager.default.attributesOfItem(atPath: path)[.size] as? NSNumber)?.int64Value ?? 0
        }
        let before = try await fileBytes()
        var limits = StoreRetention()
        limits.maxBytes = before / 2
        #expect(try await store.applyRetention(limits, now: now) > 0)
        #expect(try await fileBytes() <= limits.maxBytes, "free pages go back to the file system")
        let history = try await store.windowsHistory(keys[7].id, from: 0, to: .max, limit: 10_000).map(\.time)
        #expect(history.last == now - 5 * minute)
        #expect(history.count > 12 && history.count < 12 * Int(hours))
        #expect(history == (0..<history.count).map { now - 5 * minute * Int64(history.count - $0) }, "the oldest went, without gaps")

        // However small the limit, the last hour, and a day of chunks, stay.
        limits.maxBytes = 1
        _ = try await store.applyRetention(limits, now: now)
        #expect(try await store.windowsHistory(keys[7].id, from: 0, to: .max, limit: 10_000).map(\.time).first == now - hour)
        #expect(try await store.chunks(of: keys[7].id, from: 0, to: .max).count == 24)
        #expect(try await store.latestWindows(keys.map(\.id)).count == keys.count)
        await store.close()
    }

    /// Writers get their turn while retention removes much.
    @Test func retentionLetsWritersIn() async throws {
        let directory = try TemporaryDirectory()
        var options = SQLiteStoreOptions(path: directory.file("a.db"))
        options.retentionStep = 20
        let store = try SQLiteStore(options)
        let keys = (0..<40).map { key("m\($0)") }
        for h in 0..<20 as Range<Int64> {
            try await store.write(
                StoreBatch(windows: (0..<12).flatMap { i in keys.map { windows($0, at: start + h * hour + Int64(i) * 5 * minute) } }))
        }
        let store2 = store
        let retention = Task { try await store2.applyRetention(StoreRetention(), now: start + 40 * day) }
        let isDone = Flag()
        let counter = Task {
            var writes = 0
            while !isDone.isSet {
                writes += 1
                try await store2.write(aBatch(1, at: start + 40 * day + Int64(writes) * second))
            }
            return writes
        }
        let removed = try await retention.value
        isDone.set()
        #expect(removed >= 40 * 20 * 12 * 3)
        #expect(try await counter.value > 5)
        #expect(try await store.latestWindows([keys[0].id]).count == 1)
        await store.close()
    }

    /// A cancelled retention leaves a store that works.
    @Test func cancelledRetention() async throws {
        let directory = try TemporaryDirectory()
        let store = try SQLiteStore(SQLiteStoreOptions(path: directory.file("a.db")))
        try await store.write(aBatch(50))
        let retention = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await store.applyRetention(StoreRetention(), now: start + 40 * day)
        }
        await #expect(throws: CancellationError.self) { _ = try await retention.value }
        try await store.write(aBatch(50, at: start + hour))
        try await store.checkHealth()
        await store.close()
    }
}
