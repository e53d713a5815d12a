import GRDB
import Records
import TimeSeries

extension SQLiteSchema {
    /// Summaries are read from the index alone: the rows of `chunks` are a hundred times larger.
    static let chunkSummaries = """
        DROP INDEX chunks_by_end;
        CREATE INDEX chunks_by_end ON chunks (series, end_ms, start_ms, count, reference, mean_offset);
        """
}

extension SQLiteStore {
    /// Summaries handed over at once.
    private static let summaryRows = 20_000

    package func chunkSummaries(
        shards: Set<Shard>, since: Milliseconds, _ receive: @Sendable ([ChunkSummary]) async throws -> Void
    ) async throws {
        if shards.isEmpty { return }
        var cursor: SummaryCursor? = SummaryCursor(series: .min, end: .min, start: .min)
        while let from = cursor {
            try Task.checkCancellation()
            let errors = errors
            let page = try await read { db in try SummaryRows.page(db, shards, since, from, SQLiteStore.summaryRows, errors) }
            if !page.summaries.isEmpty { try await receive(page.summaries) }
            cursor = page.next
        }
    }
}

/// The last chunk of a page: the next page begins behind it.
struct SummaryCursor: Sendable {
    var series: Int64
    var end: Milliseconds
    var start: Milliseconds
}

enum SummaryRows {
    static func sql(_ shards: Set<Shard>) -> String {
        let list = shards.map { "\($0.index)" }.joined(separator: ",")
        return """
            SELECT s.id, s.fingerprint, c.start_ms, c.end_ms, c.count, c.reference, c.mean_offset FROM series s
            CROSS JOIN chunks c INDEXED BY chunks_by_end ON c.series = s.id AND c.end_ms > ?
            WHERE s.id >= ? AND (s.id > ? OR (c.end_ms, c.start_ms) > (?, ?)) \(shards.count == Shard.count ? "" : "AND s.shard IN (\(list))")
            ORDER BY s.id, c.end_ms, c.start_ms LIMIT ?
            """
    }

    /// Series in the order of their numbers, for each a range of `chunks_by_end`.
    static func page(
        _ db: Database, _ shards: Set<Shard>, _ since: Milliseconds, _ from: SummaryCursor, _ limit: Int, _ errors: SQLiteErrors
    ) throws -> (summaries: [ChunkSummary], next: SummaryCursor?) {
        var rows = try SQLStatement(db, sql(shards), cached: shards.count == Shard.count)
        defer { rows.reset() }
        for value in [since, from.series, from.series, from.end, from.start] { try rows.bind(value) }
        try rows.bind(limit)
        var summaries: [ChunkSummary] = []
        var (series, id) = (Int64.min, Fingerprint(high: 0, low: 0))
        var count = 0
        var (start, end) = (Int64.min, Int64.min)
        while try rows.step() {
            count += 1
            (start, end) = (rows.int64(2), rows.int64(3))
            if rows.int64(0) != series {
                series = rows.int64(0)
                id = try SeriesScan.fingerprint(rows, 1, errors)
            }
            // What was not finite is stored as null.
            guard rows.int(4) > 0, let reference = rows.double(5), let offset = rows.double(6) else { continue }
            summaries.append(ChunkSummary(series: id, start: start, end: end, count: rows.int(4), mean: reference + offset))
        }
        return (summaries, count < limit ? nil : SummaryCursor(series: series, end: end, start: start))
    }
}
