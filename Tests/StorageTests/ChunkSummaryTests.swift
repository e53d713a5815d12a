import Dispatch
import GRDB
import Records
import StorageContract
import Synchronization
import TestSupport
import Testing
import TimeSeries

@testable import Storage

/// Restoring the long memory of many series must not read their samples.
@Suite struct ChunkSummaryTests {
    static let everything = Set((0..<Shard.count).map { Shard(UInt16($0)) })

    @Test func theIndexAloneIsRead() async throws {
        let directory = try TemporaryDirectory()
        let store = try SQLiteStore(SQLiteStoreOptions(path: directory.file("s.db")))
        for shards in [Self.everything, [Shard(3), Shard(4)]] {
            let plan = try await store.pool.read { db in
                try Row.fetchAll(
                    db, sql: "EXPLAIN QUERY PLAN " + SummaryRows.sql(shards), arguments: [0, 0, 0, 0, 0, 100] as StatementArguments
                ).map { $0["detail"] as String? ?? "" }
            }
            #expect(plan.contains { $0.contains("COVERING INDEX chunks_by_end (series=? AND end_ms>?)") }, "\(plan)")
        }
        await store.close()
    }

    /// 1,000 series of seven days are to be read within a second.
    @Test func aWeekOfSeriesIsReadQuickly() async throws {
        let directory = try TemporaryDirectory()
        let store = try SQLiteStore(SQLiteStoreOptions(path: directory.file("s.db")))
        let keys = (0..<100).map { key("m", [("n", "\($0)")]) }
        for i in 0..<336 {
            let from = start + Int64(i) * 30 * minute
            try await store.write(StoreBatch(chunks: keys.map { chunk($0, from: from, to: from + 30 * minute, bytes: 600) }))
        }
        let count = Mutex(0)
        let began = DispatchTime.now().uptimeNanoseconds
        try await store.chunkSummaries(shards: Self.everything, since: start) { page in count.withLock { $0 += page.count } }
        let seconds = Double(DispatchTime.now().uptimeNanoseconds - began) / 1e9
        let rows = count.withLock { $0 }
        #expect(rows == keys.count * 336)
        print(
            "summaries of \(rows) chunks in \((seconds * 1e4).rounded() / 10) ms, \((seconds / Double(rows) * 1e8).rounded() / 100) us each"
        )
        #expect(seconds / Double(rows) < 20e-6)
        await store.close()
    }
}
