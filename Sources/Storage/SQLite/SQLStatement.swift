import GRDB
import GRDBSQLite

/// A cached prepared statement, bound and read column by column through SQLite's own API: several times faster than rows
/// of boxed values. Used within one database access only.
struct SQLStatement {
    private let database: Database
    private let statement: Statement
    private let handle: OpaquePointer
    private var parameter: Int32 = 0

    /// `cached` for texts of which there are few.
    init(_ database: Database, _ sql: String, cached: Bool = true) throws {
        self.database = database
        statement = cached ? try database.cachedStatement(sql: sql) : try database.makeStatement(sql: sql)
        handle = statement.sqliteStatement
        reset()
    }

    /// Ends an execution and forgets the parameters.
    mutating func reset() {
        sqlite3_reset(handle)
        sqlite3_clear_bindings(handle)
        parameter = 0
    }

    // MARK: Parameters, from the first on

    mutating func bind(_ value: Int64) throws {
        parameter += 1
        try check(sqlite3_bind_int64(handle, parameter, value))
    }

    mutating func bind(_ value: Int) throws { try bind(Int64(value)) }

    /// What is not finite is stored as null.
    mutating func bind(_ value: Double?) throws {
        parameter += 1
        if let value, value.isFinite {
            try check(sqlite3_bind_double(handle, parameter, value))
        } else {
            try check(sqlite3_bind_null(handle, parameter))
        }
    }

    mutating func bind(_ value: String?) throws {
        parameter += 1
        guard var text = value else { return try check(sqlite3_bind_null(handle, parameter)) }
        let index = parameter
        let encoding = UInt8(SQLITE_UTF8)
        // With its length, so that a text may hold U+0000.
        try check(
            text.withUTF8 { utf8 in
                utf8.withMemoryRebound(to: CChar.self) { chars in
                    guard let start = chars.baseAddress else { return sqlite3_bind_text64(handle, index, "", 0, transient, encoding) }
                    return sqlite3_bind_text64(handle, index, start, UInt64(chars.count), transient, encoding)
                }
            })
    }

    mutating func bind(_ value: [UInt8]) throws {
        parameter += 1
        let index = parameter
        if value.isEmpty { return try check(sqlite3_bind_zeroblob(handle, index, 0)) }
        try check(value.withUnsafeBytes { sqlite3_bind_blob64(handle, index, $0.baseAddress, UInt64($0.count), transient) })
    }

    /// SQLite copies the value while it is bound.
    private var transient: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }

    // MARK: Running

    /// Runs a statement that returns no rows, and makes it ready for the next parameters.
    mutating func run() throws {
        while try step() {}
        reset()
    }

    /// Goes to the next row; false at the end.
    mutating func step() throws -> Bool {
        let code = sqlite3_step(handle)
        if code == SQLITE_ROW { return true }
        if code == SQLITE_DONE { return false }
        let error = failure(code)
        reset()
        throw error
    }

    private func check(_ code: Int32) throws {
        if code != SQLITE_OK { throw failure(code) }
    }

    private func failure(_ code: Int32) -> DatabaseError {
        let extended = sqlite3_extended_errcode(sqlite3_db_handle(handle))
        return DatabaseError(
            resultCode: ResultCode(rawValue: extended & 0xFF == code & 0xFF ? extended : code), message: database.lastErrorMessage,
            sql: statement.sql)
    }

    // MARK: Columns of the current row, from 0

    func int64(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }
    func int(_ column: Int32) -> Int { Int(sqlite3_column_int64(handle, column)) }
    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }
    func double(_ column: Int32) -> Double? { isNull(column) ? nil : sqlite3_column_double(handle, column) }

    func text(_ column: Int32) -> String? {
        guard let start = sqlite3_column_text(handle, column) else { return nil }
        let count = Int(sqlite3_column_bytes(handle, column))
        return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }

    func bytes(_ column: Int32) -> [UInt8] {
        guard let start = sqlite3_column_blob(handle, column) else { return [] }
        return Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column))))
    }
}
