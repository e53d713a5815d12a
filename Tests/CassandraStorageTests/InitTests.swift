import Foundation
import Storage
import Synchronization
import TestSupport
import Testing

@testable import CassandraScript
@testable import CassandraStorage

/// `almanac init`, the program, on a node that has nothing yet.
@Suite struct InitTests {
    private let program = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent("almanac").path

    @Test func initMakesKeyspaceAndTablesAndMayRunAgain() async throws {
        let backend = MemoryBackend()
        try await backend.node.start()
        let early = try CassandraStore(backend.options)
        let error = await #expect(throws: StorageError.self) { try await early.checkHealth() }
        #expect(error?.code == .unavailable && error?.message.contains("run `almanac init`") == true, "\(String(describing: error))")
        let folder = try TemporaryDirectory()
        let config = try folder.write(
            """
            data: \(folder.file("data"))
            store:
              kind: cassandra
              cassandra: {hosts: ["\(backend.node.address)"], keyspace: \(backend.options.keyspace)}

            """, to: "almanac.yaml")
        for _ in 0..<2 {
            let said = try runTool(program, ["init", "--wait", "10", "--config", config])
            #expect(said.contains("the keyspace \(backend.options.keyspace) is there, its tables up to date"), "\(said)")
        }
        #expect(backend.memory.keyspaces.withLock { $0 } == [backend.options.keyspace])
        let tables = backend.memory.names
        backend.memory.tables.withLock { for name in ["series", "window_statistics"] { $0[name] = nil } }
        let said = try runTool(program, ["init", "--wait", "10", "--config", config])
        #expect(backend.memory.names == tables, "\(said)")
        // Who came before goes on.
        try await early.checkHealth()
        await early.close()
        await backend.node.stop()
    }
}
