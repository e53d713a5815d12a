extension SQLiteSchema {
    /// Windows are written at the end of their tree and go from its beginning. `day` is '' for a total since the start. A withdrawn visit
    /// stays until its retention, so that an older version of it that comes again finds it.
    static var traffic: String {
        """
        CREATE TABLE traffic_totals (
            day TEXT NOT NULL,
            route TEXT NOT NULL,
            vehicle_type TEXT NOT NULL,
            time_ms INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            vehicles INTEGER NOT NULL,
            events INTEGER NOT NULL,
            arrivals INTEGER NOT NULL,
            PRIMARY KEY (day, route, vehicle_type)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE traffic_windows (
            time_ms INTEGER NOT NULL,
            window_ms INTEGER NOT NULL,
            route TEXT NOT NULL,
            vehicle_type TEXT NOT NULL,
            revision INTEGER NOT NULL,
            vehicles INTEGER NOT NULL,
            events INTEGER NOT NULL,
            speed_avg REAL, speed_p10 REAL,
            low_fuel INTEGER NOT NULL,
            PRIMARY KEY (time_ms, window_ms, route, vehicle_type)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX traffic_windows_by_window ON traffic_windows (window_ms, time_ms);

        CREATE TABLE point_visits (
            point TEXT NOT NULL,
            entered_ms INTEGER NOT NULL,
            vehicle TEXT NOT NULL,
            time_ms INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            vehicle_type TEXT NOT NULL,
            route TEXT NOT NULL,
            seen_ms INTEGER NOT NULL,
            left_ms INTEGER,
            latitude REAL, longitude REAL, distance REAL,
            withdrawn INTEGER NOT NULL,
            PRIMARY KEY (point, entered_ms, vehicle)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX point_visits_by_time ON point_visits (entered_ms, left_ms);
        CREATE INDEX point_visits_by_vehicle ON point_visits (vehicle, entered_ms);
        CREATE INDEX point_visits_inside ON point_visits (entered_ms, point) WHERE left_ms IS NULL AND withdrawn = 0;

        CREATE TABLE traffic_alerts (
            rule TEXT NOT NULL,
            onset_ms INTEGER NOT NULL,
            subject TEXT NOT NULL,
            time_ms INTEGER NOT NULL,
            revision INTEGER NOT NULL,
            vehicle_type TEXT NOT NULL,
            route TEXT NOT NULL,
            end_ms INTEGER,
            value REAL, "limit" REAL,
            message TEXT NOT NULL,
            PRIMARY KEY (rule, onset_ms, subject)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX traffic_alerts_by_time ON traffic_alerts (onset_ms, end_ms);
        CREATE INDEX traffic_alerts_by_subject ON traffic_alerts (subject, onset_ms);

        -- Few and large rows: a rowid table packs them best.
        CREATE TABLE checkpoints (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            revision INTEGER NOT NULL,
            part INTEGER NOT NULL,
            parts INTEGER NOT NULL,
            time_ms INTEGER NOT NULL,
            data BLOB NOT NULL,
            UNIQUE (name, revision, part)
        ) STRICT;
        \(trafficViews)
        """
    }

    private static var trafficViews: String {
        """
        CREATE VIEW traffic_totals_view AS
            SELECT nullif(day, '') AS day, route, vehicle_type, vehicles, events, arrivals, \(iso("time_ms")) AS time FROM traffic_totals;
        CREATE VIEW traffic_windows_view AS
            SELECT \(iso("time_ms")) AS time, window_ms / 1000.0 AS window_seconds, route, vehicle_type, vehicles, events, speed_avg,
                speed_p10, low_fuel
            FROM traffic_windows;
        CREATE VIEW point_visits_view AS
            SELECT point, vehicle, vehicle_type, route, \(iso("entered_ms")) AS entered, \(iso("seen_ms")) AS seen,
                \(iso("left_ms")) AS left_at, (seen_ms - entered_ms) / 1000.0 AS dwell_seconds, latitude, longitude, distance
            FROM point_visits WHERE withdrawn = 0;
        CREATE VIEW traffic_alerts_view AS
            SELECT rule, subject, vehicle_type, route, \(iso("onset_ms")) AS onset, \(iso("end_ms")) AS end_time, value, "limit", message
            FROM traffic_alerts;
        CREATE VIEW checkpoints_view AS
            SELECT name, \(iso("max(time_ms)")) AS time, revision, count(*) AS parts_here, max(parts) AS parts, sum(length(data)) AS bytes
            FROM checkpoints GROUP BY name, revision;
        """
    }
}
