import Records
import Storage
import Synchronization
import Testing
import TimeSeries

extension ResultStoreContract {
    /// What chunks say without their samples: the same as the chunks themselves, by series in order of time.
    @Sendable static func chunkSummaries(_ store: any ResultStore) async throws {
        let keys = (0..<30).map { key("m", [("n", "\($0)")]) }
        var all: [ChunkResult] = []
        for (i, key) in keys.enumerated() {
            for j in 0..<(i == 3 ? 21_000 : 20) {
                var one = chunk(key, from: start + Int64(j) * minute, to: start + Int64(j + 1) * minute, bytes: 8)
                one.moments.offset += Double(j) / 7
                if j == 4 { one.moments = Moments() }
                if j == 5 { one.moments.offset = .infinity }
                all.append(one)
            }
        }
        // Two that end together.
        all.append(chunk(keys[7], from: start - hour, to: start + 3 * minute, bytes: 8))
        try await store.write(StoreBatch(chunks: all))
        let everything = Set((0..<Shard.count).map { Shard(UInt16($0)) })
        let cases: [(Set<Shard>, Milliseconds)] = [
            (Set(keys.prefix(11).map(\.id.shard)), start + 3 * minute), (everything, .min), (everything, start + 20 * minute), ([], .min),
        ]
        for (shards, since) in cases {
            let got = Mutex<[[ChunkSummary]]>([])
            try await store.chunkSummaries(shards: shards, since: since) { page in got.withLock { $0.append(page) } }
            let expected = all.filter {
                shards.contains($0.series.id.shard) && $0.end > since && $0.moments.count > 0 && $0.moments.mean.isFinite
            }
            let pages = got.withLock { $0 }
            #expect(pages.allSatisfy { !$0.isEmpty && $0.count <= 100_000 })
            let found = pages.flatMap { $0 }
            #expect(found.count == expected.count, "\(shards.count) shards since \(since)")
            for (key, own) in Dictionary(grouping: expected, by: \.series.id) {
                let summaries = found.filter { $0.series == key && $0.count > 0 && $0.mean.isFinite }
                #expect(summaries.map(\.end) == summaries.map(\.end).sorted())
                #expect(
                    summaries.sorted { $0.start < $1.start } == own.map { ChunkSummary($0) }.sorted { $0.start < $1.start }, "series \(key)"
                )
            }
        }
        await #expect(throws: CancellationError.self) {
            try await store.chunkSummaries(shards: everything, since: .min) { _ in throw CancellationError() }
        }
    }
}
