import CMariaDB
import Glibc
import Storage
import Synchronization

/// A bounded number of connections, each opened when it is first needed, and the threads that wait for them.
///
/// What fails because the connection was lost is tried again on a new one, what fails because of other transactions after a short wait
/// of random length. All that runs here may be repeated: reads, and writes that change nothing the second time.
final class ConnectionPool: Sendable {
    private let options: MySQLOptions
    private let use: Connection.Use
    private let threads: BlockingThreads
    private let errors: MySQLErrors
    private let idle = Mutex<[Connection]>([])
    private let onOpen: @Sendable (Connection) throws -> Void
    private let onRetry: @Sendable (MySQLFailure) -> Void

    /// - Parameters:
    ///   - onOpen: prepares each new connection.
    ///   - onRetry: told what made an attempt fail that is made again.
    init(
        _ options: MySQLOptions, _ use: Connection.Use, count: Int, onOpen: @escaping @Sendable (Connection) throws -> Void,
        onRetry: @escaping @Sendable (MySQLFailure) -> Void
    ) throws(StorageError) {
        self.options = options
        self.use = use
        self.onOpen = onOpen
        self.onRetry = onRetry
        errors = MySQLErrors(options)
        threads = try BlockingThreads(name: "mysql", count: count, maximumWaiting: options.maximumWaiting)
    }

    /// Runs `body` with a connection; throws `StorageError`, or what `body` throws.
    func run<T: Sendable>(_ body: @escaping @Sendable (Connection) throws -> T) async throws -> T {
        try await threads.run { [self] in
            do { return try attempted(body) } catch { throw errors.translated(error) }
        }
    }

    /// Runs `body` in a transaction.
    func transaction<T: Sendable>(_ body: @escaping @Sendable (Connection) throws -> T) async throws -> T {
        let begin = use == .reader ? "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY" : "START TRANSACTION"
        return try await run { connection in
            try connection.run(begin)
            do {
                let value = try body(connection)
                try connection.run("COMMIT")
                return value
            } catch {
                if !connection.isLost { _ = try? connection.run("ROLLBACK") }
                throw error
            }
        }
    }

    func close() async {
        await threads.stop()
        idle.withLock { $0.removeAll() }
    }

    // MARK: On the pool's threads

    private func attempted<T>(_ body: (Connection) throws -> T) throws -> T {
        var contentions = 0
        var losses = 0
        var hasLookedAgain = false
        while true {
            let connection = try idle.withLock { $0.popLast() } ?? open()
            do {
                let value = try body(connection)
                putBack(connection)
                return value
            } catch let failure as MySQLFailure where failure.isLost {
                // The others have most likely gone with it.
                idle.withLock { $0.removeAll() }
                losses += 1
                if losses > 2 { throw failure }
                onRetry(failure)
            } catch let failure as MySQLFailure where failure.isMissingTable && !hasLookedAgain {
                // The database was made anew: a new connection makes the tables.
                idle.withLock { $0.removeAll() }
                hasLookedAgain = true
                onRetry(failure)
            } catch let failure as MySQLFailure where failure.isContention {
                putBack(connection)
                contentions += 1
                // After a lock that was not to be had in the whole waiting time fewer attempts are enough.
                if contentions >= (failure.code == 1205 ? min(3, options.maximumAttempts) : options.maximumAttempts) { throw failure }
                onRetry(failure)
                let longest = min(400_000, 2_000 << min(contentions, 8))
                usleep(UInt32.random(in: UInt32(longest / 2)...UInt32(longest)))
            } catch let failure as MySQLFailure where failure.isOfSession {
                idle.withLock { $0.removeAll() }
                throw failure
            } catch {
                putBack(connection)
                throw error
            }
        }
    }

    private func open() throws -> Connection {
        let connection = try Connection(options, use)
        try onOpen(connection)
        return connection
    }

    private func putBack(_ connection: Connection) {
        if !connection.isLost { idle.withLock { $0.append(connection) } }
    }
}
