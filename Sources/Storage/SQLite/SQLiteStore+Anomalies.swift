import GRDB
import Records
import TimeSeries

extension SQLiteStore {
    package func anomalies(of id: Fingerprint, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [AnomalyResult] {
        if limit <= 0 || from >= to { return [] }
        let errors = errors
        return try await read { db in
            guard let (number, key) = try SeriesScan.find(id, in: db, errors) else { return [] }
            var rows = try SQLStatement(
                db,
                """
                SELECT onset_ms, time_ms, revision, end_ms, score, expected, seen, cause FROM anomalies
                WHERE series = ? AND onset_ms <= ? AND (end_ms IS NULL OR end_ms > ?) ORDER BY onset_ms DESC LIMIT ?
                """)
            defer { rows.reset() }
            for value in [number, to, from, Int64(clamping: limit)] { try rows.bind(value) }
            var results: [AnomalyResult] = []
            while try rows.step() {
                results.append(
                    AnomalyResult(
                        series: key, time: rows.int64(1), revision: Revision(rawValue: rows.int64(2)), onset: rows.int64(0),
                        end: rows.isNull(3) ? nil : rows.int64(3), score: rows.double(4) ?? 0, expected: rows.double(5),
                        seen: rows.double(6),
                        cause: rows.text(7) ?? ""))
            }
            return results.reversed()
        }
    }
}
