import CassandraClient
import Glibc
import Logging

/// Frames without a server; with `almanac-bench cassandra HOST:PORT ROWS` rows written to a node. scripts/bench-cassandra.py runs that beside another driver.
func cassandraBenchmarks(_ report: inout Report) throws {
    for figure in try CassandraBenchmarks.run() { report.add(figure.name, figure.value, figure.unit, limit: 1_000_000, isCeiling: false) }
}

/// Writes rows of statistics through prepared statements, each alone and in batches of one partition, and tells what that took of this process.
func cassandraWriteBenchmark(_ address: String, rows: Int) async throws {
    guard let node = NodeAddress(address) else { throw BenchFailure("\(address) is no HOST:PORT") }
    var options = CassandraOptions(contactPoints: [node])
    // As the driver it is compared with.
    options.version = .v4
    let session = try await CassandraSession.open(options, logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
    try await session.query(
        "CREATE KEYSPACE IF NOT EXISTS almanac_bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    try await session.query(
        "CREATE TABLE IF NOT EXISTS almanac_bench.statistics (series text, day int, time_ms bigint, window_ms bigint, count bigint, min double, "
            + "max double, avg double, stddev double, p50 double, p95 double, p99 double, PRIMARY KEY ((series, day), time_ms, window_ms))")
    let insert = try await session.prepare(
        "INSERT INTO almanac_bench.statistics (series, day, time_ms, window_ms, count, min, max, avg, stddev, p50, p95, p99) "
            + "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    for perRequest in [1, 50] {
        let (wall, cpu) = try await timed {
            try await write(rows, perRequest: perRequest, insert, session)
        }
        print("\(perRequest == 1 ? "single" : "batch") \(rows) rows \(wall) s \(cpu) cpu-s \(Double(rows) / cpu) rows/cpu-s")
    }
    await session.close()
}

struct BenchFailure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

private let underWay = 256

private func write(_ rows: Int, perRequest: Int, _ insert: PreparedStatement, _ session: CassandraSession) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        // Each task sends one request after the other: what a store does, too.
        for lane in 0..<underWay {
            group.addTask {
                var i = lane * perRequest
                while i < rows {
                    if perRequest == 1 {
                        try await session.execute(insert, values(i), .idempotent)
                    } else {
                        var batch = Batch(.unlogged)
                        for k in i..<min(rows, i + perRequest) { batch.add(insert, values(k, series: i)) }
                        try await session.execute(batch, .idempotent)
                    }
                    i += underWay * perRequest
                }
            }
        }
        try await group.waitForAll()
    }
}

private func values(_ i: Int, series: Int? = nil) -> BoundValues {
    var values = BoundValues(capacity: 176)
    values.append("0123456789abcdef0123456789\(100_000 + (series ?? i) % 1000)")
    values.append(Int32(20_000))
    values.append(Int64(1_700_000_000_000 + i * 1000))
    values.append(Int64(3_600_000))
    values.append(Int64(240))
    for k in 0..<7 { values.append(Double(i + k)) }
    return values
}

/// Seconds of wall and of this process's CPU.
private func timed(_ body: () async throws -> Void) async throws -> (wall: Double, cpu: Double) {
    func cpu() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
    let (start, used) = (ContinuousClock.now, cpu())
    try await body()
    return ((ContinuousClock.now - start) / .seconds(1), cpu() - used)
}
