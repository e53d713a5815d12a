/// One table: what divides it into partitions, what orders the rows within one, and the one cell that holds the rest.
///
/// The rest is one frozen value, `fact`. So a row is always one version as a whole, a null within takes no tombstone, and of two writes
/// with one timestamp Cassandra keeps the greater bytes, which the two fields in front decide: the higher revision, then the earlier
/// arrival (`arrived` counts down).
struct CassandraTable: Sendable, Equatable {
    struct Column: Sendable, Equatable {
        var name: String
        var type: String
        var isDescending = false
    }

    var name: String
    var partition: [Column]
    var clustering: [Column] = []
    /// After `revision` and `arrived`.
    var fact: [Column]
    var comment: String
    /// Rows are deleted, not only expired.
    var hasDeletes = false

    var keys: [Column] { partition + clustering }

    func createType(_ keyspace: String) -> String {
        let fields = [Column(name: "revision", type: "bigint"), Column(name: "arrived", type: "bigint")] + fact
        return "CREATE TYPE IF NOT EXISTS \(keyspace).\(name)_fact (\(fields.map { "\($0.name) \($0.type)" }.joined(separator: ", ")))"
    }

    func createTable(_ keyspace: String) -> String {
        let columns = keys.map { "\($0.name) \($0.type)" } + ["fact frozen<\(name)_fact>"]
        let key = ["(\(partition.map(\.name).joined(separator: ", ")))"] + clustering.map(\.name)
        var text =
            "CREATE TABLE IF NOT EXISTS \(keyspace).\(name) (\(columns.joined(separator: ", ")), PRIMARY KEY (\(key.joined(separator: ", "))))"
        text += " WITH comment = '\(comment)'"
        if clustering.contains(where: \.isDescending) {
            text +=
                " AND CLUSTERING ORDER BY (\(clustering.map { "\($0.name) \($0.isDescending ? "DESC" : "ASC")" }.joined(separator: ", ")))"
        }
        // Write timestamps are revisions, so files cannot be told apart by time; those that are mostly expired are compacted by themselves.
        text += " AND compaction = {'class': 'SizeTieredCompactionStrategy', 'unchecked_tombstone_compaction': 'true'}"
        // All replicas see a row end at one time, so that what has ended need not wait for a repair.
        if !hasDeletes { text += " AND gc_grace_seconds = 86400" }
        return text
    }

    func insert(_ keyspace: String) -> String {
        let columns = keys.map(\.name) + ["fact"]
        let markers = Array(repeating: "?", count: columns.count).joined(separator: ", ")
        return "INSERT INTO \(keyspace).\(name) (\(columns.joined(separator: ", "))) VALUES (\(markers)) USING TIMESTAMP ? AND TTL ?"
    }

    /// Clustering columns of one partition.
    func selectKeys(_ keyspace: String) -> String {
        let condition = partition.map { "\($0.name) = ?" }.joined(separator: " AND ")
        return "SELECT \(clustering.map(\.name).joined(separator: ", ")) FROM \(keyspace).\(name) WHERE \(condition)"
    }

    /// Clustering columns, then `fact`, of one partition. `more` follows the condition on the partition.
    func select(_ keyspace: String, _ more: String = "") -> String {
        let columns = clustering.map(\.name) + ["fact"]
        let condition = partition.map { "\($0.name) = ?" }.joined(separator: " AND ")
        return "SELECT \(columns.joined(separator: ", ")) FROM \(keyspace).\(name) WHERE \(condition)\(more.isEmpty ? "" : " " + more)"
    }
}

enum CassandraTables {
    private typealias Column = CassandraTable.Column

    private static func columns(_ type: String, _ names: String...) -> [Column] { names.map { Column(name: $0, type: type) } }

    private static let series = columns("text", "series")
    private static let seriesDay = series + columns("int", "day")
    private static let statistics = columns("bigint", "count") + columns("double", "min", "max", "avg", "stddev", "p50", "p95", "p99")
    private static let predictions = ["max", "min", "avg"].flatMap { name in
        [name, "\(name)_lower80", "\(name)_upper80", "\(name)_lower95", "\(name)_upper95"].map { Column(name: $0, type: "double") }
    }
    private static let forecast = columns("bigint", "step_ms") + columns("text", "reason") + predictions

    static let windowsLatest = CassandraTable(
        name: "window_statistics_latest", partition: series, clustering: columns("bigint", "window_ms"),
        fact: columns("bigint", "time_ms") + statistics, comment: "the newest statistics of each window")
    static let windows = CassandraTable(
        name: "window_statistics", partition: seriesDay, clustering: columns("bigint", "time_ms", "window_ms"), fact: statistics,
        comment: "history of statistics")
    static let profilesLatest = CassandraTable(
        name: "profiles_latest", partition: series,
        fact: columns("bigint", "time_ms") + columns("text", "verdict") + columns("bigint", "samples") + columns("text", "detail"),
        comment: "the newest profile")
    static let profiles = CassandraTable(
        name: "profiles", partition: seriesDay, clustering: columns("bigint", "time_ms"),
        fact: columns("text", "verdict") + columns("bigint", "samples") + columns("text", "detail"), comment: "history of profiles")
    static let forecastsLatest = CassandraTable(
        name: "forecasts_latest", partition: series, clustering: columns("bigint", "horizon_ms"),
        fact: columns("bigint", "time_ms") + forecast + columns("text", "path"), comment: "the newest forecast of each horizon")
    static let forecasts = CassandraTable(
        name: "forecasts", partition: seriesDay, clustering: columns("bigint", "time_ms", "horizon_ms"), fact: forecast,
        comment: "history of forecasts")
    static let chunks = CassandraTable(
        name: "chunks", partition: seriesDay, clustering: columns("bigint", "start_ms"),
        fact: columns("bigint", "end_ms", "samples", "replay_offset", "count")
            + columns("double", "min", "max", "reference", "mean_offset", "m2") + columns("blob", "data"),
        comment: "the raw archive")
    static let anomalies = CassandraTable(
        name: "anomalies", partition: seriesDay, clustering: columns("bigint", "onset_ms"),
        fact: columns("bigint", "time_ms", "end_ms") + columns("double", "score", "expected", "seen") + columns("text", "cause"),
        comment: "incidents, by the day of their onset")
    static let modelStates = CassandraTable(
        name: "model_states", partition: series, fact: columns("bigint", "time_ms") + columns("blob", "data"),
        comment: "what the forecasting models have learnt")
    /// Which days of a series a history has: a range of time is read without looking at days that are empty.
    static let seriesDays = CassandraTable(
        name: "series_days", partition: series, clustering: columns("text", "kind") + columns("int", "day"),
        fact: columns("bigint", "end_ms"), comment: "the days of a series that the histories have, and where the last row of each ends")

    static let trafficTotals = CassandraTable(
        name: "traffic_totals", partition: columns("text", "day"), clustering: columns("text", "route", "vehicle_type"),
        fact: columns("bigint", "time_ms", "vehicles", "events", "arrivals"), comment: "vehicles by local day, or since the start")
    static let trafficWindows = CassandraTable(
        name: "traffic_windows", partition: columns("int", "hour"),
        clustering: columns("bigint", "time_ms", "window_ms") + columns("text", "route", "vehicle_type"),
        fact: columns("bigint", "vehicles", "events") + columns("double", "speed_avg", "speed_p10") + columns("bigint", "low_fuel"),
        comment: "vehicles in sliding windows")
    static let trafficWindowsNewest = CassandraTable(
        name: "traffic_windows_newest", partition: columns("text", "kind"), clustering: columns("bigint", "window_ms"),
        fact: columns("bigint", "time_ms"), comment: "the newest time of each length of window")
    static let visits = CassandraTable(
        name: "point_visits", partition: columns("int", "day"),
        clustering: columns("bigint", "entered_ms") + columns("text", "point", "vehicle"),
        fact: columns("bigint", "time_ms") + columns("text", "vehicle_type", "route") + columns("bigint", "seen_ms", "left_ms")
            + columns("double", "latitude", "longitude", "distance") + columns("int", "withdrawn"),
        comment: "stays at points of interest, by the day of entry")
    static let alerts = CassandraTable(
        name: "traffic_alerts", partition: columns("int", "day"),
        clustering: columns("bigint", "onset_ms") + columns("text", "rule", "subject"),
        fact: columns("bigint", "time_ms") + columns("text", "vehicle_type", "route") + columns("bigint", "end_ms")
            + columns("double", "value", "bound") + columns("text", "message"),
        comment: "alerts of the traffic, by the day of onset")
    /// Which partitions the tables of the traffic have.
    static let trafficBuckets = CassandraTable(
        name: "traffic_buckets", partition: columns("text", "kind"),
        clustering: [Column(name: "bucket", type: "bigint", isDescending: true)], fact: columns("bigint", "end_ms"),
        comment: "the hours and days that the tables of the traffic have")
    static let checkpoints = CassandraTable(
        name: "checkpoints", partition: columns("text", "name"),
        clustering: [Column(name: "revision", type: "bigint", isDescending: true)] + columns("int", "parts", "part"),
        fact: columns("bigint", "time_ms") + columns("blob", "data"), comment: "states that successors go on with",
        hasDeletes: true)

    static let all = [
        windowsLatest, windows, profilesLatest, profiles, forecastsLatest, forecasts, chunks, anomalies, modelStates, seriesDays,
        trafficTotals,
        trafficWindows, trafficWindowsNewest, visits, alerts, trafficBuckets, checkpoints,
    ]

    // MARK: Tables of another form

    static func series(_ keyspace: String) -> [String] {
        [
            "CREATE TYPE IF NOT EXISTS \(keyspace).series_seen (type int, last_ms bigint)",
            """
            CREATE TABLE IF NOT EXISTS \(keyspace).series (bucket int, id text, labels text, first_ms bigint, seen frozen<series_seen>, \
            PRIMARY KEY ((bucket), id)) WITH comment = 'all series, in 64 parts by the first digits of the fingerprint'
            """,
            "CREATE TABLE IF NOT EXISTS \(keyspace).epochs (name text PRIMARY KEY, epoch bigint)",
        ]
    }
}
