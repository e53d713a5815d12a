import TimeSeries

/// How a `SQLiteStore` is set up.
package struct SQLiteStoreOptions: Sendable {
    /// The database file; `-wal` and `-shm` stand beside it while it is open. Missing directories are made.
    package var path: String
    package var history = HistoryPolicy()
    /// The file is only read: it must be there with this program's schema, and writes fail.
    package var isReadOnly = false
    /// Page cache of the writer, bytes; each reader has a quarter of it.
    package var cacheBytes = 16 * 1024 * 1024
    /// Reads that run at the same time.
    package var maximumReaders = 4
    /// How long to wait for another process that holds the file, seconds.
    package var busyTimeout: Double = 10
    /// Series whose numbers are kept in memory, about 100 bytes each.
    package var seriesCacheLimit = 200_000
    /// Rows that retention removes in one transaction, about.
    package var retentionStep = 10_000

    package init(path: String) { self.path = path }
}
