import CZooKeeper
import Coordination

/// What the C client returned.
struct ZooKeeperFailure: Error, Sendable, Hashable, CustomStringConvertible {
    let code: Int32
    let operation: String

    static let badVersion = ZooKeeperFailure(code: code(ZBADVERSION), operation: "compare")

    static func code(_ error: ZOO_ERRORS) -> Int32 { Int32(error.rawValue) }

    func isOne(of errors: ZOO_ERRORS...) -> Bool { errors.contains { code == ZooKeeperFailure.code($0) } }

    var isMissingNode: Bool { isOne(of: ZNONODE) }

    /// The session may live on: the same call can succeed when the connection is back. Whether the change was made is not known.
    var isConnectionLoss: Bool { isOne(of: ZCONNECTIONLOSS, ZOPERATIONTIMEOUT, ZSESSIONMOVED, ZTHROTTLEDOP) }

    /// This session will do nothing any more.
    var endsSession: Bool { isOne(of: ZSESSIONEXPIRED, ZCLOSING, ZINVALIDSTATE, ZAUTHFAILED, ZSESSIONCLOSEDREQUIRESASLAUTH) }

    var description: String { "\(operation): \(String(cString: zerror(code)))" }

    /// For callers. `place`: the ensemble, for the message.
    func coordinationError(at place: String) -> CoordinationError {
        if isOne(of: ZNOAUTH) {
            return CoordinationError(
                .refused, "ZooKeeper at \(place) refuses to \(operation): its creator had other credentials; give every process the same")
        }
        if isOne(of: ZAUTHFAILED, ZSESSIONCLOSEDREQUIRESASLAUTH) {
            return CoordinationError(.refused, "ZooKeeper at \(place) refuses the credentials")
        }
        if isOne(of: ZBADARGUMENTS, ZMARSHALLINGERROR, ZINVALIDACL) {
            return CoordinationError(.invalid, "ZooKeeper at \(place) cannot \(self)")
        }
        return CoordinationError(.unavailable, "ZooKeeper at \(place) could not \(self)")
    }
}
