import CassandraClient
import Logging
import Records
import Storage
import Synchronization
import Telemetry
import TimeSeries

/// Results in a Cassandra cluster, which any number of processes may share. The tables are described in docs/formats/cassandra.md.
///
/// Connects when it is first used; while no node answers calls throw `unavailable`. A write is many requests and no transaction: what fails
/// is written again as a whole, which changes nothing that is there. Rows end by themselves after their retention; nothing but old
/// checkpoints is deleted.
package final class CassandraStore: ResultStore {
    /// A session and what is prepared on it.
    struct Connected: Sendable {
        let session: CassandraSession
        let statements: CassandraStatements
    }

    struct State {
        var opening: Task<Connected, any Error>?
        var isClosed = false
        var lastFailure: StorageError?
        var seen = SeenRows()
        var recent = RecentWrites()
        /// Writes again what a lost node may have forgotten.
        var settling: Task<Void, Never>?
    }

    package let options: CassandraStoreOptions
    let errors: CassandraErrors
    private let metrics: MetricRegistry
    let logger: Logger
    let state = Mutex(State())
    private let arrivals = TimestampGenerator()

    /// Throws `StorageError` where the options make no sense; does not connect.
    package init(
        _ options: CassandraStoreOptions, metrics: MetricRegistry = MetricRegistry(), logger: Logger = Logger(label: "cassandra")
    ) throws {
        try options.check()
        self.options = options
        self.metrics = metrics
        self.logger = logger
        errors = CassandraErrors(options)
    }

    // MARK: The session

    /// The session, opened by the first who needs it.
    func connected() async throws -> Connected {
        let task = try state.withLock { state -> Task<Connected, any Error> in
            if state.isClosed { throw StorageError(.unavailable, "the store was closed") }
            if let opening = state.opening { return opening }
            let task = Task { [weak self, options, metrics, logger] in
                let session = try await CassandraSession.open(
                    options.client, metrics: metrics, logger: logger, onLoss: { [weak self] in self?.lost($0) })
                do {
                    try await CassandraSchema.migrate(session, options, logger)
                    return Connected(session: session, statements: try await CassandraStatements(session, options.keyspace))
                } catch {
                    await session.close()
                    throw error
                }
            }
            state.opening = task
            return task
        }
        do { return try await task.value } catch {
            // The next one tries again.
            state.withLock { if $0.opening == task { $0.opening = nil } }
            throw error
        }
    }

    package func checkHealth() async throws {
        try await errors.translating {
            let connected = try await connected()
            let select = try await connected.statements.prepare { "SELECT epoch FROM \($0).epochs WHERE name = ?" }
            try await connected.session.execute(select, [.text("almanac")], .idempotent)
        }
        if let failure = state.withLock({ $0.lastFailure }) { throw failure }
    }

    /// What a store that is dropped without `close` has under way ends.
    deinit {
        guard !state.withLock({ $0.isClosed }) else { return }
        state.withLock { $0.opening }?.cancel()
        stopSettling()
    }

    package func close() async {
        await settleBeforeClosing()
        let opening = state.withLock { state in
            state.isClosed = true
            return state.opening
        }
        if let connected = try? await opening?.value { await connected.session.close() }
    }

    // MARK: Writing

    package func write(_ batch: StoreBatch) async throws {
        if batch.isEmpty { return }
        do {
            try await errors.translating { try await put(batch) }
            state.withLock { $0.lastFailure = nil }
        } catch {
            if let failure = error as? StorageError { state.withLock { $0.lastFailure = failure } }
            throw error
        }
    }

    private func put(_ batch: StoreBatch) async throws {
        let connected = try await connected()
        let now = Int32(clamping: arrivals.next() / 1_000_000)
        var seen = state.withLock { $0.seen }
        seen.begin(day: now / 86_400, limit: options.seriesCacheLimit)
        var list = WriteList(connected.statements, options, now: now) { [arrivals] in arrivals.next() }
        list.addSeries(batch, &seen)
        list.addResults(batch, &seen)
        list.addTraffic(batch, &seen)
        let batches = list.batches()
        var losses: Int
        repeat {
            // A node that is lost meanwhile may have acknowledged and forgotten the first of them.
            losses = state.withLock { $0.recent.losses }
            try await run(batches, connected.session, now)
        } while !keep(batches, seen, now, losses)
        for name in Set(batch.checkpoints.map(\.name)).sorted() { try await dropOldCheckpoints(name, connected) }
    }

    /// False where a node was lost since there were so many losses.
    private func keep(_ batches: [Batch], _ seen: SeenRows, _ now: Int32, _ losses: Int) -> Bool {
        state.withLock { state in
            if state.recent.losses != losses { return false }
            state.seen.merge(seen)
            state.recent.add(batches, now: now, at: Clock.now())
            return true
        }
    }

    func run(_ batches: [Batch], _ session: CassandraSession, _ now: Int32) async throws {
        var options = RequestOptions.idempotent
        options.nowInSeconds = now
        let final = options
        _ = try await concurrently(batches) { batch in try await session.execute(batch, final) }
    }

    /// Runs `body` for all elements, a bounded number at a time; the results in their order.
    func concurrently<Element: Sendable, Result: Sendable>(
        _ elements: [Element], _ body: @escaping @Sendable (Element) async throws -> Result
    ) async throws -> [Result] {
        if elements.count == 1 { return [try await body(elements[0])] }
        return try await withThrowingTaskGroup(of: (Int, Result).self) { group in
            var results = [Result?](repeating: nil, count: elements.count)
            var next = 0
            while next < min(options.concurrency, elements.count) {
                let i = next
                group.addTask { (i, try await body(elements[i])) }
                next += 1
            }
            while let (i, result) = try await group.next() {
                results[i] = result
                if next < elements.count {
                    let i = next
                    group.addTask { (i, try await body(elements[i])) }
                    next += 1
                }
            }
            return results.compactMap { $0 }
        }
    }

    /// All rows of one partition.
    /// - Parameter pageSize: for long rows, so that a page is far below the longest frame (64 MB).
    func rows<Row: Sendable>(
        _ connected: Connected, _ select: PreparedStatement, _ values: BoundValues, pageSize: Int32? = nil,
        _ make: (inout RowReader) throws -> Row?
    ) async throws -> [Row] {
        var request = RequestOptions.idempotent
        request.pageSize = pageSize
        var found: [Row] = []
        for try await page in connected.session.pages(select, values, request) {
            var reader = page.reader()
            while try reader.next() { if let row = try make(&reader) { found.append(row) } }
        }
        return found
    }
}
