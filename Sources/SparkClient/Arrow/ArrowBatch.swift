/// Rows in columns, as one record batch of Arrow brought them. Everything was checked when it was read: what is asked of a row within
/// `rows` and a column of its type is there.
package struct ArrowBatch: Sendable {
    /// Where the parts of a column lie in the body.
    struct Column: Sendable {
        var type: ArrowType
        /// Empty: no nulls.
        var validity: Range<Int>
        /// Values of fixed width, bits, or offsets.
        var values: Range<Int>
        var data: Range<Int>
    }

    package let fields: [ArrowField]
    package let rows: Int
    let columns: [Column]
    let bytes: [UInt8]

    package func index(of name: String) -> Int? { fields.firstIndex { $0.name == name } }

    package func isNull(_ column: Int, _ row: Int) -> Bool {
        let validity = columns[column].validity
        if columns[column].type == .null { return true }
        return !validity.isEmpty && bytes[validity.lowerBound + row >> 3] >> UInt8(row & 7) & 1 == 0
    }

    /// Of an integer, date or timestamp column (in its unit); nil for null and for other types.
    package func int64(_ column: Int, _ row: Int) -> Int64? {
        guard !isNull(column, row) else { return nil }
        switch columns[column].type {
        case .int(8): return Int64(load(column, row, Int8.self))
        case .int(16): return Int64(load(column, row, Int16.self))
        case .int(32), .date: return Int64(load(column, row, Int32.self))
        case .int, .timestamp: return load(column, row, Int64.self)
        default: return nil
        }
    }

    /// Of a column of floating-point numbers; nil for null and for other types.
    package func double(_ column: Int, _ row: Int) -> Double? {
        guard !isNull(column, row) else { return nil }
        switch columns[column].type {
        case .float: return Double(Float(bitPattern: load(column, row, UInt32.self)))
        case .double: return Double(bitPattern: load(column, row, UInt64.self))
        default: return nil
        }
    }

    package func bool(_ column: Int, _ row: Int) -> Bool? {
        guard columns[column].type == .bool, !isNull(column, row) else { return nil }
        return bytes[columns[column].values.lowerBound + row >> 3] >> UInt8(row & 7) & 1 == 1
    }

    package func string(_ column: Int, _ row: Int) -> String? {
        slice(column, row).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The bytes of a text or binary value; nil for null and for other types.
    package func slice(_ column: Int, _ row: Int) -> ArraySlice<UInt8>? {
        switch columns[column].type {
        case .utf8, .binary: break
        default: return nil
        }
        guard !isNull(column, row) else { return nil }
        let start = Int(load(column, row, Int32.self))
        let end = Int(load(column, row + 1, Int32.self))
        let base = columns[column].data.lowerBound
        return bytes[(base + start)..<(base + end)]
    }

    @inline(__always)
    private func load<T: FixedWidthInteger>(_ column: Int, _ row: Int, _: T.Type) -> T {
        let place = columns[column].values.lowerBound + row * MemoryLayout<T>.size
        precondition(place + MemoryLayout<T>.size <= columns[column].values.upperBound)
        return bytes.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: place, as: T.self)) }
    }
}

extension ArrowBatch {
    /// Source: Apache Arrow, format/Message.fbs (RecordBatch).
    init(_ table: FlatTable, fields: [ArrowField], body: Range<Int>, of bytes: [UInt8]) throws(ArrowError) {
        let length = try table.value(0, default: Int64(0))
        guard length >= 0, length <= Int64(bytes.count) * 8 + 1_000_000 else { throw ArrowError("a batch of \(length) rows cannot be") }
        guard try table.table(3) == nil else {
            throw ArrowError("the batch is compressed, which is not read: unset spark.sql.execution.arrow.compression.codec")
        }
        rows = Int(length)
        self.fields = fields
        self.bytes = bytes
        let nodes = try table.vector(1, size: 16)
        let buffers = try table.vector(2, size: 16)
        guard nodes?.count ?? 0 == fields.count else {
            throw ArrowError("the batch has \(nodes?.count ?? 0) columns, the schema \(fields.count)")
        }
        var next = 0
        func buffer() throws(ArrowError) -> Range<Int> {
            guard let buffers, next < buffers.count else { throw ArrowError("the batch has too few buffers") }
            let offset = try table.bytes.load(buffers.start + 16 * next, Int64.self)
            let count = try table.bytes.load(buffers.start + 16 * next + 8, Int64.self)
            next += 1
            guard offset >= 0, count >= 0, offset <= Int64(body.count), count <= Int64(body.count) - offset else {
                throw ArrowError("a buffer reaches beyond the body of its batch")
            }
            return (body.lowerBound + Int(offset))..<(body.lowerBound + Int(offset + count))
        }
        var columns: [Column] = []
        for (i, field) in fields.enumerated() {
            let node = (nodes?.start ?? 0) + 16 * i
            guard try table.bytes.load(node, Int64.self) == length else {
                throw ArrowError("column '\(field.name)' has another number of rows than its batch")
            }
            let nulls = try table.bytes.load(node + 8, Int64.self)
            if field.type == .null {
                columns.append(Column(type: .null, validity: 0..<0, values: 0..<0, data: 0..<0))
                continue
            }
            var validity = try buffer()
            if nulls == 0 { validity = 0..<0 }
            let values = try buffer()
            var data = 0..<0
            switch field.type {
            case .utf8, .binary: data = try buffer()
            default: break
            }
            columns.append(Column(type: field.type, validity: validity, values: values, data: data))
            try ArrowBatch.check(columns[i], rows: rows, nulls: nulls, bytes, field.name)
        }
        self.columns = columns
    }

    /// That every row's value lies within its buffers.
    private static func check(_ column: Column, rows: Int, nulls: Int64, _ bytes: [UInt8], _ name: String) throws(ArrowError) {
        let bits = (rows + 7) / 8
        if nulls != 0, column.validity.count < bits { throw ArrowError("column '\(name)' has fewer marks of nulls than rows") }
        if let width = column.type.width {
            guard column.values.count >= rows * width else { throw ArrowError("column '\(name)' has fewer values than rows") }
        } else if column.type == .bool {
            guard column.values.count >= bits else { throw ArrowError("column '\(name)' has fewer values than rows") }
        } else if rows > 0 {
            guard column.values.count >= (rows + 1) * 4 else { throw ArrowError("column '\(name)' has fewer offsets than rows") }
            let isSound = bytes.withUnsafeBytes { raw in
                var last: Int32 = 0
                for row in 0...rows {
                    let offset = Int32(littleEndian: raw.loadUnaligned(fromByteOffset: column.values.lowerBound + 4 * row, as: Int32.self))
                    if offset < last || Int(offset) > column.data.count { return false }
                    last = offset
                }
                return true
            }
            guard isSound else { throw ArrowError("column '\(name)' has texts that reach beyond its data") }
        }
    }
}
