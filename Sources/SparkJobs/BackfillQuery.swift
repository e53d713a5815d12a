/// The query of one part of a backfill: rows of its series, grouped and sorted, through `almanac transform` on every executor.
///
/// Series are divided into `buckets` by a hash of their text. A range of series is one task's: its results come sorted by series.
package struct BackfillQuery: Sendable, Equatable {
    /// Name of the view or table, as SQL writes it.
    package var source: String
    package var columns: BackfillColumns
    package var buckets: Int
    /// The command that every executor starts, as the shell takes it.
    package var command: String
    /// Its arguments.
    package var arguments: [String]
    /// Only samples at or after this; milliseconds.
    package var from: Int64?
    /// Only samples up to this.
    package var to: Int64?
    package var conditions: [[LabelCondition]] = []

    /// What a label has to be. A missing label is empty, as in Prometheus.
    package struct LabelCondition: Sendable, Equatable {
        package enum Operation: String, Sendable {
            case equal = "="
            case notEqual = "!="
            case matches = "=~"
            case notMatches = "!~"
        }

        package var label: String
        package var operation: Operation
        package var value: String

        package init(_ label: String, _ operation: Operation, _ value: String) {
            self.label = label
            self.operation = operation
            self.value = value
        }
    }

    package init(source: String, columns: BackfillColumns, buckets: Int, command: String, arguments: [String]) {
        self.source = source
        self.columns = columns
        self.buckets = buckets
        self.command = command
        self.arguments = arguments
    }

    /// Names and types of the columns of results, in the order in which `transform` writes them.
    package static let results: [(name: String, type: String)] = [
        ("kind", "STRING"), ("series", "STRING"), ("time", "BIGINT"), ("window", "BIGINT"), ("count", "BIGINT"), ("min", "DOUBLE"),
        ("max", "DOUBLE"), ("avg", "DOUBLE"), ("stddev", "DOUBLE"), ("p50", "DOUBLE"), ("p95", "DOUBLE"), ("p99", "DOUBLE"),
        ("detail", "STRING"),
    ]

    /// One column `line`: results as `transform` wrote them, byte for byte.
    package func lines(bucket: Int) throws(SparkJobError) -> String {
        let names = ["series", "time", "value"] + (columns.type == nil ? [] : ["type"])
        return TransformSQL.lines(
            names.map { ($0, $0) }, rows: try rows(bucket: bucket), order: "series, at",
            command: TransformSQL.commandLine(command, arguments + (columns.type == nil ? [] : ["--type-column"])))
    }

    /// Results as typed columns, for Spark to write.
    package func table(bucket: Int) throws(SparkJobError) -> String { TransformSQL.table(try lines(bucket: bucket)) }

    private func rows(bucket: Int) throws(SparkJobError) -> String {
        var filters = ["pmod(xxhash64(series), \(buckets)) = \(bucket)"]
        // A time that cannot be read passes: transform refuses it and says so.
        if let from { filters.append("(at IS NULL OR at >= \(from))") }
        if let to { filters.append("(at IS NULL OR at <= \(to))") }
        let rows = columns.rows(from: source, where: conditions.isEmpty ? nil : try conditionSQL())
        return "SELECT * FROM (\n\(rows)\n) WHERE \(filters.joined(separator: " AND "))"
    }

    /// Any of the lists, all of a list.
    private func conditionSQL() throws(SparkJobError) -> String {
        var lists: [String] = []
        for list in conditions {
            var all: [String] = []
            for condition in list {
                let column = condition.label == "__name__" ? columns.metric : columns.labels.first { $0.name == condition.label }
                guard columns.series == nil else {
                    throw SparkJobError(
                        "--match needs columns of labels on Spark; here the series stand whole in '\(columns.series?.name ?? "")'")
                }
                let text = column.map { "coalesce(CAST(\(SQLText.identifier($0.name)) AS STRING), '')" } ?? "''"
                let value = SQLText.literal(condition.value)
                let pattern = SQLText.literal("^(?:\(condition.value))$")
                switch condition.operation {
                case .equal: all.append("\(text) = \(value)")
                case .notEqual: all.append("\(text) <> \(value)")
                case .matches: all.append("\(text) RLIKE \(pattern)")
                case .notMatches: all.append("NOT \(text) RLIKE \(pattern)")
                }
            }
            lists.append("(" + (all.isEmpty ? "true" : all.joined(separator: " AND ")) + ")")
        }
        return lists.joined(separator: " OR ")
    }
}
