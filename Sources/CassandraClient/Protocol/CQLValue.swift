import NIOCore

/// A value of any type. For rows that matter for speed there are `BoundValues` and `RowReader`, which need none.
package enum CQLValue: Sendable, Equatable {
    case null
    /// Leaves what is stored as it is; for writing only.
    case unset
    case text(String)
    case tinyint(Int8)
    case smallint(Int16)
    case int(Int32)
    case bigint(Int64)
    case float(Float)
    case double(Double)
    case boolean(Bool)
    case blob([UInt8])
    /// Milliseconds since 1970 UTC.
    case timestamp(Int64)
    /// Days since 1970.
    case date(Int32)
    case uuid(CQLUUID)
    case inet(IPAddress)
    case list([CQLValue])
    case set([CQLValue])
    case map([Entry])
    case tuple([CQLValue])

    package struct Entry: Sendable, Equatable {
        package var key: CQLValue
        package var value: CQLValue

        package init(_ key: CQLValue, _ value: CQLValue) {
            self.key = key
            self.value = value
        }
    }

    /// As [value]: a length and the bytes.
    func write(into out: inout ByteBuffer) {
        switch self {
        case .null: out.writeInteger(Int32(-1))
        case .unset: out.writeInteger(Int32(-2))
        case .text(let text): out.writeCQLLongString(text)
        case .tinyint(let value): out.writeMultipleIntegers(Int32(1), value)
        case .smallint(let value): out.writeMultipleIntegers(Int32(2), value)
        case .int(let value): out.writeMultipleIntegers(Int32(4), value)
        case .bigint(let value), .timestamp(let value): out.writeMultipleIntegers(Int32(8), value)
        case .float(let value): out.writeMultipleIntegers(Int32(4), value.bitPattern)
        case .double(let value): out.writeMultipleIntegers(Int32(8), value.bitPattern)
        case .boolean(let value): out.writeMultipleIntegers(Int32(1), UInt8(value ? 1 : 0))
        case .blob(let bytes): out.writeCQLBytes(bytes)
        case .date(let days): out.writeMultipleIntegers(Int32(4), UInt32(bitPattern: days) ^ 0x8000_0000)
        case .uuid(let uuid): out.writeMultipleIntegers(Int32(16), uuid.high, uuid.low)
        case .inet(let address): out.writeCQLBytes(address.bytes)
        case .list(let values), .set(let values): CQLValue.write(values, count: values.count, into: &out)
        case .tuple(let values): CQLValue.write(values, count: nil, into: &out)
        case .map(let entries): CQLValue.write(entries.flatMap { [$0.key, $0.value] }, count: entries.count, into: &out)
        }
    }

    private static func write(_ values: [CQLValue], count: Int?, into out: inout ByteBuffer) {
        let start = out.writerIndex
        out.writeInteger(Int32(0))
        if let count { out.writeInteger(Int32(truncatingIfNeeded: count)) }
        for value in values { value.write(into: &out) }
        out.setInteger(Int32(truncatingIfNeeded: out.writerIndex - start - 4), at: start)
    }

    /// Types that are not spelt out here come as `blob`, in their wire form.
    static func read(_ type: CQLType, _ cell: ByteBuffer?) throws(MalformedMessage) -> CQLValue {
        guard let cell else { return .null }
        var reader = WireReader(cell)
        let value = try read(type, &reader)
        guard reader.remaining == 0 else { throw MalformedMessage("a \(type) of \(cell.readableBytes) bytes") }
        return value
    }

    private static func read(_ type: CQLType, _ reader: inout WireReader) throws(MalformedMessage) -> CQLValue {
        switch type {
        case .ascii, .text: return .text(String(buffer: try reader.slice(reader.remaining)))
        case .boolean: return .boolean(try reader.byte() != 0)
        case .tinyint: return .tinyint(Int8(bitPattern: try reader.byte()))
        case .smallint: return .smallint(Int16(bitPattern: try reader.short()))
        case .int: return .int(try reader.int())
        case .bigint, .counter, .time: return .bigint(try reader.long())
        case .timestamp: return .timestamp(try reader.long())
        case .float: return .float(Float(bitPattern: UInt32(bitPattern: try reader.int())))
        case .double: return .double(Double(bitPattern: UInt64(bitPattern: try reader.long())))
        case .date: return .date(Int32(bitPattern: UInt32(bitPattern: try reader.int()) ^ 0x8000_0000))
        case .uuid, .timeuuid: return .uuid(try reader.uuid())
        case .inet:
            guard let address = IPAddress(try reader.raw(reader.remaining)) else { throw MalformedMessage("an inet of a wrong length") }
            return .inet(address)
        case .list(let element): return .list(try elements(element, &reader))
        case .set(let element): return .set(try elements(element, &reader))
        case .map(let key, let value):
            var entries: [Entry] = []
            for _ in 0..<(try reader.count(of: 8)) {
                let name = try read(key, try reader.bytes())
                entries.append(Entry(name, try read(value, try reader.bytes())))
            }
            return .map(entries)
        case .tuple(let types): return .tuple(try fields(types, &reader))
        case .udt(_, _, let types): return .tuple(try fields(types.map(\.type), &reader))
        case .custom, .blob, .decimal, .varint, .duration: return .blob(try reader.raw(reader.remaining))
        }
    }

    private static func elements(_ type: CQLType, _ reader: inout WireReader) throws(MalformedMessage) -> [CQLValue] {
        var values: [CQLValue] = []
        for _ in 0..<(try reader.count(of: 4)) { values.append(try read(type, try reader.bytes())) }
        return values
    }

    /// A value may have fewer fields than its type has by now.
    private static func fields(_ types: [CQLType], _ reader: inout WireReader) throws(MalformedMessage) -> [CQLValue] {
        var values: [CQLValue] = []
        for type in types { values.append(reader.remaining == 0 ? .null : try read(type, try reader.bytes())) }
        return values
    }
}
