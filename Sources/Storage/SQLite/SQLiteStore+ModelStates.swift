import GRDB
import Records
import TimeSeries

extension SQLiteStore {
    private static let modelStatePage = 1_000

    package func modelStates(
        shards: Set<Shard>, _ receive: @Sendable ([ModelStateResult]) async throws -> Void
    ) async throws {
        if shards.isEmpty { return }
        let errors = errors
        let list = shards.map { "\($0.index)" }.joined(separator: ",")
        let condition = shards.count == Shard.count ? "" : "AND s.shard IN (\(list))"
        var after: Int64 = 0
        while true {
            try Task.checkCancellation()
            let from = after
            let page = try await read { db -> (states: [ModelStateResult], last: Int64) in
                var rows = try SQLStatement(
                    db,
                    """
                    SELECT m.series, m.time_ms, m.revision, m.data, s.fingerprint, s.labels, s.type
                    FROM model_states m JOIN series s ON s.id = m.series WHERE m.series > ? \(condition) ORDER BY m.series LIMIT ?
                    """, cached: condition.isEmpty)
                defer { rows.reset() }
                try rows.bind(from)
                try rows.bind(SQLiteStore.modelStatePage)
                var states: [ModelStateResult] = []
                var last = from
                while try rows.step() {
                    last = rows.int64(0)
                    states.append(
                        ModelStateResult(
                            series: try SeriesScan.key(rows, from: 4, errors), time: rows.int64(1),
                            revision: Revision(rawValue: rows.int64(2)), data: rows.bytes(3)))
                }
                return (states, last)
            }
            if !page.states.isEmpty { try await receive(page.states) }
            if page.states.count < SQLiteStore.modelStatePage { return }
            after = page.last
        }
    }

    package func nextEpoch(for name: String) async throws -> Int64 {
        try await transaction { db, _ in
            try Int64.fetchOne(
                db,
                sql: """
                    INSERT INTO epochs (name, epoch) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET epoch = epoch + 1 RETURNING epoch
                    """, arguments: [name])
        } ?? 1
    }
}
