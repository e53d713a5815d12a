import GRDB
import StorageContract
import TimeSeries

/// Builds a database as the fourth version of the schema (`anomalies`) left it: what the versions after the first changed, with a row in
/// each table. Frozen as `Version1Fixture` is.
enum Version4Fixture {
    static func build(_ path: String) throws {
        try Version1Fixture.build(path)
        let queue = try DatabaseQueue(path: path)
        try queue.writeWithoutTransaction { db in
            try db.execute(sql: changes)
            try db.execute(sql: rows)
        }
        try queue.close()
    }

    private static let changes = """
        INSERT INTO grdb_migrations VALUES ('chunk-summaries'), ('model-states'), ('anomalies');
        DROP INDEX chunks_by_end;
        CREATE INDEX chunks_by_end ON chunks (series, end_ms, start_ms, count, reference, mean_offset);
        CREATE TABLE model_states (
            series INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, revision INTEGER NOT NULL, data BLOB NOT NULL) STRICT;
        CREATE TABLE epochs (name TEXT PRIMARY KEY, epoch INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE anomalies (
            series INTEGER NOT NULL, onset_ms INTEGER NOT NULL, time_ms INTEGER NOT NULL, revision INTEGER NOT NULL, end_ms INTEGER,
            score REAL, expected REAL, seen REAL, cause TEXT NOT NULL, PRIMARY KEY (series, onset_ms)) STRICT, WITHOUT ROWID;
        CREATE VIEW anomalies_view AS
            SELECT s.notation, strftime('%Y-%m-%dT%H:%M:%SZ', a.onset_ms / 1000, 'unixepoch') AS onset,
                strftime('%Y-%m-%dT%H:%M:%SZ', a.end_ms / 1000, 'unixepoch') AS end_time, a.score, a.expected, a.seen, a.cause
            FROM anomalies a JOIN series s ON s.id = a.series;
        """

    private static var rows: String {
        """
        INSERT INTO model_states VALUES (1, \(start), 9, x'0708');
        INSERT INTO epochs VALUES ('analyze/3', 41);
        INSERT INTO anomalies VALUES (1, \(start - minute), \(start), 9, NULL, 0.9, 1, 9, 'level up');
        """
    }
}
