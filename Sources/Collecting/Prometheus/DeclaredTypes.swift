import Records
import TimeSeries

/// The metric types that `/api/v1/metadata` declares, applied to the names of series.
struct DeclaredTypes: Sendable, Equatable {
    private var byFamily: [String: String] = [:]

    init() {}

    /// From `{"data":{"<family>":[{"type":"counter",..},..],..}}`; what has another shape is left out. Where targets disagree the first counts.
    init(_ answer: JSONValue) {
        for (family, entries) in answer["data"]?.objectValue ?? [] {
            if let type = entries.arrayValue?.first?["type"]?.stringValue { byFamily[family] = type }
        }
    }

    /// nil where nothing is declared: then the name decides.
    func type(of name: String) -> MetricType? {
        if let declared = byFamily[name] {
            switch declared {
            case "counter": return .counter
            // The series that carry the very name of a summary are its quantiles.
            case "gauge", "summary", "gaugehistogram", "info", "stateset": return .gauge
            default: break
            }
        }
        for suffix in ["_bucket", "_count", "_sum", "_total"] where name.hasSuffix(suffix) {
            switch (byFamily[String(name.dropLast(suffix.count))], suffix) {
            case ("histogram", _), ("summary", "_count"), ("summary", "_sum"): return .counter
            // OpenMetrics declares a counter without its suffix.
            case ("counter", "_total"): return .counter
            default: break
            }
        }
        return nil
    }
}
