import Records

/// One field of a record of any flow.
package enum FieldValue: Sendable, Equatable {
    /// Absent, null, or an empty cell.
    case missing
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case text(String)
    /// An object or a list: no value of its own.
    case compound

    package init(_ json: JSONValue?) {
        switch json {
        case nil, .null?: self = .missing
        case .bool(let value)?: self = .bool(value)
        case .int(let value)?: self = .integer(value)
        case .double(let value)?: self = .number(value)
        case .string(let value)?: self = .text(value)
        case .array?, .object?: self = .compound
        }
    }

    /// A cell of a table; an empty one holds nothing.
    package init(cell: String) { self = cell.isEmpty ? .missing : .text(cell) }

    package var isMissing: Bool { self == .missing }
}

extension FieldValue {
    enum Numeric: Equatable {
        case missing
        case value(Double)
        case none
    }

    /// As a number: a text that is written as one counts, true is 1 and false is 0.
    var numeric: Numeric {
        switch self {
        case .missing: return .missing
        case .bool(let value): return .value(value ? 1 : 0)
        case .integer(let value): return .value(Double(value))
        case .number(let value): return .value(value)
        case .text(let text): return FieldValue.numeric(text)
        case .compound: return .none
        }
    }

    private static func numeric(_ text: String) -> Numeric {
        var bytes = text.utf8[...]
        while let first = bytes.first, first == 0x20 || first == 0x09 { bytes = bytes.dropFirst() }
        while let last = bytes.last, last == 0x20 || last == 0x09 { bytes = bytes.dropLast() }
        if bytes.isEmpty { return .missing }
        // Swift also reads "nan", "inf" and hexadecimal, which no flow means by a number.
        let isDecimal = bytes.allSatisfy {
            (0x30...0x39).contains($0) || $0 == 0x2E || $0 == 0x2D || $0 == 0x2B || $0 | 0x20 == 0x65
        }
        guard isDecimal, let value = Double(Substring(bytes)) else { return .none }
        return .value(value)
    }

    /// The number; nil for what is none, or not finite.
    package var doubleValue: Double? {
        if case .value(let value) = numeric, value.isFinite { return value }
        return nil
    }

    /// As a label or a key has it; whole numbers without a fraction, so that 7, 7.0 and "7" are one. nil for nothing.
    package var textValue: String? {
        switch self {
        case .missing, .compound: return nil
        case .bool(let value): return value ? "true" : "false"
        case .integer(let value): return "\(value)"
        case .number(let value):
            if value.magnitude < 1e15, let whole = Int64(exactly: value) { return "\(whole)" }
            return "\(value)"
        case .text(let text): return text.isEmpty ? nil : text
        }
    }

    /// For messages.
    var quoted: String {
        switch self {
        case .missing: return "missing"
        case .compound: return "an object or a list"
        default: return "\"\((textValue ?? "").prefix(40))\""
        }
    }
}
