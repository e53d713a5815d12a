// What must hold between the keys of flows and joins.

extension ConfigurationChecks {
    static func flow(_ flow: FlowSettings, _ path: String, _ loader: inout Loader) {
        if flow.values.isEmpty && !loader.hasMistakes(under: path + ".values") {
            loader.report(path, "has no values; give at least one metric with its field, such as values: {room_temperature_celsius: temp}")
        }
        for (name, text) in flow.labels.sorted(by: { $0.key < $1.key }) where text == "=" {
            loader.report("\(path).labels.\(name)", "is empty; give a field, or \"=text\" for a constant")
        }
        if flow.format == .json, !loader.hasMistakes(under: path + ".format") {
            for key in ["separator", "columns"] where loader.isGiven("\(path).\(key)") {
                loader.report(path + ".format", "is json, which has no \(key); give format: csv")
            }
        }
        distinct(flow.columns, path + ".columns", &loader)
    }

    static func flowSource(_ source: FlowSourceSettings, _ path: String, _ loader: inout Loader) {
        let given = ["topic", "file", "http"].filter { key in
            loader.isGiven("\(path).\(key)") && (key != "http" || source.http || loader.hasMistakes(under: path + ".http"))
        }
        if given.isEmpty { loader.report(path, "is none; give topic, file, or http: true") }
        for key in given.dropFirst() {
            loader.report("\(path).\(key)", "give only one of topic, file and http; \(given[0]) is there already")
        }
        if source.follow && !given.isEmpty && !given.contains("file") { loader.report(path + ".follow", "goes with file") }
    }

    static func flowTransform(_ transform: FlowTransformSettings, _ path: String, _ loader: inout Loader) {
        let count = [transform.filter != nil, transform.rename != nil, transform.compute != nil, transform.enrich != nil].count { $0 }
        if count == 0 && !loader.hasMistakes(under: path) { loader.report(path, "does nothing; give filter, rename, compute or enrich") }
        if count > 1 { loader.report(path, "does several things; make an element of each, as they are done in order") }
    }

    static func flowFilter(_ filter: FlowFilterSettings, _ path: String, _ loader: inout Loader) {
        let isEmpty = filter.equals == nil && filter.matches == nil && filter.above == nil && filter.below == nil && filter.exists == nil
        if isEmpty && !loader.hasMistakes(under: path) {
            loader.report(path, "has no test; give equals, matches, above, below or exists")
        }
        if let above = filter.above, let below = filter.below, above >= below {
            loader.report(path + ".below", "no number is above \(above) and below \(below)")
        }
    }

    static func flowEnrich(_ enrich: FlowEnrichSettings, _ path: String, _ loader: inout Loader) {
        if enrich.fields.isEmpty && !loader.hasMistakes(under: path + ".fields") {
            loader.report(path, "takes nothing; give fields, such as [city]")
        }
    }

    static func join(_ join: JoinSettings, _ path: String, _ loader: inout Loader) {
        let isTable = loader.isGiven(path + ".table")
        let isTopic = loader.isGiven(path + ".topic")
        if isTable && isTopic { loader.report(path + ".topic", "give either table or topic, not both") }
        if !isTable && !isTopic { loader.report(path, "has no source; give table or topic") }
        if isTable && !isTopic {
            for key in ["time", "keep", "max_keys"] where loader.isGiven("\(path).\(key)") {
                loader.report("\(path).\(key)", "goes with topic; a table has no time")
            }
        }
        if isTopic && !isTable && loader.isGiven(path + ".separator") { loader.report(path + ".separator", "goes with table") }
    }

    /// What must hold between flows, joins and topics.
    static func flows(_ all: Configuration, _ loader: inout Loader) {
        distinct(all.flows.map(\.name), "flows", field: ".name", &loader)
        distinct(all.joins.map(\.name), "joins", field: ".name", &loader)
        let joins = all.joins.map(\.name).filter { !$0.isEmpty }
        let binary = [all.topics.samples, all.topics.chunks]
        for (i, flow) in all.flows.enumerated() {
            for (j, transform) in flow.transforms.enumerated() {
                guard let join = transform.enrich?.join, !join.isEmpty, !joins.contains(join) else { continue }
                let near = Suggestion.nearest(to: join, in: joins).map { "; did you mean \"\($0)\"?" }
                let known = joins.isEmpty ? "; joins has none" : " (known: \(joins.joined(separator: ", ")))"
                loader.report("flows[\(i)].transforms[\(j)].enrich.join", "there is no join \"\(join)\"" + (near ?? known))
            }
            if let topic = flow.source.topic, binary.contains(topic) {
                loader.report("flows[\(i)].source.topic", "\"\(topic)\" is almanac's own topic, which holds no records of a flow")
            }
        }
    }

    private static func distinct(_ names: [String], _ path: String, field: String = "", _ loader: inout Loader) {
        for (i, name) in names.enumerated() where !name.isEmpty && names[..<i].contains(name) {
            loader.report("\(path)[\(i)]\(field)", "\"\(name)\" is given twice")
        }
    }
}
