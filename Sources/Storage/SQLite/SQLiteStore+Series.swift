import GRDB
import Records
import TimeSeries

extension SQLiteStore {
    /// Series that are looked at in one read: a listing that matches few of very many does not hold a reader for long.
    private static let scanStep = 2000

    package func series(matching matchers: [LabelMatcher], page: PageRequest) async throws -> [StoredSeries] {
        let matcher = try SeriesMatcher(matchers)
        var found: [StoredSeries] = []
        var after = page.after?.description ?? ""
        while found.count < page.limit {
            try Task.checkCancellation()
            let room = page.limit - found.count
            let from = after
            let errors = errors
            let step = try await read { db in try SeriesScan(db, matcher, errors).step(after: from, limit: SQLiteStore.scanStep, room: room)
            }
            found += step.found
            guard let last = step.last else { break }
            after = last
        }
        return found
    }

    package func series(_ id: Fingerprint) async throws -> StoredSeries? {
        let errors = errors
        return try await read { db in
            var statement = try SQLStatement(db, SeriesScan.columns + " WHERE s.fingerprint = ?")
            try statement.bind(id.description)
            defer { statement.reset() }
            return try statement.step() ? SeriesScan.decode(statement, errors) : nil
        }
    }

    package func latestWindowTimes(shards: Set<Shard>) async throws -> [Fingerprint: Milliseconds] {
        let errors = errors
        return try await read { db in
            var times: [Fingerprint: Milliseconds] = [:]
            var statement = try SQLStatement(
                db,
                """
                SELECT s.fingerprint, s.shard, max(w.time_ms) FROM series s JOIN window_statistics_latest w ON w.series = s.id GROUP BY s.id
                """)
            defer { statement.reset() }
            while try statement.step() {
                guard shards.contains(Shard(UInt16(truncatingIfNeeded: statement.int64(1)))) else { continue }
                times[try SeriesScan.fingerprint(statement, 0, errors)] = statement.int64(2)
            }
            return times
        }
    }
}

/// Reads the table `series`.
struct SeriesScan {
    static let columns = """
        SELECT s.fingerprint, s.labels, s.type, n.first_ms, n.last_ms FROM series s JOIN series_seen n ON n.series = s.id
        """

    private let db: Database
    private let matcher: SeriesMatcher
    private let errors: SQLiteErrors

    init(_ db: Database, _ matcher: SeriesMatcher, _ errors: SQLiteErrors) {
        self.db = db
        self.matcher = matcher
        self.errors = errors
    }

    /// Looks at up to `limit` series behind `after`; `last` is where to go on, nil at the end.
    func step(after: String, limit: Int, room: Int) throws -> (found: [StoredSeries], last: String?) {
        let name = matcher.requiredName
        let condition = name == nil ? "" : " AND s.name = ?"
        var statement = try SQLStatement(db, SeriesScan.columns + " WHERE s.fingerprint > ?\(condition) ORDER BY s.fingerprint LIMIT ?")
        defer { statement.reset() }
        try statement.bind(after)
        if let name { try statement.bind(name) }
        try statement.bind(limit)
        var found: [StoredSeries] = []
        var seen = 0
        var last: String?
        while found.count < room, try statement.step() {
            let series = try SeriesScan.decode(statement, errors)
            if matcher.matches(series.key.labels) { found.append(series) }
            last = statement.text(0)
            seen += 1
        }
        return (found, seen == limit ? last : nil)
    }

    static func decode(_ row: SQLStatement, _ errors: SQLiteErrors) throws -> StoredSeries {
        StoredSeries(key: try key(row, from: 0, errors), firstSeen: row.int64(3), lastSeen: row.int64(4))
    }

    /// The key from the columns fingerprint, labels, type.
    static func key(_ row: SQLStatement, from column: Int32, _ errors: SQLiteErrors) throws -> SeriesKey {
        let id = try fingerprint(row, column, errors)
        guard let text = row.text(column + 1), let members = (try? JSONValue(parsing: Array(text.utf8)))?.objectValue else {
            throw StorageError(.corrupt, errors.corruptText("the labels of series \(id) are not JSON"))
        }
        let labels = LabelSet(members.map { Label($0.key, $0.value.stringValue ?? "") })
        return SeriesKey(labels: labels, type: MetricType(wireName: row.text(column + 2)), id: id)
    }

    static func fingerprint(_ row: SQLStatement, _ column: Int32, _ errors: SQLiteErrors) throws -> Fingerprint {
        let text = row.text(column) ?? ""
        guard let id = Fingerprint(text) else {
            throw StorageError(.corrupt, errors.corruptText("'\(text)' in the table series is no fingerprint"))
        }
        return id
    }

    /// The number and the key of one series.
    static func find(_ id: Fingerprint, in db: Database, _ errors: SQLiteErrors) throws -> (number: Int64, key: SeriesKey)? {
        var statement = try SQLStatement(db, "SELECT fingerprint, labels, type, id FROM series WHERE fingerprint = ?")
        defer { statement.reset() }
        try statement.bind(id.description)
        guard try statement.step() else { return nil }
        return (statement.int64(3), try key(statement, from: 0, errors))
    }
}
