/// The statements that make the tables, by version. A migration is never edited once released, none drops data, and each statement may run
/// twice: MySQL commits every change of a table at once, so a migration that was broken off begins again.
enum MySQLTables {
    static let migrations: [[String]] = [version1, version2]

    static var version1: [String] {
        [series, seriesSeen, state, firstState, windowsLatest, windows, profilesLatest, profiles, forecastsLatest, forecasts, chunks]
            + [modelStates, anomalies, epochs] + views
    }

    static let engine = "ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"

    /// A time as people read it, computed from the milliseconds when it is looked at.
    static func readable(_ name: String, _ column: String) -> String {
        "`\(name)` DATETIME(3) GENERATED ALWAYS AS (TIMESTAMP('1970-01-01 00:00:00') + INTERVAL (`\(column)` / 1000) SECOND) VIRTUAL"
            + " COMMENT 'UTC'"
    }

    static func doubles(_ names: [String]) -> String { names.map { "`\($0)` DOUBLE" }.joined(separator: ", ") }

    private static let statistics = "`count` BIGINT NOT NULL, " + doubles(["min", "max", "avg", "stddev", "p50", "p95", "p99"])
    private static let predictions = doubles(
        ["max", "min", "avg"].flatMap { name in [name] + ["lower80", "upper80", "lower95", "upper95"].map { "\(name)_\($0)" } })
    private static let seriesNumber = "`series` INT UNSIGNED NOT NULL COMMENT 'id in the table series'"
    private static let slot = "`slot` INT NOT NULL COMMENT 'five minutes since 1970'"
    private static let hour = "`hour` INT NOT NULL COMMENT 'hours since 1970'"
    static let time = "`time_ms` BIGINT NOT NULL"
    static let revision = "`revision` BIGINT NOT NULL"

    private static let series = """
        CREATE TABLE IF NOT EXISTS `series` (
            `id` INT UNSIGNED NOT NULL AUTO_INCREMENT,
            `notation` MEDIUMTEXT NOT NULL COMMENT 'as Prometheus writes it',
            `fingerprint` CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
            `shard` SMALLINT UNSIGNED NOT NULL,
            `name` VARCHAR(255) NOT NULL COMMENT 'of the metric, its first 255 characters',
            `labels` MEDIUMTEXT NOT NULL COMMENT 'JSON object',
            PRIMARY KEY (`id`), UNIQUE KEY `by_fingerprint` (`fingerprint`), KEY `by_name` (`name`, `fingerprint`),
            KEY `by_shard` (`shard`, `fingerprint`)
        ) \(engine) COMMENT='every series'
        """

    /// Apart from `series`, because these change with every write.
    private static let seriesSeen = """
        CREATE TABLE IF NOT EXISTS `series_seen` (
            \(seriesNumber), `type` ENUM('unknown','gauge','counter') CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
            `first_ms` BIGINT NOT NULL, `last_ms` BIGINT NOT NULL, \(readable("first_seen", "first_ms")),
            \(readable("last_seen", "last_ms")),
            PRIMARY KEY (`series`)
        ) \(engine) COMMENT='time of the first and the newest result or chunk of each series'
        """

    /// `series_epoch` changes whenever series are removed: who knows numbers of series from before asks again.
    private static let state = """
        CREATE TABLE IF NOT EXISTS `almanac_state` (
            `name` VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, `value` BIGINT NOT NULL, PRIMARY KEY (`name`)
        ) \(engine) COMMENT='what the store processes share'
        """
    private static let firstState =
        "INSERT IGNORE INTO `almanac_state` (`name`, `value`) VALUES ('series_epoch', FLOOR(RAND() * 1000000000000))"

    private static let windowsLatest = """
        CREATE TABLE IF NOT EXISTS `window_statistics_latest` (
            \(seriesNumber), `window_ms` BIGINT NOT NULL, \(readable("time", "time_ms")), \(time), \(revision), \(statistics),
            PRIMARY KEY (`series`, `window_ms`)
        ) \(engine) COMMENT='the newest statistics of each window'
        """

    /// The keys of the histories start with a bucket of time: writes go to the end of the tree and fill its pages, and one series' day
    /// is 288 short seeks. With hours for buckets the pages would stay half empty.
    private static let windows = """
        CREATE TABLE IF NOT EXISTS `window_statistics` (
            \(slot), \(seriesNumber), \(readable("time", "time_ms")), \(time), `window_ms` BIGINT NOT NULL, \(revision), \(statistics),
            PRIMARY KEY (`slot`, `series`, `time_ms`, `window_ms`)
        ) \(engine) COMMENT='history of the statistics'
        """

    private static let profile = """
        \(readable("time", "time_ms")), \(time), \(revision), `verdict` VARCHAR(255), `samples` BIGINT NOT NULL,
            `detail` MEDIUMTEXT NOT NULL COMMENT 'JSON'
        """
    private static let profilesLatest = """
        CREATE TABLE IF NOT EXISTS `profiles_latest` (
            \(seriesNumber), \(profile), PRIMARY KEY (`series`)
        ) \(engine) COMMENT='the newest profile of each series'
        """
    private static let profiles = """
        CREATE TABLE IF NOT EXISTS `profiles` (
            \(hour), \(seriesNumber), \(profile), PRIMARY KEY (`hour`, `series`, `time_ms`)
        ) \(engine) COMMENT='history of the profiles, shortened'
        """

    private static let forecastsLatest = """
        CREATE TABLE IF NOT EXISTS `forecasts_latest` (
            \(seriesNumber), `horizon_ms` BIGINT NOT NULL, \(readable("time", "time_ms")), \(time), \(revision), `step_ms` BIGINT NOT NULL,
            \(predictions), `reason` TEXT,
            `path` MEDIUMTEXT NOT NULL COMMENT 'JSON: expected, lower80, upper80, lower95, upper95 of each step',
            PRIMARY KEY (`series`, `horizon_ms`)
        ) \(engine) COMMENT='the newest forecast of each horizon'
        """
    private static let forecasts = """
        CREATE TABLE IF NOT EXISTS `forecasts` (
            \(slot), \(seriesNumber), \(readable("time", "time_ms")), \(time), `horizon_ms` BIGINT NOT NULL, \(revision),
            `step_ms` BIGINT NOT NULL, \(predictions), `reason` TEXT, PRIMARY KEY (`slot`, `series`, `time_ms`, `horizon_ms`)
        ) \(engine) COMMENT='history of the forecasts'
        """

    /// `by_series_end` also answers what is asked of chunks without their data.
    private static let chunks = """
        CREATE TABLE IF NOT EXISTS `chunks` (
            \(seriesNumber), \(readable("start", "start_ms")), \(readable("end", "end_ms")), `start_ms` BIGINT NOT NULL,
            `end_ms` BIGINT NOT NULL, \(revision), `samples` BIGINT NOT NULL, `replay_offset` BIGINT NOT NULL, `count` BIGINT NOT NULL,
            \(doubles(["min", "max", "reference", "mean_offset", "m2"])),
            `mean` DOUBLE GENERATED ALWAYS AS (`reference` + `mean_offset`) VIRTUAL, `data` MEDIUMBLOB NOT NULL,
            PRIMARY KEY (`series`, `start_ms`), KEY `by_end` (`end_ms`),
            KEY `by_series_end` (`series`, `end_ms`, `start_ms`, `count`, `reference`, `mean_offset`)
        ) \(engine) COMMENT='the archive of raw samples'
        """

    private static let modelStates = """
        CREATE TABLE IF NOT EXISTS `model_states` (
            \(seriesNumber), \(readable("time", "time_ms")), \(time), \(revision), `data` MEDIUMBLOB NOT NULL, PRIMARY KEY (`series`)
        ) \(engine) COMMENT='what the forecasting model of each series has learnt'
        """

    private static let anomalies = """
        CREATE TABLE IF NOT EXISTS `anomalies` (
            \(seriesNumber), \(readable("onset", "onset_ms")), \(readable("end", "end_ms")), `onset_ms` BIGINT NOT NULL, `end_ms` BIGINT,
            `time_ms` BIGINT NOT NULL COMMENT 'of the newest version', \(revision), \(doubles(["score", "expected", "seen"])),
            `cause` TEXT NOT NULL, PRIMARY KEY (`series`, `onset_ms`)
        ) \(engine) COMMENT='incidents, one row each'
        """

    private static let epochs = """
        CREATE TABLE IF NOT EXISTS `epochs` (
            `name` VARCHAR(255) NOT NULL, `epoch` BIGINT NOT NULL, PRIMARY KEY (`name`)
        ) \(engine) COMMENT='the last number given out for each name'
        """

    // MARK: Views

    private static func view(_ name: String, _ columns: String, from table: String) -> String {
        """
        CREATE OR REPLACE SQL SECURITY INVOKER VIEW `\(name)_view` AS
            SELECT s.`notation`, \(columns) FROM `\(table)` t JOIN `series` s ON s.`id` = t.`series`
        """
    }

    private static var views: [String] {
        func named(_ names: [String]) -> String { names.map { "t.`\($0)`" }.joined(separator: ", ") }
        let statistics =
            "t.`time`, t.`window_ms` / 3600000 AS `window_hours`, " + named(["count", "min", "max", "avg", "stddev", "p50", "p95", "p99"])
        let forecast =
            "t.`time`, t.`horizon_ms` / 60000 AS `horizon_minutes`, "
            + named(["max", "min", "avg"].flatMap { [$0, "\($0)_lower95", "\($0)_upper95"] } + ["reason"])
        let profile = named(["time", "verdict", "samples", "detail"])
        return [
            view("series", "t.`type`, s.`fingerprint`, s.`shard`, t.`first_seen`, t.`last_seen`", from: "series_seen"),
            view("window_statistics_latest", statistics, from: "window_statistics_latest"),
            view("window_statistics", statistics, from: "window_statistics"),
            view("profiles_latest", profile, from: "profiles_latest"),
            view("profiles", profile, from: "profiles"),
            view("forecasts_latest", forecast, from: "forecasts_latest"),
            view("forecasts", forecast, from: "forecasts"),
            view("anomalies", named(["onset", "end", "score", "expected", "seen", "cause"]), from: "anomalies"),
            view(
                "chunks", named(["start", "end", "samples", "min", "max", "mean"]) + ", LENGTH(t.`data`) AS `bytes`", from: "chunks"),
        ]
    }
}
