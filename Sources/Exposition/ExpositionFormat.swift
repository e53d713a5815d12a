/// The two text formats in which exporters publish their metrics.
package enum ExpositionFormat: Sendable, Hashable {
    /// The Prometheus text format, version 0.0.4. Read as leniently as Prometheus reads it.
    case prometheusText
    /// OpenMetrics text, version 1.0. Read strictly, as its specification demands.
    case openMetrics

    /// The format that an HTTP `Content-Type` announces: `application/openmetrics-text` (with any parameters, in any case) is
    /// OpenMetrics; everything else, and no content type at all, is the text format.
    package static func from(contentType: String?) -> ExpositionFormat {
        guard let contentType else { return .prometheusText }
        let mediaType = contentType.prefix { $0 != ";" }.drop { $0 == " " || $0 == "\t" }
        let bare = mediaType.prefix { $0 != " " && $0 != "\t" }
        return bare.lowercased() == "application/openmetrics-text" ? .openMetrics : .prometheusText
    }
}

/// What a `# TYPE` line says of a metric family. `untyped` is the text format's word for OpenMetrics' `unknown`.
package enum FamilyType: UInt8, Sendable, Hashable, CaseIterable {
    case unknown, gauge, counter, histogram, summary, info, stateset, gaugehistogram, untyped
}

/// How the numbers of one row are to be read. It follows from the family's type and the row's suffix; the metric's name alone
/// never decides here.
package enum RowType: UInt8, Sendable, Hashable {
    /// No `# TYPE` of this row's family stands before it, or it says `unknown` or `untyped`.
    case unknown
    case gauge
    /// A count that only grows or restarts: a counter, or the buckets, count and sum of a histogram or summary.
    case counter
}

/// Why a page or a series cannot be read, and where.
package struct ExpositionError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The line, from 1.
    package var line: Int
    /// The byte within the line, from 1.
    package var column: Int
    /// What is wrong there and what would be right.
    package var message: String

    package init(line: Int, column: Int, message: String) {
        self.line = line
        self.column = column
        self.message = message
    }

    package var description: String { "line \(line), column \(column): \(message)" }
}

/// An error by its byte offset. Lines are counted only once something has gone wrong, so that good pages do not pay for it.
struct Fault: Error {
    var offset: Int
    var message: String

    func located(in page: UnsafeRawBufferPointer) -> ExpositionError {
        let offset = min(max(offset, 0), page.count)
        var line = 1
        var lineStart = 0
        for i in 0..<offset where page[i] == Ascii.newline {
            line += 1
            lineStart = i + 1
        }
        return ExpositionError(line: line, column: offset - lineStart + 1, message: message)
    }
}
