/// Writes rows as a stream of Arrow's IPC format: the schema, one batch, the end. Columns without nulls, which is what goes to Spark.
///
/// Source: https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format
package struct ArrowWriter: Sendable {
    /// A column's values.
    package enum Column: Sendable, Equatable {
        case int64([Int64])
        case utf8(Texts)
        case binary(Texts)
    }

    /// Values of any length, one behind the other. Together below 2 GB: `isFull` before that.
    package struct Texts: Sendable, Equatable {
        fileprivate var offsets: [Int32] = [0]
        fileprivate var data: [UInt8] = []

        package init() {}
        package var count: Int { offsets.count - 1 }
        package var byteCount: Int { data.count }

        /// Whether a value of this many bytes has no place any more.
        package func isFull(for count: Int) -> Bool { data.count + count > Int(Int32.max) }

        package mutating func append(_ value: some Collection<UInt8>) {
            precondition(!isFull(for: value.count))
            data.append(contentsOf: value)
            offsets.append(Int32(data.count))
        }
    }

    /// All columns have the same number of rows.
    package static func stream(_ columns: [(name: String, values: Column)]) -> [UInt8] {
        let rows = columns.first?.values.count ?? 0
        precondition(columns.allSatisfy { $0.values.count == rows })
        var out: [UInt8] = []
        out.reserveCapacity(columns.reduce(1_024) { $0 + $1.values.byteCount })
        // Schema: endianness, fields.
        append(header: 1, [.none, .tables(columns.map { field($0.name, $0.values) })], body: [], to: &out)
        var buffers: [Int64] = []
        var body: [UInt8] = []
        body.reserveCapacity(columns.reduce(0) { $0 + $1.values.byteCount })
        for column in columns { append(column.values, &buffers, &body) }
        let nodes: [Int64] = columns.flatMap { column in [Int64(column.values.count), 0] as [Int64] }
        append(header: 3, [.long(Int64(rows)), .structs(nodes, longs: 2), .structs(buffers, longs: 2)], body: body, to: &out)
        return out + [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]
    }

    /// A field of the schema: name, nullable, type, dictionary, children. Source: Apache Arrow, format/Schema.fbs.
    private static func field(_ name: String, _ values: Column) -> [FlatValue] {
        let (kind, detail): (UInt8, [FlatValue]) =
            switch values {
            case .int64: (2, [.int(64), .byte(1)])
            case .binary: (4, [])
            case .utf8: (5, [])
            }
        return [.text(name), .none, .byte(kind), .table(detail), .none, .tables([])]
    }

    /// Validity (none), then offsets and data, or values; each at a multiple of 8.
    private static func append(_ values: Column, _ buffers: inout [Int64], _ body: inout [UInt8]) {
        buffers += [Int64(body.count), 0]
        switch values {
        case .int64(let values): values.withUnsafeBytes { append($0, &buffers, &body) }
        case .utf8(let texts), .binary(let texts):
            texts.offsets.withUnsafeBytes { append($0, &buffers, &body) }
            texts.data.withUnsafeBytes { append($0, &buffers, &body) }
        }
    }

    /// The machines that this runs on are little-endian, as the stream is.
    private static func append(_ raw: UnsafeRawBufferPointer, _ buffers: inout [Int64], _ body: inout [UInt8]) {
        buffers += [Int64(body.count), Int64(raw.count)]
        body.append(contentsOf: raw)
        while body.count % 8 != 0 { body.append(0) }
    }

    /// A message: its size, version, kind and header, then its body. Source: Apache Arrow, format/Message.fbs.
    private static func append(header kind: UInt8, _ header: [FlatValue], body: [UInt8], to out: inout [UInt8]) {
        let metadata = FlatWriter.buffer([.short(4), .byte(kind), .table(header), .long(Int64(body.count))])
        out += [0xFF, 0xFF, 0xFF, 0xFF]
        withUnsafeBytes(of: Int32(metadata.count).littleEndian) { out.append(contentsOf: $0) }
        out += metadata
        out += body
    }
}

extension ArrowWriter.Column {
    package var count: Int {
        switch self {
        case .int64(let values): values.count
        case .utf8(let texts), .binary(let texts): texts.count
        }
    }

    var byteCount: Int {
        switch self {
        case .int64(let values): 8 * values.count + 8
        case .utf8(let texts), .binary(let texts): texts.byteCount + 4 * texts.count + 24
        }
    }
}
