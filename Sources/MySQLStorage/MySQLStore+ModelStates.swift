import Records
import Storage
import TimeSeries

extension MySQLStore {
    private static let modelStatePage = 500

    package func modelStates(shards: Set<Shard>, _ receive: @Sendable ([ModelStateResult]) async throws -> Void) async throws {
        if shards.isEmpty { return }
        let scan = SeriesScan(errors: errors)
        var after: Int64 = 0
        while true {
            try Task.checkCancellation()
            let from = after
            let (states, last) = try await readers.run { connection in
                var states: [ModelStateResult] = []
                var last = from
                try connection.query(
                    """
                    SELECT s.`fingerprint`, s.`labels`, n.`type`, m.`series`, m.`time_ms`, m.`revision`, m.`data` FROM `model_states` m
                    JOIN `series` s ON s.`id` = m.`series` JOIN `series_seen` n ON n.`series` = m.`series`
                    \(SeriesScan.condition(shards)) AND m.`series` > ? ORDER BY m.`series` LIMIT \(MySQLStore.modelStatePage)
                    """, [.integer(from)], isKept: shards.count == Shard.count
                ) { row in
                    last = row.int64(3)
                    states.append(
                        ModelStateResult(
                            series: try scan.key(row), time: row.int64(4), revision: Revision(rawValue: row.int64(5)), data: row.bytes(6)))
                }
                return (states, last)
            }
            if !states.isEmpty { try await receive(states) }
            if states.count < MySQLStore.modelStatePage { return }
            after = last
        }
    }

    /// An attempt whose commit was not heard of is made again: numbers may be left out, none comes twice.
    package func nextEpoch(for name: String) async throws -> Int64 {
        try await writers.transaction { connection in
            try connection.run(
                "INSERT INTO `epochs` (`name`, `epoch`) VALUES (?, 1) ON DUPLICATE KEY UPDATE `epoch` = `epoch` + 1", [.text(name)])
            return try connection.integer("SELECT `epoch` FROM `epochs` WHERE `name` = ?", [.text(name)]) ?? 1
        }
    }
}
