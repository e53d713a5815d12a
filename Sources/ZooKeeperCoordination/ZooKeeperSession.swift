import CZooKeeper
import Coordination

/// One session that is set up, for the calls that go through it.
final class ZooKeeperSession: Sendable {
    let handle: ZooKeeperHandle
    let signals: Signals
    let paths: Paths
    /// Whether nodes are for this installation's credentials only.
    let restricted: Bool
    /// Marks the nodes of this session.
    let token: String

    init(handle: ZooKeeperHandle, signals: Signals, paths: Paths, restricted: Bool, token: String) {
        self.handle = handle
        self.signals = signals
        self.paths = paths
        self.restricted = restricted
        self.token = token
    }

    /// Makes an ephemeral node that ZooKeeper numbers; one, also when the answer to the first attempt was lost.
    /// - Returns: its name.
    func createNumbered(in folder: String, id: String, _ bytes: [UInt8]) async throws -> String {
        let prefix = SequentialName.prefix(id: id, token: token)
        // An attempt whose answer was lost left a node, which is this session's and would stay with it. The server asked may be behind it.
        try await handle.sync(folder)
        if let known = try await handle.children(folder).filter({ $0.hasPrefix(prefix) }).min() {
            try await handle.write("\(folder)/\(known)", bytes, version: nil)
            return known
        }
        let path = try await handle.create("\(folder)/\(prefix)", bytes, .ephemeralSequential, restricted: restricted)
        return String(path.dropFirst(folder.count + 1))
    }

    // MARK: Epochs

    func nextEpoch(for name: String) async throws -> Int64 {
        let path = paths.epoch(name)
        while true {
            do {
                let stored = try await handle.read(path)
                guard let last = Int64(String(decoding: stored.bytes, as: UTF8.self)), last >= 0, last < Int64.max else {
                    throw CoordinationError(.invalid, "the node \(path) holds no number; set it to one above every epoch used so far")
                }
                try await handle.write(path, Array("\(last + 1)".utf8), version: stored.version)
                return last + 1
            } catch let failure as ZooKeeperFailure where failure.isOne(of: ZNONODE) {
                do {
                    try await handle.create(path, Array("1".utf8), .persistent, restricted: restricted)
                    return 1
                } catch let failure as ZooKeeperFailure where failure.isOne(of: ZNODEEXISTS) {
                    try await handle.sync(path)
                }
            } catch let failure as ZooKeeperFailure where failure.isOne(of: ZBADVERSION) {
                // Another process was faster; the server asked may be behind it.
                try await handle.sync(path)
            }
        }
    }

    // MARK: Configuration

    func configuration() async throws -> CentralConfiguration? {
        do {
            try await handle.sync(paths.configuration)
            let content = try await handle.read(paths.configuration)
            return CentralConfiguration(bytes: content.bytes, version: Int64(content.version))
        } catch let failure as ZooKeeperFailure where failure.isOne(of: ZNONODE) {
            return nil
        }
    }

    /// - Parameter isRepeated: an attempt before this one may have succeeded.
    func writeConfiguration(_ bytes: [UInt8], expectedVersion: Int64?, isRepeated: Bool) async throws -> Int64 {
        do {
            guard let expectedVersion else {
                try await handle.create(paths.configuration, bytes, .persistent, restricted: restricted)
                return 0
            }
            guard let version = Int32(exactly: expectedVersion), version >= 0 else { throw ZooKeeperFailure.badVersion }
            return Int64(try await handle.write(paths.configuration, bytes, version: version))
        } catch let failure as ZooKeeperFailure where failure.isOne(of: ZBADVERSION, ZNONODE, ZNODEEXISTS) {
            let present = try await configuration()
            let own = CentralConfiguration(bytes: bytes, version: expectedVersion.map { $0 &+ 1 } ?? 0)
            if isRepeated && present == own { return own.version }
            throw CentralConfiguration.conflict(expected: expectedVersion, present: present?.version)
        }
    }
}
