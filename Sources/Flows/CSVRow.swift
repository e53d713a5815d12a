/// One row of comma-separated values as RFC 4180 has it, with a separator of choice.
enum CSVRow {
    /// The cells; blanks belong to them. Throws what is wrong in words. O(n).
    static func parse(_ bytes: some Collection<UInt8>, separator: UInt8) throws(FlowProblem) -> [String] {
        let quote = UInt8(ascii: "\"")
        var cells: [String] = []
        var cell: [UInt8] = []
        var isQuoted = false
        var isClosed = false
        var iterator = bytes.makeIterator()
        var held = iterator.next()
        func text(_ cell: [UInt8]) throws(FlowProblem) -> String {
            guard let text = String(validating: cell, as: UTF8.self) else { throw FlowProblem("cell \(cells.count + 1) is not UTF-8") }
            return text
        }
        while let byte = held {
            held = iterator.next()
            if isQuoted && !isClosed {
                if byte != quote {
                    cell.append(byte)
                } else if held == quote {
                    cell.append(quote)
                    held = iterator.next()
                } else {
                    isClosed = true
                }
            } else if byte == separator {
                cells.append(try text(cell))
                cell.removeAll(keepingCapacity: true)
                (isQuoted, isClosed) = (false, false)
            } else if isClosed {
                throw FlowProblem("text behind the closing quote of cell \(cells.count + 1)")
            } else if byte == quote && cell.isEmpty {
                isQuoted = true
            } else {
                cell.append(byte)
            }
        }
        if isQuoted && !isClosed { throw FlowProblem("the quote of cell \(cells.count + 1) is not closed") }
        cells.append(try text(cell))
        return cells
    }
}
