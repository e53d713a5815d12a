extension MySQLTables {
    /// Vehicle traffic, and the checkpoints that its analysis goes on with.
    static var version2: [String] { [totals, trafficWindows, visits, alerts, checkpoints] + trafficViews }

    private static func name(_ name: String) -> String { "`\(name)` VARCHAR(255) NOT NULL" }
    private static func count(_ name: String) -> String { "`\(name)` BIGINT NOT NULL" }

    private static let totals = """
        CREATE TABLE IF NOT EXISTS `traffic_totals` (
            `day` VARCHAR(10) NOT NULL COMMENT 'local day of the route; empty: since the start', \(name("route")), \(name("vehicle_type")),
            \(count("vehicles")), \(count("events")), \(count("arrivals")), \(readable("time", "time_ms")), \(time), \(revision),
            PRIMARY KEY (`day`, `route`, `vehicle_type`)
        ) \(engine) COMMENT='vehicles and events of each route and type'
        """

    /// Windows are written at the end of their tree and go from its beginning.
    private static let trafficWindows = """
        CREATE TABLE IF NOT EXISTS `traffic_windows` (
            \(readable("time", "time_ms")), `window_ms` BIGINT NOT NULL, \(name("route")), \(name("vehicle_type")), \(count("vehicles")),
            \(count("events")), \(doubles(["speed_avg", "speed_p10"])), \(count("low_fuel")), \(time), \(revision),
            PRIMARY KEY (`time_ms`, `window_ms`, `route`, `vehicle_type`), KEY `by_window` (`window_ms`, `time_ms`)
        ) \(engine) COMMENT='vehicles and events of each route and type in the window that ends at time'
        """

    /// A withdrawn visit stays until its retention, so that an older version of it that comes again finds it.
    private static let visits = """
        CREATE TABLE IF NOT EXISTS `point_visits` (
            \(name("point")), \(readable("entered", "entered_ms")), \(name("vehicle")), \(name("vehicle_type")), \(name("route")),
            \(readable("seen", "seen_ms")), \(readable("left", "left_ms")), \(doubles(["latitude", "longitude", "distance"])),
            `withdrawn` TINYINT NOT NULL, `entered_ms` BIGINT NOT NULL, `seen_ms` BIGINT NOT NULL, `left_ms` BIGINT, \(time), \(revision),
            PRIMARY KEY (`point`, `entered_ms`, `vehicle`), KEY `by_time` (`entered_ms`, `left_ms`),
            KEY `by_vehicle` (`vehicle`, `entered_ms`), KEY `inside` (`left_ms`, `entered_ms`)
        ) \(engine) COMMENT='stays of vehicles at points of interest'
        """

    private static let alerts = """
        CREATE TABLE IF NOT EXISTS `traffic_alerts` (
            \(name("rule")), \(readable("onset", "onset_ms")), \(readable("end", "end_ms")), \(name("subject")), \(name("vehicle_type")),
            \(name("route")), \(doubles(["value", "limit"])), `message` TEXT NOT NULL, `onset_ms` BIGINT NOT NULL, `end_ms` BIGINT,
            `time_ms` BIGINT NOT NULL COMMENT 'of the newest version', \(revision), PRIMARY KEY (`rule`, `onset_ms`, `subject`),
            KEY `by_time` (`onset_ms`, `end_ms`), KEY `by_subject` (`subject`, `onset_ms`)
        ) \(engine) COMMENT='what rules found, one row for each vehicle and time'
        """

    private static let checkpoints = """
        CREATE TABLE IF NOT EXISTS `checkpoints` (
            \(name("name")), \(revision), `part` INT NOT NULL, `parts` INT NOT NULL, \(readable("time", "time_ms")), \(time),
            `data` MEDIUMBLOB NOT NULL, PRIMARY KEY (`name`, `revision`, `part`)
        ) \(engine) COMMENT='states that a successor goes on with, in parts'
        """

    private static var trafficViews: [String] {
        func view(_ name: String, _ columns: String, rest: String = "") -> String {
            "CREATE OR REPLACE SQL SECURITY INVOKER VIEW `\(name)_view` AS SELECT \(columns) FROM `\(name)`\(rest)"
        }
        return [
            view(
                "traffic_totals", "NULLIF(`day`, '') AS `day`, `route`, `vehicle_type`, `vehicles`, `events`, `arrivals`, `time`"),
            view(
                "traffic_windows",
                "`time`, `window_ms` / 1000 AS `window_seconds`, `route`, `vehicle_type`, `vehicles`, `events`, `speed_avg`, `speed_p10`, "
                    + "`low_fuel`"),
            view(
                "point_visits",
                "`point`, `vehicle`, `vehicle_type`, `route`, `entered`, `seen`, `left`, (`seen_ms` - `entered_ms`) / 1000 AS "
                    + "`dwell_seconds`, `latitude`, `longitude`, `distance`", rest: " WHERE `withdrawn` = 0"),
            view(
                "traffic_alerts",
                "`rule`, `subject`, `vehicle_type`, `route`, `onset`, `end`, `value`, `limit`, `message`"),
            view(
                "checkpoints",
                "`name`, MAX(`time`) AS `time`, `revision`, COUNT(*) AS `parts_here`, MAX(`parts`) AS `parts`, "
                    + "SUM(LENGTH(`data`)) AS `bytes`",
                rest: " GROUP BY `name`, `revision`"),
        ]
    }
}
