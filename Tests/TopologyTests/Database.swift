import CassandraClient
import CassandraStorage
import Glibc
import MySQLStorage
import Storage
import TestSupport

/// The store under a topology: a MariaDB of the test's own, or a Cassandra that is given and may be killed.
protocol Database: Sendable {
    /// Members of `store`, as YAML.
    var configuration: String { get }
    /// Starts it, and waits until it answers.
    func start() async throws
    /// SIGKILL.
    func kill() throws
    /// SIGSTOP or SIGCONT: it is there and does not answer. False where that cannot be done.
    func signal(_ signal: Int32) -> Bool
    func open() throws -> any ResultStore
    /// The end of it, after the test.
    func end()
}

struct MariaDB: Database {
    private let server: MariaDBServer
    private let passwordFile: String

    init(passwordFile: String) throws {
        server = try MariaDBServer()
        self.passwordFile = passwordFile
    }

    var configuration: String {
        """
        kind: mysql
          mysql: {host: 127.0.0.1, port: \(server.port), user: \(MariaDBServer.user), password_file: \(passwordFile), database: almanac}
        """
    }

    func start() async throws {
        try await server.start()
        try server.sql("CREATE DATABASE IF NOT EXISTS almanac")
    }

    func kill() { server.kill() }
    func end() { server.kill() }

    func signal(_ signal: Int32) -> Bool {
        server.signal(signal)
        return true
    }

    func open() throws -> any ResultStore {
        var options = MySQLOptions()
        options.port = server.port
        options.password = MySQLPassword(MariaDBServer.password)
        return try MySQLStore(options)
    }
}

/// Each topology has a keyspace of its own; it is up when a test begins and when it ends.
struct Cassandra: Database {
    private let given: GivenCassandra
    private let options: CassandraStoreOptions
    private let passwordFile: String

    init(_ given: GivenCassandra, passwordFile: String) throws {
        self.given = given
        self.passwordFile = passwordFile
        guard let address = NodeAddress(given.address) else { throw ToolFailure(description: "\(given.address) is no host:port") }
        var client = CassandraOptions(contactPoints: [address])
        if let user = given.user { client.credentials = Credentials(user: user, password: given.password) }
        var options = CassandraStoreOptions(client: client)
        options.keyspace = "almanac_topology_\(UInt32.random(in: 0...UInt32.max))"
        options.replication = .simple(factor: given.nodes)
        self.options = options
    }

    var configuration: String {
        let login = given.user.map { ", username: \($0), password_file: \(passwordFile)" } ?? ""
        return """
            kind: cassandra
              cassandra: {hosts: ["\(given.address)"], keyspace: \(options.keyspace), replication_factor: \(given.nodes)\(login)}
            """
    }

    func start() async throws {
        try given.start()
        let deadline = ContinuousClock.now + .seconds(180)
        while true {
            do { return try await CassandraSchema.install(options) } catch {
                guard ContinuousClock.now < deadline else { throw error }
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    func kill() throws { try given.kill() }
    func signal(_ signal: Int32) -> Bool { false }
    func open() throws -> any ResultStore { try CassandraStore(options) }
    func end() {}
}
