import CassandraClient
import Foundation
import Records
import Storage
import StorageContract
import Synchronization
import TestSupport
import Testing
import TimeSeries

@testable import CassandraScript
@testable import CassandraStorage

/// What Cassandra does otherwise, and why.
enum Otherwise {
    /// Rows end by their own life, which is given when they are written; nothing is removed at a call, at a time that the call names.
    static let retention: Set<String> = [
        "retention removes what is old and nothing else", "incidents go with their retention, and hold their series until then",
        "traffic goes with its retention",
    ]
    /// A batch is many partitions, and no transaction goes over them: readers may see a part of a batch that is being written.
    static let wholeBatches: Set<String> = ["reads during writes see whole batches"]

    static let checks: [ContractCheck] = {
        var names: Set<String> = []
        return ResultStoreContract.checks.filter { check in
            !retention.contains(check.name) && !wholeBatches.contains(check.name) && names.insert(check.name).inserted
        }
    }()
}

/// A node in memory that is made on the first opening.
final class MemoryBackend: StoreBackend {
    let memory = MemoryCassandra()
    let node: ScriptedNode
    private let isMade = Mutex(false)
    private let adjust: @Sendable (inout CassandraStoreOptions) -> Void

    init(_ adjust: @escaping @Sendable (inout CassandraStoreOptions) -> Void = { _ in }) {
        node = ScriptedNode(ScriptedNode.Identity(), memory.script())
        self.adjust = adjust
    }

    var options: CassandraStoreOptions {
        var client = CassandraOptions(contactPoints: [node.address])
        client.reconnectFirst = 10
        client.reconnectLimit = 50
        client.tick = 10
        var options = CassandraStoreOptions(client: client)
        options.keyspace = "k"
        adjust(&options)
        return options
    }

    func open() async throws -> any ResultStore { try await openStore() }

    func openStore() async throws -> CassandraStore {
        if !isMade.withLock({ $0 }) {
            try await node.start()
            try await CassandraSchema.install(options)
            isMade.withLock { $0 = true }
        }
        return try CassandraStore(options)
    }
}

@Suite(.serialized, .timeLimit(.minutes(10))) struct CassandraContractTests {
    @Test(arguments: Otherwise.checks) func inMemory(_ check: ContractCheck) async throws {
        let backend = MemoryBackend()
        try await check.run(backend)
        let refused = backend.memory.refused.withLock { $0 }
        #expect(refused.isEmpty, "refused: \(refused)")
        await backend.node.stop()
    }

    /// Few rows a request, one connection's streams nearly all taken, nothing remembered: the same contract.
    @Test(arguments: Otherwise.checks) func inSmallSteps(_ check: ContractCheck) async throws {
        let backend = MemoryBackend {
            $0.client.maximumStreams = 8
            $0.batchRows = 3
            $0.seriesCacheLimit = 2
        }
        try await check.run(backend)
        await backend.node.stop()
    }
}

/// The contract against a Cassandra that is given: ALMANAC_TEST_CASSANDRA=host:port.
@Suite(.needsCassandra, .serialized, .timeLimit(.minutes(30))) struct RealCassandraContractTests {
    @Test(arguments: Otherwise.checks) func contract(_ check: ContractCheck) async throws { try await check.run(RealBackend()) }
}

private final class RealBackend: StoreBackend {
    private static let count = Mutex(0)
    private static let run = UInt32.random(in: 0...(.max))
    private let options: CassandraStoreOptions
    private let isMade = Mutex(false)

    init() {
        let environment = ProcessInfo.processInfo.environment
        var client = CassandraOptions(contactPoints: environment["ALMANAC_TEST_CASSANDRA"].flatMap { NodeAddress($0) }.map { [$0] } ?? [])
        if let user = environment["ALMANAC_TEST_CASSANDRA_USER"] {
            client.credentials = Credentials(user: user, password: environment["ALMANAC_TEST_CASSANDRA_PASSWORD"] ?? "")
        }
        var options = CassandraStoreOptions(client: client)
        options.keyspace = RealBackend.count.withLock { count in
            count += 1
            return "almanac_test_\(RealBackend.run)_\(count)"
        }
        self.options = options
    }

    func open() async throws -> any ResultStore {
        if !isMade.withLock({ $0 }) {
            try await CassandraSchema.install(options)
            isMade.withLock { $0 = true }
        }
        return try CassandraStore(options)
    }
}

extension Trait where Self == ConditionTrait {
    static var needsCassandra: ConditionTrait {
        .enabled(
            if: ProcessInfo.processInfo.environment["ALMANAC_TEST_CASSANDRA"].flatMap { NodeAddress($0) } != nil,
            "no Cassandra is given: set ALMANAC_TEST_CASSANDRA=host:port to run these")
    }
}
