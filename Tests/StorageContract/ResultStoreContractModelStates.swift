import Records
import Storage
import Synchronization
import Testing
import TimeSeries

extension ResultStoreContract {
    package static let modelStateChecks = [
        ContractCheck("the newest model state of each series, by shard", store: modelStates),
        ContractCheck("epochs grow, also over an opening and among several askers") { try await epochs($0) },
    ]

    private static func state(_ series: SeriesKey, at time: Milliseconds, revision: Int64 = 1, _ bytes: [UInt8]) -> ModelStateResult {
        ModelStateResult(series: series, time: time, revision: Revision(rawValue: revision), data: bytes)
    }

    private static func all(_ store: any ResultStore, _ shards: Set<Shard>) async throws -> [Fingerprint: ModelStateResult] {
        let found = Mutex<[Fingerprint: ModelStateResult]>([:])
        try await store.modelStates(shards: shards) { page in
            found.withLock { found in
                for state in page {
                    #expect(found[state.series.id] == nil, "\(state.series.labels) comes twice")
                    found[state.series.id] = state
                }
            }
        }
        return found.withLock { $0 }
    }

    @Sendable static func modelStates(_ store: any ResultStore) async throws {
        let keys = (0..<2_500).map { key("m", [("n", "\($0)")]) }
        var batch = StoreBatch()
        batch.modelStates = keys.enumerated().map { i, key in state(key, at: start, [UInt8(i & 255), 0, 255]) }
        try await store.write(batch)
        // Older, equal in time with a lower revision, newer, and equal in time with a higher revision.
        batch.modelStates = [
            state(keys[0], at: start - 1, revision: 9, [1]), state(keys[1], at: start, revision: 0, [2]),
            state(keys[2], at: start + 1, [3]), state(keys[3], at: start, revision: 2, []),
        ]
        try await store.write(batch)
        let shards = Set((0..<512 as Range<UInt16>).map { Shard($0) })
        let found = try await all(store, shards)
        #expect(Set(found.keys) == Set(keys.map(\.id).filter { shards.contains($0.shard) }))
        let everything = try await all(store, Set((0..<UInt16(Shard.count)).map { Shard($0) }))
        #expect(everything.count == keys.count)
        #expect(everything[keys[0].id]?.data == [0, 0, 255])
        #expect(everything[keys[1].id]?.data == [1, 0, 255])
        #expect(everything[keys[2].id] == state(keys[2], at: start + 1, [3]))
        #expect(everything[keys[3].id] == state(keys[3], at: start, revision: 2, []))
        #expect(try await all(store, []).isEmpty)
    }

    static func epochs(_ backend: any StoreBackend) async throws {
        let store = try await backend.open()
        #expect(try await store.nextEpoch(for: "analyze") == 1)
        #expect(try await store.nextEpoch(for: "analyze") == 2)
        #expect(try await store.nextEpoch(for: "other") == 1)
        let given = try await withThrowingTaskGroup(of: Int64.self) { group in
            for _ in 0..<20 { group.addTask { try await store.nextEpoch(for: "analyze") } }
            var given: [Int64] = []
            for try await epoch in group { given.append(epoch) }
            return given
        }
        #expect(given.sorted() == Array(3...22))
        await store.close()
        let again = try await backend.open()
        #expect(try await again.nextEpoch(for: "analyze") == 23)
        await again.close()
    }
}
