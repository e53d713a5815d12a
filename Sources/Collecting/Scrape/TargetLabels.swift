import TimeSeries

/// Attaches a target's labels to the labels of a page, by Prometheus' rules (`mutateSampleLabels` in scrape/scrape.go).
struct TargetLabels {
    /// `job`, `instance` and the configured ones; sorted, each name once, configured ones last to win.
    let labels: [Label]
    private let honorLabels: Bool

    init(job: String, instance: String, labels: [Label], honorLabels: Bool) {
        self.labels = LabelSet([Label("job", job), Label("instance", instance)] + labels).labels
        self.honorLabels = honorLabels
    }

    /// The labels of a series of the page. Where names collide, with `honorLabels` the page's wins (even empty, which removes the label),
    /// otherwise it becomes `exported_<name>`, once more prefixed until the name is free.
    func attached(name: String, exported: [Label]) -> LabelSet {
        var result: [Label] = []
        result.reserveCapacity(exported.count + labels.count + 1)
        result.append(Label(LabelSet.metricName, name))
        if honorLabels {
            for label in labels where !exported.contains(where: { $0.name == label.name }) { result.append(label) }
            for label in exported where !label.value.isEmpty { result.append(label) }
            return sorted(&result)
        }
        result.append(contentsOf: labels)
        for label in exported where !label.value.isEmpty {
            guard labels.contains(where: { $0.name == label.name }) else {
                result.append(label)
                continue
            }
            var free = "exported_" + label.name
            while exported.contains(where: { $0.name == free }) || result.contains(where: { $0.name == free }) {
                free = "exported_" + free
            }
            result.append(Label(free, label.value))
        }
        return sorted(&result)
    }

    /// `LabelSet` takes sorted labels as they are, at a tenth of the cost.
    private func sorted(_ labels: inout [Label]) -> LabelSet {
        labels.sort()
        return LabelSet(labels)
    }

    /// The labels of a series about the scrape itself. Nothing exported can collide with it.
    func report(name: String) -> LabelSet { LabelSet(name: name, labels) }
}
