import GRDB

/// Says what a SQLite error means for whoever runs the store.
struct SQLiteErrors: Sendable {
    let path: String

    func translated(_ error: any Error) -> any Error {
        guard let error = error as? DatabaseError else { return error }
        let detail = "\(error.message ?? "no detail") (SQLite code \(error.extendedResultCode.rawValue))"
        switch error.resultCode {
        case .SQLITE_INTERRUPT, .SQLITE_ABORT: return CancellationError()
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: return StorageError(.corrupt, corruptText(detail))
        case .SQLITE_FULL:
            return StorageError(
                .unavailable, "no space left for the database \(path): \(detail). Free some space; nothing was half-written")
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return StorageError(.unavailable, "the database \(path) is held by another process: \(detail)")
        case .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_AUTH:
            return StorageError(.unavailable, "the database \(path) cannot be opened: \(detail). Check the path and its permissions")
        case .SQLITE_READONLY:
            return StorageError(
                .unavailable, "the database \(path) cannot be written: \(detail). Check the permissions of the file and its directory")
        case .SQLITE_MISUSE where error.message == "Connection is closed":
            return StorageError(.unavailable, "the database \(path) is closed")
        case .SQLITE_ERROR:
            return StorageError(.schema, "the tables of \(path) are not as this program left them: \(detail)")
        case .SQLITE_TOOBIG, .SQLITE_MISMATCH, .SQLITE_CONSTRAINT, .SQLITE_RANGE:
            return StorageError(.usage, "the database \(path) refuses a value: \(detail)")
        default:
            return StorageError(.unavailable, "the database \(path) fails: \(detail)")
        }
    }

    func corruptText(_ detail: String) -> String {
        "\(path) is damaged or no SQLite database: \(detail). Stop the program, move the file aside together with its -wal and -shm files "
            + "(nothing is deleted), and start again: a new database is made. `sqlite3 FILE .recover` may save the old contents"
    }

    func newer(_ known: String) -> StorageError {
        StorageError(
            .schema,
            "\(path) was written by a newer version of this program (this one knows the schema up to \(known)); nothing was changed. "
                + "Update the program or name another file")
    }

    func older() -> StorageError {
        StorageError(
            .schema,
            "\(path) was written by an older version of this program, and is only read here; nothing was changed. "
                + "Start almanac on it once, or give a copy of it to one that is started")
    }

    func foreign() -> StorageError {
        StorageError(.usage, "\(path) is a SQLite database of another program; nothing was changed. Name another file")
    }
}
