import Records
import Storage
import TimeSeries

extension MySQLStore {
    package func anomalies(of id: Fingerprint, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [AnomalyResult] {
        if limit <= 0 || from >= to { return [] }
        let scan = SeriesScan(errors: errors)
        return try await read { connection in
            guard let (number, key) = try scan.find([id], connection).first else { return [] }
            var results: [AnomalyResult] = []
            try connection.query(
                """
                SELECT `onset_ms`, `time_ms`, `revision`, `end_ms`, `score`, `expected`, `seen`, `cause` FROM `anomalies`
                WHERE `series` = ? AND `onset_ms` <= ? AND (`end_ms` IS NULL OR `end_ms` > ?) ORDER BY `onset_ms` DESC LIMIT ?
                """, [number, to, from, Int64(clamping: limit)].map { .integer($0) }
            ) { row in
                results.append(
                    AnomalyResult(
                        series: key, time: row.int64(1), revision: Revision(rawValue: row.int64(2)), onset: row.int64(0),
                        end: row.isNull(3) ? nil : row.int64(3), score: row.double(4) ?? 0, expected: row.double(5), seen: row.double(6),
                        cause: row.text(7) ?? ""))
            }
            return results.reversed()
        }
    }
}
