import Records
import Storage
import TimeSeries

extension MySQLStore {
    /// Chunks handed over at once to an owner that takes over, and their summaries.
    private static let pageRows = 1000
    private static let summaryRows = 10_000

    package func chunks(of id: Fingerprint, from: Milliseconds, to: Milliseconds) async throws -> [ChunkResult] {
        let scan = SeriesScan(errors: errors)
        return try await read { connection in
            guard let (number, key) = try scan.find([id], connection).first else { return [] }
            var chunks: [ChunkResult] = []
            try connection.query(
                """
                SELECT \(ChunkRows.columns) FROM `chunks` FORCE INDEX (`by_series_end`)
                WHERE `series` = ? AND `end_ms` > ? AND `start_ms` < ?
                """, [number, from, to].map { .integer($0) }
            ) { row in chunks.append(ChunkRows.chunk(row, key)) }
            return chunks.sorted { $0.start < $1.start }
        }
    }

    package func recentChunks(
        shards: Set<Shard>, since: Milliseconds, _ receive: @Sendable ([ChunkResult]) async throws -> Void
    ) async throws {
        try await eachGroup(shards, since, rows: MySQLStore.pageRows) { group in
            let keys = group.keys
            if group.isLarge {
                try await self.eachPage(group, since, receive)
                return
            }
            let chunks = try await self.readers.run { connection in
                try ChunkRows.read(connection, keys, ChunkRows.columns, since) { row, key in ChunkRows.chunk(row, key) }
            }
            let sorted = chunks.sorted { ($0.series.id, $0.start) < ($1.series.id, $1.start) }
            if !sorted.isEmpty { try await receive(sorted) }
        }
    }

    /// The chunks of one series that has more of them than fit into a page.
    private func eachPage(
        _ group: ChunkGroup, _ since: Milliseconds, _ receive: @Sendable ([ChunkResult]) async throws -> Void
    ) async throws {
        guard let (number, key) = group.keys.first else { return }
        var after: Milliseconds?
        while true {
            try Task.checkCancellation()
            let start = after ?? .min
            // The key holds the order; a chunk that ended before `since` is passed over.
            let condition = after == nil ? "`start_ms` >= ?" : "`start_ms` > ?"
            let chunks = try await readers.run { connection in
                var chunks: [ChunkResult] = []
                try connection.query(
                    """
                    SELECT \(ChunkRows.columns) FROM `chunks` FORCE INDEX (PRIMARY)
                    WHERE `series` = ? AND \(condition) AND `end_ms` > ? ORDER BY `start_ms` LIMIT \(MySQLStore.pageRows)
                    """, [number, start, since].map { .integer($0) }
                ) { row in chunks.append(ChunkRows.chunk(row, key)) }
                return chunks
            }
            if !chunks.isEmpty { try await receive(chunks) }
            if chunks.count < MySQLStore.pageRows { return }
            after = chunks.last?.start
        }
    }

    package func chunkSummaries(
        shards: Set<Shard>, since: Milliseconds, _ receive: @Sendable ([ChunkSummary]) async throws -> Void
    ) async throws {
        try await eachGroup(shards, since, rows: MySQLStore.summaryRows) { group in
            let keys = group.keys
            let summaries = try await self.readers.run { connection in
                try ChunkRows.read(connection, keys, ChunkRows.summaryColumns, since) { row, key in ChunkRows.summary(row, key) }
            }
            let sorted = summaries.compactMap { $0 }.sorted { ($0.series, $0.end, $0.start) < ($1.series, $1.end, $1.start) }
            for from in stride(from: 0, to: sorted.count, by: MySQLStore.summaryRows) {
                try await receive(Array(sorted[from..<min(sorted.count, from + MySQLStore.summaryRows)]))
            }
        }
    }

    /// Goes through the series of these shards by fingerprint, in groups of neighbours that together have about `rows` chunks that end
    /// after `since`. No read is open while the receiver works.
    private func eachGroup(
        _ shards: Set<Shard>, _ since: Milliseconds, rows: Int, _ body: (ChunkGroup) async throws -> Void
    ) async throws {
        if shards.isEmpty { return }
        let scan = SeriesScan(errors: errors)
        var after: String? = ""
        while let from = after {
            try Task.checkCancellation()
            let (groups, last) = try await read { try ChunkGroup.next($0, scan, shards, since, after: from, rows: rows) }
            for group in groups {
                try Task.checkCancellation()
                try await body(group)
            }
            after = last
        }
    }
}

/// Series whose chunks are read together.
private struct ChunkGroup: Sendable {
    var keys: [Int64: SeriesKey] = [:]
    /// It is one series, whose chunks do not fit into one page.
    var isLarge = false

    private static let seriesAtOnce = 1000

    /// The groups of the next series behind `after`; `last` is where to go on, nil at the end.
    static func next(
        _ connection: Connection, _ scan: SeriesScan, _ shards: Set<Shard>, _ since: Milliseconds, after: String, rows: Int
    ) throws -> (groups: [ChunkGroup], last: String?) {
        var series: [(number: Int64, key: SeriesKey)] = []
        try connection.query(
            SeriesScan.select + " \(SeriesScan.condition(shards)) AND s.`fingerprint` > ? ORDER BY s.`fingerprint` LIMIT \(seriesAtOnce)",
            [.text(after)], isKept: shards.count == Shard.count
        ) { row in series.append((row.int64(3), try scan.key(row))) }
        let counts = try count(connection, series.map(\.number), since)
        var groups: [ChunkGroup] = []
        var size = Int.max
        for (number, key) in series {
            guard let count = counts[number] else { continue }
            if size.addingReportingOverflow(count).overflow || size + count > rows {
                groups.append(ChunkGroup(isLarge: count > rows))
                size = 0
            }
            groups[groups.count - 1].keys[number] = key
            size += count
        }
        return (groups, series.count == seriesAtOnce ? series.last?.key.id.description : nil)
    }

    /// From the index alone.
    private static func count(_ connection: Connection, _ numbers: [Int64], _ since: Milliseconds) throws -> [Int64: Int] {
        var counts: [Int64: Int] = [:]
        let pages = InList.pages(
            numbers.map { .integer($0) }, "SELECT `series`, COUNT(*) FROM `chunks` FORCE INDEX (`by_series_end`) WHERE `series` IN",
            rest: " AND `end_ms` > ? GROUP BY `series`")
        for (sql, parameters) in pages {
            try connection.query(sql, parameters + [.integer(since)]) { row in counts[row.int64(0)] = row.int(1) }
        }
        return counts
    }
}

private enum ChunkRows {
    static let columns = """
        `series`, `start_ms`, `end_ms`, `revision`, `samples`, `replay_offset`, `count`, `min`, `max`, `reference`, `mean_offset`,
        `m2`, `data`
        """
    /// All of them are in the index `by_series_end`.
    static let summaryColumns = "`series`, `start_ms`, `end_ms`, `count`, `reference`, `mean_offset`"

    /// Chunks of some series that end after `since`, in no order.
    static func read<Result>(
        _ connection: Connection, _ keys: [Int64: SeriesKey], _ columns: String, _ since: Milliseconds,
        _ decode: (Row, SeriesKey) -> Result
    ) throws -> [Result] {
        var results: [Result] = []
        let pages = InList.pages(
            keys.keys.sorted().map { .integer($0) }, "SELECT \(columns) FROM `chunks` FORCE INDEX (`by_series_end`) WHERE `series` IN",
            rest: " AND `end_ms` > ?")
        for (sql, parameters) in pages {
            try connection.query(sql, parameters + [.integer(since)]) { row in
                if let key = keys[row.int64(0)] { results.append(decode(row, key)) }
            }
        }
        return results
    }

    static func chunk(_ row: Row, _ key: SeriesKey) -> ChunkResult {
        var moments = Moments()
        let count = row.int(6)
        if count > 0 {
            // What was not finite is stored as null, and stays without a value.
            moments = Moments(
                count: count, min: row.double(7) ?? .nan, max: row.double(8) ?? .nan, mean: row.double(9) ?? .nan,
                m2: row.double(11) ?? .nan)
            moments.offset = row.double(10) ?? .nan
        }
        return ChunkResult(
            series: key, start: row.int64(1), end: row.int64(2), revision: Revision(rawValue: row.int64(3)), count: row.int(4),
            replayOffset: row.int64(5), moments: moments, data: row.bytes(12))
    }

    /// nil where nothing was analysed, or its mean is not finite.
    static func summary(_ row: Row, _ key: SeriesKey) -> ChunkSummary? {
        guard let reference = row.double(4), let offset = row.double(5), row.int(3) > 0 else { return nil }
        return ChunkSummary(series: key.id, start: row.int64(1), end: row.int64(2), count: row.int(3), mean: reference + offset)
    }
}
