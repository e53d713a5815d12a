import Synchronization
import TimeSeries

/// All joins by name: one lookup for flows and for traffic rules. A copy is the same set; what a loader puts in, all see.
package struct JoinSet: Sendable {
    private enum Side {
        case table(JoinTable)
        case temporal(TemporalJoin)
    }

    private final class Join: Sendable {
        let side: Mutex<Side>

        init(_ side: sending Side) { self.side = Mutex(side) }
    }

    private let joins: [String: Join]

    package init(_ definitions: [JoinDefinition] = []) {
        joins = Dictionary(
            definitions.map { definition in
                switch definition.source {
                case .table: return (definition.name, Join(.table(JoinTable())))
                case .topic:
                    return (definition.name, Join(.temporal(TemporalJoin(keep: definition.keep, maxKeys: definition.maxKeys))))
                }
            }, uniquingKeysWith: { first, _ in first })
    }

    package func has(_ join: String) -> Bool { joins[join] != nil }

    /// A field of a join's row for the key, as it was at the time; missing without one. A table has no time. O(log values of the key).
    package func value(join: String, key: String, field: String, at time: Milliseconds) -> FieldValue {
        guard let join = joins[join] else { return .missing }
        return join.side.withLock { side in
            switch side {
            case .table(let table): return table.value(key: key, field: field)
            case .temporal(let values): return values.value(key: key, field: field, at: time)
            }
        }
    }

    /// nil where there is none, or no finite number.
    package func number(join: String, key: String, field: String, at time: Milliseconds) -> Double? {
        value(join: join, key: key, field: field, at: time).doubleValue
    }

    package func text(join: String, key: String, field: String, at time: Milliseconds) -> String? {
        value(join: join, key: key, field: field, at: time).textValue
    }

    /// Keys that a join holds now.
    package func keys(of join: String) -> Int {
        joins[join]?.side.withLock { side in
            switch side {
            case .table(let table): return table.count
            case .temporal(let values): return values.keys
            }
        } ?? 0
    }

    // MARK: Loading

    /// Puts a table in the place of the one before.
    package func replace(_ table: JoinTable, of join: String) { joins[join]?.side.withLock { $0 = .table(table) } }

    /// Takes values of a topic: what it refuses for want of room is counted in the answer.
    @discardableResult
    package func insert(_ entries: [JoinEntry], into join: String) -> Int {
        guard !entries.isEmpty, let join = joins[join] else { return 0 }
        return join.side.withLock { side in
            guard case .temporal(var values) = side else { return 0 }
            // Out of the enum while it changes, so that there is one owner and no copy.
            side = .table(JoinTable())
            let before = values.refused
            for entry in entries { values.insert(entry.fields, key: entry.key, at: entry.time) }
            let refused = values.refused - before
            side = .temporal(values)
            return refused
        }
    }
}
