/// What a backfill on Spark reads: files in a format, or a table of its catalog.
package enum SparkInput: Sendable, Equatable {
    case files(format: String, path: String)
    /// The name as SQL writes it.
    case table(String)

    package static let formats = ["parquet", "csv", "orc", "json"]

    /// `parquet:PATH`, `csv:PATH`, `orc:PATH`, `json:PATH`, `table:NAME`, or a path that ends in one of these formats.
    package init(_ text: String) throws(SparkJobError) {
        if text.hasPrefix("table:") {
            self = .table(try SQLText.table(String(text.dropFirst(6))))
            return
        }
        for format in Self.formats {
            if text.hasPrefix(format + ":"), text.utf8.count > format.utf8.count + 1 {
                self = .files(format: format, path: String(text.dropFirst(format.count + 1)))
                return
            }
            let path = text.last == "/" ? String(text.dropLast()) : text
            if path.hasSuffix("." + format) {
                self = .files(format: format, path: text)
                return
            }
        }
        throw SparkJobError("'\(text)' does not tell its format: give parquet:PATH, csv:PATH, orc:PATH, json:PATH or table:NAME")
    }

    /// Options of Spark's reader. Columns of CSV are texts: what is in them is told apart as on one machine.
    package var readerOptions: [String: String] {
        switch self {
        case .files("csv", _): ["header": "true", "inferSchema": "false", "escape": "\"", "mode": "FAILFAST"]
        default: [:]
        }
    }
}

/// Where a streaming query reads or writes.
package enum StreamEnd: Sendable, Equatable {
    case kafka(servers: String, topic: String)
    case files(String)

    /// `kafka:HOST:PORT[,HOST:PORT]/TOPIC` or `files:DIR`.
    package init(_ text: String) throws(SparkJobError) {
        if text.hasPrefix("files:"), text.utf8.count > 6 {
            self = .files(String(text.dropFirst(6)))
            return
        }
        if text.hasPrefix("kafka:"), let slash = text.lastIndex(of: "/") {
            let servers = text[..<slash].dropFirst(6)
            let topic = text[text.index(after: slash)...]
            if !servers.isEmpty, !topic.isEmpty {
                self = .kafka(servers: String(servers), topic: String(topic))
                return
            }
        }
        throw SparkJobError("'\(text)' names no stream: give kafka:HOST:PORT/TOPIC or files:DIR")
    }
}
