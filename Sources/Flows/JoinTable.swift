/// A table by key: the static side of a join.
package struct JoinTable: Sendable, Equatable {
    /// Most rows of a table.
    package static let maximumRows = 1_000_000
    private var columns: [String: Int] = [:]
    private var rows: [String: [String]] = [:]
    /// Rows left out: no key, or too few or too many cells.
    package private(set) var badRows = 0

    package init() {}

    /// Reads CSV with a header. Of several rows with one key the last counts. Throws when the table as a whole is none. O(bytes).
    package init(csv bytes: [UInt8], key: String, separator: UInt8 = UInt8(ascii: ",")) throws(FlowProblem) {
        var splitter = RecordSplitter(.csv(separator: separator, columns: []))
        splitter.append(bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...])
        guard case .record(let first)? = splitter.next(isLast: true) else { throw FlowProblem("the table has no header") }
        let header = try CSVRow.parse(first, separator: separator)
        for (i, name) in header.enumerated() {
            if columns[name] != nil { throw FlowProblem("the column \"\(name)\" is there twice") }
            columns[name] = i
        }
        guard let keyColumn = columns[key] else {
            throw FlowProblem("the table has no column \"\(key)\" (it has \(header.joined(separator: ", ")))")
        }
        while let piece = splitter.next(isLast: true) {
            guard case .record(let bytes) = piece, let cells = try? CSVRow.parse(bytes, separator: separator),
                cells.count == header.count, !cells[keyColumn].isEmpty
            else {
                badRows += 1
                continue
            }
            rows[cells[keyColumn]] = cells
            if rows.count > JoinTable.maximumRows { throw FlowProblem("the table has more than \(JoinTable.maximumRows) rows") }
        }
    }

    package var count: Int { rows.count }

    package func value(key: String, field: String) -> FieldValue {
        guard let row = rows[key], let column = columns[field] else { return .missing }
        return FieldValue(cell: row[column])
    }
}
