import Synchronization

/// All metrics of one process. Parts ask for an instrument once, keep it, and write to it without the registry's lock.
/// Asking again for the same name and labels gives the same instrument.
package final class MetricRegistry: Sendable {
    enum Instrument {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(Histogram)
    }

    struct Family {
        var help: String
        var type: String
        /// By rendered labels, `{a="b"}` or "".
        var children: [String: Instrument] = [:]
    }

    private struct State {
        var families: [String: Family] = [:]
        /// Run before each rendering, to set gauges that are cheaper to read than to keep.
        var collectors: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())

    package init() {}

    /// `name` ends in `_total` and follows `almanac_<part>_<what>_total`.
    package func counter(_ name: String, help: String, labels: [(String, String)] = []) -> Counter {
        let made = instrument(name, help: help, type: "counter", labels: labels) { .counter(Counter()) }
        if case .counter(let counter) = made { return counter }
        return Counter()
    }

    package func gauge(_ name: String, help: String, labels: [(String, String)] = []) -> Gauge {
        let made = instrument(name, help: help, type: "gauge", labels: labels) { .gauge(Gauge()) }
        if case .gauge(let gauge) = made { return gauge }
        return Gauge()
    }

    package func histogram(
        _ name: String, help: String, bounds: [Double] = Histogram.seconds, labels: [(String, String)] = []
    ) -> Histogram {
        let made = instrument(name, help: help, type: "histogram", labels: labels) { .histogram(Histogram(bounds: bounds)) }
        if case .histogram(let histogram) = made { return histogram }
        return Histogram(bounds: bounds)
    }

    /// Adds work to do before each rendering.
    package func onCollect(_ body: @escaping @Sendable () -> Void) {
        state.withLock { $0.collectors.append(body) }
    }

    private func instrument(
        _ name: String, help: String, type: String, labels: [(String, String)], make: () -> Instrument
    ) -> Instrument {
        let key = renderedLabels(labels)
        return state.withLock { state in
            var family = state.families[name] ?? Family(help: help, type: type)
            if let known = family.children[key] { return known }
            let made = make()
            family.children[key] = made
            state.families[name] = family
            return made
        }
    }

    /// The page in Prometheus' text format 0.0.4, families and children sorted by name.
    package func render() -> String {
        let collectors = state.withLock { $0.collectors }
        for collect in collectors { collect() }
        let families = state.withLock { $0.families }
        var page = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            page += "# HELP \(name) \(family.help)\n# TYPE \(name) \(family.type)\n"
            for (labels, instrument) in family.children.sorted(by: { $0.key < $1.key }) {
                render(name, labels, instrument, into: &page)
            }
        }
        return page
    }

    private func render(_ name: String, _ labels: String, _ instrument: Instrument, into page: inout String) {
        switch instrument {
        case .counter(let counter): page += "\(name)\(labels) \(counter.value)\n"
        case .gauge(let gauge): page += "\(name)\(labels) \(rendered(gauge.value))\n"
        case .histogram(let histogram):
            let (counts, sum) = histogram.snapshot()
            var cumulative: UInt64 = 0
            for (i, count) in counts.enumerated() {
                cumulative += count
                let bound = i < histogram.bounds.count ? rendered(histogram.bounds[i]) : "+Inf"
                page += "\(name)_bucket\(withLabel(labels, "le", bound)) \(cumulative)\n"
            }
            page += "\(name)_sum\(labels) \(rendered(sum))\n\(name)_count\(labels) \(cumulative)\n"
        }
    }
}

func renderedLabels(_ labels: [(String, String)]) -> String {
    if labels.isEmpty { return "" }
    return "{" + labels.map { "\($0.0)=\"\(escapedLabelValue($0.1))\"" }.joined(separator: ",") + "}"
}

private func withLabel(_ labels: String, _ name: String, _ value: String) -> String {
    labels.isEmpty ? "{\(name)=\"\(value)\"}" : labels.dropLast() + ",\(name)=\"\(value)\"}"
}

private func rendered(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    return value == value.rounded() && value.magnitude < 1e15 ? "\(Int64(value))" : "\(value)"
}

private func escapedLabelValue(_ value: String) -> String {
    var out = ""
    for c in value.unicodeScalars {
        switch c {
        case "\\": out += "\\\\"
        case "\"": out += "\\\""
        case "\n": out += "\\n"
        default: out.unicodeScalars.append(c)
        }
    }
    return out
}
