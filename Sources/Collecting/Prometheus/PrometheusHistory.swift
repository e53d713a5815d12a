import Fetching
import Records
import Telemetry
import TimeSeries

/// A Prometheus server's past, a series at a time: what `backfill` reads.
package struct PrometheusHistory: Sendable {
    private let client: PrometheusClient
    /// What a server may answer slowly to.
    private static let attempts = 4

    /// Throws what is wrong with the URL.
    package init(baseURL: String, metrics: MetricRegistry) throws {
        var options = PrometheusOptions(baseURL: baseURL)
        options.selectors = ["up"]
        if let problem = options.problem() { throw PrometheusFailure.refused(problem) }
        client = try PrometheusClient(options, metrics: CollectMetrics(metrics))
    }

    package func close() async { await client.close() }

    /// The series that have samples in (from, to] and match one of the selectors, each once.
    package func series(matching selectors: [String], from: Milliseconds, to: Milliseconds) async throws -> [SeriesKey] {
        let declared = try await retrying { try await client.types() }
        var keys: [Fingerprint: SeriesKey] = [:]
        for labels in try await retrying({ try await client.series(selectors, from: from, to: to) }) {
            let key = SeriesKey(labels: labels, type: declared.type(of: labels.name) ?? .guess(name: labels.name))
            keys[key.id] = key
        }
        return Array(keys.values)
    }

    /// Raw samples of one series in (from, to], in order of time.
    package func samples(
        of series: SeriesKey, after from: Milliseconds, upTo to: Milliseconds
    ) async throws -> (times: [Milliseconds], values: [Double]) {
        let selector = PrometheusHistory.selector(series.labels)
        let columns = try await retrying { try await client.samples(selector, after: from, upTo: to) }
        var times: [Milliseconds] = []
        var values: [Double] = []
        for i in 0..<columns.seriesCount where PrometheusHistory.labels(columns.metric(i))?.fingerprint == series.id {
            for place in columns.samples(i) where columns.times[place] > from {
                times.append(columns.times[place])
                values.append(columns.values[place])
            }
        }
        return (times, values)
    }

    private func retrying<T: Sendable>(_ body: @Sendable () async throws -> T) async throws -> T {
        var pause = Duration.milliseconds(500)
        for _ in 1..<PrometheusHistory.attempts {
            do {
                return try await body()
            } catch PrometheusFailure.unavailable, PrometheusFailure.timeout {
                try await Task.sleep(for: pause)
                pause = pause * 4
            }
        }
        return try await body()
    }

    /// A selector that this series matches; others with more labels may match it too.
    private static func selector(_ labels: LabelSet) -> String {
        let parts = labels.labels.map { label in
            let value = label.value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
            return "\(label.name)=\"\(value)\""
        }
        return "{\(parts.joined(separator: ","))}"
    }

    static func labels(_ json: some Sequence<UInt8>) -> LabelSet? {
        guard let members = (try? JSONValue(parsing: Array(json)))?.objectValue else { return nil }
        return LabelSet(members.compactMap { name, value in value.stringValue.map { Label(name, $0) } })
    }
}
