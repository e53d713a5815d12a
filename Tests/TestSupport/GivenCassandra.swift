import Foundation
import Glibc

/// A Cassandra that is given, as it cannot be installed where the tests run: `ALMANAC_TEST_CASSANDRA=host:port`, `ALMANAC_TEST_CASSANDRA_USER`
/// and `_PASSWORD` where it asks for them. Tests that kill it need two commands for the shell as well: `ALMANAC_TEST_CASSANDRA_KILL`, which
/// ends one node with SIGKILL, and `ALMANAC_TEST_CASSANDRA_START`, which starts it again and may return before it serves; and
/// `ALMANAC_TEST_CASSANDRA_NODES` where it is a cluster: their rows are kept by so many.
package struct GivenCassandra: Sendable {
    package let address: String
    package let user: String?
    package let password: String
    package let killCommand: String?
    package let startCommand: String?
    package let nodes: Int

    /// Nil where none is given.
    package static let value: GivenCassandra? = {
        let environment = ProcessInfo.processInfo.environment.filter { !$0.value.isEmpty }
        guard let address = environment["ALMANAC_TEST_CASSANDRA"] else { return nil }
        return GivenCassandra(
            address: address, user: environment["ALMANAC_TEST_CASSANDRA_USER"],
            password: environment["ALMANAC_TEST_CASSANDRA_PASSWORD"] ?? "", killCommand: environment["ALMANAC_TEST_CASSANDRA_KILL"],
            startCommand: environment["ALMANAC_TEST_CASSANDRA_START"],
            nodes: environment["ALMANAC_TEST_CASSANDRA_NODES"].flatMap { Int($0) } ?? 1)
    }()

    package static var canBeKilled: Bool { value?.killCommand != nil && value?.startCommand != nil }
    package static let lacking =
        "no Cassandra that may be killed is given: set ALMANAC_TEST_CASSANDRA=host:port, _KILL and _START to run these"

    package func kill() throws { try run(killCommand) }
    package func start() throws { try run(startCommand) }

    /// Not by Foundation's Process, which waits as long as anything that a command leaves behind has its descriptors.
    private func run(_ command: String?) throws {
        guard let command else { throw ToolFailure(description: GivenCassandra.lacking) }
        let words: [String] = ["/bin/sh", "-c", "(\(command)) < /dev/null > /dev/null 2>&1"]
        let arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var process: pid_t = 0
        var status: Int32 = 0
        guard posix_spawn(&process, "/bin/sh", nil, nil, arguments, environ) == 0 else {
            throw ToolFailure(description: "cannot run '\(command)'")
        }
        while waitpid(process, &status, 0) < 0 && errno == EINTR {}
        if status != 0 { throw ToolFailure(description: "'\(command)' ended with status \(status)") }
    }
}
