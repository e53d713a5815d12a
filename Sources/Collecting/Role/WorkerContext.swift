import Coordination
import Messaging
import Synchronization
import TimeSeries

/// What every worker of the role is given.
final class WorkerContext: Sendable {
    let log: any MessageLog
    let coordinator: any Coordinator
    let environment: CollectEnvironment
    let topic: String
    let maxPendingSpan: Milliseconds
    let maxPendingBytes: Int
    let drainTimeout: Milliseconds
    private let said = Mutex<Set<String>>([])

    init(log: any MessageLog, coordinator: any Coordinator, environment: CollectEnvironment, options: CollectOptions) {
        self.log = log
        self.coordinator = coordinator
        self.environment = environment
        topic = options.topic
        maxPendingSpan = options.maxPendingSpan
        maxPendingBytes = options.maxPendingBytes
        drainTimeout = options.drainTimeout
    }

    /// How many scrapes of a target may wait for the log. One more than the span has: the first is with the log already.
    func maxPendingScrapes(interval: Milliseconds) -> Int { max(20, Int(maxPendingSpan / max(1, interval)) + 1) }

    /// Whether `what` is asked for the first time: for messages that are logged once.
    func firstTime(_ what: String) -> Bool { said.withLock { $0.insert(what).inserted } }
}
