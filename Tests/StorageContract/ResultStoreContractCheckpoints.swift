import Records
import Storage
import Testing
import TimeSeries

extension ResultStoreContract {
    static let checkpointChecks = [
        ContractCheck("the newest complete checkpoint is read back", store: checkpoints),
        ContractCheck("a checkpoint of which parts are missing does not count", store: incompleteCheckpoints),
        ContractCheck("a large checkpoint outlives an opening") { try await largeCheckpoint($0) },
    ]

    private static func parts(_ revision: Int64, _ data: [[UInt8]], name: String = "traffic/0") -> [CheckpointPart] {
        data.enumerated().map { i, bytes in
            CheckpointPart(
                name: name, time: start + revision, revision: Revision(rawValue: revision), part: i, parts: data.count, data: bytes)
        }
    }

    private static func whole(_ revision: Int64, _ data: [UInt8], name: String = "traffic/0") -> Checkpoint {
        Checkpoint(name: name, time: start + revision, revision: Revision(rawValue: revision), data: data)
    }

    @Sendable static func checkpoints(_ store: any ResultStore) async throws {
        #expect(try await store.checkpoint(named: "traffic/0") == nil)
        try await store.write(StoreBatch(checkpoints: parts(5, [[1, 2], [3], []])))
        #expect(try await store.checkpoint(named: "traffic/0") == whole(5, [1, 2, 3]))
        // An equal one changes nothing, a lower one neither; other names are others.
        try await store.write(StoreBatch(checkpoints: parts(5, [[9, 9], [9], [9]]) + parts(4, [[4]])))
        try await store.write(StoreBatch(checkpoints: parts(9, [[]], name: "traffic/1")))
        #expect(try await store.checkpoint(named: "traffic/0") == whole(5, [1, 2, 3]))
        #expect(try await store.checkpoint(named: "traffic/1") == whole(9, [], name: "traffic/1"))
        #expect(try await store.checkpoint(named: "traffic") == nil)
        // Several in one batch, the last first.
        try await store.write(StoreBatch(checkpoints: parts(7, [[7]]) + parts(6, [[6], [6]])))
        #expect(try await store.checkpoint(named: "traffic/0") == whole(7, [7]))
        #expect(try await store.checkpoint(named: "traffic/1") == whole(9, [], name: "traffic/1"))
    }

    @Sendable static func incompleteCheckpoints(_ store: any ResultStore) async throws {
        try await store.write(StoreBatch(checkpoints: parts(5, [[5]])))
        let newer = parts(6, [[1], [2], [3]])
        try await store.write(StoreBatch(checkpoints: [newer[2], newer[0]]))
        #expect(try await store.checkpoint(named: "traffic/0") == whole(5, [5]))
        try await store.write(StoreBatch(checkpoints: [newer[0]]))
        #expect(try await store.checkpoint(named: "traffic/0") == whole(5, [5]), "the same part twice is one")
        try await store.write(StoreBatch(checkpoints: [newer[1]]))
        #expect(try await store.checkpoint(named: "traffic/0") == whole(6, [1, 2, 3]))
        // One that is never completed goes when a newer one is.
        try await store.write(StoreBatch(checkpoints: [parts(7, [[7], [7]])[1]]))
        try await store.write(StoreBatch(checkpoints: parts(8, [[8]])))
        try await store.write(StoreBatch(checkpoints: [parts(7, [[7], [7]])[0]]))
        #expect(try await store.checkpoint(named: "traffic/0") == whole(8, [8]))
    }

    static func largeCheckpoint(_ backend: any StoreBackend) async throws {
        let state = (0..<700_000).map { UInt8(truncatingIfNeeded: $0 * $0 >> 7) }
        let first = try await backend.open()
        for revision in 1...3 as ClosedRange<Int64> {
            let cut = CheckpointPart.cut(state, name: "s", time: start, revision: Revision(rawValue: revision))
            #expect(cut.count == 4)
            for part in cut.reversed() { try await first.write(StoreBatch(checkpoints: [part])) }
        }
        await first.close()
        let second = try await backend.open()
        let stored = try #require(try await second.checkpoint(named: "s"))
        #expect(stored.revision == Revision(rawValue: 3) && stored.time == start && stored.data == state)
        await second.close()
    }
}
