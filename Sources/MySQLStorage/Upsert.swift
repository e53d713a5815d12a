import CMariaDB

/// The text of an idempotent insert: of one key the later version stays, by time where the time is no part of the key (the latest
/// tables), then by revision.
struct Upsert: Sendable {
    let kinds: [RowBatch.Kind]
    private let head: String
    private let tuple: String
    private let tail: String

    /// - Parameters:
    ///   - assignments: what becomes of a row that is there. MySQL assigns from left to right and later ones see what earlier ones
    ///     did, so what a condition looks at comes last.
    init(_ table: String, _ columns: [(name: String, kind: RowBatch.Kind)], assignments: [String]) {
        kinds = columns.map(\.kind)
        head = "INSERT INTO `\(table)` (\(columns.map { "`\($0.name)`" }.joined(separator: ", "))) VALUES "
        tuple = "(\(columns.map { _ in "?" }.joined(separator: ", ")))"
        tail = " ON DUPLICATE KEY UPDATE " + assignments.joined(separator: ", ")
    }

    /// A table of results. `values` are without revision and, in a latest table, without time_ms.
    static func results(
        _ table: String, key: [String], values: [(name: String, kind: RowBatch.Kind)], isLatest: Bool
    ) -> Upsert {
        var newer = "VALUES(`revision`) > `revision`"
        var versions: [(name: String, kind: RowBatch.Kind)] = [("revision", .integer)]
        if isLatest {
            newer = "VALUES(`time_ms`) > `time_ms` OR (VALUES(`time_ms`) = `time_ms` AND \(newer))"
            versions.append(("time_ms", .integer))
        }
        let assignments =
            (values + versions.prefix(1)).map { "`\($0.name)` = IF(\(newer), VALUES(`\($0.name)`), `\($0.name)`)" }
            + (isLatest ? ["`time_ms` = GREATEST(`time_ms`, VALUES(`time_ms`))"] : [])
        return Upsert(
            table, key.map { ($0, .integer) } + versions.reversed() + values, assignments: assignments)
    }

    /// A table in which the row of the highest revision stays. Its columns are the key, revision, the values.
    static func revised(
        _ table: String, key: [(name: String, kind: RowBatch.Kind)], values: [(name: String, kind: RowBatch.Kind)]
    ) -> Upsert {
        let assignments = (values.map(\.name) + ["revision"]).map {
            "`\($0)` = IF(VALUES(`revision`) > `revision`, VALUES(`\($0)`), `\($0)`)"
        }
        return Upsert(table, key + [("revision", .integer)] + values, assignments: assignments)
    }

    func text(rows: Int) -> String {
        head + repeatElement(tuple, count: rows).joined(separator: ", ") + tail
    }
}

/// Sends rows of one table in pieces that the server takes.
final class TableWriter {
    private let connection: Connection
    private let upsert: Upsert
    private let errors: MySQLErrors
    let batch: RowBatch
    private let maximumBytes: Int
    private var bytesBefore = 0

    init(_ connection: Connection, _ upsert: Upsert, rows: Int, expected: Int, errors: MySQLErrors) {
        self.connection = connection
        self.upsert = upsert
        self.errors = errors
        batch = RowBatch(upsert.kinds, capacity: max(1, min(rows, expected)))
        maximumBytes = min(4 << 20, connection.packetBytes / 4)
    }

    /// Ends a row; what has gathered is sent when it is enough.
    func endRow() throws {
        batch.endRow()
        let size = batch.bytes - bytesBefore
        bytesBefore = batch.bytes
        // What has gathered and one row of the largest size must fit into a packet together.
        if size > connection.packetBytes / 2 { throw errors.tooLarge(size, limit: connection.packetBytes / 2) }
        if batch.isFull || batch.bytes > maximumBytes { try send() }
    }

    func finish() throws {
        if batch.rows > 0 { try send() }
    }

    private func send() throws {
        if connection.takesArrays {
            try connection.statement(upsert.text(rows: 1)).executeArray(batch)
        } else {
            try sendInSteps()
        }
        batch.removeAll()
        bytesBefore = 0
    }

    /// With statements of several rows. Of few sizes, so that they are prepared once.
    private func sendInSteps() throws {
        var from = 0
        while from < batch.rows {
            let left = batch.rows - from
            let count = left >= 256 ? 256 : left >= 16 ? 16 : 1
            try connection.statement(upsert.text(rows: count)).execute(batch, from: from, count: count)
            from += count
        }
    }
}
