extension BatchWriter {
    private static let statistics = ["revision", "count", "min", "max", "avg", "stddev", "p50", "p95", "p99"]
    private static let profile = ["time_ms", "revision", "verdict", "samples", "detail"]
    private static let forecast =
        ["revision", "step_ms"]
        + ["max", "min", "avg"].flatMap { name in
            [name] + ["lower80", "upper80", "lower95", "upper95"].map { "\(name)_\($0)" }
        } + ["reason"]

    static let windowsLatest = upsert("window_statistics_latest", key: ["series", "window_ms"], values: ["time_ms"] + statistics)
    static let windowsHistory = upsert("window_statistics", key: ["hour", "series", "time_ms", "window_ms"], values: statistics)
    static let profilesLatest = upsert("profiles_latest", key: ["series"], values: profile)
    static let profilesHistory = upsert(
        "profiles", key: ["hour", "series", "time_ms"], values: Array(profile.dropFirst()))
    static let forecastsLatest = upsert(
        "forecasts_latest", key: ["series", "horizon_ms"], values: ["time_ms"] + forecast + ["path"])
    static let forecastsHistory = upsert("forecasts", key: ["hour", "series", "time_ms", "horizon_ms"], values: forecast)
    static let chunks = upsert(
        "chunks", key: ["series", "start_ms"],
        values: ["end_ms", "revision", "samples", "replay_offset", "count", "min", "max", "reference", "mean_offset", "m2", "data"])

    static let modelStates = upsert("model_states", key: ["series"], values: ["time_ms", "revision", "data"])
    static let anomalies = upsert(
        "anomalies", key: ["series", "onset_ms"], values: ["time_ms", "revision", "end_ms", "score", "expected", "seen", "cause"])

    static let trafficTotals = upsert(
        "traffic_totals", key: ["day", "route", "vehicle_type"], values: ["time_ms", "revision", "vehicles", "events", "arrivals"],
        isLatest: false)
    static let trafficWindows = upsert(
        "traffic_windows", key: ["time_ms", "window_ms", "route", "vehicle_type"],
        values: ["revision", "vehicles", "events", "speed_avg", "speed_p10", "low_fuel"], isLatest: false)
    static let visits = upsert(
        "point_visits", key: ["point", "entered_ms", "vehicle"],
        values: [
            "time_ms", "revision", "vehicle_type", "route", "seen_ms", "left_ms", "latitude", "longitude", "distance", "withdrawn",
        ], isLatest: false)
    static let alerts = upsert(
        "traffic_alerts", key: ["rule", "onset_ms", "subject"],
        values: ["time_ms", "revision", "vehicle_type", "route", "end_ms", "value", "\"limit\"", "message"], isLatest: false)
    static let checkpoints = """
        INSERT INTO checkpoints (name, revision, part, parts, time_ms, data) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (name, revision, part) DO NOTHING
        """

    /// Inserts a row, or replaces the one with the key if the new one is a later version: by time where the time is no part of the
    /// key (the latest tables, unless told otherwise), then by revision.
    private static func upsert(_ table: String, key: [String], values: [String], isLatest: Bool? = nil) -> String {
        let columns = key + values
        let isLatest = isLatest ?? values.contains("time_ms")
        let newer = isLatest ? "(excluded.time_ms, excluded.revision) > (time_ms, revision)" : "excluded.revision > revision"
        return """
            INSERT INTO \(table) (\(columns.joined(separator: ", "))) VALUES (\(columns.map { _ in "?" }.joined(separator: ", ")))
            ON CONFLICT (\(key.joined(separator: ", "))) DO UPDATE SET \(values.map { "\($0) = excluded.\($0)" }.joined(separator: ", "))
            WHERE \(newer)
            """
    }
}
