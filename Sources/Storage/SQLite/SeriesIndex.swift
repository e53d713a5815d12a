import GRDB
import Records
import TimeSeries

/// The numbers under which this database knows series; a bounded memory of the table `series`, kept by the writer.
struct SeriesIndex: Sendable {
    private struct Entry {
        var id: Int64
        var type: MetricType
        var first: Milliseconds
        var last: Milliseconds
    }

    private struct Sighting {
        var key: SeriesKey
        var first: Milliseconds
        var last: Milliseconds
    }

    private var known: [Fingerprint: Entry] = [:]
    private let limit: Int

    init(limit: Int) { self.limit = max(1, limit) }

    mutating func removeAll() { known.removeAll() }

    /// Gives every series of the batch a number, new ones included, and notes when they were seen.
    mutating func resolve(_ batch: StoreBatch, in db: Database) throws -> [Fingerprint: Int64] {
        let sightings = SeriesIndex.sightings(batch)
        if known.count + sightings.count > limit { known.removeAll() }
        var ids: [Fingerprint: Int64] = [:]
        ids.reserveCapacity(sightings.count)
        var statements = try Statements(db)
        for sighting in sightings.values {
            ids[sighting.key.id] = try resolve(sighting, &statements)
        }
        return ids
    }

    private static func sightings(_ batch: StoreBatch) -> [Fingerprint: Sighting] {
        var sightings: [Fingerprint: Sighting] = [:]
        func note(_ key: SeriesKey, _ first: Milliseconds, _ last: Milliseconds) {
            guard var seen = sightings[key.id] else {
                sightings[key.id] = Sighting(key: key, first: first, last: last)
                return
            }
            if isNewer(key.type, last, than: seen.key.type, seen.last) { seen.key = key }
            seen.first = min(seen.first, first)
            seen.last = max(seen.last, last)
            sightings[key.id] = seen
        }
        for result in batch.windows { note(result.series, result.time, result.time) }
        for result in batch.profiles { note(result.series, result.time, result.time) }
        for result in batch.forecasts { note(result.series, result.time, result.time) }
        for chunk in batch.chunks { note(chunk.series, chunk.start, chunk.end) }
        for state in batch.modelStates { note(state.series, state.time, state.time) }
        for anomaly in batch.anomalies { note(anomaly.series, anomaly.onset, anomaly.time) }
        return sightings
    }

    /// A series has the type of its newest result; of two at one time the higher one, so that the order does not matter.
    private static func isNewer(_ type: MetricType, _ time: Milliseconds, than other: MetricType, _ otherTime: Milliseconds) -> Bool {
        (time, type.rawValue) > (otherTime, other.rawValue)
    }

    private mutating func resolve(_ sighting: Sighting, _ statements: inout Statements) throws -> Int64 {
        let key = sighting.key
        guard
            var entry = try known[key.id]
                ?? statements.find(key.id).map({ Entry(id: $0.id, type: $0.type, first: $0.first, last: $0.last) })
        else {
            let id = try statements.insert(key)
            try statements.see(id, sighting.first, sighting.last)
            known[key.id] = Entry(id: id, type: key.type, first: sighting.first, last: sighting.last)
            return id
        }
        if key.type != entry.type, SeriesIndex.isNewer(key.type, sighting.last, than: entry.type, entry.last) {
            try statements.setType(entry.id, key.type)
            entry.type = key.type
        }
        if sighting.first < entry.first || sighting.last > entry.last {
            entry.first = min(entry.first, sighting.first)
            entry.last = max(entry.last, sighting.last)
            try statements.see(entry.id, entry.first, entry.last)
        }
        known[key.id] = entry
        return entry.id
    }
}

extension SeriesIndex {
    /// The statements on `series` and `series_seen`.
    private struct Statements {
        private var findOne: SQLStatement
        private var insertOne: SQLStatement
        private var seeOne: SQLStatement
        private var setOneType: SQLStatement
        private let db: Database

        init(_ db: Database) throws {
            self.db = db
            findOne = try SQLStatement(
                db,
                """
                SELECT s.id, s.type, n.first_ms, n.last_ms FROM series s JOIN series_seen n ON n.series = s.id WHERE s.fingerprint = ?
                """)
            insertOne = try SQLStatement(
                db, "INSERT INTO series (fingerprint, shard, name, notation, labels, type) VALUES (?, ?, ?, ?, ?, ?)")
            seeOne = try SQLStatement(
                db,
                """
                INSERT INTO series_seen (series, first_ms, last_ms) VALUES (?, ?, ?)
                ON CONFLICT (series) DO UPDATE SET first_ms = excluded.first_ms, last_ms = excluded.last_ms
                """)
            setOneType = try SQLStatement(db, "UPDATE series SET type = ? WHERE id = ?")
        }

        mutating func find(
            _ fingerprint: Fingerprint
        ) throws -> (id: Int64, type: MetricType, first: Milliseconds, last: Milliseconds)? {
            try findOne.bind(fingerprint.description)
            defer { findOne.reset() }
            guard try findOne.step() else { return nil }
            return (findOne.int64(0), MetricType(wireName: findOne.text(1)), findOne.int64(2), findOne.int64(3))
        }

        mutating func insert(_ key: SeriesKey) throws -> Int64 {
            let labels = JSONValue.object(key.labels.labels.map { (key: $0.name, value: .string($0.value)) })
            try insertOne.bind(key.id.description)
            try insertOne.bind(Int(key.id.shard.index))
            try insertOne.bind(key.labels.name)
            try insertOne.bind(key.labels.description)
            try insertOne.bind(labels.jsonText)
            try insertOne.bind(key.type.wireName)
            try insertOne.run()
            return db.lastInsertedRowID
        }

        mutating func see(_ id: Int64, _ first: Milliseconds, _ last: Milliseconds) throws {
            try seeOne.bind(id)
            try seeOne.bind(first)
            try seeOne.bind(last)
            try seeOne.run()
        }

        mutating func setType(_ id: Int64, _ type: MetricType) throws {
            try setOneType.bind(type.wireName)
            try setOneType.bind(id)
            try setOneType.run()
        }
    }
}
