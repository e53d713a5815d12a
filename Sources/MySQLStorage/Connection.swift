import CMariaDB
import Synchronization

/// One connection to the server with its prepared statements. Unchecked: the pool gives it to one thread at a time.
final class Connection: @unchecked Sendable {
    enum Use: Sendable {
        /// Reads see one committed state through a transaction.
        case reader
        /// Locks only the rows that change.
        case writer
        /// Without a database, to make one.
        case server
    }

    private let handle: UnsafeMutablePointer<MYSQL>
    private var statements: [String: PreparedStatement] = [:]
    /// A call failed in a way after which the connection is of no more use.
    private(set) var isLost = false
    let takesArrays: Bool
    /// The largest statement that the server takes.
    private(set) var packetBytes = 1 << 20

    /// The library's set-up is not safe to run twice at once.
    private static let library: Int32 = mysql_server_init(0, nil, nil)
    private static let maximumStatements = 128

    init(_ options: MySQLOptions, _ use: Use) throws {
        guard Connection.library == 0, let handle = mysql_init(nil) else {
            throw MySQLFailure(code: UInt32(CR_OUT_OF_MEMORY), message: "the client library cannot be set up")
        }
        do {
            try Connection.configure(handle, options)
            try Connection.connect(handle, options, database: use == .server ? nil : options.database)
        } catch {
            mysql_close(handle)
            throw error
        }
        self.handle = handle
        takesArrays = options.usesArrayBinding && almanac_mysql_takes_arrays(handle) != 0
        try run(
            "SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES,STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', autocommit = 1, "
                + "innodb_lock_wait_timeout = \(max(1, options.lockTimeout))")
        try run("SET SESSION TRANSACTION ISOLATION LEVEL \(use == .reader ? "REPEATABLE READ" : "READ COMMITTED")")
        if let bytes = try integer("SELECT @@max_allowed_packet") { packetBytes = Int(bytes) }
    }

    deinit {
        for statement in statements.values { statement.close() }
        mysql_close(handle)
    }

    private static func configure(_ handle: UnsafeMutablePointer<MYSQL>, _ options: MySQLOptions) throws {
        func set(_ option: mysql_option, _ value: UInt32) {
            var value = value
            mysql_options(handle, option, &value)
        }
        func set(_ option: mysql_option, _ isOn: Bool) {
            var value: my_bool = isOn ? 1 : 0
            mysql_options(handle, option, &value)
        }
        set(MYSQL_OPT_CONNECT_TIMEOUT, UInt32(clamping: max(1, options.connectTimeout)))
        set(MYSQL_OPT_READ_TIMEOUT, UInt32(clamping: max(1, options.statementTimeout)))
        set(MYSQL_OPT_WRITE_TIMEOUT, UInt32(clamping: max(1, options.statementTimeout)))
        set(MYSQL_OPT_LOCAL_INFILE, UInt32(0))
        set(MYSQL_OPT_RECONNECT, false)
        // "localhost" would else mean the socket.
        set(MYSQL_OPT_PROTOCOL, options.socket == nil ? MYSQL_PROTOCOL_TCP.rawValue : MYSQL_PROTOCOL_SOCKET.rawValue)
        mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4")
        let tls = options.tls
        if tls.mode != .disabled {
            mysql_ssl_set(handle, tls.keyFile, tls.certificateFile, tls.caFile, nil, nil)
            set(MYSQL_OPT_SSL_ENFORCE, true)
            set(MYSQL_OPT_SSL_VERIFY_SERVER_CERT, tls.mode == .verified)
        }
    }

    private static func connect(_ handle: UnsafeMutablePointer<MYSQL>, _ options: MySQLOptions, database: String?) throws {
        let port = UInt32(clamping: options.port)
        let host = options.socket == nil ? options.host : "localhost"
        if mysql_real_connect(handle, host, options.user, options.password.value, database, port, options.socket, 0) == nil {
            throw MySQLFailure(code: mysql_errno(handle), message: String(cString: mysql_error(handle)))
        }
        // An encrypted connection was asked for: a server without TLS must not be talked to in plain text.
        if options.tls.mode != .disabled, mysql_get_ssl_cipher(handle) == nil {
            throw MySQLFailure(code: UInt32(CR_SSL_CONNECTION_ERROR), message: "the server offers no TLS")
        }
    }

    // MARK: Statements

    /// Runs a statement that has no parameters and gives no rows; the number of rows it changed.
    @discardableResult
    func run(_ sql: String) throws -> Int {
        var text = sql
        let result = text.withUTF8 { utf8 in
            utf8.withMemoryRebound(to: CChar.self) { mysql_real_query(handle, $0.baseAddress, UInt($0.count)) }
        }
        if result != 0 { throw failure() }
        if mysql_field_count(handle) > 0, let rows = mysql_store_result(handle) { mysql_free_result(rows) }
        let changed = mysql_affected_rows(handle)
        return changed == .max ? 0 : Int(clamping: changed)
    }

    /// A prepared statement, kept for the next time. `isKept` false for texts that hardly come twice.
    func statement(_ sql: String, isKept: Bool = true) throws -> PreparedStatement {
        if let known = statements[sql] { return known }
        let statement = try PreparedStatement(handle, sql) { [unowned self] in noted($0) }
        if isKept {
            if statements.count >= Connection.maximumStatements { statements.removeAll() }
            statements[sql] = statement
        }
        return statement
    }

    /// Reads all rows.
    func query(_ sql: String, _ parameters: [Parameter] = [], isKept: Bool = true, _ row: (Row) throws -> Void) throws {
        try statement(sql, isKept: isKept).query(parameters, row)
    }

    /// The first column of the first row.
    func integer(_ sql: String, _ parameters: [Parameter] = []) throws -> Int64? {
        var value: Int64?
        try query(sql, parameters) { row in if value == nil, !row.isNull(0) { value = row.int64(0) } }
        return value
    }

    /// Runs a statement with parameters that gives no rows; the number of rows it changed.
    @discardableResult
    func run(_ sql: String, _ parameters: [Parameter]) throws -> Int { try statement(sql).run(parameters) }

    private func failure() -> MySQLFailure {
        noted(MySQLFailure(code: mysql_errno(handle), message: String(cString: mysql_error(handle))))
    }

    private func noted(_ failure: MySQLFailure) -> MySQLFailure {
        if failure.isLost { isLost = true }
        return failure
    }
}
