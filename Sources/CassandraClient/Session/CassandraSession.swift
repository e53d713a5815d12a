import Logging
import NIOPosix
import Synchronization
import Telemetry

/// A cluster and the connections to its nodes. Any number of tasks may use one session at the same time.
///
///     let session = try await CassandraSession.open(options)
///     let insert = try await session.prepare("INSERT INTO k.t (id, v) VALUES (?, ?)")
///     try await session.execute(insert, [.bigint(1), .text("one")], .idempotent)
///     for try await page in session.pages(select, [.bigint(1)]) { ... }
///     await session.close()
///
/// Requests go to a replica of their partition in the local datacentre. What failed is sent again only where that does no harm
/// (`RetryPolicy`). All methods throw `CassandraError`.
package final class CassandraSession: Sendable {
    private struct State {
        var map: ClusterMap?
        var pools: [NodeAddress: NodePool] = [:]
        var statements: [String: PreparedStatement] = [:]
        var nextStatement = 0
        var isClosed = false
    }

    package let options: CassandraOptions
    let metrics: CassandraMetrics
    private let logger: Logger
    private let factory: ConnectionFactory
    private let onLoss: @Sendable (NodeAddress) -> Void
    private let state = Mutex(State())
    private let control: ControlConnection
    private let timestamps = TimestampGenerator()
    private let rotation = Atomic<Int>(0)

    /// Connects to the first contact point that answers, reads the cluster's tables and connects to its nodes.
    /// - Parameter onLoss: called with a node whenever a connection to it ends that was not closed here; soon after, not at once.
    package static func open(
        _ options: CassandraOptions, metrics: MetricRegistry = MetricRegistry(), logger: Logger = Logger(label: "cassandra"),
        onLoss: @escaping @Sendable (NodeAddress) -> Void = { _ in }
    ) async throws(CassandraError) -> CassandraSession {
        try options.check()
        let session = try CassandraSession(options, CassandraMetrics(metrics), logger, onLoss)
        do throws(CassandraError) {
            try await session.control.start()
            try await session.waitForNode()
        } catch {
            await session.close()
            throw error
        }
        return session
    }

    private init(
        _ options: CassandraOptions, _ metrics: CassandraMetrics, _ logger: Logger, _ onLoss: @escaping @Sendable (NodeAddress) -> Void
    ) throws(CassandraError) {
        self.onLoss = onLoss
        self.options = options
        self.metrics = metrics
        self.logger = logger
        factory = ConnectionFactory(
            options: options, tls: try options.tls.context(), group: MultiThreadedEventLoopGroup.singleton, metrics: metrics,
            logger: logger,
            version: SharedVersion(options.version))
        let forward = Forward()
        control = ControlConnection(
            factory, ControlConnection.Observer(onMap: { forward.session?.take($0) }, onEvent: { forward.session?.hear($0) }))
        forward.set(self)
        metrics.watch { [weak self] in self?.load() ?? (0, 0, 0, 0) }
    }

    /// The version of the protocol that is spoken.
    package var version: ProtocolVersion { factory.version.current }
    package var cluster: ClusterMap? { state.withLock { $0.map } }
    /// Nodes to which there is a connection now.
    package var connectedNodes: [NodeAddress] {
        state.withLock { $0.pools }.filter { $0.value.isConnected }.keys.sorted { $0.description < $1.description }
    }

    private func load() -> (inFlight: Int, queued: Int, nodes: Int, connected: Int) {
        let pools = state.withLock { Array($0.pools.values) }
        let loads = pools.map(\.load)
        return (
            loads.reduce(0) { $0 + $1.inFlight }, loads.reduce(0) { $0 + $1.queued }, pools.count, pools.filter(\.isConnected).count
        )
    }

    package func close() async { end() }

    /// Whoever lets go of a session without closing it wants it no more: else it would connect to nodes for ever.
    deinit { end() }

    private func end() {
        let pools = state.withLock { state in
            state.isClosed = true
            defer { state.pools = [:] }
            return Array(state.pools.values)
        }
        control.close()
        for pool in pools { pool.close() }
    }

    // MARK: Requests

    /// Prepares a statement; asked again for the same text it gives the same one.
    package func prepare(_ text: String) async throws(CassandraError) -> PreparedStatement {
        if let known = state.withLock({ $0.statements[text] }) { return known }
        let result = try await run(.prepare(text), .idempotent)
        guard case .prepared(let prepared, let pool) = result else { throw CassandraError(.protocolViolation, "nothing was prepared") }
        let statement = state.withLock { state -> PreparedStatement? in
            if let known = state.statements[text] { return known }
            if state.statements.count >= options.maximumStatements { return nil }
            let made = PreparedStatement(text, number: state.nextStatement, prepared)
            state.nextStatement += 1
            state.statements[text] = made
            return made
        }
        guard let statement else {
            throw CassandraError(
                .usage, "more than \(options.maximumStatements) statements: values belong into bind markers, not into the text")
        }
        pool.remember(statement.number, NodeStatement(prepared))
        return statement
    }

    /// Runs a prepared statement. Of a result that is longer than a page the first page comes, with the state to go on from.
    @discardableResult
    package func execute(
        _ statement: PreparedStatement, _ values: BoundValues = [], _ options: RequestOptions = RequestOptions()
    ) async throws(CassandraError) -> Rows {
        guard values.count == statement.markers.count else {
            throw CassandraError(.usage, "\(values.count) values for \(statement.markers.count) bind markers: \(statement.text)")
        }
        var options = options
        if options.token == nil { options.token = statement.token(values) }
        if options.keyspace == nil { options.keyspace = statement.keyspace }
        return try await run(.execute(statement, values), options).rows
    }

    /// Runs a statement that is not prepared: for what is done once, as changes of the schema, after which this waits until all nodes
    /// have it.
    @discardableResult
    package func query(
        _ text: String, _ values: BoundValues = [], _ options: RequestOptions = RequestOptions()
    ) async throws(CassandraError) -> Rows {
        try await run(.query(text, values), options).rows
    }

    /// Runs a batch. It goes to a replica of the first statement's partition.
    package func execute(_ batch: Batch, _ options: RequestOptions = RequestOptions()) async throws(CassandraError) {
        guard let first = batch.items.first else { return }
        for item in batch.items where item.values.count != item.statement.markers.count {
            throw CassandraError(
                .usage, "\(item.values.count) values for \(item.statement.markers.count) bind markers: \(item.statement.text)")
        }
        var options = options
        if options.token == nil { options.token = first.statement.token(first.values) }
        if options.keyspace == nil { options.keyspace = first.statement.keyspace }
        _ = try await run(.batch(batch), options)
    }

    /// All pages of a result, each fetched when the one before has been used.
    package func pages(
        _ statement: PreparedStatement, _ values: BoundValues = [], _ options: RequestOptions = RequestOptions()
    ) -> CassandraPages {
        CassandraPages(session: self, statement: statement, values: values, options: options)
    }

    /// Waits until all nodes that are not known to be down have the same schema; false when that takes too long.
    package func waitForSchemaAgreement() async throws(CassandraError) -> Bool {
        var connection: Connection?
        for pool in state.withLock({ Array($0.pools.values) }) where connection == nil { connection = pool.connection() }
        guard let connection else { throw CassandraError(.noNodeAvailable, "no node of Cassandra answers") }
        let reader = ClusterReader(connection: connection, options: options, isDown: { self.isDown($0) })
        return try await reader.waitForSchemaAgreement()
    }

    // MARK: The cluster

    private func take(_ map: ClusterMap) {
        let wanted = map.nodes.filter { options.usesRemoteDatacenters || $0.datacenter == map.localDatacenter }.map(\.address)
        let gone = state.withLock { state -> [NodePool] in
            if state.isClosed { return [] }
            state.map = map
            var gone: [NodePool] = []
            for (address, pool) in state.pools where !wanted.contains(address) {
                gone.append(pool)
                state.pools[address] = nil
            }
            for address in wanted where state.pools[address] == nil {
                state.pools[address] = NodePool(address, factory, onLoss)
                logger.debug("Cassandra \(address) is used from now on")
            }
            return gone
        }
        for pool in gone {
            logger.info("Cassandra \(pool.address) has left the cluster")
            pool.close()
        }
    }

    /// Whether a node is known to be down. Of nodes that requests do not go to, as those elsewhere, nothing is known.
    private func isDown(_ node: Node) -> Bool {
        let pool = state.withLock { state -> NodePool? in
            // Nodes tell of each other by announced addresses, which need not be those in use here.
            let known = state.map?.nodes.first { $0.id != nil && $0.id == node.id }
            return state.pools[known?.address ?? node.address]
        }
        return pool?.isDown ?? false
    }

    private func hear(_ event: ClusterEvent) {
        switch event {
        case .nodeUp(let address), .nodeAdded(let address): state.withLock { $0.pools[address] }?.kick()
        default: break
        }
    }

    private func waitForNode() async throws(CassandraError) {
        let end = Clock.now() + options.connectTimeout
        while Clock.now() < end {
            let pools = state.withLock { Array($0.pools.values) }
            if pools.contains(where: \.isConnected) { return }
            if !pools.isEmpty, let error = pools.compactMap(\.lastError).first, pools.allSatisfy({ $0.lastError != nil }) { throw error }
            if pools.isEmpty {
                let local = state.withLock { $0.map?.localDatacenter ?? "" }
                throw CassandraError(.noNodeAvailable, "no node of Cassandra is in the datacentre \(local)")
            }
            do { try await Task.sleep(for: .milliseconds(5)) } catch { throw CassandraError(.cancelled, "the task was cancelled") }
        }
        throw CassandraError(.noNodeAvailable, "no node of Cassandra answered in time")
    }

    // MARK: Attempts

    private func run(_ work: RequestAttempt.Work, _ options: RequestOptions) async throws(CassandraError) -> RequestAttempt.Outcome {
        var options = options
        // One timestamp for all attempts, so that sending again changes nothing.
        if options.timestamp == nil { options.timestamp = timestamps.next() }
        let end = Clock.now() + (options.timeout ?? self.options.requestTimeout)
        var place = 0
        var attempts = 0
        let turn = rotation.wrappingAdd(1, ordering: .relaxed).newValue
        while true {
            let (pool, connection) = try node(&place, turn, options)
            do throws(CassandraError) {
                let deadline = min(end, Clock.now() + self.options.attemptTimeout)
                return try await RequestAttempt(
                    options: options, defaults: self.options, metrics: metrics, logger: logger, pool: pool, connection: connection,
                    deadline: deadline, isDown: { self.isDown($0) }
                ).run(work)
            } catch {
                attempts += 1
                if error.code == .timeout { metrics.timeouts.add() }
                let decision = RetryPolicy.decide(
                    error, isIdempotent: options.isIdempotent, attempt: attempts, maximum: self.options.maximumAttempts,
                    random: .random(in: 0...1))
                switch decision {
                case .giveUp:
                    metrics.failures.add()
                    throw error
                case .sameNode(let reason): metrics.retried(reason)
                case .nextNode(let reason, let pause):
                    place += 1
                    guard Clock.now() + pause < end else {
                        metrics.failures.add()
                        throw error
                    }
                    metrics.retried(reason)
                    if pause > 0, (try? await Task.sleep(for: .milliseconds(pause))) == nil { throw error }
                }
            }
        }
    }

    /// The node to ask: the first connected one of the plan from `place` on.
    private func node(_ place: inout Int, _ turn: Int, _ options: RequestOptions) throws(CassandraError) -> (NodePool, Connection) {
        let (map, pools, isClosed) = state.withLock { ($0.map, $0.pools, $0.isClosed) }
        if isClosed { throw CassandraError(.closed, "the session was closed") }
        let plan =
            map?.plan(
                keyspace: options.keyspace, token: options.token, rotation: turn, usesRemote: self.options.usesRemoteDatacenters) ?? []
        for step in plan.indices {
            guard let pool = pools[plan[(place + step) % plan.count]], let connection = pool.connection() else { continue }
            place += step
            return (pool, connection)
        }
        metrics.failures.add()
        let reason = pools.values.compactMap(\.lastError).first.map { ": \($0.message)" } ?? ""
        throw CassandraError(.noNodeAvailable, "no node of Cassandra answers\(reason)")
    }
}

/// The session, for what is made before it.
private final class Forward: Sendable {
    private struct Reference: Sendable { weak var session: CassandraSession? }
    private let reference = Mutex(Reference())

    var session: CassandraSession? { reference.withLock { $0.session } }
    func set(_ session: CassandraSession) { reference.withLock { $0.session = session } }
}
