import TimeSeries

/// What was read of a file: one column of values, with times where there are any, and what was odd about it.
struct CSVSeries: Equatable {
    /// Name of the column, if the file has a header.
    var column = ""
    /// Empty where the file has no times.
    var times: [Milliseconds] = []
    /// NaN where a value is missing.
    var values: [Double] = []
    /// Rows that were left out, the first few in words.
    var badRows = 0
    var badRowNotes: [String] = []

    var missing: Int { values.count(where: \.isNaN) }
}

/// Why a file cannot be described.
struct CSVError: Error, Equatable, CustomStringConvertible {
    var description: String
}

/// Reads a series out of the rows of a CSV file: finds the header, the column of times and the column of values.
struct CSVSeriesReader {
    /// What the user asked for: a name or a number from 1.
    var column: String?
    var timeColumn: String?

    private static let maximumNotes = 5
    private static let maximumRows = 50_000_000
    private static let lookahead = 20
    private static let timeNames: Set<String> = ["time", "timestamp", "date", "datetime", "ts", "t", "epoch", "_time", "@timestamp"]
    private static let missingTexts: Set<String> = ["", "nan", "null", "na", "n/a", "none", "-", "nil"]

    private var held: [CSVParser.Row] = []
    private var layout: Layout?
    private var series = CSVSeries()

    private struct Layout {
        var width: Int
        var value: Int
        var time: Int?
    }

    init(column: String? = nil, timeColumn: String? = nil) {
        self.column = column
        self.timeColumn = timeColumn
    }

    mutating func add(_ row: CSVParser.Row) throws {
        if let layout { return try take(row, layout) }
        held.append(row)
        if held.count > CSVSeriesReader.lookahead { try decide() }
    }

    mutating func finish() throws -> CSVSeries {
        if layout == nil { try decide() }
        if series.values.isEmpty { throw CSVError(description: noValues) }
        if series.missing == series.values.count { throw CSVError(description: "the column holds no number, only missing values") }
        if series.badRows > series.values.count {
            throw CSVError(
                description: "most rows cannot be read: " + series.badRowNotes.joined(separator: "; ") + "; choose the column with --column"
            )
        }
        return series
    }

    private var noValues: String {
        if series.badRows > 0 {
            return "no row can be read: " + series.badRowNotes.joined(separator: "; ") + "; choose the column with --column"
        }
        return "the file is empty; give one value per line, or CSV with a column of numbers"
    }

    // MARK: - Layout

    private mutating func decide() throws {
        defer { held = [] }
        guard let first = held.first else { return }
        let hasHeader = CSVSeriesReader.isHeader(held)
        let names = hasHeader ? first.fields.map(trimmed) : []
        let body = hasHeader ? Array(held.dropFirst()) : held
        if body.isEmpty { throw CSVError(description: "the file has a header (\(names.joined(separator: ", "))) but no values") }
        let width = (hasHeader ? first : body.first)?.fields.count ?? 1
        let time = try index(of: timeColumn, names, width, "--time") ?? detectTime(names, body, width)
        let value = try index(of: column, names, width, "--column") ?? detectValue(body, width, time)
        guard let value else {
            throw CSVError(description: "no column holds numbers" + (names.isEmpty ? "" : " (columns: \(names.joined(separator: ", ")))"))
        }
        if value == time { throw CSVError(description: "--column and --time name the same column") }
        series.column = names.indices.contains(value) ? names[value] : ""
        let decided = Layout(width: width, value: value, time: time)
        layout = decided
        for row in body { try take(row, decided) }
    }

    /// A first row is a header if it has a field that is neither number, time nor missing, where a later row has one.
    private static func isHeader(_ rows: [CSVParser.Row]) -> Bool {
        guard let first = rows.first else { return false }
        let others = rows.dropFirst()
        if hasNumbersForNames(first, others) { return true }
        return first.fields.enumerated().contains { i, field in
            guard !isData(field) else { return false }
            if others.isEmpty { return true }
            return others.contains { $0.fields.indices.contains(i) && isData($0.fields[i]) && !trimmed($0.fields[i]).isEmpty }
        }
    }

    /// Columns may be named by numbers (of sensors, say): whole ones, all different, far beyond what stands below them.
    private static func hasNumbersForNames(_ first: CSVParser.Row, _ others: ArraySlice<CSVParser.Row>) -> Bool {
        let names = first.fields.map { Int(trimmed($0)) }
        guard names.count > 2, others.count > 2, Set(names).count == names.count, !names.contains(nil) else { return false }
        let far = names.indices.count { i in
            let below =
                others.compactMap { $0.fields.indices.contains(i) ? Double(trimmed($0.fields[i])) : nil }.map(abs).max() ?? .infinity
            return Double(abs(names[i] ?? 0)) > 20 * below
        }
        return far * 10 > names.count * 9
    }

    private static func isData(_ field: String) -> Bool {
        let text = trimmed(field)
        return missingTexts.contains(text.lowercased()) || Double(text) != nil || TimeText.iso8601(text) != nil || number(text) != nil
    }

    private func index(of wanted: String?, _ names: [String], _ width: Int, _ flag: String) throws -> Int? {
        guard let wanted else { return nil }
        if let i = names.firstIndex(of: wanted) ?? names.firstIndex(where: { $0.lowercased() == wanted.lowercased() }) { return i }
        if let number = Int(wanted), (1...max(1, width)).contains(number) { return number - 1 }
        let known =
            names.isEmpty ? "the file has no header; give a number from 1 to \(width)" : "the columns are \(names.joined(separator: ", "))"
        throw CSVError(description: "\(flag) \(wanted): there is no such column; \(known)")
    }

    private func detectTime(_ names: [String], _ rows: [CSVParser.Row], _ width: Int) -> Int? {
        func all(_ i: Int, _ test: (String) -> Bool) -> Bool {
            let fields = rows.compactMap { $0.fields.indices.contains(i) ? trimmed($0.fields[i]) : nil }.filter { !$0.isEmpty }
            return !fields.isEmpty && fields.count(where: test) * 2 > fields.count
        }
        for i in 0..<width where names.indices.contains(i) {
            if CSVSeriesReader.timeNames.contains(names[i].lowercased()), all(i, { TimeText.parse($0) != nil }) { return i }
        }
        for i in 0..<width where all(i, { TimeText.iso8601($0) != nil }) { return i }
        if names.isEmpty, width > 1, all(0, { TimeText.epoch($0) != nil }) { return 0 }
        return nil
    }

    private func detectValue(_ rows: [CSVParser.Row], _ width: Int, _ time: Int?) -> Int? {
        func numbers(_ i: Int) -> Int {
            rows.count { $0.fields.indices.contains(i) && CSVSeriesReader.number(trimmed($0.fields[i])) != nil }
        }
        let candidates = (0..<width).filter { $0 != time && numbers($0) > 0 }
        return candidates.first { numbers($0) * 2 > rows.count } ?? candidates.max { numbers($0) < numbers($1) }
    }

    // MARK: - Rows

    private mutating func take(_ row: CSVParser.Row, _ layout: Layout) throws {
        guard row.fields.count == layout.width else {
            return bad(row, "has \(row.fields.count) field\(row.fields.count == 1 ? "" : "s"), not \(layout.width)")
        }
        let text = trimmed(row.fields[layout.value])
        var value = Double.nan
        if !CSVSeriesReader.missingTexts.contains(text.lowercased()) {
            guard let number = CSVSeriesReader.number(text) else { return bad(row, "\"\(text.prefix(40))\" is not a number") }
            value = number.isFinite ? number : .nan
        }
        if let column = layout.time {
            let timeText = trimmed(row.fields[column])
            guard let time = TimeText.parse(timeText) else {
                return bad(row, "\"\(timeText.prefix(40))\" is not a time (ISO 8601, or seconds or milliseconds since 1970)")
            }
            series.times.append(time)
        }
        series.values.append(value)
        if series.values.count > CSVSeriesReader.maximumRows {
            throw CSVError(description: "the file has more than \(CSVSeriesReader.maximumRows) rows; give a part of it")
        }
    }

    private mutating func bad(_ row: CSVParser.Row, _ message: String) {
        series.badRows += 1
        if series.badRowNotes.count < CSVSeriesReader.maximumNotes { series.badRowNotes.append("line \(row.line) \(message)") }
    }

    /// A decimal comma is taken where the field has exactly one comma and no point (files with semicolons).
    private static func number(_ text: String) -> Double? {
        if let value = Double(text) { return value }
        guard text.utf8.count(where: { $0 == UInt8(ascii: ",") }) == 1, !text.contains(".") else { return nil }
        return Double(String(text.map { $0 == "," ? "." : $0 }))
    }
}

private func trimmed(_ text: String) -> String {
    let start = text.drop { $0 == " " || $0 == "\t" }
    guard let last = start.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return "" }
    return String(start[...last])
}
