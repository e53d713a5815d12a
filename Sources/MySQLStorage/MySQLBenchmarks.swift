import Records
import Storage
import TimeSeries

/// Figures of the store on a given server. The database should be empty and is not emptied afterwards.
package enum MySQLBenchmarks {
    package struct Figure: Sendable {
        package var name: String
        package var value: Double
        package var unit: String
    }

    private static let start: Milliseconds = 20_375 * 86_400_000
    private static let step: Milliseconds = 15_000
    private static let windows: [Milliseconds] = [3_600_000, 3 * 3_600_000, 12 * 3_600_000]

    /// Writes statistics of `seriesCount` series over one connection, then reads one series' day, and the chunks of all series.
    package static func run(_ options: MySQLOptions, seriesCount: Int = 1000) async throws -> [Figure] {
        var options = options
        options.writerConnections = 1
        _ = try await MySQLSchema.install(options)
        let keys = (0..<seriesCount).map { SeriesKey(labels: LabelSet(name: "bench", [Label("n", "\($0)")]), type: .gauge) }
        var figures: [Figure] = []

        let store = try MySQLStore(options)
        try await store.write(batch(keys, at: start))
        let often = (1...24).map { start + $0 * step }
        figures.append(try await rate("result rows a second, replaced in the latest table", keys, store, times: often, atOnce: 1))
        await store.close()

        // Every row is kept: nearly all are new.
        options.history.windows = HistoryInterval(every: 1, grid: 1)
        let dense = try MySQLStore(options)
        let day = (0..<288).map { start + 3_600_000 + $0 * 300_000 }
        figures.append(try await rate("result rows a second, new in the history", keys, dense, times: day, atOnce: 12))
        figures.append(try await dayRead(keys, dense))
        figures += try await takeover(keys, dense)
        await dense.close()

        // What the arrays are for.
        options.usesArrayBinding = false
        options.arrayRows = 1
        let single = try MySQLStore(options)
        let later = (0..<4).map { start + 25 * 3_600_000 + $0 * 300_000 }
        figures.append(try await rate("result rows a second, new in the history, row by row", keys, single, times: later, atOnce: 4))
        await single.close()
        return figures
    }

    private static func batch(_ keys: [SeriesKey], at time: Milliseconds) -> StoreBatch {
        var batch = StoreBatch()
        var x = Double(time % 1_000_003)
        batch.windows = keys.map { key in
            WindowsResult(
                series: key, time: time, revision: Revision(rawValue: time),
                windows: windows.map { window in
                    x = (x * 1.000_001 + 0.123).truncatingRemainder(dividingBy: 1000)
                    return WindowStatistics(
                        window: window, count: 240, min: x, max: x + 3, avg: x + 1, stddev: x / 7, p50: x + 0.9, p95: x + 2.5, p99: x + 2.9)
                })
        }
        return batch
    }

    private static func seconds(_ body: () async throws -> Void) async rethrows -> Double {
        let begun = ContinuousClock.now
        try await body()
        let time = (ContinuousClock.now - begun).components
        return Double(time.seconds) + Double(time.attoseconds) * 1e-18
    }

    /// Rows of the tables of statistics that one connection writes in a second, `atOnce` times of evaluation in one transaction.
    private static func rate(
        _ name: String, _ keys: [SeriesKey], _ store: MySQLStore, times: [Milliseconds], atOnce: Int
    ) async throws -> Figure {
        var rows = 0
        var elapsed = 0.0
        for from in stride(from: 0, to: times.count, by: atOnce) {
            var all = StoreBatch()
            for time in times[from..<min(times.count, from + atOnce)] {
                all.windows += batch(keys, at: time).windows
                if store.options.history.windows.keeps(time) { rows += keys.count * windows.count }
            }
            // Of several times in one batch the latest table takes the newest.
            rows += keys.count * windows.count
            let batch = all
            elapsed += try await seconds { try await store.write(batch) }
        }
        return Figure(name: name, value: Double(rows) / elapsed, unit: "rows/s")
    }

    private static func dayRead(_ keys: [SeriesKey], _ store: MySQLStore) async throws -> Figure {
        var times: [Double] = []
        for key in keys.prefix(50) {
            times.append(
                try await seconds {
                    _ = try await store.windowsHistory(key.id, from: start + 3_600_000, to: start + 25 * 3_600_000, limit: 10_000)
                })
        }
        times.sort()
        return Figure(name: "one series' 24 h of statistics, median", value: times[times.count / 2] * 1000, unit: "ms")
    }

    private static func takeover(_ keys: [SeriesKey], _ store: MySQLStore) async throws -> [Figure] {
        var batch = StoreBatch()
        for key in keys {
            for i in 0..<24 as Range<Int64> {
                let from = start + i * 1_800_000
                var moments = Moments()
                for j in 0..<10 { moments.add(Double(j)) }
                batch.chunks.append(
                    ChunkResult(
                        series: key, start: from, end: from + 1_800_000, revision: Revision(rawValue: 1), count: 120, replayOffset: 0,
                        moments: moments, data: (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 37) }))
            }
        }
        let all = batch
        let written = try await seconds { try await store.write(all) }
        let shards = Set((0..<Shard.count).map { Shard(UInt16($0)) })
        let read = try await seconds { try await store.recentChunks(shards: shards, since: .min) { _ in } }
        let summaries = try await seconds { try await store.chunkSummaries(shards: shards, since: .min) { _ in } }
        let count = Double(batch.chunks.count)
        return [
            Figure(name: "chunks written a second", value: count / written, unit: "chunks/s"),
            Figure(name: "chunks read a second by an owner that takes over", value: count / read, unit: "chunks/s"),
            Figure(name: "summaries of chunks read a second", value: count / summaries, unit: "summaries/s"),
        ]
    }
}
