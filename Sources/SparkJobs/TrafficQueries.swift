/// The streaming queries of the vehicle traffic, as SQL over temporary views. SPEC: docs/formats/trafficdata.md; why so:
/// docs/decisions/0302-spark.md.
///
/// Each query reads the view `<prefix>_raw` (one column `value`, the JSON of an event), and is built up in steps that SQL alone cannot say
/// (watermark, dropping of duplicates): `steps` are views to be made in order, then `output` is the query.
package struct TrafficQueries: Sendable, Equatable {
    package struct Window: Sendable, Equatable {
        /// Milliseconds; the length is a multiple of the slide.
        package var length: Int64
        package var slide: Int64

        package init(length: Int64, slide: Int64) {
            self.length = length
            self.slide = slide
        }
    }

    /// Before the names of all temporary views.
    package var prefix = "almanac"
    package var windows = [Window(length: 30_000, slide: 10_000)]
    /// How far behind the newest event one still counts, milliseconds.
    package var allowedLateness: Int64 = 600_000
    package var futureBound: Int64 = 60_000
    /// Of routes that name none, and of timestamps without an offset.
    package var zone = "UTC"
    package var routeZones: [String: String] = [:]
    /// Percent.
    package var lowFuel = 15.0
    /// Bits 44 to 62 of the results' revisions: a run with a higher one replaces the rows of one before.
    package var epoch: Int64 = 0

    package init() {}

    /// Of the session: what the text of the queries relies on.
    package static let settings = [
        "spark.sql.session.timeZone": "UTC", "spark.sql.ansi.enabled": "true", "spark.sql.parser.escapedStringLiterals": "false",
        "spark.sql.caseSensitive": "false",
    ]

    /// A view that one query needs, made in order.
    package struct Step: Sendable, Equatable {
        package var view: String
        package var sql: String
        /// The rows get a watermark on this column, this much behind, and duplicates by these columns are dropped.
        package var watermark: (column: String, delay: Int64, distinct: [String])?

        package static func == (a: Step, b: Step) -> Bool {
            a.view == b.view && a.sql == b.sql && a.watermark?.column == b.watermark?.column && a.watermark?.delay == b.watermark?.delay
                && a.watermark?.distinct == b.watermark?.distinct
        }
    }

    /// One streaming query.
    package struct Query: Sendable, Equatable {
        /// Of the query and of its folders of output and checkpoint.
        package var name: String
        package var steps: [Step]
        /// Gives `key` and `value`, both text.
        package var output: String
        /// `append`: a row once it is final. `update`: a row again whenever it has changed.
        package var mode: String
    }

    private var raw: String { "\(prefix)_raw" }

    /// Good events, each once by vehicle and time.
    /// - Parameter at: the column for windows and the watermark, a timestamp.
    private func accepted(_ name: String, at: String, distinct: [String], delay: Int64) -> Step {
        let decoded = TrafficDecoding(zone: zone, futureBound: futureBound).sql(from: raw)
        return Step(
            view: "\(prefix)_\(name)_events",
            sql: "SELECT vehicle, type, route, time, speed, fuel, \(at) AS at FROM (\n\(decoded)\n) WHERE fault IS NULL",
            watermark: ("at", delay, distinct))
    }

    /// (end - length, end] in whole milliseconds is [start, end) one millisecond earlier, which is what Spark's windows are.
    package func window(_ window: Window) -> Query {
        let name = "windows_\(window.length)ms"
        let events = accepted(name, at: "timestamp_millis(time - 1)", distinct: ["vehicle", "at"], delay: allowedLateness)
        // Vehicles first, then keys: the state is a row for each vehicle in a window, not a set for each key.
        let vehicles = Step(
            view: "\(prefix)_\(name)_vehicles",
            sql: """
                SELECT window(at, '\(window.length) milliseconds', '\(window.slide) milliseconds') AS span, route, type, vehicle,
                  count(*) AS events, sum(thousandths) AS speed, array_agg(least(800L, thousandths div 500L)) FILTER (WHERE thousandths IS NOT NULL) AS steps,
                  count_if(fuel < \(lowFuel)D) AS low
                FROM (SELECT *, CAST(round(speed * 1000) AS BIGINT) AS thousandths FROM \(events.view))
                GROUP BY 1, 2, 3, 4
                """)
        let keys = Step(
            view: "\(prefix)_\(name)_keys",
            sql: """
                SELECT span, route, kind AS type, count(*) AS vehicles, sum(events) AS events, sum(speed) AS speed,
                  array_sort(flatten(array_agg(steps))) AS steps, sum(low) AS low
                FROM \(vehicles.view) LATERAL VIEW explode(array(type, '')) AS kind
                GROUP BY span, route, kind
                """)
        // The revision grows with the window's end; nothing else decides between two runs but the epoch.
        let row = """
            named_struct('time', unix_millis(span.end), 'revision', \(revision("unix_millis(span.end)")), 'window', \(window.length)L,
              'vehicleType', type, 'vehicles', vehicles, 'events', events, 'speedAvg', CAST(speed AS DOUBLE) / nullif(size(steps), 0) / 1000,
              'speedP10', IF(size(steps) = 0, NULL, try_element_at(steps, CAST((size(steps) + 9) div 10 AS INT)) / 2D), 'lowFuel', low)
            """
        return Query(
            name: name.replacing("_", with: "-"), steps: [events, vehicles, keys], output: record("window", row, from: keys.view),
            mode: "append")
    }

    /// Totals of local days that are over.
    package var days: Query {
        // Local time as if it were UTC: its days are the route's, also those of 23 and 25 hours. It goes back an hour in autumn, and zones
        // differ by up to 26 hours, so the watermark is that much further behind.
        let slack: Int64 = routeZones.values.contains { $0 != zone } ? 27 * 3_600_000 : 3_600_000
        let events = accepted(
            "days", at: "from_utc_timestamp(timestamp_millis(time), \(zoneSQL))", distinct: ["vehicle", "time", "at"],
            delay: allowedLateness + slack)
        let vehicles = Step(
            view: "\(prefix)_days_vehicles",
            sql: """
                SELECT window(at, '1 day') AS span, route, type, vehicle, count(*) AS events, max(time) AS time
                FROM \(events.view) GROUP BY 1, 2, 3, 4
                """)
        let keys = Step(
            view: "\(prefix)_days_keys",
            sql: """
                SELECT span, route, type, count(*) AS vehicles, sum(events) AS events, max(time) AS time
                FROM \(vehicles.view) GROUP BY span, route, type
                """)
        return Query(
            name: "days", steps: [events, vehicles, keys],
            output: record("total", total(day: "date_format(span.start, 'yyyy-MM-dd')"), from: keys.view), mode: "append")
    }

    /// Totals since the start, given again when they change: for sinks that take updates.
    package var sinceStart: Query {
        let events = accepted("total", at: "timestamp_millis(time - 1)", distinct: ["vehicle", "at"], delay: allowedLateness)
        let keys = Step(
            view: "\(prefix)_total_keys",
            sql: """
                SELECT route, type, size(collect_set(vehicle)) AS vehicles, count(*) AS events, max(time) AS time
                FROM \(events.view) GROUP BY route, type
                """)
        return Query(
            name: "totals", steps: [events, keys], output: record("total", total(day: "CAST(NULL AS STRING)"), from: keys.view),
            mode: "update")
    }

    /// Events that are none, as they came, with the reason. `key` is the reason.
    package var deadLetters: Query {
        let decoded = TrafficDecoding(zone: zone, futureBound: futureBound).sql(from: raw)
        return Query(
            name: "dead-letters", steps: [],
            output: """
                SELECT fault AS key, to_json(named_struct('reason', fault, 'value', make_valid_utf8(value))) AS value
                FROM (
                \(decoded)
                ) WHERE fault IS NOT NULL
                """, mode: "append")
    }

    // MARK: Pieces

    private var zoneSQL: String {
        let pairs = routeZones.sorted { $0.key < $1.key }.flatMap { [SQLText.literal($0.key), SQLText.literal($0.value)] }
        if pairs.isEmpty { return SQLText.literal(zone) }
        return "coalesce(try_element_at(map(\(pairs.joined(separator: ", "))), route), \(SQLText.literal(zone)))"
    }

    private func revision(_ offset: String) -> String { "\(epoch << 44)L + \(offset)" }

    /// Arrivals need each vehicle's events in order, which an aggregate does not keep.
    private func total(day: String) -> String {
        """
        named_struct('time', time, 'revision', \(revision("time")), 'vehicleType', type, 'day', \(day), 'vehicles', vehicles, 'events', events,
          'arrivals', 0L)
        """
    }

    /// A value of the topic `trafficdata` with one result.
    private func record(_ kind: String, _ row: String, from view: String) -> String {
        """
        SELECT route AS key, to_json(named_struct('schema', 1, 'kind', '\(kind)', 'routeId', route, 'results', array(\(row))),
          map('ignoreNullFields', 'false')) AS value
        FROM \(view)
        """
    }
}
