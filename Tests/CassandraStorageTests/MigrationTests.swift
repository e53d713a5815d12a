import CassandraClient
import Storage
import Synchronization
import Testing

@testable import CassandraScript
@testable import CassandraStorage

/// Steps of a migration, and who held the lock at each.
private final class Steps: Sendable {
    private let owners = Mutex<[String?]>([])
    var all: [String?] { owners.withLock { $0 } }
    func add(_ owner: String?) { owners.withLock { $0.append(owner) } }

    static func isStep(_ asked: ScriptedNode.Asked) -> Bool {
        guard case .query(let statement) = asked, !statement.text.contains("almanac_") else { return false }
        return statement.text.hasPrefix("CREATE TYPE") || statement.text.hasPrefix("CREATE TABLE")
    }
}

extension MemoryCassandra {
    /// Who holds the migration's lock.
    fileprivate var lockOwner: String? {
        tables.withLock { tables in
            let row = tables["almanac_locks"]?.rows.values.first?.values.first
            return alive(row)?["owner"].map { String(decoding: $0, as: UTF8.self) }
        }
    }
}

/// The lock of a migration whose steps take long, as where nodes are slow to agree on the schema.
@Suite(.timeLimit(.minutes(1))) struct MigrationTests {
    /// - Parameter body: called with the number of each step before it is done.
    private func startedBackend(_ steps: Steps, _ body: @escaping @Sendable (Int, MemoryCassandra) -> Void) async throws -> MemoryBackend {
        let backend = MemoryBackend()
        let memory = backend.memory
        backend.node.change { script in
            script.answer = { asked in
                if Steps.isStep(asked) {
                    steps.add(memory.lockOwner)
                    body(steps.all.count, memory)
                }
                return memory.answer(asked)
            }
        }
        try await backend.node.start()
        return backend
    }

    @Test func theLockIsHeldUntilTheEnd() async throws {
        let steps = Steps()
        let backend = try await startedBackend(steps) { _, memory in memory.later.withLock { $0 += 25 } }
        try await CassandraSchema.install(backend.options)
        #expect(steps.all.count == CassandraSchema.migrations("k")[0].count)
        #expect(steps.all.allSatisfy { $0 != nil } && Set(steps.all).count == 1)
        #expect(backend.memory.lockOwner == nil)
        #expect(backend.memory.count("almanac_schema") == CassandraSchema.version)
        await backend.node.stop()
    }

    /// One step takes longer than the lock lives, and another process takes it.
    @Test func whoeverLosesTheLockStops() async throws {
        let steps = Steps()
        let backend = try await startedBackend(steps) { step, memory in
            guard step == 6 else { return }
            memory.later.withLock { $0 += 61 }
            let text = "INSERT INTO k.almanac_locks (name, owner) VALUES ('migration', 'another') IF NOT EXISTS USING TTL 60"
            _ = memory.answer(.query(ScriptedNode.Statement(text: text, values: [])))
        }
        let error = await #expect(throws: StorageError.self) { try await CassandraSchema.install(backend.options) }
        #expect(error?.code == .unavailable && error?.message.contains("its lock ended") == true, "\(String(describing: error))")
        #expect(steps.all.count == 6)
        #expect(backend.memory.lockOwner == "another")
        // The other one dies: its lock ends, and who tries again goes on.
        backend.memory.later.withLock { $0 += 61 }
        try await CassandraSchema.install(backend.options)
        #expect(backend.memory.lockOwner == nil)
        #expect(backend.memory.count("almanac_schema") == CassandraSchema.version)
        await backend.node.stop()
    }
}
