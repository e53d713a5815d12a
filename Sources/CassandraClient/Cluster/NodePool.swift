import Logging
import NIOCore
import NIOSSL
import Synchronization
import Telemetry

/// What all connections of a session share.
struct ConnectionFactory: Sendable {
    let options: CassandraOptions
    let tls: NIOSSLContext?
    let group: any EventLoopGroup
    let metrics: CassandraMetrics
    let logger: Logger
    /// The version that all nodes asked so far speak. Mixed clusters speak the lower one.
    let version: SharedVersion

    /// Goes down to a lower version of the protocol when the node refuses the one offered.
    func open(
        _ address: NodeAddress, events: [String] = [], observer: Connection.Observer = Connection.Observer()
    ) async throws(CassandraError) -> Connection {
        let target = Connection.Target(
            address: address, tls: tls, serverName: address.isLiteral ? nil : address.host, connectTimeout: options.connectTimeout,
            tick: options.tick)
        while true {
            let version = version.current
            do throws(CassandraError) {
                let connection = try await Connection.open(
                    target, options.settings(version, events: events), group: group, observer: observer)
                metrics.opened.add()
                return connection
            } catch {
                if error.isUnsupportedVersion, let lower = version.lower {
                    logger.info("Cassandra \(address) does not speak version \(version.rawValue) of the protocol: trying \(lower.rawValue)")
                    self.version.lower(to: lower)
                    continue
                }
                metrics.failedConnects.add()
                throw CassandraError(error.code, "Cassandra \(address): \(error.message)")
            }
        }
    }
}

extension NodeAddress {
    /// An IP address and no name.
    var isLiteral: Bool { (try? SocketAddress(ipAddress: host, port: port)) != nil }
}

/// Only ever goes down.
final class SharedVersion: Sendable {
    private let version: Mutex<ProtocolVersion>

    init(_ version: ProtocolVersion) { self.version = Mutex(version) }
    var current: ProtocolVersion { version.withLock { $0 } }
    func lower(to other: ProtocolVersion) { version.withLock { $0 = min($0, other) } }
}

/// The connections to one node, each opened again when it is lost, and the statements that the node has prepared.
final class NodePool: Sendable {
    private struct State {
        var connections: [Connection] = []
        var tasks: [Task<Void, Never>] = []
        var statements: [Int: NodeStatement] = [:]
        var preparing: [Int: Task<Result<NodeStatement, CassandraError>, Never>] = [:]
        var lastError: CassandraError?
        var isClosed = false
        /// Changes when somebody wants the pauses cut short.
        var kicks = 0
    }

    let address: NodeAddress
    private let factory: ConnectionFactory
    private let onLoss: @Sendable (NodeAddress) -> Void
    private let state = Mutex(State())

    init(_ address: NodeAddress, _ factory: ConnectionFactory, _ onLoss: @escaping @Sendable (NodeAddress) -> Void) {
        self.address = address
        self.onLoss = onLoss
        self.factory = factory
        let pool = WeakPool(self)
        let tasks = (0..<factory.options.connectionsPerNode).map { _ in Task { await NodePool.keep(pool) } }
        state.withLock { $0.tasks = tasks }
    }

    var isConnected: Bool { connection() != nil }
    /// Nothing answers there: there is no connection, and the last attempt at one came to nothing.
    var isDown: Bool {
        guard !isConnected, let code = lastError?.code else { return false }
        return code == .noNodeAvailable || code == .connectionLost
    }
    var lastError: CassandraError? { state.withLock { $0.lastError } }
    var load: (inFlight: Int, queued: Int) {
        state.withLock { $0.connections }.reduce((0, 0)) { ($0.0 + $1.inFlight, $0.1 + $1.queued) }
    }

    /// The connection with the fewest requests under way; nil when there is none.
    func connection() -> Connection? {
        // One that was just lost may still be in the list.
        let connections = state.withLock { $0.connections }.filter(\.isReady)
        return connections.count < 2 ? connections.first : connections.min { $0.inFlight < $1.inFlight }
    }

    /// The node is said to be there again: connect without further pause.
    func kick() { state.withLock { $0.kicks += 1 } }

    func close() {
        let (connections, tasks) = state.withLock { state in
            state.isClosed = true
            defer {
                state.connections = []
                state.tasks = []
            }
            return (state.connections, state.tasks)
        }
        for task in tasks { task.cancel() }
        for connection in connections { connection.close() }
    }

    // MARK: Connections

    /// Keeps one connection open until the pool is closed. Holds the pool only while it uses it.
    private static func keep(_ reference: WeakPool) async {
        func pool() -> NodePool? { reference.pool }
        guard let options = pool()?.factory.options else { return }
        var backoff = Backoff(first: options.reconnectFirst, limit: options.reconnectLimit)
        while !Task.isCancelled {
            let (closed, signal) = AsyncStream.makeStream(of: CloseReason.self)
            let observer = Connection.Observer(onClose: { reason in
                signal.yield(reason)
                signal.finish()
            })
            guard let connection = await pool()?.open(observer) else {
                guard let pool = pool() else { return }
                await pool.pause(backoff.next())
                continue
            }
            backoff.reset()
            for await reason in closed { pool()?.lost(connection, reason) }
            if Task.isCancelled { connection.close() }
        }
    }

    private func open(_ observer: Connection.Observer) async -> Connection? {
        do throws(CassandraError) {
            let connection = try await factory.open(address, observer: observer)
            let isWanted = state.withLock { state in
                if state.isClosed { return false }
                state.connections.append(connection)
                // It may have been lost already: then its observer's call came before this.
                if connection.closeReason != nil { state.connections.removeAll { $0 === connection } }
                if state.lastError != nil { factory.logger.info("Cassandra \(address) is there again") }
                state.lastError = nil
                return true
            }
            if !isWanted { connection.close() }
            return connection
        } catch {
            let isNew = state.withLock { state in
                // Whoever closes wants no connection: it is no trouble that there is none.
                if state.isClosed { return false }
                defer { state.lastError = error }
                return state.lastError?.message != error.message
            }
            if isNew { factory.logger.warning("\(error.message); trying again") }
            return nil
        }
    }

    private func lost(_ connection: Connection, _ reason: CloseReason) {
        state.withLock { $0.connections.removeAll { $0 === connection } }
        if reason == .requested { return }
        factory.metrics.lost.add()
        factory.logger.info("Cassandra \(address): \(reason)")
        onLoss(address)
    }

    private func pause(_ milliseconds: Int64) async {
        let kicks = state.withLock { $0.kicks }
        let end = Clock.now() + milliseconds
        while Clock.now() < end, !Task.isCancelled, state.withLock({ $0.kicks == kicks }) {
            try? await Task.sleep(for: .milliseconds(min(50, max(1, end - Clock.now()))))
        }
    }

    // MARK: Statements

    /// What the node knows a statement by; asks it at most once at a time.
    func statement(_ number: Int, _ text: String, on connection: Connection, deadline: Int64) async throws(CassandraError) -> NodeStatement
    {
        let (known, task) = state.withLock { state -> (NodeStatement?, Task<Result<NodeStatement, CassandraError>, Never>?) in
            if let known = state.statements[number] { return (known, nil) }
            if let task = state.preparing[number] { return (nil, task) }
            let task = Task { [self] () -> Result<NodeStatement, CassandraError> in
                var result: Result<NodeStatement, CassandraError>
                do throws(CassandraError) {
                    result = .success(NodeStatement(try await prepare(text, on: connection, deadline: deadline)))
                } catch { result = .failure(error) }
                self.state.withLock { state in
                    state.preparing[number] = nil
                    if case .success(let statement) = result { state.statements[number] = statement }
                }
                return result
            }
            state.preparing[number] = task
            return (nil, task)
        }
        if let known { return known }
        guard let task else { throw CassandraError(.closed, "the session was closed") }
        return try await task.value.get()
    }

    func prepare(_ text: String, on connection: Connection, deadline: Int64) async throws(CassandraError) -> PreparedResult {
        factory.metrics.prepared.add()
        let response = try await connection.send(.prepare(text), deadline: deadline)
        guard case .prepared(let result) = try ResultMessage.checked(response) else {
            throw CassandraError(.protocolViolation, "\(address) did not answer PREPARE with a prepared statement")
        }
        return result
    }

    func remember(_ number: Int, _ statement: NodeStatement) { state.withLock { $0.statements[number] = statement } }

    /// The node has forgotten a statement.
    func forget(id: [UInt8]) { state.withLock { state in state.statements = state.statements.filter { $0.value.id != id } } }
}

/// A pool that its own tasks do not keep alive.
private final class WeakPool: Sendable {
    private struct Reference: Sendable { weak var pool: NodePool? }
    private let reference: Mutex<Reference>

    init(_ pool: NodePool) { reference = Mutex(Reference(pool: pool)) }
    var pool: NodePool? { reference.withLock { $0.pool } }
}

extension ResultMessage {
    /// Throws what the node answered when it is an error.
    static func checked(_ response: Response, columns: [CQLColumn]? = nil) throws(CassandraError) -> ResultMessage {
        do {
            if response.opcode == .error {
                var reader = WireReader(response.body)
                let error = try ServerError.read(&reader, response.version)
                throw CassandraError(error)
            }
            guard response.opcode == .result else { throw MalformedMessage("\(response.opcode) where a result belongs") }
            return try read(response, columns: columns)
        } catch let fault as MalformedMessage {
            throw CassandraError(fault)
        } catch let error as CassandraError {
            throw error
        } catch {
            throw CassandraError(.protocolViolation, "\(error)")
        }
    }
}
