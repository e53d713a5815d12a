/// What to do next for one operation on the server, as a pure state machine: an operation outlives the connection that began it.
///
/// The server ends a stream of responses after some minutes, or when it has buffered enough; only a response that says so completes the
/// operation. A lost connection is followed by asking for the responses after the last one that was taken. That the server does not know
/// the operation means, as long as nothing came, that the request never arrived: it is sent again under the same id, which the server
/// runs at most once.
package struct Reattaching: Sendable, Equatable {
    package enum Step: Sendable, Equatable {
        case execute
        /// Responses after this one; nil: from the first on.
        case reattach(after: String?)
        case done
    }

    package enum Failure: Sendable, Equatable {
        /// The network, a server that is busy or being restarted: worth another try.
        case passing
        /// The server does not know the operation.
        case unknownOperation
        /// The driver is another one than before.
        case sessionLost
        /// The query's own failure.
        case final
    }

    private(set) var lastResponse: String?
    private var isComplete = false
    private var hasBegun = false
    /// Failures in a row.
    package private(set) var failures = 0

    package init() {}

    package var step: Step {
        if isComplete { return .done }
        return hasBegun ? .reattach(after: lastResponse) : .execute
    }

    /// A response that was taken.
    package mutating func received(_ id: String, completes: Bool) {
        hasBegun = true
        if !id.isEmpty { lastResponse = id }
        if completes { isComplete = true }
        failures = 0
    }

    /// The stream ended without an error.
    package mutating func ended() { hasBegun = true }

    /// False: there is nothing more to try.
    package mutating func failed(_ failure: Failure) -> Bool {
        failures += 1
        switch failure {
        case .final, .sessionLost: return false
        case .passing:
            // The request may have arrived: ask for it first.
            hasBegun = true
            return true
        case .unknownOperation:
            guard lastResponse == nil else { return false }
            hasBegun = false
            return true
        }
    }
}

/// How often and how long apart something is tried again.
package struct SparkRetries: Sendable, Equatable {
    package var attempts = 15
    package var initial: Duration = .milliseconds(50)
    package var multiplier = 4.0
    package var longest: Duration = .seconds(60)

    package init() {}

    package init(attempts: Int, initial: Duration = .milliseconds(50), multiplier: Double = 4, longest: Duration) {
        self.attempts = attempts
        self.initial = initial
        self.multiplier = multiplier
        self.longest = longest
    }

    /// Before the attempt after `failures` failures; nil: no further one.
    /// - Parameter random: 0 to 1, so that many clients do not come back in step.
    package func pause(after failures: Int, random: Double) -> Duration? {
        guard failures < attempts else { return nil }
        var pause = initial
        for _ in 1..<max(1, failures) where pause < longest { pause = pause * multiplier }
        return min(pause, longest) * (0.5 + random / 2)
    }
}
