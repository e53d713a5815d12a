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

    private let tables = Mutex<[String: Table]>([:])
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

    private var clock: Int64 { Clock.wall() / 1_000_000 + later.withLock { $0 } }

    func script() -> ScriptedNode.Script {
        var script = ScriptedNode.Script()
        script.markers = { self.markers($0) }
        script.answer = { self.answer($0) }
        return script
    }

    // MARK: Texts

    /// Words, texts in quotes, numbers and signs.
    private static func words(_ text: String) -> [String] {
        var words: [String] = []
        var word = ""
        var isQuoted = false
        func end() {
            if !word.isEmpty { words.append(word) }
            word = ""
        }
        for character in text {
            if isQuoted {
                word.append(character)
                if character == "'" {
                    isQuoted = false
                    end()
                }
            } else if character == "'" {
                end()
                word = "'"
                isQuoted = true
            } else if character.isWhitespace {
                end()
            } else if "(),=<>?".contains(character) {
                if character == "=", let last = words.last, word.isEmpty, last == "<" || last == ">" {
                    words[words.count - 1] = last + "="
                } else {
                    end()
                    words.append(String(character))
                }
            } else {
                word.append(character)
            }
        }
        end()
        return words
    }

    private struct Term {
        var column: String
        var sign: String
        /// `?`, a number or a text in quotes.
        var value: String
    }

    private static func terms(_ words: ArraySlice<String>) -> [Term] {
        var terms: [Term] = []
        var rest = Array(words)
        while rest.count >= 3 {
            terms.append(Term(column: rest[0], sign: rest[1], value: rest[2]))
            rest = Array(rest.dropFirst(3))
            if rest.first == "AND" || rest.first == "," { rest.removeFirst() } else { break }
        }
        return terms
    }

    private static func bare(_ table: String) -> String { table.split(separator: ".").last.map(String.init) ?? table }

    // MARK: Preparing

    private static func code(_ type: String) -> UInt16 {
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
        let words = Self.words(text)
        return tables.withLock { tables in
            var names: [(String, UInt16)] = []
            var markers = ScriptedNode.Markers(names: [], partitionKey: [])
            func table(_ after: String) -> Table? {
                words.firstIndex(of: after).flatMap { $0 + 1 < words.count ? tables[Self.bare(words[$0 + 1])] : nil }
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
                for term in Self.terms(words[(at + 1)...]) where term.value == "?" {
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

    // MARK: Answering

    func answer(_ asked: ScriptedNode.Asked) -> ScriptedNode.Answer {
        switch asked {
        case .options: return .void
        case .query(let statement), .execute(let statement): return run(statement)
        case .batch(let statements):
            for statement in statements { if case .error(let code, let body) = run(statement) { return .error(code, body) } }
            return .void
        }
    }

    private func invalid(_ why: String, _ text: String) -> ScriptedNode.Answer {
        refused.withLock { $0.append("\(why): \(text)") }
        return .error(.invalid, Reply.error(.invalid, why))
    }

    private func run(_ statement: ScriptedNode.Statement) -> ScriptedNode.Answer {
        let words = Self.words(statement.text)
        var values = statement.values
        /// The next bound value, or the literal.
        func value(_ text: String, _ type: String) -> [UInt8]? {
            if text == "?" { return values.isEmpty ? nil : values.removeFirst() }
            if text.hasPrefix("'") { return Array(text.dropFirst().dropLast().utf8) }
            guard let number = Int64(text) else { return type == "timestamp" ? bytes(clock * 1000) : nil }
            return type == "int" ? Array(bytes(number).suffix(4)) : bytes(number)
        }
        return tables.withLock { tables in
            switch words.first {
            case "CREATE": return create(words, &tables)
            case "ALTER":
                let name = Self.bare(words[2])
                guard let table = tables[name] else { return invalid("no such table", statement.text) }
                table.columns.append((words[4], words[5]))
                return .void
            case "SELECT": return select(words, statement, &tables, value)
            case "INSERT":
                guard let open = words.firstIndex(of: "("), let close = words.firstIndex(of: ")") else { return .error(.syntaxError) }
                let name = Self.bare(words[2])
                guard let table = tables[name] else { return invalid("no such table", statement.text) }
                let columns = words[(open + 1)..<close].filter { $0 != "," }
                var list: [String] = []
                var depth = 0
                for word in words[(close + 3)...] {
                    if word == "(" { depth += 1 } else if word == ")" { depth -= 1 }
                    if depth < 0 { break }
                    if word != ",", depth == 0, word != ")" { list.append(word) }
                }
                var row: [String: [UInt8]] = [:]
                for (column, text) in zip(columns, list) { row[column] = value(text, table.type(column)) }
                return put(name, row, words, statement, &tables, value)
            case "UPDATE": return update(words, statement, &tables, value)
            case "DELETE": return delete(words, statement, &tables, value)
            default: return .error(.syntaxError)
            }
        }
    }

    private func bytes(_ number: Int64) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }
    private func number(_ bytes: [UInt8]?) -> Int64? {
        guard let bytes, bytes.count == 4 || bytes.count == 8 else { return nil }
        let raw = bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return bytes.count == 4 ? Int64(Int32(truncatingIfNeeded: raw)) : Int64(bitPattern: raw)
    }

    private func create(_ words: [String], _ tables: inout [String: Table]) -> ScriptedNode.Answer {
        guard words[1] == "TABLE", let primary = words.firstIndex(of: "PRIMARY") else { return .void }
        let name = Self.bare(words[5])
        if tables[name] != nil { return .void }
        let table = Table()
        if words[primary - 1] != "," {
            // `name text PRIMARY KEY`
            table.partition = [words[primary - 2]]
        }
        var at = 7
        while at + 1 < words.count, words[at] != "PRIMARY" {
            table.columns.append((words[at], words[at + 1]))
            at += 2
            if words[at] == "PRIMARY" { at += 2 }
            if words[at] == "," { at += 1 } else { break }
        }
        if table.partition.isEmpty {
            var rest = words[(primary + 3)...]
            if rest.first == "(" {
                table.partition = rest.dropFirst().prefix { $0 != ")" }.filter { $0 != "," }
                rest = rest.drop { $0 != ")" }.dropFirst()
            } else {
                table.partition = [rest.removeFirst()]
            }
            table.clustering = rest.prefix { $0 != ")" }.filter { $0 != "," }.map { ($0, false) }
        }
        if let order = words.firstIndex(of: "BY") {
            let list = words[(order + 2)...].prefix { $0 != ")" }.filter { $0 != "," }
            for i in stride(from: 0, to: list.count - 1, by: 2) where list[i + 1] == "DESC" {
                if let place = table.clustering.firstIndex(where: { $0.name == list[i] }) { table.clustering[place].isDescending = true }
            }
        }
        tables[name] = table
        return .void
    }

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

    private typealias Place = (partition: [UInt8], clustering: [UInt8])

    private func place(_ keys: [String: [UInt8]], _ table: Table) -> Place? {
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

    private func alive(_ row: Row?) -> [String: [UInt8]]? {
        guard let row else { return nil }
        let now = clock
        let cells = row.cells.compactMapValues { cell in cell.end.map { $0 > now } ?? true ? cell.value : nil }
        return cells.isEmpty ? nil : cells.merging(row.keys) { $1 }
    }

    private func applied(_ isApplied: Bool, _ others: [(String, UInt16, CQLValue)] = []) -> ScriptedNode.Answer {
        .rows(Reply.rows([("[applied]", 4)] + others.map { ($0.0, $0.1) }, [[.boolean(isApplied)] + others.map(\.2)]))
    }

    private func put(
        _ name: String, _ values: [String: [UInt8]], _ words: [String], _ statement: ScriptedNode.Statement,
        _ tables: inout [String: Table],
        _ value: (String, String) -> [UInt8]?
    ) -> ScriptedNode.Answer {
        guard let table = tables[name], let place = place(values, table) else { return invalid("a key is missing", statement.text) }
        let isConditional = words.contains("EXISTS")
        if isConditional, let known = alive(table.rows[place.partition]?[place.clustering]) {
            return applied(false, known.keys.contains("epoch") ? [("epoch", 2, .bigint(number(known["epoch"]) ?? 0))] : [])
        }
        var stamp = statement.timestamp ?? Clock.wall()
        if let at = words.firstIndex(of: "TIMESTAMP") { stamp = number(value(words[at + 1], "bigint")) ?? stamp }
        if stamp < 0 { return invalid("a timestamp below zero", statement.text) }
        var end: Int64?
        if let at = words.firstIndex(of: "TTL"), let life = number(value(words[at + 1], "int")), life != 0 {
            if !(1...630_720_000).contains(life) { return invalid("ttl is too large or negative", statement.text) }
            end = (statement.now.map { Int64($0) + later.withLock { $0 } } ?? clock) + life
        }
        var row = table.rows[place.partition]?[place.clustering] ?? Row()
        for key in table.keys { row.keys[key] = values[key] }
        for (column, value) in values where !table.keys.contains(column) {
            guard !table.type(column).isEmpty else { return invalid("no column \(column)", statement.text) }
            let cell = Cell(stamp: stamp, end: end, value: value)
            if row.cells[column].map({ cell.wins(over: $0) }) ?? true { row.cells[column] = cell }
        }
        table.rows[place.partition, default: [:]][place.clustering] = row
        return isConditional ? applied(true) : .void
    }

    /// Rows that fulfil the conditions, in their order; nil where Cassandra would want ALLOW FILTERING.
    private func find(_ terms: [(column: String, sign: String, value: [UInt8])], _ table: Table) -> [(Place, Row)]? {
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

    private func bound(
        _ words: ArraySlice<String>, _ table: Table, _ value: (String, String) -> [UInt8]?
    ) -> [(column: String, sign: String, value: [UInt8])] {
        Self.terms(words).map { ($0.column, $0.sign, value($0.value, table.type($0.column)) ?? []) }
    }

    private func select(
        _ words: [String], _ statement: ScriptedNode.Statement, _ tables: inout [String: Table], _ value: (String, String) -> [UInt8]?
    ) -> ScriptedNode.Answer {
        guard let from = words.firstIndex(of: "FROM"), let conditions = words.firstIndex(of: "WHERE") else { return .error(.syntaxError) }
        let columns = words[1..<from].filter { $0 != "," }
        if words[from + 1] == "system_schema.tables" {
            _ = value("?", "text")
            let name = String(decoding: value("?", "text") ?? [], as: UTF8.self)
            return .rows(Reply.rows([("table_name", 0x0D)], tables[name] == nil ? [] : [[.text(name)]]))
        }
        if words[from + 1] == "system_schema.columns" {
            _ = value("?", "text")
            let name = String(decoding: value("?", "text") ?? [], as: UTF8.self)
            let column = String(decoding: value("?", "text") ?? [], as: UTF8.self)
            let isThere = tables[name]?.columns.contains { $0.name == column } ?? false
            return .rows(Reply.rows([("column_name", 0x0D)], isThere ? [[.text(column)]] : []))
        }
        guard let table = tables[Self.bare(words[from + 1])] else { return invalid("no such table", statement.text) }
        guard let found = find(bound(words[(conditions + 1)...], table, value), table) else {
            return invalid("this would need ALLOW FILTERING", statement.text)
        }
        let rows = found.compactMap { alive($0.1) }
        return .rows(
            Reply.rows(
                columns.map { ($0, Self.code(table.type($0))) },
                rows.map { row in
                    columns.map { row[$0].map { .blob($0) } ?? .null }
                }))
    }

    private func update(
        _ words: [String], _ statement: ScriptedNode.Statement, _ tables: inout [String: Table], _ value: (String, String) -> [UInt8]?
    ) -> ScriptedNode.Answer {
        let name = Self.bare(words[1])
        guard let table = tables[name], let set = words.firstIndex(of: "SET"), let conditions = words.firstIndex(of: "WHERE"),
            let only = words.firstIndex(of: "IF")
        else { return .error(.syntaxError) }
        let new = bound(words[(set + 1)...], table, value)
        let keys = bound(words[(conditions + 1)...], table, value)
        let expected = bound(words[(only + 1)...], table, value)
        guard let (place, row) = find(keys, table)?.first, let known = alive(row) else { return applied(false) }
        for term in expected where known[term.column] != term.value {
            return applied(false, [(term.column, 2, .bigint(number(known[term.column]) ?? 0))])
        }
        for term in new {
            table.rows[place.partition]?[place.clustering]?.cells[term.column] = Cell(stamp: Clock.wall(), value: term.value)
        }
        return applied(true)
    }

    private func delete(
        _ words: [String], _ statement: ScriptedNode.Statement, _ tables: inout [String: Table], _ value: (String, String) -> [UInt8]?
    ) -> ScriptedNode.Answer {
        guard let from = words.firstIndex(of: "FROM"), let conditions = words.firstIndex(of: "WHERE") else { return .error(.syntaxError) }
        let name = Self.bare(words[from + 1])
        guard let table = tables[name] else { return invalid("no such table", statement.text) }
        var stamp = Int64.max
        if let at = words.firstIndex(of: "TIMESTAMP") { stamp = number(value(words[at + 1], "bigint")) ?? stamp }
        guard let found = find(bound(words[(conditions + 1)...], table, value), table) else {
            return invalid("this would need ALLOW FILTERING", statement.text)
        }
        var isApplied = false
        for (place, row) in found {
            for (column, cell) in row.cells where cell.stamp <= stamp {
                table.rows[place.partition]?[place.clustering]?.cells[column] = Cell(stamp: cell.stamp, value: nil)
            }
            isApplied = true
        }
        return words.contains("IF") ? applied(isApplied) : .void
    }
}
