import Coordination
import FoundationEssentials
import Logging
import Synchronization
import Telemetry

/// Coordination through a ZooKeeper ensemble.
///
/// Works from the moment it is made, whether or not the ensemble is there: it owns nothing until it has joined, calls wait, and
/// when a session ends another one is opened that repeats all that was asked for. `close` must be called; it lets the others take over at
/// once. How two processes never own a name at once: `Division`; how long an answer can be trusted: `LeaseTiming`.
package final class ZooKeeperCoordinator: CoordinationService {
    private let options: ZooKeeperOptions
    let view: LocalView
    private let logger: Logger
    private let task: Mutex<Task<Void, Never>?>

    package init(options: ZooKeeperOptions, logger: Logger, metrics registry: MetricRegistry) {
        self.options = options
        self.logger = logger
        let metrics = ZooKeeperMetrics(registry)
        let view = LocalView(timing: LeaseTiming(sessionTimeout: options.sessionTimeout), metrics: metrics)
        self.view = view
        ZooKeeperLog.direct(to: logger)
        registry.onCollect { [weak view] in
            guard let view else { return }
            let status = view.status
            metrics.connected.set(status.connection == .connected ? 1 : 0)
            metrics.members.set(Double(status.members.count))
            metrics.lease.set(view.leaseRemaining.seconds)
        }
        task = Mutex(Task { await ZooKeeperCoordinator.sessions(options, view, logger) })
    }

    deinit { task.withLock { $0?.cancel() } }

    /// One session after the other.
    private static func sessions(_ options: ZooKeeperOptions, _ view: LocalView, _ logger: Logger) async {
        let shortest = Duration.milliseconds(100)
        var pause = shortest
        while !view.isClosed && !Task.isCancelled {
            let before = view.sessionsOpened
            let end = await SessionLoop.run(options, view: view, logger: logger)
            if view.sessionsOpened > before { pause = shortest }
            switch end {
            case .closed: return
            case .expired:
                view.metrics.expirations.add()
                logger.warning("ZooKeeper at \(options.place) has ended the session; opening another one")
                view.note(.connecting)
            case .refused(let why):
                logger.error("\(why)")
                view.note(.refused(why))
                pause = min(pause * 2, .seconds(10))
            case .failed(let why):
                logger.warning("\(why); trying again")
                view.note(.connecting)
                pause = min(pause * 2, .seconds(10))
            }
            try? await Task.sleep(for: pause)
        }
    }

    // MARK: Work

    package func owns(_ name: String) -> Bool { view.tenure(of: name) != nil }
    package func tenure(of name: String) -> Duration? { view.tenure(of: name) }
    package var status: CoordinationStatus { view.status }
    package func events() -> AsyncStream<CoordinationEvent> { view.eventStream() }

    package func campaign(for name: String) { view.wish { $0.campaigns.insert(name) } }
    package func resign(from name: String) { view.wish { $0.campaigns.remove(name) } }
    package func isLeader(of name: String) -> Bool { view.isLeader(of: name) }

    // MARK: Names

    package func register(_ instance: ServiceInstance) { view.wish { $0.instances[instance.key] = instance } }
    package func withdraw(_ instance: ServiceInstance) { view.wish { $0.instances[instance.key] = nil } }

    package func instances() async throws -> [ServiceInstance] {
        try await perform { session, _ in
            let folder = session.paths.instances
            let nodes = try await session.handle.children(folder).compactMap { node in SequentialName(node).map { ($0, node) } }
            // A process that came back before its former session expired is there twice; the newer one counts.
            let newest = Dictionary(
                nodes.map { ($0.id, $1) },
                uniquingKeysWith: { a, b in
                    (SequentialName(a)?.sequence ?? 0) > (SequentialName(b)?.sequence ?? 0) ? a : b
                })
            var found: [ServiceInstance] = []
            for node in newest.values {
                do {
                    let bytes = try await session.handle.read("\(folder)/\(node)").bytes
                    if let instance = try? JSONDecoder().decode(ServiceInstance.self, from: Data(bytes)) { found.append(instance) }
                } catch let failure as ZooKeeperFailure where failure.isMissingNode {
                    continue
                }
            }
            return found.sorted { $0.key < $1.key }
        }
    }

    // MARK: Epochs and configuration

    package func nextEpoch(for name: String) async throws -> Int64 {
        try await perform { session, _ in try await session.nextEpoch(for: name) }
    }

    package func configuration() async throws -> CentralConfiguration? {
        try await perform { session, _ in try await session.configuration() }
    }

    @discardableResult
    package func writeConfiguration(_ bytes: [UInt8], expectedVersion: Int64?) async throws -> Int64 {
        try CentralConfiguration.check(bytes)
        return try await perform { session, isRepeated in
            try await session.writeConfiguration(bytes, expectedVersion: expectedVersion, isRepeated: isRepeated)
        }
    }

    package func watchConfiguration() -> AsyncStream<CentralConfiguration> { view.configurationStream() }

    /// Runs a call, again after a lost connection or session until the call's time is over.
    private func perform<Value: Sendable>(
        _ body: @Sendable (_ session: ZooKeeperSession, _ isRepeated: Bool) async throws -> Value
    ) async throws -> Value {
        let deadline = ContinuousClock.now + options.callTimeout
        var isRepeated = false
        while true {
            let session = try await view.session(until: deadline, place: options.place)
            do {
                return try await body(session, isRepeated)
            } catch let failure as ZooKeeperFailure {
                if view.isClosed { throw CoordinationError.closed }
                guard failure.isConnectionLoss || failure.endsSession, ContinuousClock.now < deadline else {
                    throw failure.coordinationError(at: options.place)
                }
                isRepeated = true
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    // MARK: End

    /// Takes up to the session timeout and three seconds when the servers do not answer. Nothing is owned or led from the call on.
    package func close() async {
        _ = view.close()
        let running = task.withLock { $0.take() }
        running?.cancel()
        await running?.value
    }
}
