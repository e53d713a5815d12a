/// What to do after a request failed. It is sent again only where that cannot do harm: it was certainly not carried out, it only reads, or
/// it may be carried out twice (idempotent).
enum RetryPolicy {
    enum Decision: Sendable, Equatable {
        case giveUp
        case sameNode(reason: String)
        /// After a pause, milliseconds.
        case nextNode(reason: String, pause: Int64)
    }

    /// - Parameters:
    ///   - attempt: 1 after the first one failed.
    ///   - random: from 0 to 1, so that many do not come again at the same time.
    static func decide(_ error: CassandraError, isIdempotent: Bool, attempt: Int, maximum: Int, random: Double) -> Decision {
        guard attempt < maximum else { return .giveUp }
        let pause = Int64(Double(min(1000, 10 << min(attempt, 10))) * (0.5 + random / 2))
        switch error.code {
        case .connectionLost, .protocolViolation:
            return isIdempotent || !error.hasUnknownOutcome
                ? .nextNode(reason: "connection lost", pause: attempt == 1 ? 0 : pause) : .giveUp
        case .timeout:
            return isIdempotent && error.hasUnknownOutcome ? .nextNode(reason: "timeout", pause: 0) : .giveUp
        case .busy: return .nextNode(reason: "busy", pause: pause)
        case .server:
            guard let server = error.serverError else { return .giveUp }
            return decide(server, isIdempotent: isIdempotent, attempt: attempt, pause: pause)
        default: return .giveUp
        }
    }

    private static func decide(_ error: ServerError, isIdempotent: Bool, attempt: Int, pause: Int64) -> Decision {
        switch (error.code, error.detail) {
        case (.bootstrapping, _): return .nextNode(reason: "bootstrapping", pause: 0)
        // Another coordinator may see more replicas alive; more than once it is no use.
        case (.unavailable, .unavailable(let level, _, _)):
            let isSerial = level == .serial || level == .localSerial
            return attempt == 1 && (isIdempotent || !isSerial) ? .nextNode(reason: "unavailable", pause: pause) : .giveUp
        case (.readTimeout, .readTimeout(let progress, let hasData)):
            if attempt > 1 { return .giveUp }
            // Enough had answered, only the one with the data had not: it is known to be slow now, another is asked.
            if progress.received >= progress.required, !hasData { return .sameNode(reason: "read timeout") }
            return .nextNode(reason: "read timeout", pause: 0)
        case (.writeTimeout, .writeTimeout(_, let type, _)):
            return isIdempotent && type != "CAS" && type != "COUNTER" ? .nextNode(reason: "write timeout", pause: pause) : .giveUp
        case (.overloaded, _): return isIdempotent ? .nextNode(reason: "overloaded", pause: pause) : .giveUp
        case (.serverError, _), (.truncateError, _): return isIdempotent ? .nextNode(reason: "server error", pause: pause) : .giveUp
        default: return .giveUp
        }
    }
}

/// Pauses before connecting again: doubled each time up to a limit, shortened at random by up to a half.
struct Backoff: Sendable {
    var first: Int64
    var limit: Int64
    private var failures = 0

    init(first: Int64, limit: Int64) {
        self.first = max(1, first)
        self.limit = max(first, limit)
    }

    mutating func next(random: Double = .random(in: 0...1)) -> Int64 {
        let longest = min(limit, first << Int64(min(failures, 20)))
        failures += 1
        return Int64(Double(longest) * (1 - random / 2))
    }

    mutating func reset() { failures = 0 }
}
