import Records
import Storage
import Synchronization
import TimeSeries

/// What the kinds of results have in common here.
protocol LiveResult: Sendable {
    var series: SeriesKey { get }
    var time: Milliseconds { get }
    var revision: Revision { get }
    /// About how much memory it takes.
    var bytes: Int { get }
}

extension LiveResult {
    /// Whether this one replaces `other`.
    func isNewer(than other: Self) -> Bool { (time, revision) > (other.time, other.revision) }
}

extension SeriesKey {
    var bytes: Int { 96 + labels.labels.reduce(0) { $0 + 64 + $1.name.utf8.count + $1.value.utf8.count } }
}

extension WindowsResult: LiveResult {
    var bytes: Int { series.bytes + 64 + windows.count * MemoryLayout<WindowStatistics>.stride }
}

extension ProfileResult: LiveResult {
    var bytes: Int { series.bytes + 64 + detail.bytes }
}

extension ForecastResult: LiveResult {
    var bytes: Int { series.bytes + 256 + path.count * MemoryLayout<Prediction>.stride }
}

extension AnomalyResult: LiveResult {
    var bytes: Int { series.bytes + 128 + cause.utf8.count }
}

extension JSONValue {
    fileprivate var bytes: Int {
        let own = MemoryLayout<JSONValue>.stride
        switch self {
        case .null, .bool, .int, .double: return own
        case .string(let text): return own + text.utf8.count
        case .array(let elements): return elements.reduce(own + 32) { $0 + $1.bytes }
        case .object(let members): return members.reduce(own + 32) { $0 + 16 + $1.key.utf8.count + $1.value.bytes }
        }
    }
}

/// The newest result of each series, bounded in bytes; over the bound the results with the oldest times go.
struct LatestTable<Result: LiveResult>: Sendable {
    private(set) var results: [Fingerprint: Result] = [:]
    private(set) var bytes = 0
    private(set) var evicted = 0
    let maxBytes: Int

    init(maxBytes: Int) { self.maxBytes = maxBytes }

    /// O(1), amortised.
    mutating func put(_ result: Result) {
        if let known = results[result.series.id] {
            if !result.isNewer(than: known) { return }
            bytes -= known.bytes
        }
        results[result.series.id] = result
        bytes += result.bytes
        if bytes > maxBytes { evict() }
    }

    /// Frees an eighth, so that the sort pays for many results.
    private mutating func evict() {
        for result in results.values.sorted(by: { $0.time < $1.time }) {
            if bytes <= maxBytes / 8 * 7 { break }
            results[result.series.id] = nil
            bytes -= result.bytes
            evicted += 1
        }
    }
}

/// The newest results as they travel on the result topics, before and beside what the store has. Bounded.
final class LiveCache: Sendable {
    private struct State {
        var windows: LatestTable<WindowsResult>
        var profiles: LatestTable<ProfileResult>
        var forecasts: LatestTable<ForecastResult>
        /// The newest incident of each series.
        var anomalies: LatestTable<AnomalyResult>
        var isCurrent = false
    }

    private let state: Mutex<State>

    /// `maxBytes` for each of the kinds.
    init(maxBytes: Int) {
        state = Mutex(
            State(
                windows: .init(maxBytes: maxBytes), profiles: .init(maxBytes: maxBytes), forecasts: .init(maxBytes: maxBytes),
                anomalies: .init(maxBytes: maxBytes)))
    }

    func apply(_ record: ResultRecord) {
        state.withLock { state in
            switch record {
            case .windows(let results): for result in results { state.windows.put(result) }
            case .profiles(let results): for result in results { state.profiles.put(result) }
            case .forecasts(let results): for result in results { state.forecasts.put(result) }
            case .anomalies(let results): for result in results { state.anomalies.put(result) }
            }
        }
    }

    /// Whether the topics are followed without a gap, so that what is here is the newest there is.
    var isCurrent: Bool {
        get { state.withLock { $0.isCurrent } }
        set { state.withLock { $0.isCurrent = newValue } }
    }

    func windows(_ ids: [Fingerprint]) -> [Fingerprint: WindowsResult] { pick(ids, state.withLock { $0.windows.results }) }
    func profiles(_ ids: [Fingerprint]) -> [Fingerprint: ProfileResult] { pick(ids, state.withLock { $0.profiles.results }) }
    func forecasts(_ ids: [Fingerprint]) -> [Fingerprint: ForecastResult] { pick(ids, state.withLock { $0.forecasts.results }) }

    func anomaly(_ id: Fingerprint) -> AnomalyResult? { state.withLock { $0.anomalies.results[id] } }

    private func pick<R>(_ ids: [Fingerprint], _ results: [Fingerprint: R]) -> [Fingerprint: R] {
        var picked: [Fingerprint: R] = [:]
        for id in ids { if let result = results[id] { picked[id] = result } }
        return picked
    }

    /// The series that have windows here, with the time of the newest. O(series).
    func series() -> [StoredSeries] {
        state.withLock { $0.windows.results }.values.map { StoredSeries(key: $0.series, firstSeen: $0.time, lastSeen: $0.time) }
    }

    /// The newest time among the series with windows; nil if there are none.
    func lastSeen(_ id: Fingerprint) -> StoredSeries? {
        state.withLock { $0.windows.results[id] }.map { StoredSeries(key: $0.series, firstSeen: $0.time, lastSeen: $0.time) }
    }

    var size: (series: Int, bytes: Int, evicted: Int) {
        state.withLock {
            (
                $0.windows.results.count, $0.windows.bytes + $0.profiles.bytes + $0.forecasts.bytes + $0.anomalies.bytes,
                $0.windows.evicted + $0.profiles.evicted + $0.forecasts.evicted + $0.anomalies.evicted
            )
        }
    }
}
