import Records
import Storage
import Synchronization
import TestSupport
import TimeSeries

/// The contract in its plainest form, in memory: what the other stores are compared with, and the store of the role's tests.
package final class ModelStore: ResultStore {
    private struct Place: Hashable {
        var series: Fingerprint
        var time: Milliseconds = 0
        var part: Milliseconds = 0
    }

    private struct State {
        var series: [Fingerprint: StoredSeries] = [:]
        var windows: [Place: (Revision, WindowStatistics)] = [:]
        var windowsLatest: [Place: (Milliseconds, Revision, WindowStatistics)] = [:]
        var profiles: [Fingerprint: ProfileResult] = [:]
        var forecasts: [Place: ForecastResult] = [:]
        var forecastsLatest: [Place: ForecastResult] = [:]
        var chunks: [Place: ChunkResult] = [:]
        var modelStates: [Fingerprint: ModelStateResult] = [:]
        var anomalies: [Place: AnomalyResult] = [:]
        var epochs: [String: Int64] = [:]
    }

    private let policy = HistoryPolicy()
    private let state = Mutex(State())
    let traffic = Mutex(TrafficModel())
    /// Thrown by writes: tests take a store away with it.
    private let failures = Mutex<[StorageError]>([])
    package let writes = Mutex<[StoreBatch]>([])
    /// A question for one series is answered with `unavailable`.
    package let isAway = Mutex(false)

    package init() {}

    package func fail(with errors: [StorageError]) { failures.withLock { $0 = errors } }

    package func write(_ batch: StoreBatch) async throws {
        if let failure = failures.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { throw failure }
        writes.withLock { $0.append(batch) }
        traffic.withLock { $0.write(batch) }
        state.withLock { state in
            for result in batch.windows { add(result, &state) }
            for result in batch.profiles {
                see(result.series, result.time, result.time, &state)
                let known = state.profiles[result.series.id]
                if known.map({ (result.time, result.revision) > ($0.time, $0.revision) }) ?? true {
                    state.profiles[result.series.id] = result
                }
            }
            for result in batch.forecasts { add(result, &state) }
            for chunk in batch.chunks {
                see(chunk.series, chunk.start, chunk.end, &state)
                let place = Place(series: chunk.series.id, time: chunk.start)
                if state.chunks[place].map({ chunk.revision > $0.revision }) ?? true { state.chunks[place] = chunk }
            }
            for anomaly in batch.anomalies {
                see(anomaly.series, anomaly.onset, anomaly.time, &state)
                let place = Place(series: anomaly.series.id, time: anomaly.onset)
                if state.anomalies[place].map({ (anomaly.time, anomaly.revision) > ($0.time, $0.revision) }) ?? true {
                    state.anomalies[place] = anomaly
                }
            }
            for model in batch.modelStates {
                see(model.series, model.time, model.time, &state)
                let known = state.modelStates[model.series.id]
                if known.map({ (model.time, model.revision) > ($0.time, $0.revision) }) ?? true {
                    state.modelStates[model.series.id] = model
                }
            }
        }
    }

    private func add(_ result: WindowsResult, _ state: inout State) {
        see(result.series, result.time, result.time, &state)
        for window in result.windows {
            let latest = Place(series: result.series.id, part: window.window)
            if state.windowsLatest[latest].map({ (result.time, result.revision) > ($0.0, $0.1) }) ?? true {
                state.windowsLatest[latest] = (result.time, result.revision, window)
            }
            guard policy.windows.keeps(result.time) else { continue }
            let place = Place(series: result.series.id, time: result.time, part: window.window)
            if state.windows[place].map({ result.revision > $0.0 }) ?? true { state.windows[place] = (result.revision, window) }
        }
    }

    private func add(_ result: ForecastResult, _ state: inout State) {
        see(result.series, result.time, result.time, &state)
        let latest = Place(series: result.series.id, part: result.horizon)
        if state.forecastsLatest[latest].map({ (result.time, result.revision) > ($0.time, $0.revision) }) ?? true {
            state.forecastsLatest[latest] = result
        }
        guard policy.forecasts.keeps(result.time) else { return }
        let place = Place(series: result.series.id, time: result.time, part: result.horizon)
        var statistics = result
        statistics.path = []
        if state.forecasts[place].map({ result.revision > $0.revision }) ?? true { state.forecasts[place] = statistics }
    }

    private func see(_ key: SeriesKey, _ first: Milliseconds, _ last: Milliseconds, _ state: inout State) {
        guard var known = state.series[key.id] else {
            state.series[key.id] = StoredSeries(key: key, firstSeen: first, lastSeen: last)
            return
        }
        if (last, key.type.rawValue) > (known.lastSeen, known.key.type.rawValue) { known.key = key }
        known.firstSeen = min(known.firstSeen, first)
        known.lastSeen = max(known.lastSeen, last)
        state.series[key.id] = known
    }

    package func series(matching matchers: [LabelMatcher], page: PageRequest) async throws -> [StoredSeries] {
        let matcher = try SeriesMatcher(matchers)
        return state.withLock { state in
            let found = state.series.values.sorted { $0.key.id < $1.key.id }.filter { series in
                page.after.map { series.key.id > $0 } ?? true && matcher.matches(series.key.labels)
            }
            return Array(found.prefix(page.limit))
        }
    }

    package func series(_ id: Fingerprint) async throws -> StoredSeries? {
        if isAway.withLock({ $0 }) { throw StorageError(.unavailable, "away") }
        return state.withLock { $0.series[id] }
    }

    package func latestWindows(_ ids: [Fingerprint]) async throws -> [WindowsResult] {
        state.withLock { state in
            ids.compactMap { id in
                let rows = state.windowsLatest.filter { $0.key.series == id }.map(\.value)
                guard let newest = rows.map(\.0).max(), let series = state.series[id] else { return nil }
                let now = rows.filter { $0.0 == newest }.sorted { $0.2.window < $1.2.window }
                return WindowsResult(
                    series: series.key, time: newest, revision: now.map(\.1).max() ?? Revision(rawValue: 0), windows: now.map(\.2))
            }
        }
    }

    package func latestProfiles(_ ids: [Fingerprint]) async throws -> [ProfileResult] {
        state.withLock { state in ids.compactMap { state.profiles[$0].map { current($0, state) } } }
    }

    package func latestForecasts(_ ids: [Fingerprint]) async throws -> [ForecastResult] {
        state.withLock { state in
            ids.flatMap { id in
                let rows = state.forecastsLatest.filter { $0.key.series == id }.map(\.value)
                let newest = rows.map(\.time).max()
                return rows.filter { $0.time == newest }.sorted { $0.horizon < $1.horizon }.map { current($0, state) }
            }
        }
    }

    package func windowsHistory(_ id: Fingerprint, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [WindowsResult] {
        state.withLock { state in
            guard let series = state.series[id] else { return [] }
            let rows = Dictionary(
                grouping: state.windows.filter { $0.key.series == id && $0.key.time > from && $0.key.time <= to }, by: \.key.time)
            let results = rows.sorted { $0.key < $1.key }.map { time, rows in
                let sorted = rows.sorted { $0.key.part < $1.key.part }
                return WindowsResult(
                    series: series.key, time: time, revision: sorted.map(\.value.0).max() ?? Revision(rawValue: 0),
                    windows: sorted.map(\.value.1))
            }
            return Array(results.suffix(max(0, limit)))
        }
    }

    package func forecastHistory(_ id: Fingerprint, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [ForecastResult] {
        state.withLock { state in
            let rows = state.forecasts.values.filter { $0.series.id == id && $0.time > from && $0.time <= to }
            return Array(rows.sorted { ($0.time, $0.horizon) < ($1.time, $1.horizon) }.map { current($0, state) }.suffix(max(0, limit)))
        }
    }

    package func anomalies(of id: Fingerprint, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [AnomalyResult] {
        state.withLock { state in
            let touching = state.anomalies.values.filter { anomaly in
                anomaly.series.id == id && anomaly.onset <= to && anomaly.end.map { $0 > from } ?? true
            }
            let sorted = touching.sorted { $0.onset < $1.onset }.map { anomaly in
                var anomaly = anomaly
                anomaly.series = state.series[id]?.key ?? anomaly.series
                return anomaly
            }
            return Array(sorted.suffix(max(0, limit)))
        }
    }

    package func chunks(of id: Fingerprint, from: Milliseconds, to: Milliseconds) async throws -> [ChunkResult] {
        state.withLock { state in
            state.chunks.values.filter { $0.series.id == id && $0.end > from && $0.start < to }.sorted { $0.start < $1.start }
                .map { current($0, state) }
        }
    }

    package func recentChunks(
        shards: Set<Shard>, since: Milliseconds, _ receive: @Sendable ([ChunkResult]) async throws -> Void
    ) async throws {
        let found = state.withLock { state in
            state.chunks.values.filter { shards.contains($0.series.id.shard) && $0.end > since }
                .sorted { ($0.series.id, $0.start) < ($1.series.id, $1.start) }.map { current($0, state) }
        }
        if !found.isEmpty { try await receive(found) }
    }

    package func modelStates(shards: Set<Shard>, _ receive: @Sendable ([ModelStateResult]) async throws -> Void) async throws {
        let found = state.withLock {
            $0.modelStates.values.filter { shards.contains($0.series.id.shard) }.sorted { $0.series.id < $1.series.id }
        }
        if !found.isEmpty { try await receive(found) }
    }

    package func nextEpoch(for name: String) async throws -> Int64 {
        state.withLock { state in
            state.epochs[name, default: 0] += 1
            return state.epochs[name, default: 1]
        }
    }

    package func latestWindowTimes(shards: Set<Shard>) async throws -> [Fingerprint: Milliseconds] {
        state.withLock { state in
            let rows = state.windowsLatest.filter { shards.contains($0.key.series.shard) }
            return Dictionary(rows.map { ($0.key.series, $0.value.0) }, uniquingKeysWith: max)
        }
    }

    package func applyRetention(_ retention: StoreRetention, now: Milliseconds) async throws -> Int {
        let ofTraffic = traffic.withLock { $0.applyRetention(retention, now: now) }
        return state.withLock { state in
            let before = count(state)
            state.windows = state.windows.filter { $0.key.time > now - retention.windows }
            state.windowsLatest = state.windowsLatest.filter { $0.value.0 > now - retention.windows }
            state.profiles = state.profiles.filter { $0.value.time > now - retention.profiles }
            state.forecasts = state.forecasts.filter { $0.key.time > now - retention.forecasts }
            state.forecastsLatest = state.forecastsLatest.filter { $0.value.time > now - retention.forecasts }
            state.chunks = state.chunks.filter { $0.value.end > now - retention.chunks }
            state.anomalies = state.anomalies.filter { $0.value.time > now - retention.anomalies }
            let used = Set(state.windowsLatest.keys.map(\.series)).union(state.profiles.keys).union(
                state.forecastsLatest.keys.map(\.series)
            )
            .union(state.chunks.keys.map(\.series)).union(state.windows.keys.map(\.series)).union(state.forecasts.keys.map(\.series))
            .union(state.anomalies.keys.map(\.series))
            state.series = state.series.filter { used.contains($0.key) }
            return before - count(state) + ofTraffic
        }
    }

    private func count(_ state: State) -> Int {
        state.windows.count + state.windowsLatest.count + state.profiles.count + state.forecasts.count + state.forecastsLatest.count
            + state.chunks.count + state.series.count + state.anomalies.count
    }

    package func checkHealth() async throws {}
    package func close() async {}

    /// With the series as it is known now, its type included.
    private func current(_ result: ProfileResult, _ state: State) -> ProfileResult {
        var result = result
        result.series = state.series[result.series.id]?.key ?? result.series
        return result
    }

    private func current(_ result: ForecastResult, _ state: State) -> ForecastResult {
        var result = result
        result.series = state.series[result.series.id]?.key ?? result.series
        return result
    }

    private func current(_ result: ChunkResult, _ state: State) -> ChunkResult {
        var result = result
        result.series = state.series[result.series.id]?.key ?? result.series
        return result
    }
}
