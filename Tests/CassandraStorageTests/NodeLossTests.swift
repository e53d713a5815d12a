import CassandraClient
import CassandraStorage
import Foundation
import Records
import Storage
import StorageContract
import Synchronization
import TestSupport
import Testing
import TimeSeries

/// A real node is killed with SIGKILL while rows are written: what was acknowledged is there afterwards, whole.
@Suite(.enabled(if: GivenCassandra.canBeKilled, Comment(rawValue: GivenCassandra.lacking)), .serialized, .timeLimit(.minutes(15)))
struct NodeLossTests {
    private static let rounds = 4
    private static let writers = 8
    private static let seriesOfWriter = 20

    @Test func acknowledgedRowsOutliveTheNode() async throws {
        let given = try #require(GivenCassandra.value)
        let options = try Self.options(given)
        try await CassandraSchema.install(options)
        let store = try CassandraStore(options)
        let progress = Progress(writers: Self.writers)
        let isOver = Flag()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<Self.writers {
                group.addTask {
                    var batch = 0
                    while !isOver.isSet {
                        // Each row once and again until it is acknowledged, as the store role does it.
                        do { try await store.write(Self.batch(batch, of: writer)) } catch let error as StorageError {
                            guard case .unavailable = error.code else { throw error }
                            progress.fail()
                            continue
                        }
                        batch += 1
                        progress.acknowledge(batch, of: writer)
                    }
                }
            }
            group.addTask {
                defer { isOver.set() }
                for round in 0..<Self.rounds {
                    try await Self.moreRows(progress, 25, "before kill \(round)")
                    try given.kill()
                    let before = progress.failures
                    if round % 2 == 0 {
                        let goal = (progress.acknowledged.max() ?? 0) + 25
                        // A cluster may go on without the node; a single node cannot.
                        try await eventually("a write notices", within: 60) {
                            progress.failures > before || progress.acknowledged.min() ?? 0 > goal
                        }
                    }
                    try given.start()
                }
                try await Self.moreRows(progress, 25, "at the end")
            }
            try await group.waitForAll()
        }
        let written = progress.acknowledged
        print("\(written.reduce(0, +) * Self.seriesOfWriter) rows acknowledged, \(progress.failures) writes failed and were repeated")
        await store.close()
        let reader = try CassandraStore(options)
        var lost: [String] = []
        for writer in 0..<Self.writers {
            for series in Self.keys(of: writer) {
                let rows = try await reader.windowsHistory(series.id, from: 0, to: .max, limit: 1_000_000)
                let found = Dictionary(grouping: rows, by: \.time).mapValues { $0[0] }
                for index in 0..<written[writer] {
                    let row = Self.row(series, index)
                    if found[row.time] != row {
                        lost.append("\(series.labels) of batch \(index): \(found[row.time].map { "\($0)" } ?? "none")")
                    }
                }
            }
        }
        #expect(lost.isEmpty, "\(lost.count) acknowledged rows are lost: \(lost.prefix(5))")
        await reader.close()
    }

    /// Each writer has had so many more acknowledged.
    private static func moreRows(_ progress: Progress, _ count: Int, _ when: String) async throws {
        let goal = progress.acknowledged.map { $0 + count }
        try await eventually("rows are acknowledged \(when)", within: 180, every: .milliseconds(20)) {
            zip(progress.acknowledged, goal).allSatisfy { $0 >= $1 }
        }
    }

    private static func options(_ given: GivenCassandra) throws -> CassandraStoreOptions {
        var client = CassandraOptions(contactPoints: [try #require(NodeAddress(given.address))])
        if let user = given.user { client.credentials = Credentials(user: user, password: given.password) }
        var options = CassandraStoreOptions(client: client)
        // A cluster's rows outlive one of its nodes without a pause only where others have them as well.
        options.replication = .simple(factor: given.nodes)
        options.keyspace = "almanac_test_loss_\(UInt32.random(in: 0...UInt32.max))"
        return options
    }

    private static func keys(of writer: Int) -> [SeriesKey] {
        (0..<seriesOfWriter).map { key("loss", [("writer", "\(writer)"), ("series", "\($0)")]) }
    }

    private static func row(_ series: SeriesKey, _ index: Int) -> WindowsResult {
        windows(series, at: start + Milliseconds(index) * 5 * minute, value: Double(index))
    }

    private static func batch(_ index: Int, of writer: Int) -> StoreBatch {
        StoreBatch(windows: keys(of: writer).map { row($0, index) })
    }
}

/// How far each writer is.
private final class Progress: Sendable {
    private let state: Mutex<(acknowledged: [Int], failures: Int)>

    init(writers: Int) { state = Mutex(([Int](repeating: 0, count: writers), 0)) }

    var acknowledged: [Int] { state.withLock { $0.acknowledged } }
    var failures: Int { state.withLock { $0.failures } }
    func acknowledge(_ batches: Int, of writer: Int) { state.withLock { $0.acknowledged[writer] = batches } }
    func fail() { state.withLock { $0.failures += 1 } }
}
