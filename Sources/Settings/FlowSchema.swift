import TimeSeries

// The keys for any other flow, and for what it is joined with.

private let second: Milliseconds = 1000
private let minute = 60 * second
private let hour = 60 * minute
private let day = 24 * hour

extension ConfigurationSchema {
    static let flow = Section<FlowSettings>(
        [
            .value("name", \.name, .flowName, required: true, "Of the flow; with `http`, the last part of the address."),
            .section("source", \.source, flowSource, "Where the records come from: one of the three."),
            .value("format", \.format, .choice, "`json`: one object, a list of them, or one a line. `csv`: rows."),
            .value("separator", \.separator, .separator, "Between the cells of CSV.").shown { $0.format == .csv },
            .list("columns", \.columns, of: .text, "The columns of CSV; empty: the first row names them.").shown { $0.format == .csv },
            .optionalSection("time", \.time, FlowTimeSettings(), flowTime, "Where the time stands. Absent: the time of arrival counts."),
            .sections(
                "transforms", \.transforms, FlowTransformSettings(), flowTransform,
                "What is done to each record, in this order, after its time is read. Each is one of the four."),
            .map("values", \.values, keys: .metricName, values: .text, "Metric name: field. Dots go into nested objects."),
            .map("labels", \.labels, keys: .labelName, values: .text, "Label: field, or \"=text\" for a constant."),
            .value(
                "disorder", \.disorder, .duration(0...day),
                "Windows are first given when the newest record is this much past their end."),
            .value("max_series", \.maxSeries, .integer(1...100_000_000), "Series that the flow may make; samples of more are refused."),
        ], check: ConfigurationChecks.flow)

    private static let flowSource = Section<FlowSourceSettings>(
        [
            .optional("topic", \.topic, .topic, "The topic to read."),
            .optionalPath("file", \.file, "A file, read from its beginning; JSON one object a line."),
            .value("follow", \.follow, .bool, "Goes on with what is appended to the file, also after it was rotated.")
                .shown { $0.file != nil },
            .value("http", \.http, .bool, "Requests: POST /api/v1/flows/NAME.").shown { $0.http },
        ], check: ConfigurationChecks.flowSource)

    private static let flowTime = Section<FlowTimeSettings>([
        .value("field", \.field, .text, required: true, "The field."),
        .value("form", \.form, .choice, "`iso`: ISO 8601; without an offset, in the zone. `local`: date and time of day in the zone."),
        .value("zone", \.zone, .timeZone, "The time zone."),
    ])

    private static let flowTransform = Section<FlowTransformSettings>(
        [
            .optionalSection("filter", \.filter, FlowFilterSettings(), flowFilter, "Goes on only with records that pass all tests."),
            .optionalSection("rename", \.rename, FlowRenameSettings(), flowRename, "Gives a field another name."),
            .optionalSection("compute", \.compute, FlowComputeSettings(), flowCompute, "A field times a number plus a number."),
            .optionalSection(
                "enrich", \.enrich, FlowEnrichSettings(), flowEnrich, "Takes fields from a join; without a row they are missing."),
        ], check: ConfigurationChecks.flowTransform)

    private static let flowFilter = Section<FlowFilterSettings>(
        [
            .value("field", \.field, .text, required: true, "The field."),
            .optional("equals", \.equals, .text, "Its text, or its number."),
            .optional("matches", \.matches, .regex, "Regular expression over the whole text."),
            .optional("above", \.above, .anyNumber, "Greater than this."),
            .optional("below", \.below, .anyNumber, "Less than this."),
            .optional("exists", \.exists, .bool, "Whether the record has it."),
        ], check: ConfigurationChecks.flowFilter)

    private static let flowRename = Section<FlowRenameSettings>([
        .value("from", \.from, .text, required: true, "The field."),
        .value("to", \.to, .text, required: true, "Its new name."),
    ])

    private static let flowCompute = Section<FlowComputeSettings>([
        .value("to", \.to, .text, required: true, "The field that gets the number."),
        .value("field", \.field, .text, required: true, "The field that it is computed from; may be the same."),
        .value("multiply", \.multiply, .anyNumber, "The factor."),
        .value("add", \.add, .anyNumber, "What is added then."),
    ])

    private static let flowEnrich = Section<FlowEnrichSettings>(
        [
            .value("join", \.join, .text, required: true, "Name of the join."),
            .value("on", \.on, .text, required: true, "The field whose text is the key."),
            .list("fields", \.fields, of: .text, "What is taken."),
        ], check: ConfigurationChecks.flowEnrich)

    static let join = Section<JoinSettings>(
        [
            .value("name", \.name, .flowName, required: true, "Of the join."),
            .optionalPath("table", \.table, "CSV with a header; read again when it changes."),
            .value("separator", \.separator, .separator, "Between the cells of the table.").shown { $0.table != nil },
            .optional("topic", \.topic, .topic, "JSON objects; of each key the newest at or before the record's time counts."),
            .value("key", \.key, .text, required: true, "The column or field of the key."),
            .optionalSection("time", \.time, FlowTimeSettings(), flowTime, "Of the topic's values. Absent: when the log took them."),
            .value("keep", \.keep, .duration(second...(3650 * day)), "How long a value of the topic counts.").shown { $0.topic != nil },
            .value("max_keys", \.maxKeys, .integer(1...100_000_000), "Keys of the topic that are held; more are left out and counted.")
                .shown { $0.topic != nil },
        ], check: ConfigurationChecks.join)
}

extension Field {
    /// The path of a file that may come later.
    fileprivate static func optionalPath(_ name: String, _ path: SendablePath<Root, String?>, _ about: String) -> Field {
        var field = optional(name, path, .path, about)
        let plain = field.read
        field.read = { root, spot, loader in
            plain(&root, spot, &loader)
            if let given = root[keyPath: path] { root[keyPath: path] = loader.resolved(given, givenAt: spot.path) }
        }
        return field
    }
}

extension ValueForm where Value == Double {
    fileprivate static var anyNumber: Self {
        ValueForm(
            name: "number", allowed: "a number",
            parse: { text throws(FormError) in Double(text).flatMap { $0.isFinite ? $0 : nil } },
            format: { value in value.magnitude < 1e15 ? Int64(exactly: value).map { "\($0)" } ?? "\(value)" : "\(value)" })
    }
}

extension ValueForm where Value == String {
    /// Stands in addresses and names of groups.
    fileprivate static var flowName: Self {
        ValueForm(
            name: "name", allowed: "a name of at most 100 letters, digits, '_' and '-'",
            parse: { text throws(FormError) in
                let isName = text.utf8.allSatisfy { c in
                    (0x30...0x39).contains(c) || (0x61...0x7A).contains(c | 0x20) && c < 0x80 || c == 0x5F || c == 0x2D
                }
                return isName && (1...100).contains(text.utf8.count) ? text : nil
            }, format: { $0 })
    }

    fileprivate static var separator: Self {
        ValueForm(
            name: "character", allowed: "one ASCII character such as ; or the word tab",
            parse: { text throws(FormError) in
                if text == "\t" || text == "tab" { return "tab" }
                guard text.utf8.count == 1, let c = text.utf8.first, (0x20..<0x7F).contains(c), c != UInt8(ascii: "\"") else { return nil }
                return text
            }, format: { $0 })
    }
}
