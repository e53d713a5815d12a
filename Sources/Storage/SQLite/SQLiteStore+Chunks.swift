import GRDB
import Records
import TimeSeries

extension SQLiteStore {
    /// Chunks handed over at once to an owner that takes over.
    private static let pageRows = 500
    private static let pageBytes = 4 * 1024 * 1024

    package func chunks(of id: Fingerprint, from: Milliseconds, to: Milliseconds) async throws -> [ChunkResult] {
        let errors = errors
        return try await read { db in
            guard let (number, key) = try SeriesScan.find(id, in: db, errors) else { return [] }
            var rows = try SQLStatement(
                db,
                """
                SELECT \(ChunkRows.columns) FROM chunks c INDEXED BY chunks_by_end
                WHERE c.series = ? AND c.end_ms > ? AND c.start_ms < ? ORDER BY c.start_ms
                """)
            defer { rows.reset() }
            for value in [number, from, to] { try rows.bind(value) }
            var chunks: [ChunkResult] = []
            while try rows.step() { chunks.append(ChunkRows.chunk(key, rows)) }
            return chunks
        }
    }

    package func recentChunks(
        shards: Set<Shard>, since: Milliseconds, _ receive: @Sendable ([ChunkResult]) async throws -> Void
    ) async throws {
        if shards.isEmpty { return }
        var cursor: ChunkCursor? = ChunkCursor(fingerprint: "", start: .min)
        while let from = cursor {
            try Task.checkCancellation()
            let errors = errors
            let page = try await read { db in
                try ChunkRows.page(db, shards, since, from, SQLiteStore.pageRows, SQLiteStore.pageBytes, errors)
            }
            // No read is open while the receiver works: it may take its time without holding back the write-ahead log.
            if !page.chunks.isEmpty { try await receive(page.chunks) }
            cursor = page.next
        }
    }
}

/// The last chunk of a page: the next page begins behind it.
private struct ChunkCursor: Sendable {
    var fingerprint: String
    var start: Milliseconds
}

private enum ChunkRows {
    static let columns =
        "c.start_ms, c.end_ms, c.revision, c.samples, c.replay_offset, c.count, c.min, c.max, c.reference, c.mean_offset, c.m2, c.data"

    static func chunk(_ key: SeriesKey, _ row: SQLStatement) -> ChunkResult {
        var moments = Moments()
        let count = row.int(5)
        if count > 0 {
            // What was not finite is stored as null, and stays without a value.
            moments = Moments(
                count: count, min: row.double(6) ?? .nan, max: row.double(7) ?? .nan, mean: row.double(8) ?? .nan,
                m2: row.double(10) ?? .nan)
            moments.offset = row.double(9) ?? .nan
        }
        return ChunkResult(
            series: key, start: row.int64(0), end: row.int64(1), revision: Revision(rawValue: row.int64(2)), count: row.int(3),
            replayOffset: row.int64(4), moments: moments, data: row.bytes(11))
    }

    /// Series in the order of fingerprints, for each a seek in `chunks_by_end`.
    static func page(
        _ db: Database, _ shards: Set<Shard>, _ since: Milliseconds, _ from: ChunkCursor, _ maximumRows: Int, _ maximumBytes: Int,
        _ errors: SQLiteErrors
    ) throws -> (chunks: [ChunkResult], next: ChunkCursor?) {
        let isAll = shards.count == Shard.count
        let list = shards.map { "\($0.index)" }.joined(separator: ",")
        var rows = try SQLStatement(
            db,
            """
            SELECT \(columns), s.fingerprint, s.labels, s.type FROM series s
            CROSS JOIN chunks c INDEXED BY chunks_by_end ON c.series = s.id AND c.end_ms > ?
            WHERE s.fingerprint >= ? AND (s.fingerprint > ? OR c.start_ms > ?) \(isAll ? "" : "AND s.shard IN (\(list))")
            ORDER BY s.fingerprint, c.start_ms LIMIT ?
            """, cached: isAll)
        defer { rows.reset() }
        try rows.bind(since)
        try rows.bind(from.fingerprint)
        try rows.bind(from.fingerprint)
        try rows.bind(from.start)
        try rows.bind(maximumRows)
        var chunks: [ChunkResult] = []
        var key: SeriesKey?
        var fingerprint = ""
        var bytes = 0
        while bytes < maximumBytes, try rows.step() {
            let text = rows.text(12) ?? ""
            let current = try text == fingerprint ? key ?? SeriesScan.key(rows, from: 12, errors) : SeriesScan.key(rows, from: 12, errors)
            (key, fingerprint) = (current, text)
            let chunk = ChunkRows.chunk(current, rows)
            bytes += chunk.data.count
            chunks.append(chunk)
        }
        let isLast = chunks.count < maximumRows && bytes < maximumBytes
        return (chunks, isLast ? nil : chunks.last.map { ChunkCursor(fingerprint: fingerprint, start: $0.start) })
    }
}
