/// What makes Arrow bytes unreadable.
package struct ArrowError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// The types of columns that are read.
package enum ArrowType: Sendable, Equatable {
    case null
    case bool
    /// Bits: 8, 16, 32 or 64; signed.
    case int(Int)
    /// 32 or 64 bits.
    case float
    case double
    case utf8
    case binary
    /// Days since the epoch.
    case date
    /// `unit` of them a second: 1, 1,000, 1,000,000 or 1,000,000,000. Since the epoch.
    case timestamp(unit: Int64, zone: String?)

    /// Bytes of a value of fixed width; nil for the others.
    var width: Int? {
        switch self {
        case .int(let bits): bits / 8
        case .float, .date: 4
        case .double, .timestamp: 8
        case .null, .bool, .utf8, .binary: nil
        }
    }
}

package struct ArrowField: Sendable, Equatable {
    package var name: String
    package var type: ArrowType

    package init(name: String, type: ArrowType) {
        self.name = name
        self.type = type
    }

    /// Source: Apache Arrow, format/Schema.fbs.
    init(_ table: FlatTable) throws(ArrowError) {
        name = try table.text(0) ?? ""
        guard try table.tables(5).isEmpty, try table.table(4) == nil else {
            throw ArrowError("column '\(name)' is nested or a dictionary, which is not read: select its parts by name")
        }
        let detail = try table.table(3)
        switch try table.value(2, default: UInt8(0)) {
        case 1: type = .null
        case 2:
            let bits = Int(try detail?.value(0, default: Int32(0)) ?? 0)
            guard [8, 16, 32, 64].contains(bits), try detail?.value(1, default: UInt8(0)) == 1 else {
                throw ArrowError("column '\(name)' has integers of \(bits) bits or without sign")
            }
            type = .int(bits)
        case 3:
            switch try detail?.value(0, default: Int16(0)) {
            case 1: type = .float
            case 2: type = .double
            default: throw ArrowError("column '\(name)' has floating-point numbers of half precision")
            }
        case 4: type = .binary
        case 5: type = .utf8
        case 6: type = .bool
        case 8:
            guard try detail?.value(0, default: Int16(1)) == 0 else { throw ArrowError("column '\(name)' has dates in milliseconds") }
            type = .date
        case 10:
            let power = Int(try detail?.value(0, default: Int16(0)) ?? 0)
            guard (0...3).contains(power) else { throw ArrowError("column '\(name)' has timestamps of an unknown unit") }
            type = .timestamp(unit: [1, 1_000, 1_000_000, 1_000_000_000][power], zone: try detail?.text(1))
        case let other: throw ArrowError("column '\(name)' has Arrow's type \(other), which is not read: cast it in the query")
        }
    }
}
