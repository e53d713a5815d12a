import Synchronization

@testable import CassandraClient
@testable import CassandraScript

/// What each statement does to the tables, and what is answered.
extension MemoryCassandra {
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

    private func missing(_ table: String, _ text: String) -> ScriptedNode.Answer { invalid("table \(table) does not exist", text) }

    private func run(_ statement: ScriptedNode.Statement) -> ScriptedNode.Answer {
        let words = StatementText.words(statement.text)
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
                let name = StatementText.bare(words[2])
                guard let table = tables[name] else { return missing(name, statement.text) }
                table.columns.append((words[4], words[5]))
                return .void
            case "SELECT": return select(words, statement, &tables, value)
            case "INSERT":
                guard let open = words.firstIndex(of: "("), let close = words.firstIndex(of: ")") else { return .error(.syntaxError) }
                let name = StatementText.bare(words[2])
                guard let table = tables[name] else { return missing(name, statement.text) }
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
        if words[1] == "KEYSPACE" { keyspaces.withLock { _ = $0.insert(words[5]) } }
        guard words[1] == "TABLE", let primary = words.firstIndex(of: "PRIMARY") else { return .void }
        let name = StatementText.bare(words[5])
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

    private func bound(
        _ words: ArraySlice<String>, _ table: Table, _ value: (String, String) -> [UInt8]?
    ) -> [(column: String, sign: String, value: [UInt8])] {
        StatementText.terms(words).map { ($0.column, $0.sign, value($0.value, table.type($0.column)) ?? []) }
    }

    private func select(
        _ words: [String], _ statement: ScriptedNode.Statement, _ tables: inout [String: Table], _ value: (String, String) -> [UInt8]?
    ) -> ScriptedNode.Answer {
        guard let from = words.firstIndex(of: "FROM"), let conditions = words.firstIndex(of: "WHERE") else { return .error(.syntaxError) }
        let columns = words[1..<from].filter { $0 != "," }
        if words[from + 1] == "system_schema.tables" {
            _ = value("?", "text")
            let name = value("?", "text").map { String(decoding: $0, as: UTF8.self) }
            return .rows(Reply.rows([("table_name", 0x0D)], tables.keys.filter { $0 == name ?? $0 }.map { [.text($0)] }))
        }
        if words[from + 1] == "system_schema.keyspaces" {
            let name = String(decoding: value("?", "text") ?? [], as: UTF8.self)
            let isThere = keyspaces.withLock { $0.contains(name) }
            return .rows(Reply.rows([("keyspace_name", 0x0D)], isThere ? [[.text(name)]] : []))
        }
        if words[from + 1] == "system_schema.columns" {
            _ = value("?", "text")
            let name = String(decoding: value("?", "text") ?? [], as: UTF8.self)
            let column = String(decoding: value("?", "text") ?? [], as: UTF8.self)
            let isThere = tables[name]?.columns.contains { $0.name == column } ?? false
            return .rows(Reply.rows([("column_name", 0x0D)], isThere ? [[.text(column)]] : []))
        }
        let name = StatementText.bare(words[from + 1])
        guard let table = tables[name] else { return missing(name, statement.text) }
        guard let found = find(bound(words[(conditions + 1)...], table, value), table) else {
            return invalid("this would need ALLOW FILTERING", statement.text)
        }
        // The next page goes on behind the last row of this one.
        var rows: [(at: [UInt8], cells: [String: [UInt8]])] = []
        for (place, row) in found {
            if let state = statement.pagingState, !state.lexicographicallyPrecedes(place.clustering) { continue }
            if let cells = alive(row) { rows.append((place.clustering, cells)) }
        }
        let page = rows.prefix(statement.pageSize.map { Int($0) } ?? rows.count)
        return .rows(
            Reply.rows(
                columns.map { ($0, Self.code(table.type($0))) },
                page.map { row in
                    columns.map { row.cells[$0].map { .blob($0) } ?? .null }
                }, pagingState: page.count < rows.count ? page.last?.at : nil))
    }

    private func update(
        _ words: [String], _ statement: ScriptedNode.Statement, _ tables: inout [String: Table], _ value: (String, String) -> [UInt8]?
    ) -> ScriptedNode.Answer {
        let name = StatementText.bare(words[1])
        guard let table = tables[name], let set = words.firstIndex(of: "SET"), let conditions = words.firstIndex(of: "WHERE"),
            let only = words.firstIndex(of: "IF")
        else { return .error(.syntaxError) }
        var end: Int64?
        if let at = words.firstIndex(of: "TTL"), let life = number(value(words[at + 1], "int")), life != 0 { end = clock + life }
        let new = bound(words[(set + 1)...], table, value)
        let keys = bound(words[(conditions + 1)...], table, value)
        let expected = bound(words[(only + 1)...], table, value)
        guard let (place, row) = find(keys, table)?.first, let known = alive(row) else { return applied(false) }
        for term in expected where known[term.column] != term.value {
            let held = known[term.column].map { CQLValue.blob($0) } ?? .null
            return applied(false, [(term.column, Self.code(table.type(term.column)), held)])
        }
        for term in new {
            table.rows[place.partition]?[place.clustering]?.cells[term.column] = Cell(stamp: Clock.wall(), end: end, value: term.value)
        }
        return applied(true)
    }

    private func delete(
        _ words: [String], _ statement: ScriptedNode.Statement, _ tables: inout [String: Table], _ value: (String, String) -> [UInt8]?
    ) -> ScriptedNode.Answer {
        guard let from = words.firstIndex(of: "FROM"), let conditions = words.firstIndex(of: "WHERE") else { return .error(.syntaxError) }
        let name = StatementText.bare(words[from + 1])
        guard let table = tables[name] else { return missing(name, statement.text) }
        var stamp = Int64.max
        if let at = words.firstIndex(of: "TIMESTAMP") { stamp = number(value(words[at + 1], "bigint")) ?? stamp }
        guard let found = find(bound(words[(conditions + 1)...], table, value), table) else {
            return invalid("this would need ALLOW FILTERING", statement.text)
        }
        var expected: [(column: String, sign: String, value: [UInt8])] = []
        if let only = words.firstIndex(of: "IF") { expected = bound(words[(only + 1)...], table, value) }
        var isApplied = false
        for (place, row) in found {
            let known = alive(row)
            guard expected.allSatisfy({ known?[$0.column] == $0.value }) else { continue }
            for (column, cell) in row.cells where cell.stamp <= stamp {
                table.rows[place.partition]?[place.clustering]?.cells[column] = Cell(stamp: cell.stamp, value: nil)
            }
            isApplied = true
        }
        return words.contains("IF") ? applied(isApplied) : .void
    }
}
