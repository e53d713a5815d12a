import Foundation
import Glibc
import Testing

/// One real ZooKeeper server on loopback; killed with the object.
package final class ZooKeeperServer: @unchecked Sendable {
    package static let isInstalled = ServerProcess.isInstalled("/usr/bin/java") && access("/usr/share/java/zookeeper.jar", R_OK) == 0

    package let clientPort: Int
    private let directory: TemporaryDirectory
    private var process: ServerProcess?

    package var address: String { "127.0.0.1:\(clientPort)" }
    package var printed: String { directory.read("output") }

    /// - Parameters:
    ///   - tickTime: ms; sessions may last 2 to 20 ticks.
    ///   - ensemble: the lines `server.N=...`; empty for a server by itself.
    package init(tickTime: Int = 200, clientPort: Int = freePort(), id: Int = 1, ensemble: [String] = []) throws {
        self.clientPort = clientPort
        directory = try TemporaryDirectory()
        try FileManager.default.createDirectory(atPath: directory.file("data"), withIntermediateDirectories: true)
        try directory.write("\(id)\n", to: "data/myid")
        let lines = [
            "dataDir=\(directory.file("data"))", "clientPort=\(clientPort)", "clientPortAddress=127.0.0.1", "tickTime=\(tickTime)",
            "initLimit=50", "syncLimit=5", "admin.enableServer=false", "4lw.commands.whitelist=*", "maxClientCnxns=0",
        ]
        try directory.write((lines + ensemble).joined(separator: "\n") + "\n", to: "zoo.cfg")
    }

    /// Starts it, or starts it again on the same port and data.
    package func start() throws {
        process = try ServerProcess(
            "/usr/bin/java",
            [
                "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dzookeeper.jmx.log4j.disable=true",
                "-Dzookeeper.cnxTimeout=500", "-Djava.net.preferIPv4Stack=true", "-cp", "/usr/share/java/zookeeper.jar",
                "org.apache.zookeeper.server.quorum.QuorumPeerMain", directory.file("zoo.cfg"),
            ], output: directory.file("output"))
    }

    package func kill() {
        process?.signal(SIGCONT)
        process?.end(SIGKILL)
        process = nil
    }

    /// SIGSTOP: connections stay, nothing answers.
    package func pause() { process?.signal(SIGSTOP) }
    package func resume() { process?.signal(SIGCONT) }

    package var isRunning: Bool { process?.isRunning ?? false }

    /// `standalone`, `leader`, `follower`; nil while it serves nobody.
    package var mode: String? {
        command("srvr").split(separator: "\n").first { $0.hasPrefix("Mode: ") }.map { String($0.dropFirst(6)) }
    }

    /// How many sessions are alive, as a leader or a server by itself tells; nil without an answer.
    package var sessionCount: Int? {
        let line = command("dump").split(separator: "\n").first { $0.hasPrefix("Session Sets (") }
        return line.flatMap { $0.split(separator: "(").last }.flatMap { Int($0.prefix { $0.isNumber }) }
    }

    /// A four-letter command's answer; empty when there is none within half a second.
    private func command(_ word: String) -> String {
        guard isRunning else { return "" }
        let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(client) }
        var patience = timeval(tv_sec: 0, tv_usec: 500_000)
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = loopback(port: clientPort)
        guard withSockaddr(&address, { connect(client, $0, $1) }) == 0, send(client, word, word.utf8.count, Int32(MSG_NOSIGNAL)) > 0
        else { return "" }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let n = recv(client, &buffer, buffer.count, 0)
            if n <= 0 { return String(decoding: answer, as: UTF8.self) }
            answer += buffer.prefix(n)
        }
    }

    /// Starts it and waits until it serves.
    package static func started(tickTime: Int = 200) async throws -> ZooKeeperServer {
        let server = try ZooKeeperServer(tickTime: tickTime)
        try server.start()
        try await eventually("ZooKeeper serves") { server.mode != nil }
        return server
    }

    deinit { kill() }
}

/// Three servers that elect a leader.
package final class ZooKeeperEnsemble: Sendable {
    package let servers: [ZooKeeperServer]

    package var address: String { servers.map { $0.address }.joined(separator: ",") }
    package var leader: ZooKeeperServer? { servers.first { $0.mode == "leader" } }
    package var followers: [ZooKeeperServer] { servers.filter { $0.mode == "follower" } }

    package static func started(tickTime: Int = 200) async throws -> ZooKeeperEnsemble {
        let ensemble = try ZooKeeperEnsemble(tickTime: tickTime)
        for server in ensemble.servers { try server.start() }
        try await ensemble.awaitQuorum()
        return ensemble
    }

    /// Does not start them.
    package init(tickTime: Int = 200) throws {
        var ports: Set<Int> = []
        while ports.count < 9 { ports.insert(freePort()) }
        let free = Array(ports)
        let lines = (0..<3).map { "server.\($0 + 1)=127.0.0.1:\(free[3 * $0]):\(free[3 * $0 + 1])" }
        servers = try (0..<3).map { try ZooKeeperServer(tickTime: tickTime, clientPort: free[3 * $0 + 2], id: $0 + 1, ensemble: lines) }
    }

    package func awaitQuorum() async throws {
        try await eventually("the ensemble has a leader and all running servers follow") {
            let running = servers.filter { $0.isRunning }
            return running.filter { $0.mode == "leader" }.count == 1 && running.filter { $0.mode == "follower" }.count == running.count - 1
        }
    }

    package func stop() { for server in servers { server.kill() } }
}
