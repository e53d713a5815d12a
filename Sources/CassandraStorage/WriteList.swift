import CassandraClient
import Records
import Storage
import TimeSeries

/// What one batch of results becomes: rows of tables, grouped by partition.
struct WriteList {
    private struct Group: Hashable {
        var statement: ObjectIdentifier
        var token: Int64
    }

    private struct Rows {
        var statement: PreparedStatement
        var values: [BoundValues] = []
    }

    let statements: CassandraStatements
    let options: CassandraStoreOptions
    /// Seconds since 1970.
    let now: Int32
    private let arrivals: () -> Int64
    private var groups: [Group: Rows] = [:]

    /// - Parameter arrivals: numbers that only grow.
    init(_ statements: CassandraStatements, _ options: CassandraStoreOptions, now: Int32, arrivals: @escaping () -> Int64) {
        self.statements = statements
        self.options = options
        self.now = now
        self.arrivals = arrivals
    }

    /// The front of a fact.
    func fact(_ revision: Revision) -> BoundValues {
        var fact = BoundValues(capacity: 128)
        fact.append(revision.rawValue)
        fact.append(Int64.max - arrivals())
        return fact
    }

    /// Adds a row. `keys` gets the key's columns.
    mutating func add(
        _ table: CassandraTable, stamp: Int64, life: Int32, _ fact: BoundValues, _ keys: (inout BoundValues) -> Void
    ) {
        guard let statement = statements.inserts[table.name] else { return }
        var values = BoundValues(capacity: fact.size + 96)
        keys(&values)
        values.append(fields: fact)
        values.append(stamp)
        values.append(life)
        add(statement, values)
    }

    mutating func add(_ statement: PreparedStatement, _ values: BoundValues) {
        let group = Group(statement: ObjectIdentifier(statement), token: statement.token(values)?.value ?? 0)
        groups[group, default: Rows(statement: statement)].values.append(values)
    }

    /// The requests: of each partition batches that stay within the bounds.
    func batches() -> [Batch] {
        var batches: [Batch] = []
        for rows in groups.values {
            var batch = Batch(.unlogged)
            var bytes = 0
            for row in rows.values {
                if batch.count > 0, batch.count >= options.batchRows || bytes + row.size > options.batchBytes {
                    batches.append(batch)
                    batch = Batch(.unlogged)
                    bytes = 0
                }
                batch.add(rows.statement, row)
                bytes += row.size
            }
            batches.append(batch)
        }
        return batches
    }
}

extension BoundValues {
    /// Numbers that are not finite are null.
    mutating func append(finite value: Double?) { append(value.flatMap { $0.isFinite ? $0 : nil }) }
    mutating func append(_ value: Int) { append(Int64(value)) }
}
