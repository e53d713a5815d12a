import Logging
import Messaging
import Storage
import Synchronization
import Telemetry

/// What the role waits for, from several tasks, told as one status.
final class Waiting: Sendable {
    private let parts = Mutex<[String: String]>([:])
    private let calls = Atomic<Int>(0)
    private let retries: Counter
    private let logger: Logger
    private let status: @Sendable (String?) -> Void

    init(retries: Counter, logger: Logger, status: @escaping @Sendable (String?) -> Void) {
        self.retries = retries
        self.logger = logger
        self.status = status
    }

    /// nil: the part no longer waits.
    func say(_ reason: String?, part: String) {
        let text = parts.withLock { parts in
            parts[part] = reason
            return parts.isEmpty ? nil : Set(parts.values).sorted().joined(separator: "; ")
        }
        status(text)
    }

    /// Repeats what a dependency refuses for now, with backoff, and says on the status what is waited for.
    func retrying<T: Sendable>(_ what: String, _ body: @Sendable () async throws -> T) async throws -> T {
        var pause: UInt64 = 100_000_000
        // Several tasks may wait for the same; each takes back its own word, however it ends.
        let part = "call \(calls.add(1, ordering: .relaxed).newValue)"
        defer { if pause > 100_000_000 { say(nil, part: part) } }
        while true {
            do {
                return try await body()
            } catch let error as MessagingError where error.code == .closed || error.code == .usage || error.code == .tooLarge {
                throw error
            } catch let error as StorageError where error.code != .unavailable {
                throw error
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                retries.add()
                logger.warning("waiting for \(what): \(error)")
                say("\(what): \(error)", part: part)
                pause = min(pause * 2, 10_000_000_000)
                try await Task.sleep(nanoseconds: pause / 2)
            }
        }
    }
}
