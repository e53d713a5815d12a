import Fetching
import TimeSeries

/// One Prometheus server (2.42 or later, or anything with its query API) that is read as a source.
package struct PrometheusOptions: Sendable, Equatable {
    /// A PromQL expression whose value becomes a series.
    package struct Expression: Sendable, Equatable {
        /// Name of the resulting metric; the result's labels are kept.
        package var name: String
        package var expr: String
        package var step: Milliseconds

        package init(name: String, expr: String, step: Milliseconds = 15_000) {
            self.name = name
            self.expr = expr
            self.step = step
        }
    }

    /// Where the API's `/api/v1/` hangs.
    package var baseURL: String
    /// Instant selectors, `{job="node"}`; their raw samples are read.
    package var selectors: [String] = []
    package var expressions: [Expression] = []
    /// How far back the first round goes.
    package var backfill: Milliseconds = 12 * 3_600_000
    /// Go on from here instead; what is sent twice is ignored by the reader.
    package var resumeFrom: Milliseconds?
    package var interval: Milliseconds = 15_000
    /// Of one request.
    package var timeout: Milliseconds = 60_000
    package var credentials: HTTPCredentials?
    package var tls = TLSOptions()
    /// Added to every series that has no such label.
    package var labels: [Label] = []
    package var types: [MetricTypeRule] = []
    /// How far behind the server's clock a round ends: samples carry the time their scrape began, and come when it has ended.
    package var lag: Milliseconds = 5_000
    /// How much of the past each round asks for again, for samples that came late.
    package var overlap: Milliseconds = 120_000
    /// A raw series without a sample for so long has ended (Prometheus' lookback).
    package var lookback: Milliseconds = 300_000
    /// Bytes of one answer after decompression.
    package var maxBodyBytes = 128 << 20
    /// Samples of one piece of time over all queries: bounds the memory.
    package var maxPieceSamples = 4_000_000

    package init(baseURL: String) { self.baseURL = baseURL }

    package var id: String { "prometheus \(baseURL)" }
    package var displayURL: String { redacted(baseURL) }

    /// The name behind `SamplesRecord.source`.
    package var sourceName: String { "prometheus:\(baseURL)" }

    /// What is wrong with the options, in words for a person; nil if nothing.
    package func problem() -> String? {
        if HTTPAddress(baseURL) == nil { return "\(displayURL) is no http:// or https:// URL with a host" }
        if selectors.isEmpty && expressions.isEmpty { return "Prometheus server \(displayURL) has neither selectors nor expressions" }
        if let empty = selectors.first(where: { $0.allSatisfy(\.isWhitespace) }) {
            return "Prometheus server \(displayURL): \"\(empty)\" is no selector"
        }
        for expression in expressions {
            if expression.name.isEmpty || expression.expr.isEmpty {
                return "Prometheus server \(displayURL): an expression needs a name and an expr"
            }
            if expression.step < 100 { return "Prometheus server \(displayURL): the step of \(expression.name) must be at least 100 ms" }
        }
        if interval < 100 { return "Prometheus server \(displayURL): the interval must be at least 100 ms" }
        if timeout <= 0 || backfill < 0 || lag < 0 || overlap < 0 || lookback <= 0 {
            return "Prometheus server \(displayURL): times must not be negative"
        }
        for rule in types {
            if let error = NamePattern.problem(rule.pattern) { return "Prometheus server \(displayURL): \(error)" }
        }
        return nil
    }
}
