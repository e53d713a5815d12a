import History
import Records
import Storage
import TimeSeries

/// A series as rows name it.
struct ResolvedSeries: Sendable {
    var key: SeriesKey
    /// Canonical text: what results name it by, and what parts are sorted by.
    var text: [UInt8]
}

/// Makes a series of a row's key, once for each key.
struct KeyResolver: Sendable {
    enum Answer: Sendable {
        case series(ResolvedSeries)
        /// The job does not ask for it.
        case unwanted
        case wrong(String)
    }

    let layout: RowLayout
    /// Of rows that name no metric: the file's own.
    let fallback: LabelSet
    let filter: SeriesFilter

    func resolve(_ key: some Collection<UInt8>) -> Answer {
        do {
            let (labels, type) = try decode(Array(key))
            if !filter.takes(labels) { return .unwanted }
            return .series(ResolvedSeries(key: SeriesKey(labels: labels, type: type), text: SeriesNotation.bytes(labels)))
        } catch {
            return .wrong("\(error)")
        }
    }

    private func decode(_ key: [UInt8]) throws -> (LabelSet, MetricType) {
        var labels: [Label] = []
        var type = MetricType.unknown
        let fields =
            layout.form == .transform
            ? key.split(separator: layout.delimiter, omittingEmptySubsequences: false).map { Array($0) }
            : FieldSplitter.fields(key, delimiter: layout.delimiter).map { Array($0.utf8) }
        for (field, role) in zip(fields, layout.roles) {
            switch role {
            case .series: labels += try SeriesNotation.parse(field).labels
            case .name: labels.append(Label(LabelSet.metricName, String(decoding: field, as: UTF8.self)))
            case .label(let name): labels.append(Label(name, String(decoding: field, as: UTF8.self)))
            case .type: type = try KeyResolver.type(String(decoding: field, as: UTF8.self))
            }
        }
        if !labels.contains(where: { $0.name == LabelSet.metricName && !$0.value.isEmpty }), !layout.roles.contains(.series) {
            labels = fallback.labels + labels
        }
        let set = LabelSet(labels)
        if set.labels.isEmpty { throw BackfillError(.badRow, "the row names no series") }
        return (set, type == .unknown ? .guess(name: set.name) : type)
    }

    private static func type(_ text: String) throws(BackfillError) -> MetricType {
        switch text.lowercased() {
        case "gauge": return .gauge
        case "counter": return .counter
        case "", "unknown", "untyped", "\\n": return .unknown
        default: throw BackfillError(.badRow, "the type '\(text.prefix(40))' is not gauge, counter or unknown")
        }
    }
}

/// Which series a job takes.
package struct SeriesFilter: Sendable {
    private let matchers: [SeriesMatcher]

    /// Of each list all must hold; a series is taken if one list matches, or if there are none. Throws `StorageError` for a regular expression that
    /// cannot be read.
    package init(_ selectors: [[LabelMatcher]]) throws {
        matchers = try selectors.map { try SeriesMatcher($0) }
    }

    package func takes(_ labels: LabelSet) -> Bool { matchers.isEmpty || matchers.contains { $0.matches(labels) } }
}
