import TimeSeries

/// A regular expression for a whole metric name, as Prometheus anchors them.
struct NamePattern {
    private let regex: LinearRegex

    init(_ pattern: String) throws { regex = try LinearRegex(pattern) }

    func matches(_ name: String) -> Bool { regex.matches(name) }

    /// Why the pattern is no regular expression; nil if it is one.
    static func problem(_ pattern: String) -> String? {
        do {
            _ = try NamePattern(pattern)
            return nil
        } catch {
            return "\"\(pattern)\" is not a regular expression: \(error)"
        }
    }
}

/// What the configuration says about metrics by name: kept or dropped, and of which type. Asked once for each new series; the
/// verdict for a name is remembered, as the series of one metric come together.
struct MetricRules {
    struct Verdict {
        var isKept: Bool
        /// The configured type; nil leaves it to the page.
        var type: MetricType?
    }

    /// A target that invents names must not fill the memory.
    private static let maximumRemembered = 4_096

    private let keep: [[NamePattern]]
    private let drop: [NamePattern]
    private let types: [(pattern: NamePattern, type: MetricType)]
    private var verdicts: [String: Verdict] = [:]

    /// Patterns that do not compile are left out; `ScrapeTarget.problem` names them.
    /// - Parameter keep: lists of which each must let a name through; an empty one lets all.
    init(keep: [[String]] = [], drop: [String] = [], types: [MetricTypeRule] = []) {
        self.keep = keep.filter { !$0.isEmpty }.map { $0.compactMap { try? NamePattern($0) } }
        self.drop = drop.compactMap { try? NamePattern($0) }
        self.types = types.compactMap { rule in (try? NamePattern(rule.pattern)).map { ($0, rule.type) } }
    }

    mutating func verdict(for name: String) -> Verdict {
        if keep.isEmpty && drop.isEmpty && types.isEmpty { return Verdict(isKept: true, type: nil) }
        if let known = verdicts[name] { return known }
        let isKept = keep.allSatisfy { $0.contains { $0.matches(name) } } && !drop.contains { $0.matches(name) }
        let verdict = Verdict(isKept: isKept, type: types.first { $0.pattern.matches(name) }?.type)
        if verdicts.count >= MetricRules.maximumRemembered { verdicts.removeAll() }
        verdicts[name] = verdict
        return verdict
    }
}
