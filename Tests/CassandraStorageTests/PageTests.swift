import CassandraClient
import Records
import Storage
import StorageContract
import Testing
import TimeSeries

@testable import CassandraScript
@testable import CassandraStorage

/// Long rows come in pages that are far below the longest frame; here rows and frames are small.
@Suite(.timeLimit(.minutes(1))) struct PageTests {
    private func withStore(frame: Int, _ body: (CassandraStore, ScriptedNode) async throws -> Void) async throws {
        let backend = MemoryBackend { $0.client.maximumFrame = frame }
        let store = try await backend.openStore()
        do { try await body(store, backend.node) } catch {
            await store.close()
            await backend.node.stop()
            throw error
        }
        await store.close()
        await backend.node.stop()
    }

    private func pageSizes(_ node: ScriptedNode, _ text: String) -> [Int32?] {
        node.executed.filter { $0.text.contains(text) }.map(\.pageSize)
    }

    @Test func aCheckpointOfManyParts() async throws {
        try await withStore(frame: 128 << 10) { store, node in
            let parts = (0..<100).map { part in
                CheckpointPart(
                    name: "a", time: start, revision: Revision(rawValue: 7), part: part, parts: 100,
                    data: Array(repeating: UInt8(part), count: 3000))
            }
            try await store.write(StoreBatch(checkpoints: parts))
            let data = try await store.checkpoint(named: "a")?.data
            let isWhole = data == parts.flatMap(\.data)
            #expect(isWhole)
            #expect(pageSizes(node, "fact FROM k.checkpoints") == [32, 32, 32, 32])
        }
        #expect(32 * CheckpointPart.maximumBytes < 8 << 20)
    }

    @Test func manyChunksOfADay() async throws {
        try await withStore(frame: 64 << 10) { store, node in
            let a = key("a")
            let chunks = (0..<120).map { i in
                chunk(a, from: start + Milliseconds(i) * minute, to: start + Milliseconds(i + 1) * minute, bytes: 700)
            }
            try await store.write(StoreBatch(windows: [windows(a, at: start + day)], chunks: chunks))
            #expect(try await store.chunks(of: a.id, from: .min, to: .max).map(\.start) == chunks.map(\.start))
            #expect(pageSizes(node, "fact FROM k.chunks") == [50, 50, 50])
        }
    }
}
