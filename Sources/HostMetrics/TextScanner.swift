/// Walks the lines of a small file, and the fields of a line that are separated by spaces and tabs.
/// Fields are slices of the file: nothing is copied.
struct TextScanner {
    private let bytes: [UInt8]
    private var position = 0
    private var lineEnd = 0
    private var nextStart = 0
    /// The number of the current line, from 1; 0 before the first.
    private(set) var line = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Goes to the next line; false at the end of the file.
    mutating func nextLine() -> Bool {
        guard nextStart < bytes.count else { return false }
        position = nextStart
        lineEnd = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
        nextStart = lineEnd + 1
        line += 1
        return true
    }

    /// The rest of the line as it stands.
    var rest: ArraySlice<UInt8> { bytes[position..<lineEnd] }

    /// The next field, or nil at the end of the line.
    mutating func field() -> ArraySlice<UInt8>? {
        while position < lineEnd, bytes[position] == UInt8(ascii: " ") || bytes[position] == UInt8(ascii: "\t") { position += 1 }
        guard position < lineEnd else { return nil }
        let start = position
        while position < lineEnd, bytes[position] != UInt8(ascii: " "), bytes[position] != UInt8(ascii: "\t") { position += 1 }
        return bytes[start..<position]
    }

    /// What stands before the last `separator` of the line, trimmed at its left; the scanner stands after the separator then.
    mutating func prefix(toLast separator: UInt8) -> ArraySlice<UInt8>? {
        guard let at = rest.lastIndex(of: separator) else { return nil }
        let start = rest.firstIndex { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") } ?? at
        position = at + 1
        return bytes[min(start, at)..<at]
    }

    /// The next field as an unsigned number; nil at the end of the line.
    mutating func unsignedIfAny() throws(ParseFailure) -> UInt64? {
        guard let field = field() else { return nil }
        guard let value = decimalNumber(field) else { throw notANumber(field) }
        return value
    }

    mutating func unsigned(_ what: String) throws(ParseFailure) -> UInt64 {
        guard let value = try unsignedIfAny() else { throw failure("\(what) is missing") }
        return value
    }

    /// The next field as a whole number that may be negative.
    mutating func integer(_ what: String) throws(ParseFailure) -> MetricValue {
        guard let field = field() else { throw failure("\(what) is missing") }
        if let value = decimalNumber(field) { return .integer(value) }
        guard field.first == UInt8(ascii: "-"), let magnitude = decimalNumber(field.dropFirst()), let value = Int64(exactly: magnitude)
        else { throw notANumber(field) }
        return .signed(-value)
    }

    func failure(_ reason: String) -> ParseFailure { ParseFailure(line: line, reason: reason) }

    func notANumber(_ field: ArraySlice<UInt8>) -> ParseFailure {
        failure("\"\(String(decoding: field.prefix(40), as: UTF8.self))\" is not a number")
    }
}

/// Decimal digits only, no sign; nil if there are none, another byte, or more than 64 bits.
func decimalNumber(_ digits: ArraySlice<UInt8>) -> UInt64? {
    guard !digits.isEmpty else { return nil }
    var value: UInt64 = 0
    for byte in digits {
        let digit = byte &- UInt8(ascii: "0")
        guard digit < 10 else { return nil }
        let (tens, overTens) = value.multipliedReportingOverflow(by: 10)
        let (sum, overSum) = tens.addingReportingOverflow(UInt64(digit))
        guard !overTens && !overSum else { return nil }
        value = sum
    }
    return value
}

/// Whether these bytes can be part of a metric's name after a prefix such as `node_memory_`.
func isNamePart(_ bytes: ArraySlice<UInt8>) -> Bool {
    !bytes.isEmpty
        && bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            default: byte == UInt8(ascii: "_")
            }
        }
}

extension ArraySlice<UInt8> {
    func equals(_ text: StaticString) -> Bool {
        count == text.utf8CodeUnitCount && text.withUTF8Buffer { elementsEqual($0) }
    }

    func starts(with text: StaticString) -> Bool {
        count >= text.utf8CodeUnitCount && text.withUTF8Buffer { prefix(text.utf8CodeUnitCount).elementsEqual($0) }
    }

    /// As text; bytes that are not UTF-8 become U+FFFD, since a label value must be UTF-8.
    var text: String { String(decoding: self, as: UTF8.self) }
}
