import CassandraClient
import Storage

/// Says what a failure means for whoever runs the store.
struct CassandraErrors: Sendable {
    let place: String

    init(_ options: CassandraStoreOptions) {
        place = "Cassandra (keyspace \(options.keyspace) at \(options.client.contactPoints.map(\.description).joined(separator: ", ")))"
    }

    /// Runs `body`; what it throws becomes a `StorageError`, but for cancellation and errors of receivers.
    func translating<T>(isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> T) async throws -> T {
        do { return try await body() } catch let error as CassandraError {
            if error.code == .cancelled, Task.isCancelled { throw CancellationError() }
            throw translated(error)
        }
    }

    func translated(_ error: CassandraError) -> StorageError {
        let message = "\(place): \(error.message)"
        switch error.code {
        case .usage: return StorageError(.usage, message)
        case .authentication:
            return StorageError(.unavailable, "\(message). Check user and password, and whether the nodes want TLS")
        case .server: return translated(error.serverError, message)
        default: return StorageError(.unavailable, message)
        }
    }

    private func translated(_ error: ServerError?, _ message: String) -> StorageError {
        switch error?.code {
        case .unauthorized: StorageError(.unavailable, "\(message). GRANT the user CREATE, ALTER, SELECT and MODIFY on the keyspace")
        case .invalid where CassandraErrors.isMissing(error?.message ?? ""):
            StorageError(
                .unavailable, "\(message). Keyspace or tables are gone: restore them, or run `almanac init`, which makes empty ones")
        case .invalid, .configError, .syntaxError: StorageError(.usage, message)
        case .unavailable: StorageError(.unavailable, "\(message). Too few replicas are up for the consistency level")
        default: StorageError(.unavailable, message)
        }
    }

    /// A keyspace or table that was dropped has no code of its own: Cassandra up to 4.0 says "unconfigured table", later ones "does not exist".
    private static func isMissing(_ message: String) -> Bool {
        message.contains("unconfigured table") || message.contains("does not exist")
    }

    func corrupt(_ what: String) -> StorageError { StorageError(.corrupt, "\(place): \(what)") }
}
