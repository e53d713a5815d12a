extension FlowDefinition {
    /// Throws the first thing that is wrong with the definition by itself or with the joins that there are.
    package func check(joins: JoinSet) throws(FlowProblem) {
        if name.isEmpty { throw FlowProblem("a flow needs a name") }
        if values.isEmpty { throw FlowProblem("a flow needs at least one value") }
        for (i, value) in values.enumerated() {
            if !SeriesNames.isMetric(value.metric) { throw FlowProblem("\"\(value.metric)\" is no metric name") }
            if value.field.isEmpty { throw FlowProblem("the metric \(value.metric) has no field") }
            if values[..<i].contains(where: { $0.metric == value.metric }) { throw FlowProblem("\(value.metric) is given twice") }
        }
        for (i, label) in labels.enumerated() {
            if !SeriesNames.isLabel(label.name) { throw FlowProblem("\"\(label.name)\" is no label name") }
            if labels[..<i].contains(where: { $0.name == label.name }) { throw FlowProblem("the label \(label.name) is given twice") }
        }
        if case .csv(let separator, let columns) = format {
            if separator == UInt8(ascii: "\"") || separator == UInt8(ascii: "\n") || separator >= 0x80 {
                throw FlowProblem("the separator of cells must be one ASCII character, neither a quote nor a line end")
            }
            if Set(columns).count != columns.count { throw FlowProblem("a column is given twice") }
        }
        for transform in transforms {
            if case .enrich(let join, _, _) = transform, !joins.has(join) { throw FlowProblem("there is no join \"\(join)\"") }
            if case .compute(_, _, let multiply, let add) = transform, !multiply.isFinite || !add.isFinite {
                throw FlowProblem("a computation needs finite numbers")
            }
        }
    }
}
