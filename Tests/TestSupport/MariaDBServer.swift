import Foundation
import Glibc
import Synchronization

/// A MariaDB server of its own in a temporary folder, on 127.0.0.1 and a socket: started, stopped and killed by tests.
///
/// The user `almanac` has all rights on databases whose names start with `almanac` and none on the server; root comes in through the
/// socket.
package final class MariaDBServer: Sendable {
    package static let user = "almanac"
    package static let password = "s3cret-'pass\"word"

    package let port: Int
    private let folder: TemporaryDirectory
    private let process = Mutex<ServerProcess?>(nil)

    private static let daemon = "/usr/sbin/mariadbd"
    private static let client = "/usr/bin/mariadb"
    private static let installer = "/usr/bin/mariadb-install-db"
    package static var isInstalled: Bool { [daemon, client, installer].allSatisfy { ServerProcess.isInstalled($0) } }

    /// Makes the data folder; does not start the server.
    /// - Parameter settings: lines for the section `mysqld`.
    package init(settings: [String] = []) throws {
        folder = try TemporaryDirectory()
        port = freePort()
        let path = folder.path
        try folder.write(
            ([
                "[mysqld]", "datadir=\(path)/data", "socket=\(path)/socket", "pid-file=\(path)/pid", "port=\(port)",
                "bind-address=127.0.0.1", "skip-name-resolve", "user=\(NSUserName())", "innodb_log_file_size=16M",
                "innodb_buffer_pool_size=128M", "max_connections=500", "performance_schema=OFF",
            ] + settings).joined(separator: "\n") + "\n", to: "my.cnf")
        try runTool(
            MariaDBServer.installer,
            ["--defaults-file=\(path)/my.cnf", "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"])
    }

    package var socket: String { folder.file("socket") }
    package func file(_ name: String) -> String { folder.file(name) }
    package var printed: String { folder.read("log") }

    /// Starts it and waits until it answers.
    package func start() async throws {
        let started = try ServerProcess(MariaDBServer.daemon, ["--defaults-file=\(folder.file("my.cnf"))"], output: folder.file("log"))
        process.withLock { $0 = started }
        let deadline = ContinuousClock.now + .seconds(60)
        while (try? sql("SELECT 1")) == nil {
            guard started.isRunning, ContinuousClock.now < deadline else {
                throw ToolFailure(description: "mariadbd does not start: \(printed.suffix(2000))")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        let quoted = MariaDBServer.password.replacing("'", with: "''")
        try sql(
            """
            CREATE USER IF NOT EXISTS '\(MariaDBServer.user)'@'%' IDENTIFIED BY '\(quoted)';
            GRANT ALL ON `almanac%`.* TO '\(MariaDBServer.user)'@'%';
            """)
    }

    /// SIGKILL: as a power cut leaves it.
    package func kill() { _ = process.withLock { $0.take() }?.end(SIGKILL) }

    /// An orderly end.
    package func stop() { _ = process.withLock { $0.take() }?.end(SIGTERM) }

    /// SIGSTOP and SIGCONT: it is there and does not answer.
    package func signal(_ signal: Int32) { process.withLock { $0 }?.signal(signal) }

    /// Runs statements as root; the rows, their columns separated by tabs.
    @discardableResult
    package func sql(_ text: String, database: String? = nil) throws -> String {
        try runTool(
            MariaDBServer.client,
            ["--no-defaults", "--socket=\(socket)", "--user=root", "--batch", "--skip-column-names", "--execute=\(text)"]
                + (database.map { [$0] } ?? []))
    }

    deinit { kill() }
}
