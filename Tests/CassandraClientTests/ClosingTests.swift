import Logging
import NIOCore
import Telemetry
import TestSupport
import Testing

@testable import CassandraClient
@testable import CassandraScript

/// Sessions that are closed, and sessions that are dropped.
@Suite(.timeLimit(.minutes(1))) struct ClosingTests {
    private static let change = Reply.body {
        for text in ["TOPOLOGY_CHANGE", "NEW_NODE"] { $0.writeImmutableBuffer(Reply.string(text)) }
        $0.writeBytes([4, 127, 0, 0, 3])
        $0.writeInteger(Int32(9042))
    }

    /// The session is closed while it looks at the cluster and while it connects: what that cuts short is no trouble.
    @Test(arguments: [false, true]) func whatACloseCutsShortIsNotLogged(connects: Bool) async throws {
        let node = try await startedNode()
        let lines = CollectingLogHandler.Lines()
        let metrics = MetricRegistry()
        // Nothing but the close ends what the node leaves without an answer.
        var options = sessionOptions(node)
        options.attemptTimeout = 60_000
        options.connectTimeout = 60_000
        try await untilAllTasksEnd("the session") {
            let session = try await CassandraSession.open(
                options, metrics: metrics, logger: Logger(label: "test") { _ in CollectingLogHandler(lines: lines) })
            node.change { $0.isMute = true }
            if connects {
                await node.disconnectAll()
                try await eventually("both connections are being made again") { node.connections == 4 }
            } else {
                node.announce(Self.change)
                try await eventually("the tables are being read") {
                    metrics.render().contains("almanac_cassandra_topology_refreshes_total 2\n")
                }
            }
            await session.close()
        }
        #expect(lines.all.filter { $0.hasPrefix("warning") } == [])
        await node.stop()
    }

    /// With the node up connections would stay open for ever, with the node down they would be tried for ever.
    @Test(arguments: [true, false]) func aSessionThatIsDroppedEndsItsWork(isUp: Bool) async throws {
        let node = try await startedNode()
        try await untilAllTasksEnd("the session") {
            let session = try await CassandraSession.open(sessionOptions(node))
            if !isUp {
                await node.stop()
                try await eventually("noticed") { session.connectedNodes.isEmpty }
            }
        }
        try await eventually("no connection is left") { node.openConnections == 0 }
        await node.stop()
    }
}
