import Glibc
import Records
import Storage
import StorageContract
import TestSupport
import Testing
import TimeSeries

@testable import MySQLStorage

/// Faults that do not need the server to themselves.
@Suite(.needsMariaDB, .mariaDB("max_allowed_packet=1M")) struct MySQLFaultTests {
    @Test func wrongPassword() async throws {
        var options = MySQLOptions(try MariaDBTrait.current())
        options.password = MySQLPassword("s3cret but wrong")
        let store = try MySQLStore(options)
        let error = try await storageError { try await store.checkHealth() }
        #expect(error.code == .unavailable)
        #expect(error.message.hasPrefix("almanac@127.0.0.1:\(options.port) is refused by the server"), "\(error)")
        #expect(try await storageError { _ = try await MySQLSchema.install(options) }.message == error.message)
        await store.close()
        options.host = "host.invalid"
        #expect(try await storageError { _ = try await MySQLSchema.install(options) }.message.contains("almanac@host.invalid"))
    }

    @Test func passwordIsNeverShown() {
        var options = MySQLOptions()
        options.password = MySQLPassword("s3cret")
        var dumped = ""
        dump(options, to: &dumped)
        for text in ["\(options)", String(reflecting: options), dumped, "\(options.password)", String(reflecting: options.password)] {
            #expect(!text.contains("s3cret"), "\(text)")
        }
    }

    @Test func missingRights() async throws {
        let server = try MariaDBTrait.current()
        try server.sql("CREATE USER IF NOT EXISTS 'guest'@'%' IDENTIFIED BY 's3cret'")
        var options = MySQLOptions(server)
        options.user = "guest"
        options.password = MySQLPassword("s3cret")
        let error = try await storageError { _ = try await MySQLSchema.install(options) }
        #expect(error.code == .unavailable && error.message.contains("the user lacks a right"), "\(error)")
        options.database = "x; DROP TABLE series"
        #expect(try await storageError { _ = try await MySQLSchema.install(options) }.code == .usage)
    }

    /// A reader with no right but SELECT works once the tables are there.
    @Test func readerWithSelectOnly() async throws {
        let server = try MariaDBTrait.current()
        var options = MySQLOptions(server)
        let store = try await MySQLBackend(options).openStore()
        try await store.write(aBatch([key("a")], at: start))
        await store.close()
        try server.sql("CREATE USER 'viewer'@'%' IDENTIFIED BY 's3cret'; GRANT SELECT ON \(options.database).* TO 'viewer'@'%'")
        options.user = "viewer"
        options.password = MySQLPassword("s3cret")
        let viewer = try MySQLStore(options)
        #expect(try await viewer.latestWindows([key("a").id]).map(\.time) == [start])
        let error = try await storageError { try await viewer.write(aBatch([key("a")], at: start + minute)) }
        #expect(error.message.contains("the user lacks a right"), "\(error)")
        await viewer.close()
    }

    @Test func killedConnections() async throws {
        let server = try MariaDBTrait.current()
        try await withStore(server) { store in
            let keys = (0..<50).map { key("m\($0)") }
            let isDone = Flag()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    defer { isDone.set() }
                    for i in 1...40 as ClosedRange<Int64> { try await store.write(aBatch(keys, at: start + i * 5 * minute)) }
                }
                group.addTask {
                    while !isDone.isSet {
                        // Of its own connections only; now and then one goes twice in a row, so not in every moment.
                        let ids = try server.sql("SELECT id FROM information_schema.processlist WHERE db = '\(store.options.database)'")
                        for id in ids.split(separator: "\n").prefix(1) { _ = try? server.sql("KILL \(id)") }
                        try await Task.sleep(for: .milliseconds(100))
                    }
                }
                try await group.waitForAll()
            }
            for key in keys {
                #expect(try await store.windowsHistory(key.id, from: 0, to: .max, limit: 1000).count == 40)
            }
        }
    }

    /// Two transactions that take the same rows in opposite orders: one is chosen to fail, and goes through at its next attempt.
    @Test func deadlock() async throws {
        let server = try MariaDBTrait.current()
        try await withStore(server) { store in
            try await store.write(aBatch([key("a"), key("b")], at: start))
            let attempts = Tally()
            let entered = Tally()
            @Sendable func update(_ first: Int64, _ second: Int64) async throws {
                try await store.writers.transaction { connection in
                    attempts.next()
                    try connection.run("UPDATE series_seen SET first_ms = first_ms + 1 WHERE series = ?", [.integer(first)])
                    entered.next()
                    // Both hold their first row before either asks for the second.
                    for _ in 0..<2000 where entered.value < 2 { usleep(1000) }
                    try connection.run("UPDATE series_seen SET first_ms = first_ms + 1 WHERE series = ?", [.integer(second)])
                }
            }
            let (low, high) = try await store.readers.run { connection in
                (try connection.integer("SELECT MIN(id) FROM series") ?? 0, try connection.integer("SELECT MAX(id) FROM series") ?? 0)
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await update(low, high) }
                group.addTask { try await update(high, low) }
                try await group.waitForAll()
            }
            #expect(attempts.value == 3, "one of the two was to be tried twice")
            #expect(try await store.series(key("a").id)?.firstSeen == start + 2, "each went through once")
        }
    }

    /// Somebody else holds a row for longer than the waiting time.
    @Test func heldRow() async throws {
        let server = try MariaDBTrait.current()
        try await withStore(server, { $0.lockTimeout = 1 }) { store in
            try await store.write(aBatch([key("a")], at: start))
            let other = try MySQLStore(store.options)
            let mayGo = Flag()
            let holds = Flag()
            let holding = Task {
                try await other.writers.transaction { connection in
                    try connection.run("UPDATE window_statistics_latest SET avg = 7")
                    holds.set()
                    while !mayGo.isSet { usleep(5000) }
                    try connection.run("ROLLBACK")
                }
            }
            try await eventually("the row is held") { holds.isSet }
            let error = try await storageError { try await store.write(aBatch([key("a")], at: start + minute)) }
            #expect(error.code == .unavailable && error.message.contains("is held by other transactions"), "\(error)")
            mayGo.set()
            try await holding.value
            try await store.write(aBatch([key("a")], at: start + minute))
            await other.close()
        }
    }

    /// A row that the server cannot take is refused as such; the rest of the work goes on. Many rows that it can take are divided.
    @Test(arguments: [true, false]) func packetLimit(usesArrays: Bool) async throws {
        let server = try MariaDBTrait.current()
        try await withStore(server, { $0.usesArrayBinding = usesArrays }) { store in
            let a = key("a")
            let error = try await storageError {
                try await store.write(StoreBatch(chunks: [chunk(a, from: start, to: start + hour, bytes: 1_500_000)]))
            }
            #expect(error.code == .usage && error.message.contains("max_allowed_packet"), "\(error)")
            let many = (0..<40 as Range<Int64>).map { chunk(a, from: start + $0 * hour, to: start + ($0 + 1) * hour, bytes: 400_000) }
            try await store.write(StoreBatch(chunks: many))
            #expect(try await store.chunks(of: a.id, from: .min, to: .max) == many)
        }
    }

    @Test func waitingCallsAreBounded() async throws {
        let server = try MariaDBTrait.current()
        try await withStore(server, { ($0.maximumWaiting, $0.readerConnections) = (3, 1) }) { store in
            let mayGo = Flag()
            let refused = Tally()
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<10 {
                    group.addTask {
                        do {
                            try await store.readers.run { _ in while !mayGo.isSet { usleep(2000) } }
                        } catch {
                            if "\(error)".contains("already wait") { refused.next() }
                            if refused.value >= 6 { mayGo.set() }
                        }
                    }
                }
            }
            // One or none was being served when the queue filled up.
            #expect((6...7).contains(refused.value))
        }
    }
}
