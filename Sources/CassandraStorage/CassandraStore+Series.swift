import CassandraClient
import Records
import Storage
import Synchronization
import TimeSeries

/// A row of `series`.
enum SeriesRow {
    /// The first six bits of the fingerprint: 64 partitions, in the order of fingerprints.
    static func bucket(_ id: Fingerprint) -> Int32 { Int32(id.high >> 58) }
    static let buckets: Int32 = 64

    static func text(_ labels: LabelSet) -> String {
        JSONValue.object(labels.labels.map { (key: $0.name, value: .string($0.value)) }).jsonText
    }

    static let columns = "id, labels, first_ms, seen"

    /// Nil for a series of which only the first time is left.
    static func decode(_ row: RowReader, _ errors: CassandraErrors) throws -> StoredSeries? {
        guard let text = try row.text(1), var seen = row.fields(3) else { return nil }
        guard let id = try row.text(0).flatMap({ Fingerprint($0) }),
            let members = (try? JSONValue(parsing: Array(text.utf8)))?.objectValue
        else { throw errors.corrupt("the series \(try row.text(0) ?? "") has no readable labels") }
        let type = MetricType(rawValue: UInt8(clamping: try seen.int32() ?? 0)) ?? .unknown
        let last = try seen.int64() ?? 0
        let labels = LabelSet(members.map { Label($0.key, $0.value.stringValue ?? "") })
        let key = SeriesKey(labels: labels, type: type, id: id)
        return StoredSeries(key: key, firstSeen: min(try row.int64(2) ?? last, last), lastSeen: last)
    }
}

extension CassandraStore {
    package func series(_ id: Fingerprint) async throws -> StoredSeries? {
        try await errors.translating { try await find(id, try await connected()) }
    }

    func find(_ id: Fingerprint, _ connected: Connected) async throws -> StoredSeries? {
        let select = try await connected.statements.prepare { "SELECT \(SeriesRow.columns) FROM \($0).series WHERE bucket = ? AND id = ?" }
        let errors = errors
        return try await rows(connected, select, [.int(SeriesRow.bucket(id)), .text(id.description)]) {
            try SeriesRow.decode($0, errors)
        }.first
    }

    package func series(matching matchers: [LabelMatcher], page: PageRequest) async throws -> [StoredSeries] {
        let matcher = try SeriesMatcher(matchers)
        if page.limit <= 0 { return [] }
        return try await errors.translating {
            var found: [StoredSeries] = []
            try await scan(after: page.after) { series in
                for one in series where matcher.matches(one.key.labels) {
                    found.append(one)
                    if found.count == page.limit { return false }
                }
                return true
            }
            return found
        }
    }

    /// Partitions that are asked for at once.
    private static let scanStep: Int32 = 16

    /// Goes through all series in the order of fingerprints, until `receive` says that it is enough. The first pages of several partitions
    /// are fetched together, since most are short.
    func scan(after: Fingerprint?, _ receive: ([StoredSeries]) async throws -> Bool) async throws {
        let connected = try await connected()
        let select = try await connected.statements.prepare { "SELECT \(SeriesRow.columns) FROM \($0).series WHERE bucket = ? AND id > ?" }
        let from = after?.description ?? ""
        var first = after.map { SeriesRow.bucket($0) } ?? 0
        while first < SeriesRow.buckets {
            try Task.checkCancellation()
            let buckets = Array(first..<min(first + CassandraStore.scanStep, SeriesRow.buckets))
            let pages = try await concurrently(buckets) { bucket in
                try await connected.session.execute(select, [.int(bucket), .text(from)], .idempotent)
            }
            for (bucket, firstPage) in zip(buckets, pages) {
                var page = firstPage
                while true {
                    if try await !receive(decode(page)) { return }
                    guard let state = page.pagingState else { break }
                    var options = RequestOptions.idempotent
                    options.pagingState = state
                    page = try await connected.session.execute(select, [.int(bucket), .text(from)], options)
                }
            }
            first += CassandraStore.scanStep
        }
    }

    private func decode(_ page: Rows) throws -> [StoredSeries] {
        var found: [StoredSeries] = []
        var reader = page.reader()
        while try reader.next() { if let series = try SeriesRow.decode(reader, errors) { found.append(series) } }
        return found
    }

    /// The series of some shards, handed over in bounded pages.
    func scan(shards: Set<Shard>, _ receive: ([SeriesKey]) async throws -> Void) async throws {
        if shards.isEmpty { return }
        try await scan(after: nil) { series in
            let wanted = series.map(\.key).filter { shards.contains($0.id.shard) }
            if !wanted.isEmpty { try await receive(wanted) }
            return true
        }
    }

    package func latestWindowTimes(shards: Set<Shard>) async throws -> [Fingerprint: Milliseconds] {
        try await errors.translating {
            var times: [Fingerprint: Milliseconds] = [:]
            let connected = try await connected()
            try await scan(shards: shards) { keys in
                let found = try await concurrently(keys) { key in
                    try await self.windowRows(key.id, connected).map(\.time).max()
                }
                for (key, time) in zip(keys, found) { if let time { times[key.id] = time } }
            }
            return times
        }
    }

    package func nextEpoch(for name: String) async throws -> Int64 {
        try await errors.translating {
            let connected = try await connected()
            let read = try await connected.statements.prepare { "SELECT epoch FROM \($0).epochs WHERE name = ?" }
            let insert = try await connected.statements.prepare { "INSERT INTO \($0).epochs (name, epoch) VALUES (?, ?) IF NOT EXISTS" }
            let update = try await connected.statements.prepare { "UPDATE \($0).epochs SET epoch = ? WHERE name = ? IF epoch = ?" }
            var serial = RequestOptions.idempotent
            serial.consistency = options.client.serialConsistency
            for attempt in 0..<100 {
                // The conditions decide; what is read only says which number to try.
                let rows = try await connected.session.execute(read, [.text(name)], serial)
                var reader = rows.reader()
                let known = try reader.next() ? try reader.int64(0) : nil
                do {
                    let answer =
                        if let known {
                            try await connected.session.execute(update, [.bigint(known + 1), .text(name), .bigint(known)])
                        } else {
                            try await connected.session.execute(insert, [.text(name), .bigint(1)])
                        }
                    var applied = answer.reader()
                    if try applied.next(), try applied.bool(0) == true {
                        let epoch = (known ?? 0) + 1
                        state.withLock { $0.recent.add(epoch: epoch, of: name) }
                        return epoch
                    }
                } catch let error as CassandraError where error.hasUnknownOutcome && attempt < 99 {
                    // It may have been taken: then that number is never given out, the next one is.
                }
                try await Task.sleep(for: .milliseconds(Int64.random(in: 1...(5 + Int64(min(attempt, 20)) * 5))))
            }
            throw StorageError(.unavailable, "others ask for epochs all the time; try again")
        }
    }

    /// Sees to it that the next epoch is above this one.
    func raise(_ name: String, to epoch: Int64) async throws {
        while try await nextEpoch(for: name) < epoch { try Task.checkCancellation() }
    }
}
