import Telemetry

@testable import CassandraClient
@testable import CassandraScript

enum SessionStatements {
    static let insert = "INSERT INTO k.t (id, v) VALUES (?, ?)"
    static let select = "SELECT v FROM k.t WHERE id = ?"

    static let markers: @Sendable (String) -> ScriptedNode.Markers = { text in
        if text == insert { return ScriptedNode.Markers(names: [("id", 2), ("v", 7)], partitionKey: [0]) }
        if text == select { return ScriptedNode.Markers(names: [("id", 2)], partitionKey: [0], resultColumns: [("v", 7)]) }
        return ScriptedNode.Markers(names: [], partitionKey: [])
    }
}

/// Short times, so that what a session waits for comes soon.
func sessionOptions(_ nodes: ScriptedNode...) -> CassandraOptions {
    var options = CassandraOptions(contactPoints: nodes.map(\.address))
    options.connectTimeout = 1500
    options.attemptTimeout = 600
    options.requestTimeout = 5000
    options.reconnectFirst = 10
    options.reconnectLimit = 50
    options.refreshPause = 20
    options.tick = 10
    return options
}

/// A node that listens and knows the statements.
func startedNode(_ adjust: (inout ScriptedNode.Script) -> Void = { _ in }) async throws -> ScriptedNode {
    var script = ScriptedNode.Script()
    script.markers = SessionStatements.markers
    adjust(&script)
    let node = ScriptedNode(ScriptedNode.Identity(), script)
    try await node.start()
    return node
}

/// Closes the session and stops the node, however `body` ends.
func withSession(
    _ node: ScriptedNode, _ adjust: (inout CassandraOptions) -> Void = { _ in }, metrics: MetricRegistry = MetricRegistry(),
    _ body: (CassandraSession) async throws -> Void
) async throws {
    var options = sessionOptions(node)
    adjust(&options)
    let session = try await CassandraSession.open(options, metrics: metrics)
    do { try await body(session) } catch {
        await session.close()
        await node.stop()
        throw error
    }
    await session.close()
    await node.stop()
}

func failure(_ body: () async throws -> Void) async -> CassandraError? {
    do { try await body() } catch { return error as? CassandraError }
    return nil
}
