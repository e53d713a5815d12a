import Records
import TimeSeries

/// A stored chunk without its samples.
package struct ChunkSummary: Sendable, Equatable {
    package var series: Fingerprint
    package var start: Milliseconds
    package var end: Milliseconds
    /// Values analysed: of a counter its rates.
    package var count: Int
    /// Their mean; NaN if it was not finite.
    package var mean: Double

    package init(series: Fingerprint, start: Milliseconds, end: Milliseconds, count: Int, mean: Double) {
        self.series = series
        self.start = start
        self.end = end
        self.count = count
        self.mean = mean
    }

    package init(_ chunk: ChunkResult) {
        self.init(series: chunk.series.id, start: chunk.start, end: chunk.end, count: chunk.moments.count, mean: chunk.moments.mean)
    }
}

extension ResultStore {
    /// For stores that have no faster way: reads the chunks themselves.
    package func chunkSummaries(
        shards: Set<Shard>, since: Milliseconds, _ receive: @Sendable ([ChunkSummary]) async throws -> Void
    ) async throws {
        try await recentChunks(shards: shards, since: since) { chunks in
            let summaries = chunks.map { ChunkSummary($0) }.filter { $0.count > 0 && $0.mean.isFinite }
            if !summaries.isEmpty { try await receive(summaries) }
        }
    }
}
