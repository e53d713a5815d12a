/// Why a connection came to its end.
package enum CloseReason: Sendable, Equatable, CustomStringConvertible {
    /// `close` was called here.
    case requested
    case closedByPeer
    case failed(String)
    /// The node speaks other versions than the one offered.
    case unsupportedVersion(offered: ProtocolVersion, String)
    case authenticationFailed(String)
    /// The node refused to begin.
    case refused(ServerError)
    case malformed(String)
    /// A response on a stream on which nothing was asked.
    case wrongStream(Int16)
    case handshakeTimeout
    case heartbeatMissed
    /// So many requests were never answered that streams run short.
    case tooManyOrphans(Int)

    package var description: String {
        switch self {
        case .requested: "it was closed"
        case .closedByPeer: "the node closed the connection"
        case .failed(let message): message
        case .unsupportedVersion(let offered, let message):
            "the node does not speak version \(offered.rawValue) of the protocol: \(message)"
        case .authenticationFailed(let message): "the node refuses user or password: \(message)"
        case .refused(let error): "the node refuses the connection: \(error)"
        case .malformed(let message): "the node sent what the protocol does not allow: \(message)"
        case .wrongStream(let stream): "the node answered on stream \(stream), on which nothing was asked"
        case .handshakeTimeout: "the node did not answer in time"
        case .heartbeatMissed: "the node went silent"
        case .tooManyOrphans(let count): "the node left \(count) requests without an answer"
        }
    }

    /// What whoever waits is told.
    func error(wasSent: Bool) -> CassandraError {
        let code: CassandraError.Code =
            switch self {
            case .requested: .closed
            case .authenticationFailed: .authentication
            case .malformed, .wrongStream: .protocolViolation
            default: .connectionLost
            }
        var error = CassandraError(code, description, hasUnknownOutcome: wasSent)
        if case .unsupportedVersion = self { error.isUnsupportedVersion = true }
        return error
    }
}
