import CZooKeeper
import Coordination

/// What is used of ZooKeeper's operations, with absolute paths.
extension ZooKeeperHandle {
    struct Content: Sendable {
        var bytes: [UInt8]
        /// Of the data; what a change must name.
        var version: Int32
        /// Of the change that wrote the data: different for every write, even when the node was made anew.
        var transaction: Int64
    }

    enum Kind: Sendable {
        case persistent, ephemeral, ephemeralSequential

        var mode: Int32 {
            switch self {
            case .persistent: ZOO_PERSISTENT
            case .ephemeral: ZOO_EPHEMERAL
            case .ephemeralSequential: ZOO_EPHEMERAL_SEQUENTIAL
            }
        }
    }

    /// - Returns: the path, with the digits that ZooKeeper added.
    @discardableResult
    func create(_ path: String, _ bytes: [UInt8], _ kind: Kind, restricted: Bool) async throws -> String {
        try await call("create \(path)") { handle, data in
            withCharacters(bytes) { value, count in
                zoo_acreate(
                    handle, path, value, count, restricted ? almanac_zk_creator_acl() : almanac_zk_open_acl(), kind.mode,
                    { code, path, data in Reply<String>.finish(data, code) { path.map { String(cString: $0) } ?? "" } }, data)
            }
        }
    }

    func read(_ path: String, watch: Bool = false) async throws -> Content {
        try await call("read \(path)") { handle, data in
            zoo_aget(
                handle, path, watch ? 1 : 0,
                { code, value, count, stat, data in
                    Reply<Content>.finish(data, code) {
                        let bytes = UnsafeRawBufferPointer(start: value, count: max(0, Int(value == nil ? 0 : count)))
                        return Content(bytes: Array(bytes), version: stat?.pointee.version ?? 0, transaction: stat?.pointee.mzxid ?? 0)
                    }
                }, data)
        }
    }

    /// Replaces the data of a node; `version` nil does so whatever is there.
    /// - Returns: the new version.
    @discardableResult
    func write(_ path: String, _ bytes: [UInt8], version: Int32?) async throws -> Int32 {
        try await call("write \(path)") { handle, data in
            withCharacters(bytes) { value, count in
                zoo_aset(
                    handle, path, value, count, version ?? -1,
                    { code, stat, data in Reply<Int32>.finish(data, code) { stat?.pointee.version ?? 0 } }, data)
            }
        }
    }

    func exists(_ path: String, watch: Bool = false) async throws -> Bool {
        do {
            return try await call("look for \(path)") { handle, data in
                zoo_aexists(handle, path, watch ? 1 : 0, { code, _, data in Reply<Bool>.finish(data, code) { true } }, data)
            }
        } catch let failure as ZooKeeperFailure where failure.isOne(of: ZNONODE) {
            return false
        }
    }

    /// Names, not paths; in no order.
    func children(_ path: String, watch: Bool = false) async throws -> [String] {
        try await call("list \(path)") { handle, data in
            zoo_aget_children(
                handle, path, watch ? 1 : 0,
                { code, list, data in
                    Reply<[String]>.finish(data, code) {
                        guard let list = list?.pointee, let names = list.data else { return [] }
                        return (0..<Int(list.count)).compactMap { names[$0].map { String(cString: $0) } }
                    }
                }, data)
        }
    }

    /// A node that is not there is fine.
    func delete(_ path: String) async throws {
        do {
            let _: Bool = try await call("delete \(path)") { handle, data in
                zoo_adelete(handle, path, -1, { code, data in Reply<Bool>.finish(data, code) { true } }, data)
            }
        } catch let failure as ZooKeeperFailure where failure.isOne(of: ZNONODE) {
        }
    }

    /// Brings the server that this session is connected to up to the leader's present.
    func sync(_ path: String) async throws {
        let _: Bool = try await call("synchronize \(path)") { handle, data in
            zoo_async(handle, path, { code, _, data in Reply<Bool>.finish(data, code) { true } }, data)
        }
    }

    /// Makes the folder and all above it.
    func createFolders(_ path: String, restricted: Bool) async throws {
        // What is there already may lie below folders that these credentials may not look into.
        if try await exists(path) { return }
        var made = ""
        for part in path.split(separator: "/") {
            made += "/" + part
            do {
                try await create(made, [], .persistent, restricted: restricted)
            } catch let failure as ZooKeeperFailure where failure.isOne(of: ZNODEEXISTS) {
            } catch let failure as ZooKeeperFailure where failure.isOne(of: ZNOAUTH) && made != path {
                if try await !exists(made) { throw failure }
            }
        }
    }
}

private func withCharacters(_ bytes: [UInt8], _ body: (UnsafePointer<CChar>?, Int32) -> Int32) -> Int32 {
    bytes.withUnsafeBytes { body($0.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(clamping: $0.count)) }
}
