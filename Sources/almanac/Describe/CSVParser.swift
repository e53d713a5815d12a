/// Splits CSV (RFC 4180) into rows as bytes arrive: quoted fields with doubled quotes and line ends in them, LF, CRLF or CR.
/// O(bytes); holds one row.
struct CSVParser {
    struct Row {
        /// Line of the text on which the row begins, from 1.
        var line: Int
        var fields: [String]
    }

    struct Failure: Error, Equatable, CustomStringConvertible {
        var line: Int
        var message: String
        var description: String { "line \(line): \(message)" }
    }

    private enum State {
        case fieldStart, plain, quoted, quoteInQuoted, carriageReturn
    }

    /// A row longer than this is no row of numbers.
    static let maximumRowBytes = 1 << 20

    private let delimiter: UInt8
    private var state = State.fieldStart
    private var field: [UInt8] = []
    private var fields: [String] = []
    private var rowBytes = 0
    private var line = 1
    private var rowLine = 1

    init(delimiter: UInt8) { self.delimiter = delimiter }

    /// Hands over every row that `bytes` completes; empty lines are no rows.
    mutating func feed(_ bytes: some Sequence<UInt8>, _ receive: (Row) throws -> Void) throws {
        for byte in bytes { try take(byte, receive) }
    }

    /// The end of the text: the last row need not end in a line end.
    mutating func finish(_ receive: (Row) throws -> Void) throws {
        if state == .quoted { throw Failure(line: rowLine, message: "a quote that is opened here is never closed") }
        if state != .carriageReturn { try endRow(receive) }
    }

    private mutating func take(_ byte: UInt8, _ receive: (Row) throws -> Void) throws {
        rowBytes += 1
        if rowBytes > CSVParser.maximumRowBytes {
            throw Failure(line: rowLine, message: "the row is longer than 1 MiB; is this a CSV file?")
        }
        if byte == 0 { throw Failure(line: line, message: "a zero byte; is this a text file?") }
        switch state {
        case .carriageReturn:
            state = .fieldStart
            if byte != UInt8(ascii: "\n") { try take(byte, receive) }
        case .quoted:
            if byte == UInt8(ascii: "\"") {
                state = .quoteInQuoted
            } else {
                if byte == UInt8(ascii: "\n") { line += 1 }
                field.append(byte)
            }
        case .quoteInQuoted where byte == UInt8(ascii: "\""):
            field.append(byte)
            state = .quoted
        case .fieldStart where byte == UInt8(ascii: "\""):
            state = .quoted
        case .fieldStart, .plain, .quoteInQuoted:
            try takeUnquoted(byte, receive)
        }
    }

    private mutating func takeUnquoted(_ byte: UInt8, _ receive: (Row) throws -> Void) throws {
        switch byte {
        case delimiter:
            endField()
            state = .fieldStart
        case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
            try endRow(receive)
            line += 1
            rowLine = line
            state = byte == UInt8(ascii: "\r") ? .carriageReturn : .fieldStart
        default:
            if state == .quoteInQuoted {
                throw Failure(line: line, message: "text after a closing quote; double a quote that belongs to the text")
            }
            field.append(byte)
            state = .plain
        }
    }

    private mutating func endField() {
        fields.append(String(decoding: field, as: UTF8.self))
        field.removeAll(keepingCapacity: true)
    }

    private mutating func endRow(_ receive: (Row) throws -> Void) throws {
        let isEmpty = fields.isEmpty && field.isEmpty && state != .quoteInQuoted
        rowBytes = 0
        if isEmpty { return }
        endField()
        state = .fieldStart
        defer { fields.removeAll(keepingCapacity: true) }
        try receive(Row(line: rowLine, fields: fields))
    }

    /// The delimiter that the first line uses: comma, semicolon or tab, whichever stands most often outside quotes.
    static func detectDelimiter(_ head: some Sequence<UInt8>) -> UInt8 {
        var counts: [UInt8: Int] = [:]
        var isQuoted = false
        for byte in head {
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if isQuoted { continue }
            if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") { break }
            if byte == UInt8(ascii: ",") || byte == UInt8(ascii: ";") || byte == UInt8(ascii: "\t") { counts[byte, default: 0] += 1 }
        }
        let candidates: [UInt8] = [UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\t")]
        return candidates.max { counts[$0, default: 0] < counts[$1, default: 0] } ?? UInt8(ascii: ",")
    }
}
