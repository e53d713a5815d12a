import CRdKafka
import Logging
import Messaging
import Synchronization

/// What librdkafka's callbacks need; lives as long as the handle.
final class KafkaContext: Sendable {
    let metrics: KafkaMetrics
    let logger: Logger
    private let limiter = Mutex(LogLimiter())
    private let heard = Mutex<String?>(nil)

    init(metrics: KafkaMetrics, logger: Logger) {
        self.metrics = metrics
        self.logger = logger
    }

    /// What the brokers, or the attempts to reach them, last had to say.
    var problem: String? { heard.withLock { $0 } }

    func note(_ problem: String?) { heard.withLock { $0 = problem } }

    /// An error that is no caller's: counted, kept for messages, and logged now and then.
    func report(_ error: KafkaError, _ text: String) {
        metrics.error(error)
        if error.isConnection || error.isAuthentication { note(text) }
        log(error.isAuthentication ? .error : .warning, error.name, text)
    }

    func log(_ level: Logger.Level, _ kind: String, _ text: String) {
        guard let dropped = limiter.withLock({ $0.admit(kind, now: .now) }) else { return }
        let suffix = dropped > 0 ? " (\(dropped) more of this kind left out)" : ""
        logger.log(level: level, "kafka: \(text)\(suffix)", metadata: ["kind": "\(kind)"])
    }

    /// Lines of the library: `fac` is their kind.
    fileprivate func libraryLog(_ level: Int32, _ kind: String, _ text: String) {
        // Each client gets all properties, also those for the other sort of client.
        if kind == "CONFWARN" { return }
        let translated: Logger.Level =
            switch level {
            case ...3: .error
            case 4: .warning
            case 5, 6: .info
            default: .debug
            }
        log(translated, kind, text)
    }
}

/// Owns one `rd_kafka_t`. The library's functions may be called from any thread; `destroy` must not be called while another call is
/// under way, and blocks.
final class KafkaClient: @unchecked Sendable {
    enum Kind { case producer, consumer }

    let handle: OpaquePointer
    let context: KafkaContext
    private let retained: Unmanaged<KafkaContext>
    private let isDestroyed = Atomic<Bool>(false)

    /// - Parameter events: the `RD_KAFKA_EVENT_` kinds that are taken from queues rather than by callbacks.
    init(_ kind: Kind, _ settings: [(String, String)], events: Int32, context: KafkaContext) throws {
        let configuration = try KafkaConfiguration.make(settings)
        self.context = context
        retained = Unmanaged.passRetained(context)
        rd_kafka_conf_set_opaque(configuration, retained.toOpaque())
        rd_kafka_conf_set_events(configuration, events)
        rd_kafka_conf_set_log_cb(configuration) { handle, level, kind, text in
            guard let handle, let kind, let text, let context = KafkaClient.context(of: handle) else { return }
            context.libraryLog(level, String(cString: kind), String(cString: text))
        }
        rd_kafka_conf_set_throttle_cb(configuration) { handle, _, _, milliseconds, _ in
            guard let handle, milliseconds > 0 else { return }
            KafkaClient.context(of: handle)?.metrics.throttled(milliseconds)
        }
        let type = kind == .producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER
        let (made, text) = KafkaConfiguration.withErrorText { rd_kafka_new(type, configuration, $0, $1) }
        guard let made else {
            KafkaConfiguration.free(configuration)
            retained.release()
            throw MessagingError(.usage, "the Kafka client does not take its configuration: \(text)")
        }
        handle = made
    }

    private static func context(of handle: OpaquePointer) -> KafkaContext? {
        rd_kafka_opaque(handle).map { Unmanaged<KafkaContext>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Blocks until the library's threads have ended. Topic and queue handles must be gone before.
    func destroy() {
        if isDestroyed.exchange(true, ordering: .acquiringAndReleasing) { return }
        rd_kafka_destroy(handle)
        retained.release()
    }

    /// Leaves the handle and its threads as they are until the process ends.
    func abandon() { isDestroyed.store(true, ordering: .releasing) }

    deinit { destroy() }
}

/// Lets a few log lines of each kind through in each interval, and counts the rest.
struct LogLimiter {
    private struct Kind {
        var since: ContinuousClock.Instant
        var count = 0
        var dropped = 0
    }

    private var kinds: [String: Kind] = [:]
    static let burst = 5
    static let interval = Duration.seconds(10)
    /// Kinds beyond this number share one limit.
    static let maxKinds = 200

    /// Nil: leave it out. Otherwise how many of its kind were left out before it.
    mutating func admit(_ name: String, now: ContinuousClock.Instant) -> Int? {
        let name = kinds[name] == nil && kinds.count >= LogLimiter.maxKinds ? "" : name
        var kind = kinds[name] ?? Kind(since: now)
        defer { kinds[name] = kind }
        if now - kind.since >= LogLimiter.interval {
            let dropped = kind.dropped
            kind = Kind(since: now, count: 1)
            return dropped
        }
        if kind.count >= LogLimiter.burst {
            kind.dropped += 1
            return nil
        }
        kind.count += 1
        return 0
    }
}
