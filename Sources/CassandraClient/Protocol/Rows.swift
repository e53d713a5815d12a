import NIOCore

/// One page of a result: the bytes as they came, and what is known of their columns.
package struct Rows: Sendable {
    package let columns: [CQLColumn]
    package let count: Int
    /// Where the next page begins; nil on the last one.
    package let pagingState: [UInt8]?
    let cells: ByteBuffer
    private let forms: [CellForm]

    init(columns: [CQLColumn], count: Int, pagingState: [UInt8]?, cells: ByteBuffer) throws(MalformedMessage) {
        guard count >= 0, count == 0 || !columns.isEmpty, count <= cells.readableBytes / max(1, 4 * columns.count) else {
            throw MalformedMessage("\(count) rows of \(columns.count) columns in \(cells.readableBytes) bytes")
        }
        self.columns = columns
        self.count = count
        self.pagingState = pagingState
        self.cells = cells
        forms = columns.map(\.type.form)
    }

    /// A result without columns.
    package static let empty = Rows()

    private init() {
        columns = []
        count = 0
        pagingState = nil
        cells = ByteBuffer()
        forms = []
    }

    /// Goes through the rows, from the first.
    package func reader() -> RowReader { RowReader(cells, forms: forms, rows: count) }

    /// The place of the column with this name.
    package func index(of name: String) -> Int? { columns.firstIndex { $0.name == name } }

    /// All rows as values; for small results.
    package func values() throws(CassandraError) -> [[CQLValue]] {
        var rows: [[CQLValue]] = []
        var reader = reader()
        while try reader.next() {
            var row: [CQLValue] = []
            for (i, column) in columns.enumerated() { row.append(try reader.value(i, column.type)) }
            rows.append(row)
        }
        return rows
    }
}

/// Stands on one row after the other. Moving on looks only at the lengths of the cells; a cell is decoded when it is asked for. Nothing is
/// allocated for a row or a cell, but for texts and blobs handed out.
package struct RowReader {
    private let cells: ByteBuffer
    private let forms: [CellForm]
    private var left: Int
    private var at: Int
    /// Where each cell of this row begins, and its length, negative for null.
    private var starts: [Int32]
    private var lengths: [Int32]

    init(_ cells: ByteBuffer, forms: [CellForm], rows: Int) {
        self.cells = cells
        self.forms = forms
        left = rows
        at = cells.readerIndex
        starts = Array(repeating: 0, count: forms.count)
        lengths = Array(repeating: -1, count: forms.count)
    }

    /// Moves to the next row; false when there is none. Throws when the bytes end within it.
    package mutating func next() throws(CassandraError) -> Bool {
        if left == 0 { return false }
        left -= 1
        let from = at - cells.readerIndex
        let to = cells.withUnsafeReadableBytes { RowReader.scan($0, from, &starts, &lengths) }
        guard let to else { throw CassandraError(.truncated) }
        at = cells.readerIndex + to
        return true
    }

    private static func scan(
        _ bytes: UnsafeRawBufferPointer, _ from: Int, _ starts: inout [Int32], _ lengths: inout [Int32]
    ) -> Int? {
        var at = from
        for i in 0..<starts.count {
            guard at + 4 <= bytes.count else { return nil }
            let length = Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: at, as: Int32.self))
            at += 4
            starts[i] = Int32(truncatingIfNeeded: at)
            lengths[i] = length
            if length > 0 { at += Int(length) }
        }
        return at <= bytes.count ? at : nil
    }

    package func isNull(_ column: Int) -> Bool { column >= lengths.count || lengths[column] < 0 }

    /// An integer of the cell, nil for null. Throws when the column is of another type.
    @inline(__always)
    private func integer<T: FixedWidthInteger>(_ column: Int, _ form: CellForm, _ type: T.Type) throws(CassandraError) -> T? {
        guard column < forms.count, forms[column] == form else { throw mismatch(column, "\(form)") }
        let length = lengths[column]
        // Most types may also be empty, which CQL shows as null.
        if length <= 0 { return nil }
        guard Int(length) == MemoryLayout<T>.size, let value = cells.getInteger(at: cells.readerIndex + Int(starts[column]), as: type)
        else {
            throw mismatch(column, "\(form)")
        }
        return value
    }

    private func mismatch(_ column: Int, _ wanted: String) -> CassandraError {
        CassandraError(.protocolViolation, "the column \(column) of the result is no \(wanted)")
    }

    /// `bigint`, `timestamp`, `counter`, `time`
    package func int64(_ column: Int) throws(CassandraError) -> Int64? { try integer(column, .int64, Int64.self) }
    /// `int`
    package func int32(_ column: Int) throws(CassandraError) -> Int32? { try integer(column, .int32, Int32.self) }
    package func double(_ column: Int) throws(CassandraError) -> Double? {
        try integer(column, .double, UInt64.self).map { Double(bitPattern: $0) }
    }

    package func bool(_ column: Int) throws(CassandraError) -> Bool? { try integer(column, .boolean, UInt8.self).map { $0 != 0 } }
    /// `date`: days since 1970
    package func days(_ column: Int) throws(CassandraError) -> Int32? {
        try integer(column, .date, UInt32.self).map { Int32(bitPattern: $0 ^ 0x8000_0000) }
    }

    /// The bytes of a cell of any type, without copying; nil for null.
    package func bytes(_ column: Int) -> ByteBuffer? {
        if isNull(column) { return nil }
        return cells.getSlice(at: cells.readerIndex + Int(starts[column]), length: Int(lengths[column]))
    }

    package func text(_ column: Int) throws(CassandraError) -> String? {
        guard column < forms.count, forms[column] == .text else { throw mismatch(column, "text") }
        if isNull(column) { return nil }
        return cells.getString(at: cells.readerIndex + Int(starts[column]), length: Int(lengths[column]))
    }

    package func blob(_ column: Int) -> [UInt8]? { bytes(column).map { Array($0.readableBytesView) } }

    package func uuid(_ column: Int) throws(CassandraError) -> CQLUUID? {
        guard column < forms.count, forms[column] == .uuid, var cell = bytes(column), cell.readableBytes == 16 else {
            if isNull(column) { return nil }
            throw mismatch(column, "uuid")
        }
        return cell.readMultipleIntegers(as: (UInt64, UInt64).self).map { CQLUUID(high: $0.0, low: $0.1) }
    }

    package func value(_ column: Int, _ type: CQLType) throws(CassandraError) -> CQLValue {
        do {
            let cell = bytes(column)
            if let cell, cell.readableBytes == 0, forms[column] != .text, forms[column] != .bytes { return .null }
            return try CQLValue.read(type, cell)
        } catch { throw CassandraError(error) }
    }
}

extension RowReader {
    /// The parts of a cell that is a tuple or a frozen type of the user's; nil for null.
    package func fields(_ column: Int) -> FieldReader? { bytes(column).map { FieldReader($0) } }
}

/// Goes through the parts of one cell. A part that is null, or that was not there yet when the cell was written, is nil.
package struct FieldReader {
    private var cell: ByteBuffer

    init(_ cell: ByteBuffer) { self.cell = cell }

    private mutating func next() throws(CassandraError) -> ByteBuffer? {
        guard cell.readableBytes > 0 else { return nil }
        guard let length = cell.readInteger(as: Int32.self) else { throw CassandraError(.truncated) }
        if length < 0 { return nil }
        guard let part = cell.readSlice(length: Int(length)) else { throw CassandraError(.truncated) }
        return part
    }

    private mutating func integer<T: FixedWidthInteger>(_ type: T.Type) throws(CassandraError) -> T? {
        guard var part = try next(), part.readableBytes > 0 else { return nil }
        guard part.readableBytes == MemoryLayout<T>.size else {
            throw CassandraError(MalformedMessage("a field of \(part.readableBytes) bytes instead of \(MemoryLayout<T>.size)"))
        }
        return part.readInteger(as: type)
    }

    package mutating func int64() throws(CassandraError) -> Int64? { try integer(Int64.self) }
    package mutating func int32() throws(CassandraError) -> Int32? { try integer(Int32.self) }
    package mutating func double() throws(CassandraError) -> Double? { try integer(UInt64.self).map { Double(bitPattern: $0) } }
    package mutating func text() throws(CassandraError) -> String? { try next().map { String(buffer: $0) } }
    package mutating func blob() throws(CassandraError) -> [UInt8]? { try next().map { Array($0.readableBytesView) } }
}
