import Records
import Storage
import TimeSeries

/// Conditions that a series must all meet: a conjunction of matchers, maybe one exact series.
struct SeriesSelector: Sendable {
    let matchers: [LabelMatcher]
    /// Exactly this series.
    let id: Fingerprint?
    private let compiled: SeriesMatcher

    static func all() throws(StorageError) -> SeriesSelector { try SeriesSelector([]) }

    /// Throws `StorageError` (`usage`) for a regular expression that cannot be read.
    init(_ matchers: [LabelMatcher], id: Fingerprint? = nil) throws(StorageError) {
        self.matchers = matchers
        self.id = id
        compiled = try SeriesMatcher(matchers)
    }

    /// Whether every condition also holds for a series without labels. Prometheus refuses such a selector: it means all there is.
    var matchesEverything: Bool { id == nil && compiled.matches(LabelSet([])) }

    /// Instructions of all its regular expressions.
    var size: Int { compiled.size }

    func matches(_ key: SeriesKey) -> Bool {
        if let id, key.id != id { return false }
        return compiled.matches(key.labels)
    }

    /// Both at once; nil if they name two different series.
    func and(_ other: SeriesSelector) throws(StorageError) -> SeriesSelector? {
        if let id, let otherID = other.id, id != otherID { return nil }
        return try SeriesSelector(matchers + other.matchers, id: id ?? other.id)
    }
}
