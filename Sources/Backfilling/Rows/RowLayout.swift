import TimeSeries

/// Which field of a row is what.
package struct RowLayout: Sendable, Equatable {
    package enum Form: Sendable, Equatable {
        /// Fields between delimiters, quoted where they need it; a quoted field ends on its line.
        case csv
        /// `almanac transform`'s input: fields between tabs, nothing quoted, times in whole milliseconds.
        case transform
    }

    package var form: Form
    package var delimiter: UInt8
    /// Number of fields.
    package var width: Int
    /// nil where rows have no time: they follow each other at a fixed step.
    package var time: Int?
    package var value: Int
    /// Fields that together name the series, ascending; none in a file of one series.
    package var keys: [Int] = []
    /// What each of `keys` is.
    package var roles: [Role] = []
    /// Bytes before the first row: a byte order mark and the header.
    package var headerBytes = 0

    package enum Role: Sendable, Equatable {
        /// The whole series in Prometheus notation.
        case series
        /// The metric's name.
        case name
        case label(String)
        /// `gauge` or `counter`.
        case type
    }

    /// `SERIES TIME VALUE`, and TYPE behind them if `hasType`.
    package static func transform(hasType: Bool) -> RowLayout {
        RowLayout(
            form: .transform, delimiter: 0x09, width: hasType ? 4 : 3, time: 1, value: 2, keys: hasType ? [0, 3] : [0],
            roles: hasType ? [.series, .type] : [.series])
    }
}

extension RowLayout {
    private static let timeNames: Set<String> = ["time", "timestamp", "date", "datetime", "ts", "t", "epoch", "_time", "@timestamp", "ds"]
    private static let valueNames: Set<String> = ["value", "_value", "v", "y"]
    private static let nameNames: Set<String> = ["__name__", "metric", "name", "metric_name"]

    /// Finds the layout of a CSV file by its first lines.
    ///
    /// With a header: a column of times and one of values by their names; `series` holds whole series, `metric`, `name` or `__name__` the
    /// metric's name, `type` its type, and every other column is a label. Without one: `time,value` or `series,time,value` or `value`.
    /// Throws what is wrong with it, for a person.
    package static func detect(_ head: UnsafeRawBufferPointer) throws(BackfillError) -> RowLayout {
        var start = 0
        if head.count >= 3, head[0] == 0xEF, head[1] == 0xBB, head[2] == 0xBF { start = 3 }
        var end = start
        while end < head.count, head[end] != 0x0A { end += 1 }
        let line = head[start..<end]
        let delimiter = detectDelimiter(line)
        let fields = FieldSplitter.fields(Array(line), delimiter: delimiter)
        guard !fields.allSatisfy(\.isEmpty) else { throw BackfillError(.usage, "the first line is empty; give a header or rows") }
        if fields.contains(where: isData) { return try headless(fields, delimiter, headerBytes: start) }
        return try named(fields, delimiter, headerBytes: min(end + 1, head.count))
    }

    private static func detectDelimiter(_ line: some Sequence<UInt8>) -> UInt8 {
        var counts: [UInt8: Int] = [:]
        var isQuoted = false
        for byte in line {
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if !isQuoted { counts[byte, default: 0] += 1 }
        }
        let candidates: [UInt8] = [UInt8(ascii: ","), UInt8(ascii: ";"), 0x09]
        return candidates.max { counts[$0, default: 0] < counts[$1, default: 0] } ?? UInt8(ascii: ",")
    }

    private static func isData(_ field: String) -> Bool {
        Array(field.utf8).withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress, !bytes.isEmpty else { return false }
            if case .number = FieldBytes.value(base, 0, bytes.count) { return true }
            return FieldBytes.time(base, 0, bytes.count) != nil
        }
    }

    private static func headless(_ fields: [String], _ delimiter: UInt8, headerBytes: Int) throws(BackfillError) -> RowLayout {
        switch fields.count {
        case 1: return RowLayout(form: .csv, delimiter: delimiter, width: 1, time: nil, value: 0, headerBytes: headerBytes)
        case 2: return RowLayout(form: .csv, delimiter: delimiter, width: 2, time: 0, value: 1, headerBytes: headerBytes)
        case 3:
            return RowLayout(
                form: .csv, delimiter: delimiter, width: 3, time: 1, value: 2, keys: [0], roles: [.series], headerBytes: headerBytes)
        default:
            throw BackfillError(
                .usage,
                "there is no header and \(fields.count) columns; give a header with the columns time and value, the others are labels")
        }
    }

    private static func named(_ names: [String], _ delimiter: UInt8, headerBytes: Int) throws(BackfillError) -> RowLayout {
        let lower = names.map { $0.lowercased() }
        func only(_ known: Set<String>, _ what: String) throws(BackfillError) -> Int? {
            let found = lower.indices.filter { known.contains(lower[$0]) }
            if found.count > 1 {
                throw BackfillError(
                    .usage, "the header has \(found.count) columns of \(what): \(found.map { names[$0] }.joined(separator: ", "))")
            }
            return found.first
        }
        var seen: Set<String> = []
        if let twice = names.first(where: { !$0.isEmpty && !seen.insert($0).inserted }) {
            throw BackfillError(.usage, "the header has the column '\(twice)' twice; rename one of them, or leave it out")
        }
        let time = try only(timeNames, "times")
        guard let value = try only(valueNames, "values") ?? lone(names.count, time) else {
            throw BackfillError(
                .usage, "no column is named value (columns: \(names.joined(separator: ", "))); rename the one that holds the values")
        }
        if time == nil, names.count > 1 {
            throw BackfillError(
                .usage,
                "no column is named time or timestamp (columns: \(names.joined(separator: ", "))); rename the one that holds the times")
        }
        var layout = RowLayout(form: .csv, delimiter: delimiter, width: names.count, time: time, value: value, headerBytes: headerBytes)
        // A header that ends in a comma names no column there.
        for i in names.indices where i != time && i != value && !names[i].isEmpty {
            layout.keys.append(i)
            layout.roles.append(role(names[i], lower[i]))
        }
        let naming = layout.roles.count { $0 == .series || $0 == .name }
        if naming > 1 {
            throw BackfillError(
                .usage, "the header has several columns that name the metric; keep one of series, metric, name and __name__")
        }
        return layout
    }

    /// A file of two columns, or of one, needs no name for its values.
    private static func lone(_ count: Int, _ time: Int?) -> Int? {
        if count == 1, time == nil { return 0 }
        return count == 2 ? time.map { 1 - $0 } : nil
    }

    private static func role(_ name: String, _ lower: String) -> Role {
        if lower == "series" { return .series }
        if nameNames.contains(lower) { return .name }
        return lower == "type" ? .type : .label(name)
    }
}

/// The fields of one line as texts; for headers and keys, which are few.
enum FieldSplitter {
    static func fields(_ line: [UInt8], delimiter: UInt8) -> [String] {
        var fields: [String] = []
        var field: [UInt8] = []
        var isQuoted = false
        var i = 0
        while i < line.count {
            let byte = line[i]
            if isQuoted {
                if byte != UInt8(ascii: "\"") {
                    field.append(byte)
                } else if i + 1 < line.count, line[i + 1] == byte {
                    field.append(byte)
                    i += 1
                } else {
                    isQuoted = false
                }
            } else if byte == delimiter {
                fields.append(text(field))
                field.removeAll(keepingCapacity: true)
            } else if byte == UInt8(ascii: "\""), field.isEmpty {
                isQuoted = true
            } else {
                field.append(byte)
            }
            i += 1
        }
        fields.append(text(field))
        return fields
    }

    private static func text(_ bytes: [UInt8]) -> String {
        var part = bytes[...]
        while let last = part.last, last == 0x20 || last == 0x0D { part = part.dropLast() }
        return String(decoding: part.drop { $0 == 0x20 }, as: UTF8.self)
    }
}
