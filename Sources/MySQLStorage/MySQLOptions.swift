import Storage

/// How a MySQL or MariaDB server is reached, and how results are kept there.
package struct MySQLOptions: Sendable {
    package var host = "127.0.0.1"
    package var port = 3306
    /// Path of the server's socket; where it is given host and port are not used.
    package var socket: String?
    package var user = "almanac"
    package var password = MySQLPassword("")
    /// Letters, digits, `_`, `-` and `$`, at most 64.
    package var database = "almanac"
    package var tls = MySQLTLS()

    /// Transactions that run at the same time, each on a connection of its own.
    package var writerConnections = 2
    /// Reads that run at the same time, each on a connection of its own.
    package var readerConnections = 4
    /// Calls that wait for a connection; more are refused as unavailable.
    package var maximumWaiting = 1000

    /// Seconds until a connection must stand.
    package var connectTimeout = 5
    /// Seconds that one statement may take before the connection counts as lost.
    package var statementTimeout = 60
    /// Seconds that a statement waits for another transaction's lock.
    package var lockTimeout = 10
    /// Attempts that a transaction gets when others are in its way (deadlock).
    package var maximumAttempts = 10

    /// Series whose numbers are kept in memory, about 60 bytes each.
    package var seriesCacheLimit = 200_000
    /// Rows that retention removes in one transaction, about.
    package var retentionStep = 10_000
    /// What the histories keep.
    package var history = HistoryPolicy()
    /// Rows sent to the server at once.
    package var arrayRows = 2000
    /// Send arrays of rows where the server takes them (MariaDB); else statements with several rows, which MySQL takes too.
    package var usesArrayBinding = true

    package init() {}

    /// Divides `count` connections among reads and writes: a third, at least one, is for writes.
    package mutating func setPoolSize(_ count: Int) {
        writerConnections = max(1, count / 3)
        readerConnections = max(1, count - writerConnections)
    }

    /// How errors name the server: never with the password.
    var place: String {
        let server = socket.map { "socket \($0)" } ?? (host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)")
        return "\(user)@\(server)"
    }
}

/// A password that no description, dump or mirror shows.
package struct MySQLPassword: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    let value: String

    package init(_ value: String) { self.value = value }
    package var description: String { "(hidden)" }
    package var debugDescription: String { "(hidden)" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Encryption of the connection.
package struct MySQLTLS: Sendable, Equatable {
    package enum Mode: String, Sendable, CaseIterable {
        /// Plain text.
        case disabled
        /// Encrypted, whoever answers.
        case required
        /// Encrypted, and the server's certificate must be signed by the CA and bear the host's name.
        case verified
    }

    package var mode: Mode = .disabled
    /// PEM files. Without a CA file the system's authorities count.
    package var caFile: String?
    /// The client's own certificate and key, where the server asks for them.
    package var certificateFile: String?
    package var keyFile: String?

    package init() {}
}
