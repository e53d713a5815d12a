/// A value of a FlatBuffer to be written; tables are their fields in order.
indirect enum FlatValue {
    /// The field has its default.
    case none
    case byte(UInt8)
    case short(Int16)
    case int(Int32)
    case long(Int64)
    case text(String)
    case table([FlatValue])
    case tables([[FlatValue]])
    /// Structs of `longs` 64-bit numbers each, one after the other.
    case structs([Int64], longs: Int)

    /// Bytes within the table: a value, or the distance to it.
    fileprivate var size: Int {
        switch self {
        case .none: 0
        case .byte: 1
        case .short: 2
        case .long: 8
        case .int, .text, .table, .tables, .structs: 4
        }
    }
}

/// Writes FlatBuffers front to back, each table behind its vtable and before what it points at.
///
/// Source: https://flatbuffers.dev/internals/
struct FlatWriter {
    private var bytes: [UInt8] = []

    /// A buffer whose root is a table of these fields, padded to 8 bytes.
    static func buffer(_ root: [FlatValue]) -> [UInt8] {
        var writer = FlatWriter()
        writer.append(UInt32(0))
        writer.patch(0, with: writer.table(root))
        writer.align(8)
        return writer.bytes
    }

    /// Returns where the table begins.
    private mutating func table(_ fields: [FlatValue]) -> Int {
        var places: [Int] = []
        var size = 4
        for field in fields {
            if case .none = field {
                places.append(0)
                continue
            }
            size = (size + field.size - 1) / field.size * field.size
            places.append(size)
            size += field.size
        }
        let vtableSize = 4 + 2 * fields.count
        while (bytes.count + vtableSize) % 8 != 0 { bytes.append(0) }
        append(UInt16(vtableSize))
        append(UInt16(size))
        for place in places { append(UInt16(place)) }
        let start = bytes.count
        bytes.append(contentsOf: [UInt8](repeating: 0, count: size))
        store(Int32(vtableSize), at: start)
        for (field, place) in zip(fields, places) { write(field, at: start + place) }
        return start
    }

    private mutating func write(_ value: FlatValue, at place: Int) {
        switch value {
        case .none: break
        case .byte(let value): store(value, at: place)
        case .short(let value): store(value, at: place)
        case .int(let value): store(value, at: place)
        case .long(let value): store(value, at: place)
        case .text(let text):
            align(4)
            patch(place, with: bytes.count)
            append(UInt32(text.utf8.count))
            bytes.append(contentsOf: text.utf8)
            bytes.append(0)
        case .table(let fields): patch(place, with: table(fields))
        case .tables(let tables):
            align(4)
            patch(place, with: bytes.count)
            append(UInt32(tables.count))
            let first = bytes.count
            for _ in tables { append(UInt32(0)) }
            for (i, fields) in tables.enumerated() { patch(first + 4 * i, with: table(fields)) }
        case .structs(let values, let longs):
            // The elements stand at multiples of 8.
            while bytes.count % 8 != 4 { bytes.append(0) }
            patch(place, with: bytes.count)
            append(UInt32(values.count / longs))
            for value in values { append(value) }
        }
    }

    /// The distance from a place to what it points at.
    private mutating func patch(_ place: Int, with target: Int) { store(UInt32(target - place), at: place) }

    private mutating func align(_ width: Int) {
        while bytes.count % width != 0 { bytes.append(0) }
    }

    private mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private mutating func store(_ value: some FixedWidthInteger, at place: Int) {
        bytes.withUnsafeMutableBytes { raw in
            raw.baseAddress.map { $0.storeBytes(of: value.littleEndian, toByteOffset: place, as: type(of: value.littleEndian)) }
        }
    }
}
