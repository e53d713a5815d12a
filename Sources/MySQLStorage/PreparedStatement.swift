import CMariaDB

/// A value of a parameter.
enum Parameter: Sendable {
    case integer(Int64)
    case text(String)
}

/// A statement that the server has parsed. Belongs to its connection and is used by one thread at a time.
final class PreparedStatement {
    private let handle: UnsafeMutablePointer<MYSQL_STMT>
    private var isClosed = false
    private let noted: (MySQLFailure) -> MySQLFailure
    /// The columns of the result; nil for a statement that gives no rows.
    private var columns: ResultColumns?

    init(
        _ connection: UnsafeMutablePointer<MYSQL>, _ sql: String, noted: @escaping (MySQLFailure) -> MySQLFailure
    ) throws {
        guard let handle = mysql_stmt_init(connection) else {
            throw MySQLFailure(code: mysql_errno(connection), message: String(cString: mysql_error(connection)))
        }
        self.handle = handle
        self.noted = noted
        var text = sql
        let result = text.withUTF8 { utf8 in
            utf8.withMemoryRebound(to: CChar.self) { mysql_stmt_prepare(handle, $0.baseAddress, UInt($0.count)) }
        }
        if result != 0 {
            let failure = failure()
            close()
            throw failure
        }
        columns = ResultColumns(handle)
    }

    deinit { close() }

    /// Before its connection is closed.
    func close() {
        if isClosed { return }
        isClosed = true
        mysql_stmt_close(handle)
    }

    private func failure() -> MySQLFailure {
        noted(MySQLFailure(code: mysql_stmt_errno(handle), message: String(cString: mysql_stmt_error(handle))))
    }

    // MARK: Running

    /// Reads all rows.
    func query(_ parameters: [Parameter], _ row: (Row) throws -> Void) throws {
        try execute(parameters)
        guard let columns else { return }
        defer { mysql_stmt_free_result(handle) }
        if mysql_stmt_bind_result(handle, columns.binds) != 0 { throw failure() }
        while true {
            switch mysql_stmt_fetch(handle) {
            case 0, MYSQL_DATA_TRUNCATED: try row(Row(columns: columns, handle: handle))
            case MYSQL_NO_DATA: return
            default: throw failure()
            }
        }
    }

    func run(_ parameters: [Parameter]) throws -> Int {
        try execute(parameters)
        return changedRows
    }

    private var changedRows: Int {
        let changed = mysql_stmt_affected_rows(handle)
        return changed == .max ? 0 : Int(clamping: changed)
    }

    private func execute(_ parameters: [Parameter]) throws {
        guard UInt(parameters.count) == mysql_stmt_param_count(handle) else {
            throw MySQLFailure(code: UInt32(CR_INVALID_PARAMETER_NO), message: "a statement was given \(parameters.count) parameters")
        }
        if parameters.isEmpty {
            if mysql_stmt_execute(handle) != 0 { throw failure() }
            return
        }
        var kinds: [RowBatch.Kind] = []
        var bytes = 0
        for parameter in parameters {
            switch parameter {
            case .integer: kinds.append(.integer)
            case .text(let text):
                kinds.append(.text)
                bytes += text.utf8.count
            }
        }
        let row = RowBatch(kinds, capacity: 1)
        for parameter in parameters {
            switch parameter {
            case .integer(let value): row.append(value)
            case .text(let text): row.append(text)
            }
        }
        row.endRow()
        try execute(row, from: 0, count: 1)
    }

    /// Runs the statement with `count` rows of the batch as its parameters, one row after the other.
    func execute(_ batch: RowBatch, from: Int, count: Int) throws {
        try batch.withBinds(from: from, count: count) { binds in
            if mysql_stmt_bind_param(handle, binds) != 0 || mysql_stmt_execute(handle) != 0 { throw failure() }
        }
    }

    /// Runs the statement once for each row of the batch in one exchange with the server (MariaDB only).
    func executeArray(_ batch: RowBatch) throws {
        var size = UInt32(clamping: batch.rows)
        if mysql_stmt_attr_set(handle, STMT_ATTR_ARRAY_SIZE, &size) != 0 { throw failure() }
        try batch.withArrayBinds { binds in
            if mysql_stmt_bind_param(handle, binds) != 0 || mysql_stmt_execute(handle) != 0 { throw failure() }
        }
    }
}

/// The current row of a result.
struct Row {
    fileprivate let columns: ResultColumns
    fileprivate let handle: UnsafeMutablePointer<MYSQL_STMT>

    func isNull(_ column: Int) -> Bool { columns.nulls[column] != 0 }
    func int64(_ column: Int) -> Int64 { isNull(column) ? 0 : Int64(bitPattern: columns.slots[column]) }
    func int(_ column: Int) -> Int { Int(int64(column)) }
    func double(_ column: Int) -> Double? { isNull(column) ? nil : Double(bitPattern: columns.slots[column]) }

    func text(_ column: Int) -> String? {
        isNull(column) ? nil : withBytes(column) { String(decoding: $0, as: UTF8.self) }
    }

    func bytes(_ column: Int) -> [UInt8] { isNull(column) ? [] : withBytes(column) { Array($0) } }

    private func withBytes<T>(_ column: Int, _ body: (UnsafeRawBufferPointer) -> T) -> T {
        guard let buffer = columns.buffers[column] else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        let length = Int(columns.lengths[column])
        if length <= ResultColumns.bufferBytes { return body(UnsafeRawBufferPointer(start: buffer, count: length)) }
        // Longer than the bound buffer: fetched again into one that fits.
        return withUnsafeTemporaryAllocation(byteCount: length, alignment: 8) { large in
            var bind = columns.binds[column]
            bind.buffer = large.baseAddress
            bind.buffer_length = UInt(length)
            let isThere = mysql_stmt_fetch_column(handle, &bind, UInt32(column), 0) == 0
            return body(UnsafeRawBufferPointer(start: large.baseAddress, count: isThere ? length : 0))
        }
    }
}

/// Where the library puts the columns of a row.
private final class ResultColumns {
    static let bufferBytes = 8 * 1024
    let count: Int
    let binds: UnsafeMutablePointer<MYSQL_BIND>
    let slots: UnsafeMutablePointer<UInt64>
    let lengths: UnsafeMutablePointer<UInt>
    let nulls: UnsafeMutablePointer<my_bool>
    /// nil for numbers.
    let buffers: [UnsafeMutableRawPointer?]

    init?(_ handle: UnsafeMutablePointer<MYSQL_STMT>) {
        guard let metadata = mysql_stmt_result_metadata(handle) else { return nil }
        defer { mysql_free_result(metadata) }
        let count = Int(mysql_num_fields(metadata))
        self.count = count
        binds = .allocate(capacity: count)
        binds.initialize(repeating: MYSQL_BIND(), count: count)
        slots = .allocate(capacity: count)
        slots.initialize(repeating: 0, count: count)
        lengths = .allocate(capacity: count)
        lengths.initialize(repeating: 0, count: count)
        nulls = .allocate(capacity: count)
        nulls.initialize(repeating: 0, count: count)
        var buffers: [UnsafeMutableRawPointer?] = []
        for i in 0..<count {
            binds[i].is_null = nulls + i
            binds[i].length = lengths + i
            binds[i].buffer = UnsafeMutableRawPointer(slots + i)
            var buffer: UnsafeMutableRawPointer?
            switch mysql_fetch_field_direct(metadata, UInt32(i))?.pointee.type {
            case MYSQL_TYPE_TINY, MYSQL_TYPE_SHORT, MYSQL_TYPE_LONG, MYSQL_TYPE_INT24, MYSQL_TYPE_LONGLONG, MYSQL_TYPE_YEAR:
                binds[i].buffer_type = MYSQL_TYPE_LONGLONG
            case MYSQL_TYPE_FLOAT, MYSQL_TYPE_DOUBLE: binds[i].buffer_type = MYSQL_TYPE_DOUBLE
            default:
                let own = UnsafeMutableRawPointer.allocate(byteCount: ResultColumns.bufferBytes, alignment: 8)
                binds[i].buffer_type = MYSQL_TYPE_BLOB
                binds[i].buffer = own
                binds[i].buffer_length = UInt(ResultColumns.bufferBytes)
                buffer = own
            }
            buffers.append(buffer)
        }
        self.buffers = buffers
    }

    deinit {
        for buffer in buffers { buffer?.deallocate() }
        binds.deallocate()
        slots.deallocate()
        lengths.deallocate()
        nulls.deallocate()
    }
}
