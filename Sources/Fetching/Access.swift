/// How a request says who asks.
package enum HTTPCredentials: Sendable, Equatable, CustomStringConvertible {
    case basic(user: String, password: String)
    case bearer(String)

    /// Never shows the secret, so that it cannot reach a log.
    package var description: String {
        switch self {
        case .basic(let user, _): "basic authentication as \(user)"
        case .bearer: "a bearer token"
        }
    }
}

/// What a client trusts when the URL is `https`.
package struct TLSOptions: Sendable, Equatable {
    /// A PEM file with authorities to trust besides the system's.
    package var caFile: String?
    /// Accept any certificate. For tests and closed networks.
    package var insecureSkipVerify: Bool

    package init(caFile: String? = nil, insecureSkipVerify: Bool = false) {
        self.caFile = caFile
        self.insecureSkipVerify = insecureSkipVerify
    }
}
