import TimeSeries

/// Why a line of results cannot be read.
package struct TransformLineError: Error, Sendable, Equatable, CustomStringConvertible {
    package var description: String
}

/// One result as `almanac transform` writes it: 13 columns between tabs, `\N` for null. docs/formats/transform.md.
///
/// Numbers are Swift's shortest text that reads back to the same bits, so equal results are equal bytes.
package struct TransformLine: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable {
        case windows, profile, forecast
    }

    /// Names of the columns, in order, as a SQL schema may use them.
    package static let columns = [
        "kind", "series", "time", "window", "count", "min", "max", "avg", "stddev", "p50", "p95", "p99", "detail",
    ]

    package var kind: Kind
    /// The series as `SeriesNotation` writes it.
    package var series: String
    package var time: Milliseconds
    /// Length of the window; of a forecast its horizon.
    package var window: Milliseconds?
    /// Samples in the window; of a profile or forecast those analysed.
    package var count: Int?
    package var min: Double?
    package var max: Double?
    package var avg: Double?
    package var stddev: Double?
    package var p50: Double?
    package var p95: Double?
    package var p99: Double?
    /// JSON of a profile or forecast, without tabs and line ends.
    package var detail: String?

    package init(kind: Kind, series: String, time: Milliseconds) {
        self.kind = kind
        self.series = series
        self.time = time
    }

    /// Appends the line with its line end.
    package func append(to out: inout [UInt8]) {
        var writer = TransformWriter()
        writer.begin(kind, series: Array(series.utf8), time: time)
        writer.integer(window)
        writer.integer(count.map(Int64.init))
        for number in [min, max, avg, stddev, p50, p95, p99] { writer.number(number) }
        writer.end(detail: detail.map { Array($0.utf8) })
        out.append(contentsOf: writer.bytes)
    }

    /// Reads one line, without or with its line end. Throws what is wrong with which column.
    package init(parsing line: some Collection<UInt8>) throws(TransformLineError) {
        var bytes = Array(line)
        if bytes.last == 0x0A { bytes.removeLast() }
        let fields = bytes.split(separator: 0x09, omittingEmptySubsequences: false)
        guard fields.count == TransformLine.columns.count else {
            throw TransformLineError(description: "a line of results has \(fields.count) columns, not \(TransformLine.columns.count)")
        }
        func text(_ i: Int) -> String? { fields[i].elementsEqual([0x5C, 0x4E]) ? nil : String(decoding: fields[i], as: UTF8.self) }
        func value<T: LosslessStringConvertible>(_ i: Int) throws(TransformLineError) -> T? {
            guard let text = text(i) else { return nil }
            guard let value = T(text) else {
                throw TransformLineError(description: "column \(TransformLine.columns[i]): '\(text.prefix(40))' is no number")
            }
            return value
        }
        guard let kind = text(0).flatMap(Kind.init(rawValue:)) else {
            throw TransformLineError(description: "column kind: '\(text(0)?.prefix(40) ?? "\\N")' is not known")
        }
        guard let series = text(1), let time: Milliseconds = try value(2) else {
            throw TransformLineError(description: "column \(text(1) == nil ? "series" : "time") is null")
        }
        self.init(kind: kind, series: series, time: time)
        window = try value(3)
        count = try value(4)
        min = try value(5)
        max = try value(6)
        avg = try value(7)
        stddev = try value(8)
        p50 = try value(9)
        p95 = try value(10)
        p99 = try value(11)
        detail = text(12)
        try check()
    }

    private func check() throws(TransformLineError) {
        switch kind {
        case .windows:
            if window == nil || count == nil { throw TransformLineError(description: "a line of windows has no window or no count") }
        case .profile, .forecast:
            if detail == nil { throw TransformLineError(description: "a line of kind \(kind.rawValue) has no detail") }
        }
    }
}
