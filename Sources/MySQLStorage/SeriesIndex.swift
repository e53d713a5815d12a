import Records
import Storage
import TimeSeries

/// The numbers under which the database knows series; a bounded memory of the table `series`.
struct SeriesIndex: Sendable {
    /// The value of `series_epoch` that the numbers hold for: it changes when series are removed.
    private(set) var epoch: Int64 = .min
    private var known: [Fingerprint: Int64] = [:]
    private let limit: Int

    init(limit: Int) { self.limit = max(1, limit) }

    subscript(_ id: Fingerprint) -> Int64? { known[id] }

    /// Takes numbers over that a committed transaction saw.
    mutating func remember(_ numbers: [Fingerprint: Int64], epoch: Int64) {
        if epoch != self.epoch || known.count + numbers.count > limit { known.removeAll() }
        self.epoch = epoch
        if numbers.count <= limit { known.merge(numbers) { $1 } }
    }
}

/// A series of a batch, and when it was seen there.
struct Sighting: Sendable {
    var key: SeriesKey
    var first: Milliseconds
    var last: Milliseconds

    /// The series of a batch by fingerprint. A series has the type of its newest result; of two at one time the higher one, so that the
    /// order does not matter.
    static func all(_ batch: StoreBatch) -> [Sighting] {
        var sightings: [Fingerprint: Sighting] = [:]
        func note(_ key: SeriesKey, _ first: Milliseconds, _ last: Milliseconds) {
            guard var seen = sightings[key.id] else {
                sightings[key.id] = Sighting(key: key, first: first, last: last)
                return
            }
            if (last, key.type.rawValue) > (seen.last, seen.key.type.rawValue) { seen.key = key }
            seen.first = min(seen.first, first)
            seen.last = max(seen.last, last)
            sightings[key.id] = seen
        }
        for result in batch.windows { note(result.series, result.time, result.time) }
        for result in batch.profiles { note(result.series, result.time, result.time) }
        for result in batch.forecasts { note(result.series, result.time, result.time) }
        for anomaly in batch.anomalies { note(anomaly.series, anomaly.onset, anomaly.time) }
        for state in batch.modelStates { note(state.series, state.time, state.time) }
        for chunk in batch.chunks { note(chunk.series, chunk.start, chunk.end) }
        return sightings.values.sorted { $0.key.id < $1.key.id }
    }
}

/// Finds or makes the rows of series within a transaction.
struct SeriesResolver {
    let connection: Connection
    let rows: Int
    let errors: MySQLErrors

    /// Numbers from `known` hold for `epoch`, which the transaction has locked.
    func numbers(
        _ sightings: [Sighting], known: SeriesIndex, epoch: Int64
    ) throws -> (all: [Fingerprint: Int64], new: [Fingerprint: Int64]) {
        var numbers: [Fingerprint: Int64] = [:]
        numbers.reserveCapacity(sightings.count)
        var missing: [Sighting] = []
        for sighting in sightings {
            let number = known.epoch == epoch ? known[sighting.key.id] : nil
            if let number { numbers[sighting.key.id] = number } else { missing.append(sighting) }
        }
        if missing.isEmpty { return (numbers, [:]) }
        var found: [Fingerprint: Int64] = [:]
        try find(missing.map(\.key.id), &found)
        let absent = missing.filter { found[$0.key.id] == nil }
        if !absent.isEmpty {
            try insert(absent)
            try find(absent.map(\.key.id), &found)
        }
        numbers.merge(found) { $1 }
        return (numbers, found)
    }

    private func find(_ ids: [Fingerprint], _ numbers: inout [Fingerprint: Int64]) throws {
        let sql = "SELECT `fingerprint`, `id` FROM `series` WHERE `fingerprint` IN"
        for (sql, parameters) in InList.pages(ids.map { .text($0.description) }, sql) {
            try connection.query(sql, parameters) { row in
                if let id = Fingerprint(row.text(0) ?? "") { numbers[id] = row.int64(1) }
            }
        }
    }

    /// Another writer may make the same series now: then this waits for it and changes nothing.
    private func insert(_ new: [Sighting]) throws {
        let writer = TableWriter(connection, SeriesResolver.inserting, rows: rows, expected: new.count, errors: errors)
        for sighting in new {
            let key = sighting.key
            let labels = JSONValue.object(key.labels.labels.map { (key: $0.name, value: .string($0.value)) })
            writer.batch.append(key.labels.description)
            writer.batch.append(key.id.description)
            writer.batch.append(Int(key.id.shard.index))
            writer.batch.append(SeriesResolver.indexed(key.labels.name))
            writer.batch.append(labels.jsonText)
            try writer.endRow()
        }
        try writer.finish()
    }

    /// As much of a metric's name as the index holds.
    static func indexed(_ name: String) -> String {
        if name.utf8.count <= 255 { return name }
        return String(String.UnicodeScalarView(name.unicodeScalars.prefix(255)))
    }

    /// Notes when the series were seen.
    func see(_ sightings: [Sighting], _ numbers: [Fingerprint: Int64]) throws {
        let writer = TableWriter(connection, SeriesResolver.seeing, rows: rows, expected: sightings.count, errors: errors)
        let numbered = sightings.map { (number: numbers[$0.key.id] ?? 0, sighting: $0) }.sorted { $0.number < $1.number }
        for (number, sighting) in numbered {
            writer.batch.append(number)
            writer.batch.append(sighting.key.type.wireName)
            writer.batch.append(sighting.first)
            writer.batch.append(sighting.last)
            try writer.endRow()
        }
        try writer.finish()
    }

    private static let inserting = Upsert(
        "series", [("notation", .text), ("fingerprint", .text), ("shard", .integer), ("name", .text), ("labels", .text)],
        assignments: ["`fingerprint` = `fingerprint`"])

    /// The types stand in the column's definition in the order of their numbers.
    private static let seeing = Upsert(
        "series_seen", [("series", .integer), ("type", .text), ("first_ms", .integer), ("last_ms", .integer)],
        assignments: [
            "`type` = IF(VALUES(`last_ms`) > `last_ms` OR (VALUES(`last_ms`) = `last_ms` AND VALUES(`type`) + 0 > `type` + 0), "
                + "VALUES(`type`), `type`)",
            "`first_ms` = LEAST(`first_ms`, VALUES(`first_ms`))", "`last_ms` = GREATEST(`last_ms`, VALUES(`last_ms`))",
        ])
}

/// Statements with a list of values. The lists have few lengths, so that the statements are prepared once: shorter ones are filled
/// up with their last value.
enum InList {
    private static let lengths = [1, 8, 64, 256]

    /// `sql` ends before the list; `rest` follows it.
    static func pages(_ values: [Parameter], _ sql: String, rest: String = "") -> [(sql: String, parameters: [Parameter])] {
        var pages: [(sql: String, parameters: [Parameter])] = []
        var from = 0
        while from < values.count {
            let count = min(values.count - from, 256)
            var page = Array(values[from..<(from + count)])
            let length = lengths.first { $0 >= count } ?? count
            if let last = page.last { page += repeatElement(last, count: length - count) }
            pages.append(("\(sql) (\(repeatElement("?", count: length).joined(separator: ", ")))\(rest)", page))
            from += count
        }
        return pages
    }
}
