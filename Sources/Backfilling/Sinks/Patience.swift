import Logging
import Messaging
import Storage

/// Repeats what a store or a broker refuses for now, with backoff, until it takes it or the task is cancelled.
struct Patience: Sendable {
    let logger: Logger
    private static let longest = Duration.seconds(10)

    func retrying(_ what: String, _ body: @Sendable () async throws -> Void) async throws {
        var pause = Duration.milliseconds(200)
        while true {
            do {
                return try await body()
            } catch {
                guard Patience.mayPass(error) else { throw Patience.translated(error, what) }
                logger.warning("waiting for \(what): \(error)")
                try await Task.sleep(for: pause)
                pause = min(pause * 2, Patience.longest)
            }
        }
    }

    private static func mayPass(_ error: any Error) -> Bool {
        if let error = error as? StorageError { return error.code == .unavailable }
        if let error = error as? MessagingError { return error.code == .unavailable || error.code == .storageFull || error.code == .io }
        return false
    }

    private static func translated(_ error: any Error, _ what: String) -> any Error {
        error is CancellationError ? error : BackfillError(.unavailable, "\(what) does not take the results: \(error)")
    }
}
