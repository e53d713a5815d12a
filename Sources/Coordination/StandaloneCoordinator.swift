import Synchronization
import TimeSeries

/// Coordination of one process by itself: epochs and the configuration in files, work divided by a fixed share i of n (by default all of
/// it); the process with share 0 leads.
///
/// Shares are divided by whoever writes the configurations: each of n processes needs its own, and the same n.
package final class StandaloneCoordinator: CoordinationService {
    private struct State {
        var isClosed = false
        var campaigns: Set<String> = []
        var instances: [String: ServiceInstance] = [:]
    }

    private let directory: String
    private let share: Int
    private let shares: Int
    private let state = Mutex(State())
    private let eventReaders = Broadcast<CoordinationEvent>(capacity: 64)
    private let configurationReaders = Broadcast<CentralConfiguration>(capacity: 1)
    /// Held while a file is read, changed and written.
    private let files = Mutex(())

    /// `share` counts from 0 and is below `shares`. One process owns the directory (the log's lock).
    package init(directory: String, share: Int = 0, of shares: Int = 1) {
        self.directory = directory
        self.share = share
        self.shares = max(1, shares)
    }

    // MARK: Work

    package func owns(_ name: String) -> Bool {
        if state.withLock({ $0.isClosed }) { return false }
        return shares == 1 || Int(Fingerprint(hashing: Array(name.utf8)).high % UInt64(shares)) == share
    }

    package var status: CoordinationStatus {
        state.withLock { state in
            CoordinationStatus(
                connection: state.isClosed ? .closed : .connected, holdsLease: !state.isClosed,
                members: (0..<shares).map { "\($0)/\(shares)" }, leads: share == 0 && !state.isClosed ? state.campaigns.sorted() : [])
        }
    }

    package func events() -> AsyncStream<CoordinationEvent> { eventReaders.subscribe() }

    package func campaign(for name: String) {
        let isNew = state.withLock { !$0.isClosed && $0.campaigns.insert(name).inserted }
        if isNew && share == 0 { eventReaders.send(.leadership(of: name, held: true)) }
    }

    package func resign(from name: String) {
        let wasThere = state.withLock { $0.campaigns.remove(name) != nil }
        if wasThere && share == 0 { eventReaders.send(.leadership(of: name, held: false)) }
    }

    package func isLeader(of name: String) -> Bool {
        share == 0 && state.withLock { !$0.isClosed && $0.campaigns.contains(name) }
    }

    // MARK: Names

    package func register(_ instance: ServiceInstance) { state.withLock { $0.instances[instance.key] = instance } }
    package func withdraw(_ instance: ServiceInstance) { state.withLock { _ = $0.instances.removeValue(forKey: instance.key) } }

    package func instances() async throws -> [ServiceInstance] {
        try checkOpen()
        return state.withLock { state in state.instances.sorted { $0.key < $1.key }.map { $0.value } }
    }

    // MARK: Epochs

    package func nextEpoch(for name: String) async throws -> Int64 {
        try checkOpen()
        let path = directory + "/epoch-" + SequentialName.encoded(name)
        return try files.withLock { _ in
            let bytes = try DurableFile.read(path)
            let text = String(decoding: (bytes ?? Array("0".utf8)).filter { $0 != 0x0A }, as: UTF8.self)
            guard let last = Int64(text), last >= 0, last < Int64.max else {
                throw CoordinationError(
                    .invalid, "\(path) holds no number; write into it a number above every epoch used so far, or restore it")
            }
            try DurableFile.write(Array("\(last + 1)\n".utf8), to: path, in: directory)
            return last + 1
        }
    }

    // MARK: Configuration

    /// The file's first line is the version.
    private var configurationPath: String { directory + "/configuration" }

    package func configuration() async throws -> CentralConfiguration? {
        try checkOpen()
        return try files.withLock { _ in try readConfiguration() }
    }

    @discardableResult
    package func writeConfiguration(_ bytes: [UInt8], expectedVersion: Int64?) async throws -> Int64 {
        try checkOpen()
        try CentralConfiguration.check(bytes)
        let written = try files.withLock { _ in
            let present = try readConfiguration()?.version
            if present != expectedVersion { throw CentralConfiguration.conflict(expected: expectedVersion, present: present) }
            let written = CentralConfiguration(bytes: bytes, version: present.map { $0 + 1 } ?? 0)
            try DurableFile.write(Array("\(written.version)\n".utf8) + bytes, to: configurationPath, in: directory)
            return written
        }
        configurationReaders.send(written)
        return written.version
    }

    package func watchConfiguration() -> AsyncStream<CentralConfiguration> {
        configurationReaders.subscribe(first: try? files.withLock { _ in try readConfiguration() })
    }

    private func readConfiguration() throws -> CentralConfiguration? {
        guard let stored = try DurableFile.read(configurationPath) else { return nil }
        guard let end = stored.firstIndex(of: 0x0A), let version = Int64(String(decoding: stored[..<end], as: UTF8.self)) else {
            throw CoordinationError(.invalid, "\(configurationPath) does not begin with a version; remove it and write it again")
        }
        return CentralConfiguration(bytes: Array(stored[(end + 1)...]), version: version)
    }

    // MARK: End

    private func checkOpen() throws {
        if state.withLock({ $0.isClosed }) { throw CoordinationError.closed }
    }

    package func close() async {
        state.withLock { $0.isClosed = true }
        eventReaders.finish()
        configurationReaders.finish()
    }
}

extension CentralConfiguration {
    package static func check(_ bytes: [UInt8]) throws(CoordinationError) {
        if bytes.count > maxBytes {
            throw CoordinationError(.invalid, "the configuration has \(bytes.count) bytes; at most \(maxBytes) can be shared")
        }
    }

    package static func conflict(expected: Int64?, present: Int64?) -> CoordinationError {
        let found = present.map { "has version \($0)" } ?? "does not exist"
        let wanted = expected.map { "version \($0)" } ?? "none"
        return CoordinationError(.conflict, "the configuration \(found), and \(wanted) was expected; read it again and repeat the change")
    }
}
