/// The SQL round `almanac transform`: rows of some columns go in, its lines come out.
enum TransformSQL {
    /// One column `line`: results as `transform` wrote them, byte for byte. Rows stand sorted by `order` within each range of series; a range is
    /// one task's, so results come sorted by series.
    /// - Parameters:
    ///   - fields: what `transform` reads, as SQL gives them out of `rows`, by name.
    ///   - rows: a query with a column `series`.
    static func lines(_ fields: [(name: String, sql: String)], rows: String, order: String, command: String) -> String {
        let names = fields.map(\.name).joined(separator: ", ")
        let columns = fields.map { $0.sql == $0.name ? $0.name : "\($0.sql) AS \($0.name)" }.joined(separator: ", ")
        // Fields of the output would be split at the first delimiter, which no line holds: the line stays whole.
        return """
            SELECT TRANSFORM(\(names))
              ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t' LINES TERMINATED BY '\\n' NULL DEFINED AS '\\\\N'
              USING \(SQLText.literal(command))
              AS (line STRING)
              ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\u0001' LINES TERMINATED BY '\\n' NULL DEFINED AS '\\u0002'
            FROM (SELECT \(columns) FROM (SELECT /*+ REPARTITION_BY_RANGE(series) */ * FROM (
            \(rows)
            )) SORT BY \(order))
            """
    }

    /// Lines as typed columns, for Spark to write.
    static func table(_ lines: String) -> String {
        let fields = BackfillQuery.results.enumerated().map { i, column in
            let text = "nullif(fields[\(i)], '\\\\N')"
            return (column.type == "STRING" ? text : "CAST(\(text) AS \(column.type))") + " AS \(SQLText.identifier(column.name))"
        }
        return """
            SELECT \(fields.joined(separator: ",\n  "))
            FROM (SELECT split(line, '\\t', -1) AS fields FROM (
            \(lines)
            ))
            """
    }

    /// A command with arguments as the shell takes it.
    static func commandLine(_ command: String, _ arguments: [String]) -> String {
        ([command] + arguments.map(shellWord)).joined(separator: " ")
    }

    private static func shellWord(_ word: String) -> String {
        let isPlain =
            !word.isEmpty
            && word.utf8.allSatisfy { $0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A || $0 >= 0x2B && $0 <= 0x3A || $0 == 0x3D || $0 == 0x5F }
        return isPlain ? word : "'" + word.replacing("'", with: "'\\''") + "'"
    }
}
