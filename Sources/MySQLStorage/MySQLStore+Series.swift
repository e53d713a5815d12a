import Records
import Storage
import TimeSeries

extension MySQLStore {
    /// Series that are looked at in one statement: a listing that matches few of very many does not hold a connection for long.
    private static let scanStep = 2000

    package func series(matching matchers: [LabelMatcher], page: PageRequest) async throws -> [StoredSeries] {
        let matcher = try SeriesMatcher(matchers)
        let scan = SeriesScan(errors: errors)
        var found: [StoredSeries] = []
        var after = page.after?.description ?? ""
        while found.count < page.limit {
            try Task.checkCancellation()
            let room = page.limit - found.count
            let from = after
            let step = try await readers.run { try scan.step($0, matcher, after: from, limit: MySQLStore.scanStep, room: room) }
            found += step.found
            guard let last = step.last else { break }
            after = last
        }
        return found
    }

    package func series(_ id: Fingerprint) async throws -> StoredSeries? {
        let scan = SeriesScan(errors: errors)
        return try await readers.run { connection in
            var found: StoredSeries?
            try connection.query(SeriesScan.select + " WHERE s.`fingerprint` = ?", [.text(id.description)]) { row in
                found = try scan.decode(row)
            }
            return found
        }
    }

    package func latestWindowTimes(shards: Set<Shard>) async throws -> [Fingerprint: Milliseconds] {
        if shards.isEmpty { return [:] }
        let scan = SeriesScan(errors: errors)
        return try await readers.run { connection in
            var times: [Fingerprint: Milliseconds] = [:]
            try connection.query(
                """
                SELECT s.`fingerprint`, MAX(w.`time_ms`) FROM `series` s JOIN `window_statistics_latest` w ON w.`series` = s.`id`
                \(SeriesScan.condition(shards)) GROUP BY s.`fingerprint`
                """, isKept: false
            ) { row in times[try scan.fingerprint(row, 0)] = row.int64(1) }
            return times
        }
    }
}

/// Reads the tables `series` and `series_seen`.
struct SeriesScan: Sendable {
    static let select = """
        SELECT s.`fingerprint`, s.`labels`, n.`type`, s.`id`, n.`first_ms`, n.`last_ms` FROM `series` s
        JOIN `series_seen` n ON n.`series` = s.`id`
        """

    let errors: MySQLErrors

    /// WHERE for the series of some shards.
    static func condition(_ shards: Set<Shard>) -> String {
        if shards.count == Shard.count { return "WHERE TRUE" }
        return "WHERE s.`shard` IN (\(shards.sorted().map { "\($0.index)" }.joined(separator: ", ")))"
    }

    /// Looks at up to `limit` series behind `after`; `last` is where to go on, nil at the end.
    func step(
        _ connection: Connection, _ matcher: SeriesMatcher, after: String, limit: Int, room: Int
    ) throws -> (found: [StoredSeries], last: String?) {
        let name = matcher.requiredName.map { SeriesResolver.indexed($0) }
        let condition = name == nil ? "" : " AND s.`name` = ?"
        var parameters: [Parameter] = [.text(after)]
        if let name { parameters.append(.text(name)) }
        parameters.append(.integer(Int64(limit)))
        var found: [StoredSeries] = []
        var seen = 0
        var last: String?
        try connection.query(
            SeriesScan.select + " WHERE s.`fingerprint` > ?\(condition) ORDER BY s.`fingerprint` LIMIT ?", parameters
        ) { row in
            if found.count == room { return }
            let series = try decode(row)
            if matcher.matches(series.key.labels) { found.append(series) }
            last = row.text(0)
            seen += 1
        }
        return (found, seen == limit ? last : nil)
    }

    func decode(_ row: Row) throws -> StoredSeries {
        StoredSeries(key: try key(row), firstSeen: row.int64(4), lastSeen: row.int64(5))
    }

    /// The key from the columns fingerprint, labels, type.
    func key(_ row: Row) throws -> SeriesKey {
        let id = try fingerprint(row, 0)
        guard let text = row.text(1), let members = (try? JSONValue(parsing: Array(text.utf8)))?.objectValue else {
            throw errors.corrupt("the labels of series \(id) are not JSON")
        }
        let labels = LabelSet(members.map { Label($0.key, $0.value.stringValue ?? "") })
        return SeriesKey(labels: labels, type: MetricType(wireName: row.text(2)), id: id)
    }

    func fingerprint(_ row: Row, _ column: Int) throws -> Fingerprint {
        let text = row.text(column) ?? ""
        guard let id = Fingerprint(text) else { throw errors.corrupt("'\(text)' in the table series is no fingerprint") }
        return id
    }

    /// Numbers and keys of those series that there are.
    func find(_ ids: [Fingerprint], _ connection: Connection) throws -> [(number: Int64, key: SeriesKey)] {
        var found: [(number: Int64, key: SeriesKey)] = []
        found.reserveCapacity(ids.count)
        let sql = SeriesScan.select + " WHERE s.`fingerprint` IN"
        for (sql, parameters) in InList.pages(ids.map { .text($0.description) }, sql) {
            try connection.query(sql, parameters) { row in found.append((row.int64(3), try key(row))) }
        }
        return found
    }
}
