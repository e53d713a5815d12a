/// Reads Arrow's IPC stream format as Spark sends it: a schema, then record batches. No dictionaries, nested columns or compression,
/// which Spark Connect does not send unless asked.
///
/// Source: https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format
package struct ArrowReader {
    private let bytes: [UInt8]
    private var at = 0
    /// nil until the schema was read.
    package private(set) var fields: [ArrowField]?

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// All batches of a stream. Memory: the bytes, once.
    package static func batches(_ bytes: [UInt8]) throws(ArrowError) -> (fields: [ArrowField], batches: [ArrowBatch]) {
        var reader = ArrowReader(bytes)
        var batches: [ArrowBatch] = []
        while let batch = try reader.next() { batches.append(batch) }
        guard let fields = reader.fields else { throw ArrowError("the stream has no schema") }
        return (fields, batches)
    }

    /// The next batch; nil at the end of the stream.
    package mutating func next() throws(ArrowError) -> ArrowBatch? {
        while let (metadata, body) = try message() {
            let fields = self.fields
            let part = try bytes.withUnsafeBufferPointer { (elements) throws(ArrowError) -> Part in
                let raw = UnsafeRawBufferPointer(elements)
                let flat = FlatBytes(raw: UnsafeRawBufferPointer(rebasing: raw[metadata]))
                let message = try FlatTable(root: flat)
                guard let header = try message.table(2) else { throw ArrowError("a message without a header") }
                switch try message.value(1, default: UInt8(0)) {
                case 1:
                    guard try header.value(0, default: Int16(0)) == 0 else { throw ArrowError("the stream is big-endian") }
                    return .schema(try header.tables(1).map { (table) throws(ArrowError) in try ArrowField(table) })
                case 3:
                    guard let fields else { throw ArrowError("a batch came before the schema") }
                    return .batch(try ArrowBatch(header, fields: fields, body: body, of: bytes))
                case let other: throw ArrowError("a message of kind \(other), which is not read")
                }
            }
            switch part {
            case .schema(let fields): self.fields = fields
            case .batch(let batch): return batch
            }
        }
        return nil
    }

    private enum Part {
        case schema([ArrowField])
        case batch(ArrowBatch)
    }

    /// Where the metadata and the body of the next message lie; nil at the end.
    private mutating func message() throws(ArrowError) -> (metadata: Range<Int>, body: Range<Int>)? {
        guard at < bytes.count else { return nil }
        var size = try word()
        // Before Arrow 0.15 a message began with its size.
        if size == -1 { size = try word() }
        if size == 0 {
            at = bytes.count
            return nil
        }
        guard size > 0, Int(size) <= bytes.count - at else { throw ArrowError("a message ends too early, at byte \(at)") }
        let metadata = at..<(at + Int(size))
        at = metadata.upperBound
        let length = try bytes.withUnsafeBufferPointer { (elements) throws(ArrowError) -> Int64 in
            let raw = UnsafeRawBufferPointer(elements)
            return try FlatTable(root: FlatBytes(raw: UnsafeRawBufferPointer(rebasing: raw[metadata]))).value(3, default: 0)
        }
        guard length >= 0, length <= Int64(bytes.count - at) else {
            throw ArrowError("the body of a message ends too early, at byte \(at)")
        }
        let body = at..<(at + Int(length))
        at = body.upperBound
        return (metadata, body)
    }

    private mutating func word() throws(ArrowError) -> Int32 {
        let value = try bytes.withUnsafeBufferPointer { (elements) throws(ArrowError) in
            try FlatBytes(raw: UnsafeRawBufferPointer(elements)).load(at, Int32.self)
        }
        at += 4
        return value
    }
}
