import Records
import Storage
import StorageContract
import TestSupport
import Testing
import TimeSeries

@testable import MySQLStorage

@Suite(.needsMariaDB, .mariaDB) struct MySQLSchemaTests {
    @Test func installSaysWhatItDid() async throws {
        let options = MySQLOptions(try MariaDBTrait.current())
        let first = try await MySQLSchema.install(options)
        #expect(first.hasMadeDatabase && first.versionBefore == nil && first.version == MySQLSchema.version)
        #expect(first.lines.count == 2 && first.lines[0].hasPrefix("made the database \(options.database)"), "\(first.lines)")
        let store = try MySQLStore(options)
        try await store.write(StoreBatch(windows: [windows(key("a"), at: start)]))
        let second = try await MySQLSchema.install(options)
        #expect(!second.hasMadeDatabase && second.versionBefore == second.version)
        #expect(second.lines[1].contains("already"), "\(second.lines)")
        #expect(try await store.latestWindows([key("a").id]).map(\.time) == [start], "nothing is dropped")
        await store.close()
    }

    @Test func databaseIsUnicode() async throws {
        try await withStore(try MariaDBTrait.current()) { store in
            let session = try await store.writers.run { connection in
                var columns: [String?] = []
                try connection.query(
                    "SELECT @@character_set_database, @@collation_database, @@character_set_connection, @@time_zone, @@sql_mode"
                ) { row in columns = (0..<5).map { row.text($0) } }
                return columns
            }
            #expect(session.dropLast() == ["utf8mb4", "utf8mb4_bin", "utf8mb4", "+00:00"])
            #expect(session.last??.contains("STRICT_ALL_TABLES") ?? false)
        }
    }

    /// Many processes start together with an empty database: one makes the tables, the others find them.
    @Test func concurrentMigrations() async throws {
        let server = try MariaDBTrait.current()
        let options = MySQLOptions(server)
        try server.sql("CREATE DATABASE \(options.database)")
        let found = try await withThrowingTaskGroup(of: Int64?.self) { group in
            for i in 0..<8 as Range<Int64> {
                group.addTask {
                    let report = try await MySQLSchema.install(options)
                    let store = try MySQLStore(options)
                    try await store.write(StoreBatch(windows: [windows(key("m\(i)"), at: start)]))
                    await store.close()
                    return report.versionBefore
                }
            }
            var found: [Int64?] = []
            for try await version in group { found.append(version) }
            return found
        }
        #expect(found.filter { $0 == nil }.count == 1, "\(found)")
        #expect(try server.sql("SELECT COUNT(*) FROM almanac_schema", database: options.database) == "\(MySQLSchema.version)\n")
        #expect(try server.sql("SELECT COUNT(*) FROM series", database: options.database) == "8\n")
    }

    /// As a process leaves it that dies in mid-migration.
    @Test func brokenOffMigration() async throws {
        let server = try MariaDBTrait.current()
        let options = MySQLOptions(server)
        try server.sql("CREATE DATABASE \(options.database)")
        try server.sql("CREATE TABLE almanac_schema (version INT PRIMARY KEY, applied DATETIME(3) NOT NULL)", database: options.database)
        for statement in MySQLTables.version1.prefix(6) { try server.sql(statement, database: options.database) }
        let report = try await MySQLSchema.install(options)
        #expect(report.versionBefore == 0 && report.version == MySQLSchema.version)
        let store = try MySQLStore(options)
        try await store.write(StoreBatch(windows: [windows(key("a"), at: start)]))
        await store.close()
    }

    /// Tables of version 1, with rows, as a former program left them.
    @Test func migratesFromVersion1() async throws {
        let server = try MariaDBTrait.current()
        let options = MySQLOptions(server)
        try server.sql("CREATE DATABASE \(options.database)")
        try server.sql("CREATE TABLE almanac_schema (version INT PRIMARY KEY, applied DATETIME(3) NOT NULL)", database: options.database)
        for statement in MySQLTables.version1 { try server.sql(statement, database: options.database) }
        let a = key("a", [("job", "x")])
        try server.sql(
            """
            INSERT INTO almanac_schema VALUES (1, NOW(3));
            INSERT INTO series (notation, fingerprint, shard, name, labels)
                VALUES ('a{job="x"}', '\(a.id)', \(a.id.shard), 'a', '{"__name__":"a","job":"x"}');
            INSERT INTO series_seen (series, type, first_ms, last_ms) VALUES (1, 'gauge', \(start), \(start));
            INSERT INTO anomalies (series, onset_ms, time_ms, revision, score, cause) VALUES (1, \(start), \(start), 9, 0.5, 'level up');
            INSERT INTO epochs VALUES ('analyze/3', 41);
            """, database: options.database)
        let report = try await MySQLSchema.install(options)
        #expect(report.versionBefore == 1 && report.version == 2)
        #expect(report.lines.last?.contains("from version 1 to 2") ?? false, "\(report.lines)")
        let store = try MySQLStore(options)
        #expect(try await store.anomalies(of: a.id, from: 0, to: .max, limit: 9).map(\.cause) == ["level up"])
        #expect(try await store.nextEpoch(for: "analyze/3") == 42)
        let batch = StoreBatch(
            trafficTotals: [ResultStoreContract.total()], visits: [ResultStoreContract.visit(entered: start)],
            checkpoints: CheckpointPart.cut([1, 2], name: "traffic/0", time: start, revision: Revision(rawValue: 1)))
        try await store.write(batch)
        #expect(try await store.trafficTotals(TrafficQuery()) == batch.trafficTotals)
        #expect(try await store.checkpoint(named: "traffic/0")?.data == [1, 2])
        await store.close()
    }

    /// What people see of the traffic, times included.
    @Test func viewsOfTraffic() async throws {
        let server = try MariaDBTrait.current()
        try await withStore(server) { store in
            try await store.write(
                StoreBatch(
                    trafficTotals: [ResultStoreContract.total()], trafficWindows: [ResultStoreContract.window(at: start)],
                    visits: [
                        ResultStoreContract.visit(entered: start), ResultStoreContract.visit("v2", entered: start, isWithdrawn: true),
                    ], alerts: [ResultStoreContract.alert(onset: start)],
                    checkpoints: CheckpointPart.cut([1, 2], name: "traffic/0", time: start, revision: Revision(rawValue: 1))))
            let midnight = "2025-10-14 00:00:00.000"
            let expected = [
                "traffic_totals": "NULL|Route-37|Bus|2|5|1|2025-10-14 00:00:00.001",
                "traffic_windows": "\(midnight)|30.0000|Route-37|Bus|2|5|20.366666666666667|12.5|1",
                "point_visits": "poi|v1|Large Truck|Route-37|\(midnight)|2025-10-14 00:00:01.000|NULL|1.0000|33.877495|-95.50238|"
                    + "0.3333333333333333",
                "traffic_alerts": "speeding|v1|Bus|Route-37|\(midnight)|NULL|131.5|110|speed 131.5 km/h above 110",
                "checkpoints": "traffic/0|\(midnight)|1|1|1|2",
            ]
            for (table, line) in expected {
                let found = try server.sql("SELECT * FROM \(table)_view", database: store.options.database)
                #expect(found.replacing("\t", with: "|") == line + "\n", "\(table)")
            }
        }
    }

    @Test func newerSchemaIsRefused() async throws {
        let server = try MariaDBTrait.current()
        let options = MySQLOptions(server)
        _ = try await MySQLSchema.install(options)
        try server.sql("INSERT INTO almanac_schema VALUES (99, NOW(3))", database: options.database)
        let store = try MySQLStore(options)
        let error = try await storageError { try await store.write(StoreBatch(windows: [windows(key("a"), at: start)])) }
        #expect(error.code == .schema && error.message.contains("newer version"), "\(error)")
        #expect(try await storageError { _ = try await MySQLSchema.install(options) }.code == .schema)
        await store.close()
    }

    @Test func foreignTablesAreLeftAlone() async throws {
        let server = try MariaDBTrait.current()
        let options = MySQLOptions(server)
        try server.sql("CREATE DATABASE \(options.database)")
        try server.sql("CREATE TABLE series (x INT); INSERT INTO series VALUES (7)", database: options.database)
        let error = try await storageError { _ = try await MySQLSchema.install(options) }
        #expect(error.code == .usage && error.message.contains("tables of another program (series)"), "\(error)")
        #expect(try server.sql("SHOW TABLES", database: options.database) == "series\n")
        #expect(try server.sql("SELECT * FROM series", database: options.database) == "7\n")
    }

    /// The database is dropped and made again below a running store: its memory of series is worth nothing then.
    @Test func databaseMadeAnew() async throws {
        let server = try MariaDBTrait.current()
        try await withStore(server) { store in
            let keys = ["a", "b"].map { key($0) }
            try await store.write(StoreBatch(windows: keys.map { windows($0, at: start) }))
            try server.sql("DROP DATABASE \(store.options.database); CREATE DATABASE \(store.options.database)")
            try await store.write(StoreBatch(windows: [windows(keys[1], at: start + minute)]))
            #expect(try await store.series(matching: [], page: PageRequest(limit: 9)).map(\.key) == [keys[1]])
            #expect(try await store.latestWindows(keys.map(\.id)).map(\.time) == [start + minute])
        }
    }

    /// Some tables are gone while the table of versions says that they are there.
    @Test(arguments: [["chunks"], ["series", "series_seen"], ["almanac_state", "epochs"], ["traffic_totals"]])
    func tablesDroppedBelowARunningStore(
        tables: [String]
    ) async throws {
        let server = try MariaDBTrait.current()
        try await withStore(server) { store in
            let keys = ["a", "b"].map { key($0) }
            try await store.write(StoreBatch(windows: keys.map { windows($0, at: start) }))
            _ = try await store.nextEpoch(for: "x")
            try server.sql("DROP TABLE \(tables.joined(separator: ", "))", database: store.options.database)
            _ = try await store.nextEpoch(for: "x")
            try await store.write(StoreBatch(windows: [windows(keys[1], at: start + minute)]))
            #expect(try await store.chunks(of: keys[1].id, from: 0, to: .max).isEmpty)
            #expect(try await store.latestWindows([keys[1].id]).map(\.time) == [start + minute])
            #expect(try await store.series(keys[1].id)?.key == keys[1])
            #expect(try await store.trafficTotals(TrafficQuery()).isEmpty)
        }
    }

    /// Another process removes a series that this one knows by number, and it comes back.
    @Test func seriesRemovedByAnotherProcess() async throws {
        let server = try MariaDBTrait.current()
        try await withStore(server) { store in
            let other = try MySQLStore(store.options)
            let a = key("a")
            try await store.write(StoreBatch(windows: [windows(a, at: start)]))
            #expect(try await other.applyRetention(StoreRetention(), now: start + 30 * day) > 0)
            #expect(try await store.series(a.id) == nil)
            try await store.write(StoreBatch(windows: [windows(a, at: start + 30 * day)]))
            #expect(try await store.series(a.id)?.firstSeen == start + 30 * day)
            #expect(try await other.latestWindows([a.id]).map(\.time) == [start + 30 * day])
            await other.close()
        }
    }

    @Test func retentionBySize() async throws {
        try await withStore(try MariaDBTrait.current(), { $0.retentionStep = 2000 }) { store in
            let keys = (0..<40).map { key("m\($0)") }
            for hours in 0..<60 as Range<Int64> {
                var batch = StoreBatch()
                for i in 0..<12 as Range<Int64> {
                    batch.windows += keys.map { windows($0, at: start + hours * hour + i * 5 * minute) }
                }
                try await store.write(batch)
            }
            let now = start + 60 * hour
            var limits = StoreRetention()
            #expect(try await store.applyRetention(limits, now: now) == 0)
            limits.maxBytes = 6 * 1024 * 1024
            let removed = try await store.applyRetention(limits, now: now)
            let left = try await store.windowsHistory(keys[0].id, from: .min, to: .max, limit: 10_000).map(\.time)
            #expect(removed > 10_000, "\(removed)")
            #expect(left.count >= 12 && left.count < 650, "\(left.count)")
            #expect(left.last == start + 59 * hour + 55 * minute)
            #expect(left == (0..<left.count).map { start + (59 * hour + 55 * minute) - Int64($0) * 5 * minute }.reversed(), "the oldest go")
            // However small the limit, the last hour stays.
            limits.maxBytes = 1
            _ = try await store.applyRetention(limits, now: now)
            let last = try await store.windowsHistory(keys[0].id, from: .min, to: .max, limit: 10_000).map(\.time)
            #expect((12...24).contains(last.count), "\(last.count)")
        }
    }

    /// A store for years: a day of one series among others is read in few milliseconds.
    @Test func readsOneSeriesDayQuickly() async throws {
        try await withStore(try MariaDBTrait.current()) { store in
            let keys = (0..<100).map { key("m\($0)") }
            for hours in 0..<24 as Range<Int64> {
                var batch = StoreBatch()
                for i in 0..<12 as Range<Int64> {
                    batch.windows += keys.map { windows($0, at: start + hours * hour + i * 5 * minute) }
                }
                try await store.write(batch)
            }
            var times: [Duration] = []
            for key in keys.prefix(20) {
                let begun = ContinuousClock.now
                let rows = try await store.windowsHistory(key.id, from: start - 1, to: start + day, limit: 1000)
                times.append(ContinuousClock.now - begun)
                #expect(rows.count == 288)
            }
            times.sort()
            // 2 ms in a release build; this is a debug build on a machine that does other things.
            #expect(times[5] < .milliseconds(60), "\(times)")
            let plan = try await store.readers.run { connection in
                var rows = 0
                try connection.query(
                    """
                    EXPLAIN SELECT * FROM window_statistics WHERE slot IN (5868000, 5868001, 5868002) AND series = 1 AND time_ms > 0
                        AND time_ms <= 9000000000000
                    """
                ) { row in if row.text(3) == "range", row.text(5) == "PRIMARY" { rows += 1 } }
                return rows
            }
            #expect(plan == 1, "the history is read by its key")
        }
    }

    @Test func typeOfTheNewestResultAtOneTime() async throws {
        try await withStore(try MariaDBTrait.current()) { store in
            for type in [MetricType.gauge, .counter, .unknown] {
                try await store.write(StoreBatch(windows: [windows(key("a", type: type), at: start)]))
            }
            #expect(try await store.series(key("a").id)?.key.type == .counter, "the highest of those at one time")
        }
    }

    /// Names longer than the index holds, alike in what it holds.
    @Test func longNames() async throws {
        try await withStore(try MariaDBTrait.current()) { store in
            let stem = String(repeating: "n", count: 300)
            let keys = [key(stem + "1"), key(stem + "2")]
            try await store.write(StoreBatch(windows: keys.map { windows($0, at: start) }))
            for key in keys {
                let matcher = LabelMatcher("__name__", .equal, key.labels.name)
                #expect(try await store.series(matching: [matcher], page: PageRequest(limit: 9)).map(\.key) == [key])
            }
        }
    }

    /// Batches of several pieces, with nulls, empty and long values in all of them: array rows equal single rows.
    @Test(arguments: [1, 2] as [UInt64]) func arraysEqualSingleRows(_ seed: UInt64) async throws {
        let server = try MariaDBTrait.current()
        var random = SplitMix64(seed: seed)
        var batch = StoreBatch()
        for i in 0..<120 {
            let key = key("m\(i)", [("x", String(repeating: "é", count: Int.random(in: 0...40, using: &random)))])
            var result = windows(key, at: start, value: Double.random(in: -1e9...1e9, using: &random))
            for j in result.windows.indices where Bool.random(using: &random) { result.windows[j].stddev = nil }
            batch.windows.append(result)
            let verdict = Bool.random(using: &random) ? nil : "v"
            batch.profiles.append(profile(key, at: start, verdict: verdict))
            let from = start + Int64.random(in: 0...1000, using: &random)
            batch.chunks.append(chunk(key, from: from, to: from + hour, bytes: Int.random(in: 0...20_000, using: &random)))
            let name = String(repeating: "é", count: i)
            batch.trafficTotals.append(ResultStoreContract.total(name, "\(i)", events: i))
            batch.visits.append(ResultStoreContract.visit(name, entered: from, left: verdict == nil ? nil : from))
            var window = ResultStoreContract.window(at: from, name)
            if verdict == nil { window.speedAvg = nil }
            batch.trafficWindows.append(window)
            batch.alerts.append(ResultStoreContract.alert(name, onset: from, end: verdict == nil ? nil : from))
        }
        let ids = batch.windows.map(\.series.id)
        var seen: [String]?
        var lastTraffic: StoreBatch?
        for (usesArrays, rows) in [(true, 7), (true, 2000), (false, 70), (false, 1)] {
            var options = MySQLOptions(server)
            options.usesArrayBinding = usesArrays
            options.arrayRows = rows
            let store = try await MySQLBackend(options).openStore()
            try await store.write(batch)
            let contents = try await contents(of: store, ids)
            let traffic = try await ResultStoreContract.traffic(store)
            #expect(traffic.trafficTotals.count == 120 && Set(traffic.visits.map(\.vehicle)) == Set(batch.visits.map(\.vehicle)))
            ResultStoreContract.expectSame(traffic, lastTraffic ?? traffic)
            lastTraffic = traffic
            #expect(contents == seen ?? contents, "seed \(seed), \(usesArrays), \(rows)")
            seen = contents
            await store.close()
        }
    }
}
