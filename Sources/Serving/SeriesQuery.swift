import HTTPKit
import Records
import Storage
import TimeSeries

/// Which series a request asks for: those that meet any `match[]` and any `metric` (each only if given).
struct SeriesQuery: Sendable {
    static let parameters = ["metric", "match[]"]
    static let maximumSelectors = 64
    /// Instructions of all regular expressions together: every series is asked for each.
    static let maximumSize = 10_000

    /// Any of them. Empty: nothing can match.
    let selectors: [SeriesSelector]
    /// Whether neither parameter was given.
    let isAll: Bool

    init(_ query: QueryParameters) throws(Problem) {
        let matches = query.values("match[]")
        let metrics = query.values("metric")
        isAll = matches.isEmpty && metrics.isEmpty
        guard max(1, matches.count) * max(1, metrics.count) <= SeriesQuery.maximumSelectors else {
            throw Problem.badParameter("match[]", "more than \(SeriesQuery.maximumSelectors) selectors in one request")
        }
        do {
            var selectors: [SeriesSelector] = matches.isEmpty ? [try .all()] : []
            for text in matches { selectors.append(try SeriesQuery.selector(text)) }
            if !metrics.isEmpty {
                var both: [SeriesSelector] = []
                for text in metrics {
                    let metric = try SeriesQuery.metric(text)
                    for selector in selectors { if let joined = try selector.and(metric) { both.append(joined) } }
                }
                selectors = both
            }
            guard selectors.reduce(0, { $0 + $1.size }) <= SeriesQuery.maximumSize else {
                throw Problem.badParameter("match[]", "the regular expressions of this request are too large together; write shorter ones")
            }
            self.selectors = selectors
        } catch let problem as Problem {
            throw problem
        } catch {
            throw Problem.badParameter("match[]", "\(error)")
        }
    }

    func matches(_ key: SeriesKey) -> Bool { selectors.contains { $0.matches(key) } }

    private static func selector(_ text: String) throws(Problem) -> SeriesSelector {
        let selector: SeriesSelector
        do {
            selector = try SeriesSelector(try SelectorParser.parse(text))
        } catch {
            throw Problem.badParameter("match[]", "\(error)")
        }
        if selector.matchesEverything {
            throw Problem.badParameter(
                "match[]", "the selector must have a matcher that does not hold for an empty label; leave it out to get everything")
        }
        return selector
    }

    private static func metric(_ text: String) throws(Problem) -> SeriesSelector {
        if text.isEmpty { throw Problem.badParameter("metric", "empty; give a metric's name or a series in Prometheus notation") }
        do {
            if text.contains("{") { return try SeriesSelector([], id: try labels(notation: text).fingerprint) }
            return try SeriesSelector([LabelMatcher(LabelSet.metricName, .equal, text)])
        } catch {
            throw Problem.badParameter("metric", "\(error)")
        }
    }

    /// The labels of a series in Prometheus notation.
    static func labels(notation text: String) throws(SelectorError) -> LabelSet {
        let matchers = try SelectorParser.parse(text)
        if let other = matchers.first(where: { $0.operation != .equal }) {
            throw SelectorError(
                position: 1, message: "a series has only '='; label '\(other.name)' has '\(other.operation.rawValue)', which is for match[]"
            )
        }
        return LabelSet(matchers.map { Label($0.name, $0.value) })
    }
}

/// A place in a listing: after which series it goes on, and how many came before.
struct Cursor: Sendable, Equatable {
    var after: Fingerprint
    var index: Int

    /// More than any store holds, and a page on top of it is a number still.
    private static let largestIndex = 1 << 53

    var text: String { "\(after)-\(index)" }

    init(after: Fingerprint, index: Int) {
        self.after = after
        self.index = index
    }

    init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let after = Fingerprint(parts[0]), let index = Int(parts[1]), 0...Cursor.largestIndex ~= index else {
            return nil
        }
        self.init(after: after, index: index)
    }
}

/// `limit` and `cursor`.
struct PageQuery: Sendable {
    static let parameters = ["limit", "cursor"]
    let limit: Int
    let cursor: Cursor?

    init(_ query: QueryParameters, default fallback: Int, max: Int) throws(Problem) {
        limit = try query.integer("limit", in: 1...max, default: fallback)
        guard let text = try query.single("cursor") else {
            cursor = nil
            return
        }
        guard let cursor = Cursor(text) else {
            throw Problem.badParameter("cursor", "'\(text)' is no cursor; take it from the answer before")
        }
        self.cursor = cursor
    }
}

/// `from` and `to`.
struct TimeRange: Sendable, Equatable {
    static let parameters = ["from", "to"]
    var from: Milliseconds
    var to: Milliseconds

    /// nil if neither is given. Without `to` it is now, without `from` it is `span` before `to`.
    static func parse(_ query: QueryParameters, now: Milliseconds, span: Milliseconds) throws(Problem) -> TimeRange? {
        let from = try time(query, "from")
        let to = try time(query, "to")
        if from == nil && to == nil { return nil }
        let end = to ?? now
        let start = from ?? end - span
        guard start < end else { throw Problem.badParameter("from", "it must be before 'to' (now if not given)") }
        return TimeRange(from: start, to: end)
    }

    private static func time(_ query: QueryParameters, _ name: String) throws(Problem) -> Milliseconds? {
        guard let text = try query.single(name) else { return nil }
        guard let time = Timestamps.parse(text) else {
            throw Problem.badParameter(name, "'\(text)' is neither epoch milliseconds, epoch seconds nor RFC 3339 (2026-01-31T12:00:00Z)")
        }
        return time
    }
}
