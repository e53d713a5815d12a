/// The type of a column or a bind marker.
package indirect enum CQLType: Sendable, Equatable {
    case custom(String)
    case ascii, bigint, blob, boolean, counter, decimal, double, float, int, timestamp, uuid, text, varint, timeuuid, inet, date, time
    case smallint, tinyint, duration
    case list(CQLType)
    case map(CQLType, CQLType)
    case set(CQLType)
    case udt(keyspace: String, name: String, fields: [Field])
    case tuple([CQLType])

    package struct Field: Sendable, Equatable {
        package var name: String
        package var type: CQLType
    }

    private static let simple: [UInt16: CQLType] = [
        0x01: .ascii, 0x02: .bigint, 0x03: .blob, 0x04: .boolean, 0x05: .counter, 0x06: .decimal, 0x07: .double, 0x08: .float, 0x09: .int,
        0x0B: .timestamp, 0x0C: .uuid, 0x0D: .text, 0x0E: .varint, 0x0F: .timeuuid, 0x10: .inet, 0x11: .date, 0x12: .time, 0x13: .smallint,
        0x14: .tinyint, 0x15: .duration,
    ]

    /// Types may hold types; deeper than any table has them is a mistake of the sender.
    private static let maximumDepth = 32

    static func read(_ reader: inout WireReader, depth: Int = 0) throws(MalformedMessage) -> CQLType {
        guard depth < maximumDepth else { throw MalformedMessage("a type of more than \(maximumDepth) levels") }
        let code = try reader.short()
        if let type = simple[code] { return type }
        switch code {
        case 0x00: return .custom(try reader.string())
        case 0x20: return .list(try read(&reader, depth: depth + 1))
        case 0x21: return .map(try read(&reader, depth: depth + 1), try read(&reader, depth: depth + 1))
        case 0x22: return .set(try read(&reader, depth: depth + 1))
        case 0x30:
            let keyspace = try reader.string()
            let name = try reader.string()
            var fields: [Field] = []
            for _ in 0..<(try reader.short()) { fields.append(Field(name: try reader.string(), type: try read(&reader, depth: depth + 1))) }
            return .udt(keyspace: keyspace, name: name, fields: fields)
        case 0x31:
            var parts: [CQLType] = []
            for _ in 0..<(try reader.short()) { parts.append(try read(&reader, depth: depth + 1)) }
            return .tuple(parts)
        default: throw MalformedMessage("the type \(code) does not exist")
        }
    }

    /// Of which form the value is on the wire, as far as readers of single cells tell them apart.
    var form: CellForm {
        switch self {
        case .bigint, .counter, .timestamp, .time: .int64
        case .int: .int32
        case .smallint: .int16
        case .tinyint: .int8
        case .date: .date
        case .double: .double
        case .float: .float
        case .boolean: .boolean
        case .ascii, .text: .text
        case .uuid, .timeuuid: .uuid
        default: .bytes
        }
    }
}

enum CellForm: UInt8, Sendable { case int64, int32, int16, int8, date, double, float, boolean, text, uuid, bytes }
