import GRDB

/// The tables and how they came to be. A migration is never edited once released, and none drops data; docs/formats/sqlite.md
/// describes the result.
enum SQLiteSchema {
    /// "ALMN" in the file's header: tells our files from those of other programs.
    static let applicationID: Int32 = 0x414C_4D4E

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("v1", foreignKeyChecks: .immediate) { db in
            try db.execute(sql: version1Tables)
            try db.execute(sql: version1Views)
        }
        migrator.registerMigration("chunk-summaries") { db in try db.execute(sql: chunkSummaries) }
        migrator.registerMigration("model-states") { db in try db.execute(sql: modelStates) }
        migrator.registerMigration("anomalies") { db in try db.execute(sql: anomalies) }
        migrator.registerMigration("traffic") { db in try db.execute(sql: traffic) }
        return migrator
    }

    /// One row for each incident, replaced while it lasts.
    private static var anomalies: String {
        """
        CREATE TABLE anomalies (
            series INTEGER NOT NULL,
            onset_ms INTEGER NOT NULL,
            time_ms INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            end_ms INTEGER,
            score REAL, expected REAL, seen REAL,
            cause TEXT NOT NULL,
            PRIMARY KEY (series, onset_ms)
        ) STRICT, WITHOUT ROWID;
        CREATE VIEW anomalies_view AS
            SELECT s.notation, \(iso("a.onset_ms")) AS onset, \(iso("a.end_ms")) AS end_time, a.score, a.expected, a.seen, a.cause
            FROM anomalies a JOIN series s ON s.id = a.series;
        """
    }

    private static let modelStates = """
        CREATE TABLE model_states (
            series INTEGER PRIMARY KEY,
            time_ms INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            data BLOB NOT NULL
        ) STRICT;
        CREATE TABLE epochs (name TEXT PRIMARY KEY, epoch INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        """

    /// The keys of the histories start with a bucket of time: writes stay at the hot end of the tree, and one series' day
    /// is a short seek in each of a few buckets.
    private static let version1Tables = """
        CREATE TABLE series (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            fingerprint TEXT NOT NULL UNIQUE,
            shard INTEGER NOT NULL,
            name TEXT NOT NULL,
            notation TEXT NOT NULL,
            labels TEXT NOT NULL,
            type TEXT NOT NULL
        ) STRICT;
        CREATE INDEX series_by_name ON series (name, fingerprint);

        -- Apart from `series`, because these change with every write.
        CREATE TABLE series_seen (
            series INTEGER PRIMARY KEY,
            first_ms INTEGER NOT NULL,
            last_ms INTEGER NOT NULL
        ) STRICT;

        CREATE TABLE window_statistics_latest (
            series INTEGER NOT NULL,
            window_ms INTEGER NOT NULL,
            time_ms INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            count INTEGER NOT NULL,
            min REAL, max REAL, avg REAL, stddev REAL, p50 REAL, p95 REAL, p99 REAL,
            PRIMARY KEY (series, window_ms)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE window_statistics (
            hour INTEGER NOT NULL,
            series INTEGER NOT NULL,
            time_ms INTEGER NOT NULL,
            window_ms INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            count INTEGER NOT NULL,
            min REAL, max REAL, avg REAL, stddev REAL, p50 REAL, p95 REAL, p99 REAL,
            PRIMARY KEY (hour, series, time_ms, window_ms)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE profiles_latest (
            series INTEGER PRIMARY KEY,
            time_ms INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            verdict TEXT,
            samples INTEGER NOT NULL,
            detail TEXT NOT NULL
        ) STRICT;

        CREATE TABLE profiles (
            id INTEGER PRIMARY KEY,
            hour INTEGER NOT NULL,
            series INTEGER NOT NULL,
            time_ms INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            verdict TEXT,
            samples INTEGER NOT NULL,
            detail TEXT NOT NULL,
            UNIQUE (hour, series, time_ms)
        ) STRICT;

        CREATE TABLE forecasts_latest (
            series INTEGER NOT NULL,
            horizon_ms INTEGER NOT NULL,
            time_ms INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            step_ms INTEGER NOT NULL,
            max REAL, max_lower80 REAL, max_upper80 REAL, max_lower95 REAL, max_upper95 REAL,
            min REAL, min_lower80 REAL, min_upper80 REAL, min_lower95 REAL, min_upper95 REAL,
            avg REAL, avg_lower80 REAL, avg_upper80 REAL, avg_lower95 REAL, avg_upper95 REAL,
            reason TEXT,
            path TEXT NOT NULL,
            PRIMARY KEY (series, horizon_ms)
        ) STRICT;

        CREATE TABLE forecasts (
            hour INTEGER NOT NULL,
            series INTEGER NOT NULL,
            time_ms INTEGER NOT NULL,
            horizon_ms INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            step_ms INTEGER NOT NULL,
            max REAL, max_lower80 REAL, max_upper80 REAL, max_lower95 REAL, max_upper95 REAL,
            min REAL, min_lower80 REAL, min_upper80 REAL, min_lower95 REAL, min_upper95 REAL,
            avg REAL, avg_lower80 REAL, avg_upper80 REAL, avg_lower95 REAL, avg_upper95 REAL,
            reason TEXT,
            PRIMARY KEY (hour, series, time_ms, horizon_ms)
        ) STRICT, WITHOUT ROWID;

        -- Few and large rows: a rowid table packs them best, the indexes are small.
        CREATE TABLE chunks (
            id INTEGER PRIMARY KEY,
            series INTEGER NOT NULL,
            start_ms INTEGER NOT NULL,
            end_ms INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            samples INTEGER NOT NULL,
            replay_offset INTEGER NOT NULL,
            count INTEGER NOT NULL,
            min REAL, max REAL, reference REAL, mean_offset REAL, m2 REAL,
            mean REAL GENERATED ALWAYS AS (reference + mean_offset) VIRTUAL,
            data BLOB NOT NULL,
            UNIQUE (series, start_ms)
        ) STRICT;
        CREATE INDEX chunks_by_end ON chunks (series, end_ms, start_ms);
        """

    static func iso(_ column: String) -> String { "strftime('%Y-%m-%dT%H:%M:%SZ', \(column) / 1000, 'unixepoch')" }

    private static var version1Views: String {
        let statistics = "w.count, w.min, w.max, w.avg, w.stddev, w.p50, w.p95, w.p99"
        let forecast =
            "f.max, f.max_lower95, f.max_upper95, f.min, f.min_lower95, f.min_upper95, f.avg, f.avg_lower95, f.avg_upper95, f.reason"
        return """
            CREATE VIEW series_view AS
                SELECT s.notation, s.type, s.fingerprint, s.shard, \(iso("n.first_ms")) AS first_seen, \(iso("n.last_ms")) AS last_seen
                FROM series s JOIN series_seen n ON n.series = s.id;
            CREATE VIEW window_statistics_latest_view AS
                SELECT s.notation, \(iso("w.time_ms")) AS time, w.window_ms / 3600000.0 AS window_hours, \(statistics)
                FROM window_statistics_latest w JOIN series s ON s.id = w.series;
            CREATE VIEW window_statistics_view AS
                SELECT s.notation, \(iso("w.time_ms")) AS time, w.window_ms / 3600000.0 AS window_hours, \(statistics)
                FROM window_statistics w JOIN series s ON s.id = w.series;
            CREATE VIEW profiles_latest_view AS
                SELECT s.notation, \(iso("p.time_ms")) AS time, p.verdict, p.samples, p.detail
                FROM profiles_latest p JOIN series s ON s.id = p.series;
            CREATE VIEW forecasts_latest_view AS
                SELECT s.notation, \(iso("f.time_ms")) AS time, f.horizon_ms / 60000.0 AS horizon_minutes, \(forecast)
                FROM forecasts_latest f JOIN series s ON s.id = f.series;
            CREATE VIEW forecasts_view AS
                SELECT s.notation, \(iso("f.time_ms")) AS time, f.horizon_ms / 60000.0 AS horizon_minutes, \(forecast)
                FROM forecasts f JOIN series s ON s.id = f.series;
            CREATE VIEW chunks_view AS
                SELECT s.notation, \(iso("c.start_ms")) AS start, \(iso("c.end_ms")) AS end_time, c.samples, c.min, c.max, c.mean,
                    length(c.data) AS bytes
                FROM chunks c JOIN series s ON s.id = c.series;
            """
    }
}
