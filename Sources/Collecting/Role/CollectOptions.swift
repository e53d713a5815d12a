import TimeSeries

/// What the role collects.
package struct CollectOptions: Sendable, Equatable {
    package var targets: [ScrapeTarget] = []
    package var prometheus: [PrometheusOptions] = []
    /// Name of the topic for samples.
    package var topic = "samples"
    /// How long the scrapes of one target wait while the log refuses, before the oldest is dropped: so many intervals of the target, and 20
    /// scrapes at least. Fixed when the role is made.
    package var maxPendingSpan: Milliseconds = 600_000
    /// The same in bytes; the newest scrape always waits.
    package var maxPendingBytes = 64 << 20
    /// How long the end of the role waits for the log to take what is left.
    package var drainTimeout: Milliseconds = 5_000

    package init() {}

    /// What is wrong, in words for a person; empty if nothing.
    package func problems() -> [String] {
        var problems = targets.compactMap { $0.problem() } + prometheus.compactMap { $0.problem() }
        var seen: Set<String> = []
        for id in targets.map(\.id) + prometheus.map(\.id) where !seen.insert(id).inserted {
            problems.append("\(redacted(id)) is listed twice")
        }
        return problems
    }
}
