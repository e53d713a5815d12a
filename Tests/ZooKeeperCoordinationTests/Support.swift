import Coordination
import CoordinationContract
import Logging
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import ZooKeeperCoordination

/// One server for all tests of a suite.
struct OneZooKeeper: SuiteTrait, TestScoping {
    @TaskLocal static var server: ZooKeeperServer?

    func provideScope(for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void) async throws
    {
        let server = try await ZooKeeperServer.started()
        defer { server.kill() }
        try await OneZooKeeper.$server.withValue(server) { try await function() }
    }
}

/// Keeps what was logged.
final class CollectedLog: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    var text: String { all.joined(separator: "\n") }

    var logger: Logger {
        var logger = Logger(label: "test") { [self] _ in Handler(log: self) }
        logger.logLevel = .trace
        return logger
    }

    private struct Handler: LogHandler {
        let log: CollectedLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            log.lines.withLock { $0.append("\(event.level): \(event.message) \(event.metadata ?? [:])") }
        }
    }
}

/// Processes of one installation; closes them all.
final class Processes: Sendable {
    static let timeout = Duration.seconds(2)

    let log = CollectedLog()
    let registry = MetricRegistry()
    private let connection: String
    private let credentials: ZooKeeperCredentials?
    private let opened = Mutex<[ZooKeeperCoordinator]>([])

    init(_ address: String, folder: String = "/almanac-\(UInt64.random(in: 0...UInt64.max))", credentials: ZooKeeperCredentials? = nil) {
        connection = address + folder
        self.credentials = credentials
    }

    func open(_ name: String, group: String? = "collect", callTimeout: Duration = .seconds(10)) throws -> ZooKeeperCoordinator {
        var options = try ZooKeeperOptions(connection: connection, memberName: name)
        options.sessionTimeout = Processes.timeout
        options.credentials = credentials
        options.group = group
        options.callTimeout = callTimeout
        let made = ZooKeeperCoordinator(options: options, logger: log.logger, metrics: registry)
        opened.withLock { $0.append(made) }
        return made
    }

    func closeAll() async {
        await withTaskGroup(of: Void.self) { group in
            for process in opened.withLock({ $0 }) { group.addTask { await process.close() } }
        }
    }
}

/// The events of a process so far.
final class Told: Sendable {
    private let events = Mutex<[CoordinationEvent]>([])

    init(_ stream: AsyncStream<CoordinationEvent>) {
        Task { for await event in stream { events.withLock { $0.append(event) } } }
    }

    var all: [CoordinationEvent] { events.withLock { $0 } }
    var ofLease: [CoordinationEvent] { all.filter { if case .lease = $0 { true } else { false } } }
}

func names(_ count: Int) -> [String] { CoordinatorContract.names(count) }

func ownsAll(_ processes: ZooKeeperCoordinator...) -> Bool {
    names(60).allSatisfy { name in processes.filter { $0.owns(name) }.count == 1 }
}

/// Watches all the time that no name has two owners: one that owns it before and after another was seen to.
final class OwnershipWatch: Sendable {
    private struct State {
        var violations: [String] = []
        var looks = 0
        var isStopped = false
    }

    private let state = Mutex(State())

    init(_ processes: [ZooKeeperCoordinator], names: [String] = names(8)) {
        Task { await watch(processes, names) }
    }

    private func watch(_ processes: [ZooKeeperCoordinator], _ names: [String]) async {
        while !state.withLock({ $0.isStopped }) {
            for name in names {
                let before = processes.map { $0.owns(name) }
                let after = processes.map { $0.owns(name) }
                let owners = processes.indices.filter { before[$0] && after[$0] }
                state.withLock { state in
                    state.looks += 1
                    if owners.count > 1 { state.violations.append("\(name): \(owners)") }
                }
            }
            try? await Task.sleep(for: .microseconds(500))
        }
    }

    /// - Returns: names with two owners.
    func stop() -> [String] {
        state.withLock { state in
            state.isStopped = true
            return state.looks > 0 ? state.violations : ["nobody looked"]
        }
    }
}
