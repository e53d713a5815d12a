import Records
import Storage
import Synchronization
import TestSupport
import TimeSeries

/// Set once, seen by all.
package final class Flag: Sendable {
    private let state = Mutex(false)
    package init() {}
    package var isSet: Bool { state.withLock { $0 } }
    package func set() { state.withLock { $0 = true } }
}

package let second: Milliseconds = 1000
package let minute: Milliseconds = 60 * second
package let hour: Milliseconds = 60 * minute
package let day: Milliseconds = 24 * hour
/// A full hour, and a full day.
package let start: Milliseconds = 20_375 * day

package func key(_ name: String, _ labels: [(String, String)] = [], type: MetricType = .gauge) -> SeriesKey {
    SeriesKey(labels: LabelSet(name: name, labels.map { Label($0.0, $0.1) }), type: type)
}

package func windows(
    _ series: SeriesKey, at time: Milliseconds, revision: Int64 = 1, value: Double = 1,
    of lengths: [Milliseconds] = [hour, 3 * hour, 12 * hour]
) -> WindowsResult {
    WindowsResult(
        series: series, time: time, revision: Revision(rawValue: revision),
        windows: lengths.map {
            WindowStatistics(
                window: $0, count: Int($0 / 15_000), min: value - 1, max: value + 1, avg: value, stddev: 0.1 * value, p50: value,
                p95: value + 0.5, p99: value + 0.75)
        })
}

package func profile(
    _ series: SeriesKey, at time: Milliseconds, revision: Int64 = 1, verdict: String? = "stationary", detail: JSONValue = ["adf": 0.01]
) -> ProfileResult {
    ProfileResult(
        series: series, time: time, revision: Revision(rawValue: revision), verdict: verdict, samples: 2880, detail: detail)
}

package func prediction(_ value: Double) -> Prediction {
    Prediction(expected: value, lower80: value - 1.25, upper80: value + 1.25, lower95: value - 2.5, upper95: value + 2.5)
}

package func forecast(
    _ series: SeriesKey, at time: Milliseconds, revision: Int64 = 1, value: Double = 1, horizon: Milliseconds = 10 * minute, steps: Int = 3
) -> ForecastResult {
    ForecastResult(
        series: series, time: time, revision: Revision(rawValue: revision), horizon: horizon, step: minute, max: prediction(value + 1),
        min: prediction(value - 1), avg: prediction(value), path: (0..<steps).map { prediction(value + Double($0) / 3) })
}

package func chunk(
    _ series: SeriesKey, from first: Milliseconds, to last: Milliseconds, revision: Int64 = 1, bytes: Int = 40
) -> ChunkResult {
    var moments = Moments()
    for i in 0..<10 { moments.add(1e9 + Double(i) / 3) }
    return ChunkResult(
        series: series, start: first, end: last, revision: Revision(rawValue: revision), count: 10, replayOffset: 7 &* revision,
        moments: moments, data: (0..<bytes).map { UInt8(truncatingIfNeeded: Int64($0) &* 31 &+ revision) })
}

extension StoreBatch {
    package init(
        windows: [WindowsResult] = [], profiles: [ProfileResult] = [], forecasts: [ForecastResult] = [], chunks: [ChunkResult] = [],
        anomalies: [AnomalyResult] = [], trafficTotals: [TrafficTotal] = [], trafficWindows: [TrafficWindow] = [],
        visits: [PointVisit] = [], alerts: [TrafficAlert] = [], checkpoints: [CheckpointPart] = []
    ) {
        self.init()
        self.windows = windows
        self.profiles = profiles
        self.forecasts = forecasts
        self.chunks = chunks
        self.anomalies = anomalies
        self.trafficTotals = trafficTotals
        self.trafficWindows = trafficWindows
        self.visits = visits
        self.alerts = alerts
        self.checkpoints = checkpoints
    }
}

/// All that the contract lets one see of some series, as text: two stores with equal text hold the same.
package func contents(of store: any ResultStore, _ ids: [Fingerprint]) async throws -> [String] {
    var lines: [String] = []
    for series in try await store.series(matching: [], page: PageRequest(limit: 100_000)) {
        lines.append("series \(series.key.id) \(series.key.labels) \(series.key.type) \(series.firstSeen) \(series.lastSeen)")
    }
    lines += try await store.latestWindows(ids).map { "latest \($0)" }
    lines += try await store.latestProfiles(ids).map { "latest \($0)" }
    lines += try await store.latestForecasts(ids).map { "latest \($0)" }
    for id in ids {
        lines += try await store.windowsHistory(id, from: .min, to: .max, limit: .max).map { "history \($0)" }
        lines += try await store.forecastHistory(id, from: .min, to: .max, limit: .max).map { "history \($0)" }
        lines += try await store.chunks(of: id, from: .min, to: .max).map { "chunk \($0)" }
    }
    let states = Mutex<[String]>([])
    let wanted = Set(ids)
    try await store.modelStates(shards: Set(ids.map(\.shard))) { page in
        states.withLock { $0 += page.filter { wanted.contains($0.series.id) }.map { "state \($0)" } }
    }
    lines += states.withLock { $0.sorted() }
    return lines
}
