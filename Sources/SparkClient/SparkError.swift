/// Why Spark did not do what it was asked.
package struct SparkError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Kind: String, Sendable {
        /// Nobody answers, or no longer: the network, or the driver is gone.
        case unavailable
        /// The driver was started anew: views, operations and what was running are gone.
        case sessionLost
        /// Not let in, or not allowed.
        case permission
        /// The query is wrong: Spark refused it before it ran, or it ended with an error.
        case query
        /// Interrupted by `interrupt`.
        case cancelled
        /// An answer beyond a bound, or one that cannot be read.
        case protocolViolation
    }

    package var kind: Kind
    /// Spark's name of the error, such as `TABLE_OR_VIEW_NOT_FOUND`.
    package var errorClass: String?
    package var message: String

    package init(_ kind: Kind, _ message: String, errorClass: String? = nil) {
        self.kind = kind
        self.message = message
        self.errorClass = errorClass
    }

    package var description: String {
        guard let errorClass, !message.contains("[\(errorClass)") else { return message }
        return "[\(errorClass)] \(message)"
    }
}
