/// Why a request failed.
package struct CassandraError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// The request or the options make no sense; nothing was sent.
        case usage
        /// No node could be reached, or none of the right version.
        case noNodeAvailable
        /// More waits already than the options allow.
        case busy
        /// No answer in time.
        case timeout
        /// The connection was lost before the answer.
        case connectionLost
        /// User or password are refused, or TLS fails.
        case authentication
        /// The node sent what the protocol does not allow.
        case protocolViolation
        /// The node answered with an error: `serverError` has it.
        case server
        case cancelled
        case closed
    }

    package var code: Code
    package var message: String
    package var serverError: ServerError?
    /// The request may have been carried out all the same.
    package var hasUnknownOutcome: Bool

    package init(_ code: Code, _ message: String, serverError: ServerError? = nil, hasUnknownOutcome: Bool = false) {
        self.code = code
        self.message = message
        self.serverError = serverError
        self.hasUnknownOutcome = hasUnknownOutcome
    }

    package init(_ error: ServerError) {
        let unknown: Bool =
            switch error.code {
            case .writeTimeout, .writeFailure, .casWriteUnknown, .serverError, .overloaded, .truncateError, .cdcWriteFailure, nil: true
            default: false
            }
        self.init(.server, error.description, serverError: error, hasUnknownOutcome: unknown)
    }

    /// The node speaks an older version of the protocol than the one offered.
    var isUnsupportedVersion = false

    /// An answer came, but what it says cannot be known.
    init(_ fault: MalformedMessage) { self.init(.protocolViolation, fault.reason, hasUnknownOutcome: true) }

    package var description: String { message }
}
