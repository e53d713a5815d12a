import CassandraClient
import Records
import Storage
import TimeSeries

extension CassandraStore {
    private typealias Tables = CassandraTables

    package func chunks(of id: Fingerprint, from: Milliseconds, to: Milliseconds) async throws -> [ChunkResult] {
        try await errors.translating {
            let connected = try await connected()
            guard let key = try await find(id, connected)?.key else { return [] }
            return try await chunks(key, from: from, to: to, connected)
        }
    }

    /// A usual day's chunks in one page. Each may have 1.3 MB before a page is as long as the longest frame; they have some kilobytes.
    private static let chunksOfPage: Int32 = 50

    /// Those that end after `from` and start before `to`. The days say where their chunks end, so that days before the range are read only
    /// when a chunk of theirs reaches into it.
    private func chunks(_ key: SeriesKey, from: Milliseconds, to: Milliseconds, _ connected: Connected) async throws -> [ChunkResult] {
        let days = try await days(key.id, DayKind.chunks, from: .min, to: Stamps.day(to), connected).filter { $0.end > from }.map(\.day)
        let select = try await connected.statements.select(Tables.chunks, "AND start_ms < ?")
        return try await walk(days, limit: .max) { day in
            let values: BoundValues = [.text(key.id.description), .int(day), .bigint(to)]
            return try await self.rows(connected, select, values, pageSize: CassandraStore.chunksOfPage) { row in
                guard let start = try row.int64(0), var fact = row.fields(1) else { return nil }
                let revision = try fact.revision()
                let end = try fact.int64() ?? 0
                return end > from ? try fact.chunk(key, start: start, end: end, revision: revision) : nil
            }
        }
    }

    /// Series whose chunks are read at once, and chunks that are handed over at once.
    private static let seriesStep = 32
    private static let pageRows = 500
    private static let pageBytes = 4 << 20

    package func recentChunks(
        shards: Set<Shard>, since: Milliseconds, _ receive: @Sendable ([ChunkResult]) async throws -> Void
    ) async throws {
        try await errors.translating {
            let connected = try await connected()
            try await scan(shards: shards) { keys in
                for first in stride(from: 0, to: keys.count, by: CassandraStore.seriesStep) {
                    try Task.checkCancellation()
                    let step = Array(keys[first..<min(first + CassandraStore.seriesStep, keys.count)])
                    let found = try await concurrently(step) { key in
                        try await self.chunks(key, from: since, to: .max, connected)
                    }
                    try await hand(found.flatMap { $0 }, receive)
                }
            }
        }
    }

    /// Summaries that are handed over at once.
    private static let summaryRows = 20_000

    package func chunkSummaries(
        shards: Set<Shard>, since: Milliseconds, _ receive: @Sendable ([ChunkSummary]) async throws -> Void
    ) async throws {
        try await errors.translating {
            let connected = try await connected()
            try await scan(shards: shards) { keys in
                for first in stride(from: 0, to: keys.count, by: CassandraStore.seriesStep) {
                    try Task.checkCancellation()
                    let step = Array(keys[first..<min(first + CassandraStore.seriesStep, keys.count)])
                    let found = try await concurrently(step) { key in
                        try await self.chunks(key, from: since, to: .max, connected).map { ChunkSummary($0) }
                            .filter { $0.count > 0 && $0.mean.isFinite }.sorted { ($0.end, $0.start) < ($1.end, $1.start) }
                    }
                    var rest = found.flatMap { $0 }[...]
                    while !rest.isEmpty {
                        try await receive(Array(rest.prefix(CassandraStore.summaryRows)))
                        rest = rest.dropFirst(CassandraStore.summaryRows)
                    }
                }
            }
        }
    }

    private func hand(_ chunks: [ChunkResult], _ receive: @Sendable ([ChunkResult]) async throws -> Void) async throws {
        var page: [ChunkResult] = []
        var bytes = 0
        for chunk in chunks {
            page.append(chunk)
            bytes += chunk.data.count
            guard page.count >= CassandraStore.pageRows || bytes >= CassandraStore.pageBytes else { continue }
            try await receive(page)
            page = []
            bytes = 0
        }
        if !page.isEmpty { try await receive(page) }
    }

    package func modelStates(shards: Set<Shard>, _ receive: @Sendable ([ModelStateResult]) async throws -> Void) async throws {
        try await errors.translating {
            let connected = try await connected()
            let select = try await connected.statements.select(Tables.modelStates)
            try await scan(shards: shards) { keys in
                for first in stride(from: 0, to: keys.count, by: 1000) {
                    let step = Array(keys[first..<min(first + 1000, keys.count)])
                    let found = try await concurrently(step) { key -> ModelStateResult? in
                        let states: [ModelStateResult] = try await self.rows(connected, select, [.text(key.id.description)]) { row in
                            guard var fact = row.fields(0) else { return nil }
                            let revision = try fact.revision()
                            let time = try fact.int64() ?? 0
                            return ModelStateResult(series: key, time: time, revision: revision, data: try fact.blob() ?? [])
                        }
                        return states.first
                    }
                    let states = found.compactMap { $0 }
                    if !states.isEmpty { try await receive(states) }
                }
            }
        }
    }
}

extension FieldReader {
    fileprivate mutating func chunk(
        _ key: SeriesKey, start: Milliseconds, end: Milliseconds, revision: Revision
    ) throws -> ChunkResult {
        let samples = Int(try int64() ?? 0)
        let replayOffset = try int64() ?? 0
        let count = Int(try int64() ?? 0)
        var numbers: [Double] = []
        for _ in 0..<5 { numbers.append(try double() ?? .nan) }
        var moments = Moments()
        if count > 0 {
            moments = Moments(count: count, min: numbers[0], max: numbers[1], mean: numbers[2], m2: numbers[4])
            moments.offset = numbers[3]
        }
        return ChunkResult(
            series: key, start: start, end: end, revision: revision, count: samples, replayOffset: replayOffset, moments: moments,
            data: try blob() ?? [])
    }
}
