import GRDB
import Records
import StorageContract
import TestSupport
import Testing
import TimeSeries

/// Builds a database as the first version of the schema left it. Its text is frozen: it stands for files in the field, and later
/// versions are tested by migrating it.
enum Version1Fixture {
    static func build(_ path: String) throws {
        let queue = try DatabaseQueue(path: path)
        try queue.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA application_id = 1095519566")
            try db.execute(sql: tables)
            try db.execute(sql: rows)
        }
        try queue.close()
    }

    private static let tables = """
        CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
        INSERT INTO grdb_migrations VALUES ('v1');
        CREATE TABLE series (
            id INTEGER PRIMARY KEY AUTOINCREMENT, fingerprint TEXT NOT NULL UNIQUE, shard INTEGER NOT NULL, name TEXT NOT NULL,
            notation TEXT NOT NULL, labels TEXT NOT NULL, type TEXT NOT NULL) STRICT;
        CREATE INDEX series_by_name ON series (name, fingerprint);
        CREATE TABLE series_seen (series INTEGER PRIMARY KEY, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL) STRICT;
        CREATE TABLE window_statistics_latest (
            series INTEGER NOT NULL, window_ms INTEGER NOT NULL, time_ms INTEGER NOT NULL, revision INTEGER NOT NULL,
            count INTEGER NOT NULL,
            min REAL, max REAL, avg REAL, stddev REAL, p50 REAL, p95 REAL, p99 REAL, PRIMARY KEY (series, window_ms)) STRICT, WITHOUT ROWID;
        CREATE TABLE window_statistics (
            hour INTEGER NOT NULL, series INTEGER NOT NULL, time_ms INTEGER NOT NULL, window_ms INTEGER NOT NULL, revision INTEGER NOT NULL,
            count INTEGER NOT NULL, min REAL, max REAL, avg REAL, stddev REAL, p50 REAL, p95 REAL, p99 REAL,
            PRIMARY KEY (hour, series, time_ms, window_ms)) STRICT, WITHOUT ROWID;
        CREATE TABLE profiles_latest (
            series INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, revision INTEGER NOT NULL, verdict TEXT, samples INTEGER NOT NULL,
            detail TEXT NOT NULL) STRICT;
        CREATE TABLE profiles (
            id INTEGER PRIMARY KEY, hour INTEGER NOT NULL, series INTEGER NOT NULL, time_ms INTEGER NOT NULL, revision INTEGER NOT NULL,
            verdict TEXT, samples INTEGER NOT NULL, detail TEXT NOT NULL, UNIQUE (hour, series, time_ms)) STRICT;
        CREATE TABLE forecasts_latest (
            series INTEGER NOT NULL, horizon_ms INTEGER NOT NULL, time_ms INTEGER NOT NULL, revision INTEGER NOT NULL,
            step_ms INTEGER NOT NULL,
            max REAL, max_lower80 REAL, max_upper80 REAL, max_lower95 REAL, max_upper95 REAL,
            min REAL, min_lower80 REAL, min_upper80 REAL, min_lower95 REAL, min_upper95 REAL,
            avg REAL, avg_lower80 REAL, avg_upper80 REAL, avg_lower95 REAL, avg_upper95 REAL,
            reason TEXT, path TEXT NOT NULL, PRIMARY KEY (series, horizon_ms)) STRICT;
        CREATE TABLE forecasts (
            hour INTEGER NOT NULL, series INTEGER NOT NULL, time_ms INTEGER NOT NULL, horizon_ms INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            step_ms INTEGER NOT NULL,
            max REAL, max_lower80 REAL, max_upper80 REAL, max_lower95 REAL, max_upper95 REAL,
            min REAL, min_lower80 REAL, min_upper80 REAL, min_lower95 REAL, min_upper95 REAL,
            avg REAL, avg_lower80 REAL, avg_upper80 REAL, avg_lower95 REAL, avg_upper95 REAL,
            reason TEXT, PRIMARY KEY (hour, series, time_ms, horizon_ms)) STRICT, WITHOUT ROWID;
        CREATE TABLE chunks (
            id INTEGER PRIMARY KEY, series INTEGER NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, revision INTEGER NOT NULL,
            samples INTEGER NOT NULL, replay_offset INTEGER NOT NULL, count INTEGER NOT NULL, min REAL, max REAL, reference REAL,
            mean_offset REAL, m2 REAL, mean REAL GENERATED ALWAYS AS (reference + mean_offset) VIRTUAL, data BLOB NOT NULL,
            UNIQUE (series, start_ms)) STRICT;
        CREATE INDEX chunks_by_end ON chunks (series, end_ms, start_ms);
        """

    private static var rows: String {
        let fingerprint = key("up", [("job", "node")]).id
        return """
            INSERT INTO series (fingerprint, shard, name, notation, labels, type)
                VALUES ('\(fingerprint)', \(fingerprint.shard), 'up', 'up{job="node"}', '{"__name__":"up","job":"node"}', 'gauge');
            INSERT INTO series_seen VALUES (1, \(start - hour), \(start));
            INSERT INTO window_statistics_latest VALUES (1, 3600000, \(start), 9, 240, 0, 1, 0.75, NULL, 1, 1, 1);
            INSERT INTO window_statistics VALUES (\(start / hour), 1, \(start), 3600000, 9, 240, 0, 1, 0.75, NULL, 1, 1, 1);
            INSERT INTO profiles_latest VALUES (1, \(start), 9, 'stationary', 2880, '{"adf":0.01}');
            INSERT INTO profiles VALUES (1, \(start / hour), 1, \(start), 9, 'stationary', 2880, '{"adf":0.01}');
            INSERT INTO forecasts_latest VALUES (1, 600000, \(start), 9, 60000, 3, 2, 4, 1, 5, NULL, NULL, NULL, NULL, NULL, 3, 2, 4, 1, 5,
                NULL, '[[3,2,4,1,5]]');
            INSERT INTO forecasts VALUES (\(start / hour), 1, \(start), 600000, 9, 60000, 3, 2, 4, 1, 5, NULL, NULL, NULL, NULL, NULL,
                3, 2, 4, 1, 5, NULL);
            INSERT INTO chunks (series, start_ms, end_ms, revision, samples, replay_offset, count, min, max, reference, mean_offset, m2,
                data)
                VALUES (1, \(start - hour), \(start), 9, 2, 77, 2, 1, 2, 1, 0.5, 0.5, x'010203');
            """
    }
}
