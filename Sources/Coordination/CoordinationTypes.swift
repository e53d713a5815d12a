/// One role of one process, as the others see it.
package struct ServiceInstance: Hashable, Sendable, Codable {
    /// Of the process; the same after a restart, different on every host.
    package var name: String
    package var role: String
    /// Where it answers HTTP, `host:port`; empty when it does not.
    package var address: String
    package var version: String

    package init(name: String, role: String, address: String, version: String) {
        self.name = name
        self.role = role
        self.address = address
        self.version = version
    }

    /// What makes it the same instance: the rest may change.
    package var key: String { role + "@" + name }
}

/// The configuration that all processes share: bytes, which are YAML to the caller, and a version that each write raises.
package struct CentralConfiguration: Hashable, Sendable {
    /// The most that fits, well below the 1 MiB that ZooKeeper takes in one node.
    package static let maxBytes = 900_000

    package var bytes: [UInt8]
    package var version: Int64

    package init(bytes: [UInt8], version: Int64) {
        self.bytes = bytes
        self.version = version
    }
}

/// How this process stands to the coordination service.
package enum ConnectionState: Sendable, Hashable, CustomStringConvertible {
    case connecting
    case connected
    /// The connection is lost; the session may live on until its timeout.
    case suspended
    /// The service said that the session is over; another one is opened.
    case expired
    /// It cannot work until someone changes something.
    case refused(String)
    case closed

    package var description: String {
        switch self {
        case .connecting: "connecting"
        case .connected: "connected"
        case .suspended: "suspended"
        case .expired: "expired"
        case .refused(let why): "refused: \(why)"
        case .closed: "closed"
        }
    }
}

package struct CoordinationStatus: Sendable, Hashable {
    package var connection: ConnectionState
    /// Whether this process may act on what it knows: it has lately been heard by the service.
    package var holdsLease: Bool
    /// Names of the processes that divide the work, sorted; this one is among them when it has joined.
    package var members: [String]
    /// What this process leads, sorted.
    package var leads: [String]

    package init(connection: ConnectionState, holdsLease: Bool, members: [String], leads: [String]) {
        self.connection = connection
        self.holdsLease = holdsLease
        self.members = members
        self.leads = leads
    }

    package var isReady: Bool { connection == .connected && holdsLease }
}

package enum CoordinationEvent: Sendable, Hashable {
    case connection(ConnectionState)
    case members([String])
    case leadership(of: String, held: Bool)
    case lease(held: Bool)
}

package struct CoordinationError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        /// Not now; the same call may succeed later.
        case unavailable
        /// Not with these credentials.
        case refused
        /// Someone else was faster.
        case conflict
        /// Not with this argument, or on what is stored.
        case invalid
        case closed
    }

    package var code: Code
    package var description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    package static let closed = CoordinationError(.closed, "coordination is closed")
}
