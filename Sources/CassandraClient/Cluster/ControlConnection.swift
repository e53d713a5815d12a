import Logging
import Synchronization
import Telemetry

/// The one connection that asks about the cluster and hears its events. When it is lost, another node is asked.
final class ControlConnection: Sendable {
    /// What the session does with what is found.
    struct Observer: Sendable {
        var onMap: @Sendable (ClusterMap) -> Void
        var onEvent: @Sendable (ClusterEvent) -> Void
    }

    private struct State {
        var map: ClusterMap?
        var connection: Connection?
        var task: Task<Void, Never>?
        var isClosed = false
        var localDatacenter: String?
        var rotation = 0
    }

    private let factory: ConnectionFactory
    private let observer: Observer
    private let state: Mutex<State>

    init(_ factory: ConnectionFactory, _ observer: Observer) {
        self.factory = factory
        self.observer = observer
        state = Mutex(State(localDatacenter: factory.options.localDatacenter))
    }

    private static let events = ["TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"]

    /// Connects to the first node that answers and reads the cluster's tables; keeps doing so until `close`.
    /// Throws `CassandraError` when no node answers.
    func start() async throws(CassandraError) {
        let signal = AsyncStream.makeStream(of: Signal.self, bufferingPolicy: .bufferingNewest(64))
        try await connect(signal.continuation)
        let task = Task { [weak self] in
            var lastRefresh = Clock.now()
            for await what in signal.stream {
                guard let self, !Task.isCancelled else { return }
                switch what {
                case .changed:
                    // What came while this one waited is part of the same look.
                    await sleep(max(0, factory.options.refreshPause - (Clock.now() - lastRefresh)))
                    lastRefresh = Clock.now()
                    await refresh()
                case .lost(let connection):
                    if state.withLock({ $0.connection !== connection }) { continue }
                    await reconnect(signal.continuation)
                    lastRefresh = Clock.now()
                }
            }
        }
        let isClosed = state.withLock { state in
            state.task = task
            return state.isClosed
        }
        if isClosed { task.cancel() }
    }

    func close() {
        let (connection, task) = state.withLock { state in
            state.isClosed = true
            return (state.connection, state.task)
        }
        task?.cancel()
        connection?.close()
    }

    /// Of which node the cluster is known.
    var address: NodeAddress? { state.withLock { $0.connection?.address } }

    private enum Signal: Sendable {
        case changed
        case lost(Connection?)
    }

    private func sleep(_ milliseconds: Int64) async {
        if milliseconds > 0 { try? await Task.sleep(for: .milliseconds(milliseconds)) }
    }

    private func reconnect(_ signal: AsyncStream<Signal>.Continuation) async {
        var backoff = Backoff(first: factory.options.reconnectFirst, limit: factory.options.reconnectLimit)
        while !Task.isCancelled, !state.withLock({ $0.isClosed }) {
            do throws(CassandraError) {
                try await connect(signal)
                return
            } catch {
                await sleep(backoff.next())
            }
        }
    }

    /// Known nodes first, from another one each time, then the contact points.
    private func candidates() -> [NodeAddress] {
        state.withLock { state in
            state.rotation += 1
            var nodes = state.map.map { $0.plan(keyspace: nil, token: nil, rotation: state.rotation, usesRemote: true) } ?? []
            for point in factory.options.contactPoints where !nodes.contains(point) { nodes.append(point) }
            return nodes
        }
    }

    private func connect(_ signal: AsyncStream<Signal>.Continuation) async throws(CassandraError) {
        var failure = CassandraError(.noNodeAvailable, "no node of Cassandra is known")
        for address in candidates() {
            if Task.isCancelled { throw CassandraError(.cancelled, "the task was cancelled") }
            let holder = Holder()
            let observer = Connection.Observer(
                onEvent: { [observer] event in
                    observer.onEvent(event)
                    signal.yield(.changed)
                },
                onClose: { _ in signal.yield(.lost(holder.value)) })
            do throws(CassandraError) {
                let connection = try await factory.open(address, events: ControlConnection.events, observer: observer)
                holder.set(connection)
                do throws(CassandraError) { try await read(connection) } catch {
                    connection.close()
                    throw error
                }
                let isClosed = state.withLock { state in
                    state.connection = connection
                    return state.isClosed
                }
                if isClosed { connection.close() }
                // Lost before anybody could hear of it.
                if connection.closeReason != nil { signal.yield(.lost(connection)) }
                return
            } catch {
                failure = error
                // Every node says the same of a wrong password: others are not asked with it.
                if error.code == .authentication { throw error }
            }
        }
        throw failure
    }

    private func refresh() async {
        guard let connection = state.withLock({ $0.connection }), connection.closeReason == nil else { return }
        do throws(CassandraError) { try await read(connection) } catch {
            // What a close has cut short is no trouble.
            if state.withLock({ $0.isClosed }) { return }
            factory.logger.warning("the tables about the cluster cannot be read from \(connection.address): \(error.message)")
            // A node that cannot even answer this is not the one to ask.
            connection.close()
        }
    }

    private func read(_ connection: Connection) async throws(CassandraError) {
        factory.metrics.refreshes.add()
        let reader = ClusterReader(connection: connection, options: factory.options)
        let nodes = try await reader.nodes()
        let keyspaces = try await reader.keyspaces()
        let map = state.withLock { state in
            let local = state.localDatacenter ?? nodes.first?.datacenter ?? ""
            state.localDatacenter = local
            let map = ClusterMap(nodes, keyspaces: keyspaces, localDatacenter: local)
            state.map = map
            return map
        }
        observer.onMap(map)
    }
}

/// A connection that its own observer can name.
private final class Holder: Sendable {
    private let connection = Mutex<Connection?>(nil)

    var value: Connection? { connection.withLock { $0 } }
    func set(_ connection: Connection) { self.connection.withLock { $0 = connection } }
}
