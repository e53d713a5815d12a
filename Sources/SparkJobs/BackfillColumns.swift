/// Which column of a table is what, and SQL that makes of it what `almanac transform` reads.
///
/// The names are those that the reader of CSV knows on one machine: `series` holds whole series in Prometheus notation; else `metric`, `name`,
/// `metric_name` or `__name__` hold the metric's name and every other column is a label. `type` tells gauge or counter.
package struct BackfillColumns: Sendable, Equatable {
    package struct Column: Sendable, Equatable {
        package var name: String
        /// Spark's name of the type, in lower case.
        package var type: String

        package init(_ name: String, _ type: String) {
            self.name = name
            self.type = type.lowercased()
        }
    }

    /// Names given by hand; nil: found by the usual names.
    package struct Names: Sendable, Equatable {
        package var series: String?
        package var time: String?
        package var value: String?
        package var metric: String?

        package init(series: String? = nil, time: String? = nil, value: String? = nil, metric: String? = nil) {
            self.series = series
            self.time = time
            self.value = value
            self.metric = metric
        }
    }

    package var series: Column?
    package var metric: Column?
    package var labels: [Column] = []
    package var time: Column
    package var value: Column
    package var type: Column?

    private static let timeNames: Set<String> = ["time", "timestamp", "date", "datetime", "ts", "t", "epoch", "_time", "@timestamp", "ds"]
    private static let valueNames: Set<String> = ["value", "_value", "v", "y"]
    private static let metricNames: Set<String> = ["__name__", "metric", "name", "metric_name"]

    /// Finds the columns of a table. Throws which one is missing and how to name it.
    package init(of columns: [Column], names: Names = Names()) throws(SparkJobError) {
        let all = columns.map(\.name).joined(separator: ", ")
        func find(_ given: String?, _ known: Set<String>, _ what: String) throws(SparkJobError) -> Column? {
            if let given {
                if let column = columns.first(where: { $0.name == given }) { return column }
                throw SparkJobError("there is no column '\(given)' (columns: \(all))")
            }
            let found = columns.filter { known.contains($0.name.lowercased()) }
            if found.count > 1 {
                throw SparkJobError(
                    "\(found.count) columns may hold \(what) (\(found.map(\.name).joined(separator: ", "))); say which one by --\(what)-column"
                )
            }
            return found.first
        }
        guard let time = try find(names.time, Self.timeNames, "time") else {
            throw SparkJobError("no column is named time or timestamp (columns: \(all)); say which one by --time-column")
        }
        guard let value = try find(names.value, Self.valueNames, "value") else {
            throw SparkJobError("no column is named value (columns: \(all)); say which one by --value-column")
        }
        self.time = time
        self.value = value
        series = try find(names.series, names.metric == nil ? ["series"] : [], "series")
        if series == nil { metric = try find(names.metric, Self.metricNames, "metric") }
        guard series != nil || metric != nil else {
            throw SparkJobError(
                "no column is named series or metric (columns: \(all)); say which one by --series-column or --metric-column")
        }
        type = columns.first { $0.name.lowercased() == "type" }
        labels = columns.filter { column in ![series, metric, time, value, type].contains(column) }.sorted { $0.name < $1.name }
        if let series, !labels.isEmpty {
            throw SparkJobError(
                "the series stand in '\(series.name)', and there are further columns (\(labels.map(\.name).joined(separator: ", "))); "
                    + "give --metric-column if those are labels, or a view without them")
        }
        for label in labels where label.type.hasPrefix("array") || label.type.hasPrefix("struct") {
            throw SparkJobError("column '\(label.name)' is \(label.type), which is no label; give a view without it")
        }
    }

    // MARK: SQL

    /// Rows with `series, at, time, value` and, where there is a column of types, `type`: the text of the series (the column's, or name and
    /// labels in Prometheus notation, labels sorted, empty ones left out), milliseconds since the epoch as a number and as text, the value
    /// as text. A time that cannot be read is null in `at` and stays as it is in `time`, for `transform` to name it.
    func rows(from source: String, where condition: String?) -> String {
        let times = timeSQL
        var fields = ["\(times.number) AS number", "\(times.text) AS clock", "\(valueSQL) AS value"]
        if let type { fields.append("\(Self.rowSafe("CAST(\(SQLText.identifier(type.name)) AS STRING)")) AS type") }
        let filter = condition.map { "\n  WHERE \($0)" } ?? ""
        let at =
            "coalesce(\(times.isEpoch ? Self.epoch : "number"), \(times.isText ? "unix_millis(try_cast(clock AS TIMESTAMP))" : "NULL"))"
        let last = "coalesce(CAST(at AS STRING), clock) AS time, value" + (type == nil ? "" : ", type")
        if let series {
            fields.insert("\(Self.rowSafe("CAST(\(SQLText.identifier(series.name)) AS STRING)")) AS series", at: 0)
            return """
                SELECT series, at, \(last) FROM (SELECT *, \(at) AS at FROM (
                  SELECT \(fields.joined(separator: ",\n    "))
                  FROM \(source)\(filter)
                ))
                """
        }
        // A name that Prometheus could not write bare stands in quotes among the labels.
        let name = metric.map { "CAST(\(SQLText.identifier($0.name)) AS STRING)" } ?? "''"
        fields.insert("\(name) AS name", at: 0)
        fields.insert("concat_ws(',',\n      \(labelSQL(name: name).joined(separator: ",\n      "))) AS labels", at: 1)
        let series = "concat(IF(name RLIKE \(Self.plainName), name, ''), IF(labels = '', '', concat('{', labels, '}'))) AS series"
        return """
            SELECT \(series), at, \(last) FROM (SELECT *, \(at) AS at FROM (
              SELECT \(fields.joined(separator: ",\n    "))
              FROM \(source)\(filter)
            ))
            """
    }

    private static let plainName = "'^[A-Za-z_:][A-Za-z0-9_:]*$'"

    /// Each label as `name="value"`, null where it is empty.
    private func labelSQL(name: String) -> [String] {
        var parts = ["IF(\(name) RLIKE \(Self.plainName), NULL, \(Self.quoted(name)))"]
        for label in labels {
            if label.type.hasPrefix("map") {
                parts.append(Self.mapLabels(label.name))
            } else {
                let value = "nullif(CAST(\(SQLText.identifier(label.name)) AS STRING), '')"
                parts.append("concat(\(SQLText.literal(Self.labelName(label.name) + "=")), \(Self.quoted(value)))")
            }
        }
        return parts
    }

    /// `number`: milliseconds, or (`isEpoch`) a count whose unit shows in its size. `text`: what stands there; read as a time where `isText`.
    private var timeSQL: (number: String, text: String, isEpoch: Bool, isText: Bool) {
        let column = SQLText.identifier(time.name)
        let text = Self.rowSafe("CAST(\(column) AS STRING)")
        switch time.type {
        case "timestamp": return ("unix_millis(\(column))", text, false, false)
        case "timestamp_ntz": return ("unix_millis(CAST(\(column) AS TIMESTAMP))", text, false, false)
        case "date": return ("unix_date(\(column)) * 86400000L", text, false, false)
        case "string": return ("try_cast(\(column) AS DOUBLE)", text, true, true)
        default: return ("CAST(\(column) AS DOUBLE)", text, true, false)
        }
    }

    /// Seconds, milliseconds, microseconds or nanoseconds since the epoch, told apart by size, as on one machine.
    private static let epoch = """
        CAST(CASE WHEN abs(number) < 1e8 THEN NULL WHEN abs(number) < 1e11 THEN round(number * 1e3) WHEN abs(number) < 1e14 THEN round(number)
            WHEN abs(number) < 1e17 THEN round(number / 1e3) WHEN abs(number) < 1e20 THEN round(number / 1e6) END AS BIGINT)
        """

    private var valueSQL: String {
        let column = SQLText.identifier(value.name)
        switch value.type {
        case "string": return Self.rowSafe("nullif(trim(\(column)), '')")
        case "boolean": return "CAST(CAST(\(column) AS INT) AS STRING)"
        default: return "CAST(\(column) AS STRING)"
        }
    }

    /// Without the bytes that end a field or a row; they stand as escapes.
    private static func rowSafe(_ text: String) -> String {
        #"replace(replace(replace(\#(text), '\t', '\\t'), '\n', '\\n'), '\r', '\\r')"#
    }

    /// In double quotes, escaped.
    private static func quoted(_ text: String) -> String {
        #"concat('"', \#(rowSafe(#"replace(replace(\#(text), '\\', '\\\\'), '"', '\\"')"#)), '"')"#
    }

    /// Labels out of a map, sorted, empty ones left out.
    private static func mapLabels(_ name: String) -> String {
        let entry = "concat(IF(e.key RLIKE '^[A-Za-z_][A-Za-z0-9_]*$', e.key, \(quoted("e.key"))), '=', \(quoted("e.value")))"
        let entries = "filter(array_sort(map_entries(\(SQLText.identifier(name)))), e -> e.value <> '')"
        return "nullif(array_join(transform(\(entries), e -> \(entry)), ','), '')"
    }

    private static func labelName(_ name: String) -> String {
        let isPlain = name.utf8.enumerated().allSatisfy { i, c in
            (c | 0x20 >= 0x61 && c | 0x20 <= 0x7A) || c == UInt8(ascii: "_") || (i > 0 && c >= 0x30 && c <= 0x39)
        }
        if isPlain { return name }
        let escaped = name.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
        return "\"" + escaped.replacing("\t", with: "\\t").replacing("\r", with: "\\r") + "\""
    }
}
