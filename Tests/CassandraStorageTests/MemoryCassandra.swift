import NIOCore
import Synchronization

@testable import CassandraClient
@testable import CassandraScript

/// Answers the store's statements from memory as Cassandra would: cells by write timestamp, of equal ones the one that ends later, then the
/// greater bytes; rows in the order of the clustering; a condition that would need ALLOW FILTERING is refused.
final class MemoryCassandra: Sendable {
    /// Used under the lock only.
    final class Table: @unchecked Sendable {
        var columns: [(name: String, type: String)] = []
        var partition: [String] = []
        var clustering: [(name: String, isDescending: Bool)] = []
        /// By the sortable bytes of the partition, then of the clustering.
        var rows: [[UInt8]: [[UInt8]: Row]] = [:]

        func type(_ name: String) -> String { columns.first { $0.name == name }?.type ?? "" }
        var keys: [String] { partition + clustering.map(\.name) }
    }

    struct Row {
        var keys: [String: [UInt8]] = [:]
        var cells: [String: Cell] = [:]
    }

    struct Cell {
        var stamp: Int64
        /// Seconds; nil: never.
        var end: Int64?
        /// Nil for a tombstone.
        var value: [UInt8]?

        func wins(over other: Cell) -> Bool {
            if stamp != other.stamp { return stamp > other.stamp }
            if (value == nil) != (other.value == nil) { return value == nil }
            if (end == nil) != (other.end == nil) { return end != nil }
            if let end, let theirs = other.end, end != theirs { return end > theirs }
            return (other.value ?? []).lexicographicallyPrecedes(value ?? [])
        }
    }

    let tables = Mutex<[String: Table]>([:])
    let keyspaces = Mutex<Set<String>>([])
    /// Seconds added to the clock.
    let later = Mutex<Int64>(0)
    let refused = Mutex<[String]>([])

    var names: [String] { tables.withLock { $0.keys.sorted() } }
    func columns(_ table: String) -> [String] { tables.withLock { $0[table]?.columns.map(\.name) ?? [] } }
    func count(_ table: String) -> Int { tables.withLock { $0[table]?.rows.values.reduce(0) { $0 + $1.count } ?? 0 } }
    /// What a node has lost that was killed before it synced its commit log; tables and versions stay.
    func forgetRows() { tables.withLock { for (name, table) in $0 where !name.hasPrefix("almanac_") { table.rows = [:] } } }
    /// Cells that are tombstones.
    var tombstones: Int {
        tables.withLock { tables in
            tables.values.flatMap { $0.rows.values }.flatMap { $0.values }.reduce(0) {
                $0 + $1.cells.values.filter { $0.value == nil }.count
            }
        }
    }

    var clock: Int64 { Clock.wall() / 1_000_000 + later.withLock { $0 } }

    func script() -> ScriptedNode.Script {
        var script = ScriptedNode.Script()
        script.markers = { self.markers($0) }
        script.answer = { self.answer($0) }
        return script
    }

    // MARK: Preparing

    static func code(_ type: String) -> UInt16 {
        switch type {
        case "text": 0x0D
        case "int": 0x09
        case "bigint": 0x02
        case "timestamp": 0x0B
        case "boolean": 0x04
        default: 0x03
        }
    }

    func markers(_ text: String) -> ScriptedNode.Markers {
        let words = StatementText.words(text)
        return tables.withLock { tables in
            var names: [(String, UInt16)] = []
            var markers = ScriptedNode.Markers(names: [], partitionKey: [])
            func table(_ after: String) -> Table? {
                words.firstIndex(of: after).flatMap { $0 + 1 < words.count ? tables[StatementText.bare(words[$0 + 1])] : nil }
            }
            let found = table("FROM") ?? table("INTO") ?? table("UPDATE") ?? Table()
            if words.first == "INSERT", let open = words.firstIndex(of: "("), let close = words.firstIndex(of: ")") {
                let columns = words[(open + 1)..<close].filter { $0 != "," }
                let values = words[(close + 3)...].prefix { $0 != ")" }.filter { $0 != "," }
                for (column, value) in zip(columns, values) where value == "?" { names.append((column, Self.code(found.type(column)))) }
            }
            if let using = words.firstIndex(of: "TIMESTAMP"), words[using + 1] == "?" { names.append(("[timestamp]", 2)) }
            if let using = words.firstIndex(of: "TTL"), words[using + 1] == "?" { names.append(("[ttl]", 9)) }
            for key in ["SET", "WHERE", "IF"] {
                guard let at = words.firstIndex(of: key), words.first != "INSERT" else { continue }
                for term in StatementText.terms(words[(at + 1)...]) where term.value == "?" {
                    names.append((term.column, Self.code(found.type(term.column))))
                }
            }
            markers.names = names
            let places = found.partition.map { name in names.firstIndex { $0.0 == name } }
            if places.allSatisfy({ $0 != nil }) { markers.partitionKey = places.compactMap { $0.map { UInt16($0) } } }
            if words.first == "SELECT", let from = words.firstIndex(of: "FROM") {
                markers.resultColumns = words[1..<from].filter { $0 != "," }.map { ($0, Self.code(found.type($0))) }
            }
            return markers
        }
    }

    // MARK: Rows

    /// Bytes that sort as the values do; each ends so that no key is the beginning of another.
    private func sortable(_ value: [UInt8], _ type: String, _ isDescending: Bool = false) -> [UInt8] {
        var bytes: [UInt8] = []
        if type == "text" {
            for byte in value { bytes += byte == 0 ? [0, 1] : [byte] }
            bytes += [0, 0]
        } else {
            bytes = value
            if !bytes.isEmpty { bytes[0] ^= 0x80 }
        }
        return isDescending ? bytes.map { ~$0 } : bytes
    }

    typealias Place = (partition: [UInt8], clustering: [UInt8])

    func place(_ keys: [String: [UInt8]], _ table: Table) -> Place? {
        var place: Place = ([], [])
        for name in table.partition {
            // As Cassandra: the key of a partition must not be empty.
            guard let value = keys[name], !value.isEmpty || table.partition.count > 1 else { return nil }
            place.partition += sortable(value, table.type(name))
        }
        for (name, isDescending) in table.clustering {
            guard let value = keys[name] else { return nil }
            place.clustering += sortable(value, table.type(name), isDescending)
        }
        return place
    }

    func alive(_ row: Row?) -> [String: [UInt8]]? {
        guard let row else { return nil }
        let now = clock
        let cells = row.cells.compactMapValues { cell in cell.end.map { $0 > now } ?? true ? cell.value : nil }
        return cells.isEmpty ? nil : cells.merging(row.keys) { $1 }
    }

    /// Rows that fulfil the conditions, in their order; nil where Cassandra would want ALLOW FILTERING.
    func find(_ terms: [(column: String, sign: String, value: [UInt8])], _ table: Table) -> [(Place, Row)]? {
        var rest = terms
        var partition: [UInt8] = []
        for name in table.partition {
            guard let at = rest.firstIndex(where: { $0.column == name && $0.sign == "=" }) else { return nil }
            let value = rest.remove(at: at).value
            if value.isEmpty, table.partition.count == 1 { return nil }
            partition += sortable(value, table.type(name))
        }
        for (name, _) in table.clustering {
            let own = rest.filter { $0.column == name }
            if own.isEmpty { break }
            rest.removeAll { $0.column == name }
            if own.contains(where: { $0.sign != "=" }) { break }
        }
        guard rest.isEmpty else { return nil }
        return (table.rows[partition] ?? [:]).filter { _, row in
            terms.allSatisfy { term in
                let type = table.type(term.column)
                let (a, b) = (sortable(row.keys[term.column] ?? [], type), sortable(term.value, type))
                let isLess = a.lexicographicallyPrecedes(b)
                switch term.sign {
                case "=": return a == b
                case "<": return isLess
                case "<=": return isLess || a == b
                case ">": return !isLess && a != b
                default: return !isLess
                }
            }
        }.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { ((partition, $0.key), $0.value) }
    }
}
