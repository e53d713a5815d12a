import Glibc
import Records
import Storage
import StorageContract
import Synchronization
import TestSupport
import Testing
import TimeSeries

@testable import MySQLStorage

/// Writers that go on whatever happens, each batch at a time of its own.
private final class Load: Sendable {
    private let store: MySQLStore
    private let keys: [SeriesKey]
    private let next = Tally()
    private let state = Mutex((acknowledged: Set<Milliseconds>(), failures: [String]()))
    let isDone = Flag()

    init(_ store: MySQLStore, _ keys: [SeriesKey]) {
        self.store = store
        self.keys = keys
    }

    var acknowledged: Set<Milliseconds> { state.withLock { $0.acknowledged } }
    var failures: [String] { state.withLock { $0.failures } }

    func run(writers: Int) async {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<writers { group.addTask { await self.write() } }
        }
    }

    private func write() async {
        while !isDone.isSet {
            let time = start + Int64(next.next()) * 5 * minute
            do {
                try await store.write(aBatch(keys, at: time))
                state.withLock { _ = $0.acknowledged.insert(time) }
            } catch let error as StorageError where error.code == .unavailable {
                // Given up: whether it is there is not known. The next one may wait for the server.
                try? await Task.sleep(for: .milliseconds(20))
            } catch {
                state.withLock { $0.failures.append("\(error)") }
                return
            }
        }
    }
}

/// Faults of the server: each test has one of its own.
@Suite(.needsMariaDB, .serialized) struct MySQLServerFaultTests {
    /// Writers go on while the server is killed and started again and again: what was acknowledged is there, and of every batch all or
    /// nothing.
    @Test func killedUnderLoad() async throws {
        let server = try MariaDBServer()
        try await server.start()
        let options = MySQLOptions(server)
        let backend = MySQLBackend(options)
        let store = try await backend.openStore()
        let keys = (0..<200).map { key("m\($0)") }
        let load = Load(store, keys)
        let writing = Task { await load.run(writers: 3) }
        for round in 1...3 {
            let before = load.acknowledged.count
            try await eventually("writes go on, round \(round)") { load.acknowledged.count > before + 5 }
            server.kill()
            try await server.start()
        }
        let before = load.acknowledged.count
        try await eventually("writes go on after the last start") { load.acknowledged.count > before + 5 }
        load.isDone.set()
        await writing.value
        #expect(load.failures == [])

        let expected = load.acknowledged
        var seen: Set<Milliseconds>?
        for key in keys {
            let times = Set(try await store.windowsHistory(key.id, from: 0, to: .max, limit: .max).map(\.time))
            #expect(expected.isSubset(of: times), "\(key.labels) lost \(expected.subtracting(times).sorted())")
            #expect(times == seen ?? times, "half a batch is there: \(times.symmetricDifference(seen ?? []))")
            seen = times
        }
        try await store.checkHealth()
        await store.close()
    }

    @Test func absentAtStart() async throws {
        let server = try MariaDBServer()
        let options = MySQLOptions(server)
        let store = try MySQLStore(options)
        let refused = try await storageError { try await store.write(aBatch([key("a")], at: start)) }
        #expect(refused.code == .unavailable)
        #expect(refused.message.contains("almanac@127.0.0.1:\(server.port) cannot be reached"), "\(refused)")
        #expect(try await storageError { try await store.checkHealth() }.code == .unavailable)
        #expect(try await storageError { _ = try await MySQLSchema.install(options) }.code == .unavailable)

        try await server.start()
        let missing = try await storageError { try await store.write(aBatch([key("a")], at: start)) }
        #expect(missing.code == .unavailable && missing.message.contains("does not exist. Run `almanac init`"), "\(missing)")
        _ = try await MySQLSchema.install(options)
        try await store.write(aBatch([key("a")], at: start))
        try await store.checkHealth()
        #expect(try await store.latestWindows([key("a").id]).map(\.time) == [start])

        server.kill()
        let gone = try await storageError { _ = try await store.latestWindows([key("a").id]) }
        #expect(gone.code == .unavailable, "\(gone)")
        try await server.start()
        #expect(try await store.latestWindows([key("a").id]).map(\.time) == [start])
        await store.close()
        #expect(try await storageError { try await store.checkHealth() }.message.contains("closed"))
    }

    /// The server is there and does not answer.
    @Test func silentServer() async throws {
        let server = try MariaDBServer()
        try await server.start()
        var options = MySQLOptions(server)
        options.statementTimeout = 3
        options.connectTimeout = 1
        let store = try await MySQLBackend(options).openStore()
        try await store.write(aBatch([key("a")], at: start))
        server.signal(SIGSTOP)
        let error = try await storageError { try await store.write(aBatch([key("a")], at: start + minute)) }
        #expect(error.code == .unavailable, "\(error)")
        server.signal(SIGCONT)
        try await store.write(aBatch([key("a")], at: start + 2 * minute))
        #expect(try await store.latestWindows([key("a").id]).map(\.time) == [start + 2 * minute])
        await store.close()
    }

    @Test func readOnly() async throws {
        let server = try MariaDBServer()
        try await server.start()
        let store = try await MySQLBackend(MySQLOptions(server)).openStore()
        try await store.write(aBatch([key("a")], at: start))
        try server.sql("SET GLOBAL read_only = 1")
        let error = try await storageError { try await store.write(aBatch([key("a")], at: start + minute)) }
        #expect(error.code == .unavailable && error.message.contains("is read-only; nothing was written"), "\(error)")
        #expect(try await storageError { try await store.checkHealth() }.message == error.message)
        #expect(try await store.latestWindows([key("a").id]).map(\.time) == [start], "reads go on")
        try server.sql("SET GLOBAL read_only = 0")
        try await store.write(aBatch([key("a")], at: start + minute))
        try await store.checkHealth()
        await store.close()
    }

    /// A session keeps the rights of its beginning: what was granted since is had by a new one alone.
    @Test func rightsThatAreGrantedLaterCount() async throws {
        let server = try MariaDBServer()
        try await server.start()
        let options = MySQLOptions(server)
        let first = try await MySQLBackend(options).openStore()
        try await first.write(aBatch([key("a")], at: start))
        await first.close()
        let user = "'\(MariaDBServer.user)'@'%'"
        try server.sql("REVOKE INSERT, UPDATE ON `almanac%`.* FROM \(user)")
        let store = try await MySQLBackend(options).openStore()
        let error = try await storageError { try await store.write(aBatch([key("a")], at: start + minute)) }
        #expect(error.code == .unavailable && error.message.contains("the user lacks a right"), "\(error)")
        try server.sql("GRANT INSERT, UPDATE ON `almanac%`.* TO \(user)")
        try await store.write(aBatch([key("a")], at: start + minute))
        #expect(try await store.latestWindows([key("a").id]).map(\.time) == [start + minute])
        await store.close()
    }

    /// All tables in one file that may not grow.
    @Test func outOfSpace() async throws {
        let server = try MariaDBServer(settings: ["innodb_file_per_table=OFF", "innodb_data_file_path=ibdata1:12M:autoextend:max:24M"])
        try await server.start()
        let store = try await MySQLBackend(MySQLOptions(server)).openStore()
        let a = key("a")
        var error: StorageError?
        var kept: [Milliseconds] = []
        for i in 0..<200 as Range<Int64> {
            let from = start + i * hour
            do {
                try await store.write(StoreBatch(chunks: [chunk(a, from: from, to: from + hour, bytes: 200_000)]))
                kept.append(from)
            } catch let failure as StorageError {
                error = failure
                break
            }
        }
        let full = try #require(error, "the file never filled up")
        #expect(full.code == .unavailable && full.message.contains("has no space left"), "\(full)")
        #expect(try await store.chunks(of: a.id, from: .min, to: .max).map(\.start) == kept)
        await store.close()
    }

    @Test func encrypted() async throws {
        let folder = try TemporaryDirectory()
        func openssl(_ arguments: String...) throws { try runTool("/usr/bin/openssl", arguments) }
        for name in ["ca", "other"] {
            try openssl(
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=\(name)", "-keyout",
                folder.file("\(name).key"), "-out", folder.file("\(name).pem"))
        }
        try openssl(
            "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=db.example", "-keyout", folder.file("server.key"), "-out",
            folder.file("server.csr"))
        try folder.write("subjectAltName=DNS:localhost\n", to: "names")
        try openssl(
            "x509", "-req", "-in", folder.file("server.csr"), "-CA", folder.file("ca.pem"), "-CAkey", folder.file("ca.key"),
            "-CAcreateserial", "-days", "2", "-extfile", folder.file("names"), "-out", folder.file("server.pem"))
        let server = try MariaDBServer(settings: [
            "ssl_ca=\(folder.file("ca.pem"))", "ssl_cert=\(folder.file("server.pem"))", "ssl_key=\(folder.file("server.key"))",
        ])
        try await server.start()
        try server.sql("ALTER USER 'almanac'@'%' REQUIRE SSL")
        var options = MySQLOptions(server)
        options.host = "localhost"

        let plain = try await storageError { _ = try await MySQLSchema.install(options) }
        #expect(plain.message.contains("is refused by the server"), "the server wants TLS: \(plain)")
        options.tls.mode = .required
        _ = try await MySQLSchema.install(options)
        options.tls.mode = .verified
        options.tls.caFile = folder.file("ca.pem")
        let store = try MySQLStore(options)
        try await store.write(aBatch([key("a")], at: start))
        let cipher = "SELECT LENGTH(VARIABLE_VALUE) FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'"
        #expect(try await store.readers.run { try $0.integer(cipher) ?? 0 } > 0)
        await store.close()

        options.tls.caFile = folder.file("other.pem")
        let untrusted = try await storageError { _ = try await MySQLSchema.install(options) }
        #expect(untrusted.code == .unavailable && untrusted.message.contains("TLS fails"), "\(untrusted)")
        options.tls.caFile = folder.file("ca.pem")
        options.host = "127.0.0.1"
        let misnamed = try await storageError { _ = try await MySQLSchema.install(options) }
        #expect(misnamed.code == .unavailable && misnamed.message.contains("TLS fails"), "\(misnamed)")
    }

    /// Encryption that was asked for is never left out.
    @Test func serverWithoutTLS() async throws {
        let server = try MariaDBServer()
        try await server.start()
        var options = MySQLOptions(server)
        options.tls.mode = .required
        let error = try await storageError { _ = try await MySQLSchema.install(options) }
        #expect(error.code == .unavailable && error.message.contains("TLS"), "\(error)")
    }
}
