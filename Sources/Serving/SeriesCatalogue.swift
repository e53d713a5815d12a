import HTTPKit
import Logging
import Records
import Storage
import TimeSeries

/// Series and their newest results: the store for what is kept, the live parts for what is newer than it.
struct SeriesCatalogue: Sendable {
    let store: any ResultStore
    let live: LiveCache
    let recent: RecentSamples

    struct Page: Sendable {
        var series: [StoredSeries]
        var next: Cursor?
    }

    /// A page in the order of fingerprints. The union of what the store and the live parts know.
    func page(_ query: SeriesQuery, _ page: PageQuery) async throws -> Page {
        var found: [Fingerprint: StoredSeries] = [:]
        for selector in query.selectors {
            for series in try await stored(selector, after: page.cursor?.after, limit: page.limit + 1) { found[series.key.id] = series }
        }
        for series in lively(query) where isBehind(series.key.id, page.cursor) && query.matches(series.key) { merge(series, into: &found) }
        let sorted = found.values.sorted { $0.key.id < $1.key.id }
        let series = Array(sorted.prefix(page.limit))
        guard sorted.count > page.limit, let last = series.last else { return Page(series: series, next: nil) }
        return Page(series: series, next: Cursor(after: last.key.id, index: (page.cursor?.index ?? 0) + series.count))
    }

    /// Series of the live parts that may match. O(series) unless the query names its series.
    private func lively(_ query: SeriesQuery) -> [StoredSeries] {
        let ids = query.selectors.compactMap(\.id)
        if ids.count < query.selectors.count { return live.series() + recent.series() }
        return ids.flatMap { [live.lastSeen($0), recent.key(of: $0)].compactMap { $0 } }
    }

    func series(_ id: Fingerprint) async throws -> StoredSeries? {
        var found: [Fingerprint: StoredSeries] = [:]
        for series in [try await store.series(id), live.lastSeen(id), recent.key(of: id)] {
            if let series { merge(series, into: &found) }
        }
        return found[id]
    }

    private func isBehind(_ id: Fingerprint, _ cursor: Cursor?) -> Bool { cursor.map { $0.after < id } ?? true }

    private func merge(_ series: StoredSeries, into found: inout [Fingerprint: StoredSeries]) {
        guard let known = found[series.key.id] else {
            found[series.key.id] = series
            return
        }
        found[series.key.id] = StoredSeries(
            key: known.key, firstSeen: min(known.firstSeen, series.firstSeen), lastSeen: max(known.lastSeen, series.lastSeen))
    }

    private func stored(_ selector: SeriesSelector, after: Fingerprint?, limit: Int) async throws -> [StoredSeries] {
        if let id = selector.id {
            guard let series = try await store.series(id), selector.matches(series.key), after.map({ $0 < id }) ?? true else { return [] }
            return [series]
        }
        return try await store.series(matching: selector.matchers, page: PageRequest(limit: limit, after: after))
    }

    func latestWindows(_ ids: [Fingerprint]) async throws -> [Fingerprint: WindowsResult] {
        try await latest(ids, live.windows(ids)) { try await store.latestWindows($0) }
    }

    func latestProfiles(_ ids: [Fingerprint]) async throws -> [Fingerprint: ProfileResult] {
        try await latest(ids, live.profiles(ids)) { try await store.latestProfiles($0) }
    }

    func latestForecasts(_ ids: [Fingerprint]) async throws -> [Fingerprint: ForecastResult] {
        try await latest(ids, live.forecasts(ids)) { try await store.latestForecasts($0) }
    }

    /// What is stored, and the newest incident as it is live.
    func anomalies(_ id: Fingerprint, _ range: TimeRange, limit: Int) async throws -> [AnomalyResult] {
        var results = try await store.anomalies(of: id, from: range.from, to: range.to, limit: limit)
        guard let newest = live.anomaly(id), newest.onset <= range.to, newest.end.map({ $0 > range.from }) ?? true else { return results }
        if let at = results.firstIndex(where: { $0.onset == newest.onset }) {
            if newest.isNewer(than: results[at]) { results[at] = newest }
        } else if results.last.map({ $0.onset < newest.onset }) ?? true {
            results.append(newest)
        }
        return results.suffix(limit)
    }

    /// While the topics are followed, what is live is the newest; otherwise the newer of both.
    private func latest<R: LiveResult>(
        _ ids: [Fingerprint], _ lively: [Fingerprint: R], _ read: ([Fingerprint]) async throws -> [R]
    ) async throws -> [Fingerprint: R] {
        let isCurrent = live.isCurrent
        let missing = isCurrent ? ids.filter { lively[$0] == nil } : ids
        if missing.isEmpty { return lively }
        var results = lively
        for result in try await read(missing) {
            if let known = results[result.series.id], !result.isNewer(than: known) { continue }
            results[result.series.id] = result
        }
        return results
    }

    /// Raw samples in from < time <= to, the newest `limit` of them. Chunks are read from the newest back until there are enough.
    func history(_ id: Fingerprint, _ range: TimeRange, limit: Int) async throws -> SampleColumns {
        var columns = SampleColumns()
        let recentSamples = recent.samples(of: id, from: range.from, to: range.to)
        columns.merge(recentSamples.times, recentSamples.values)
        let chunks = try await store.chunks(of: id, from: range.from, to: range.to)
        var needed = limit + 1
        // By end, newest first: an earlier chunk can only hold samples that are older than the ones found, or overlap them.
        for chunk in chunks.sorted(by: { $0.end > $1.end }) {
            if needed <= 0, let oldest = columns.times.first, chunk.end < oldest { break }
            let (times, values) = try ChunkCodec.decode(chunk.data)
            let lower = times.partitioningIndex { $0 > range.from }
            let upper = times.partitioningIndex { $0 > range.to }
            if lower < upper { columns.merge(Array(times[lower..<upper]), Array(values[lower..<upper])) }
            needed = limit + 1 - columns.times.count
        }
        columns.keepNewest(limit)
        return columns
    }
}

/// Samples of one series in order of time, each time once.
struct SampleColumns: Sendable, Equatable {
    var times: [Milliseconds] = []
    var values: [Double] = []
    /// Whether older samples were left out.
    var isTruncated = false

    /// Merges sorted samples; of two with one time the one that is here stays. Staleness markers are left out. O(n + m).
    mutating func merge(_ otherTimes: [Milliseconds], _ otherValues: [Double]) {
        var merged = SampleColumns()
        merged.times.reserveCapacity(times.count + otherTimes.count)
        merged.values.reserveCapacity(times.count + otherTimes.count)
        var i = 0
        var j = 0
        while i < times.count || j < otherTimes.count {
            let isMine = j >= otherTimes.count || (i < times.count && times[i] <= otherTimes[j])
            let (time, value) = isMine ? (times[i], values[i]) : (otherTimes[j], otherValues[j])
            if isMine { i += 1 } else { j += 1 }
            if merged.times.last == time || StaleMarker.isStale(value) { continue }
            merged.times.append(time)
            merged.values.append(value)
        }
        times = merged.times
        values = merged.values
    }

    mutating func keepNewest(_ limit: Int) {
        guard times.count > limit else { return }
        times.removeFirst(times.count - limit)
        values.removeFirst(values.count - limit)
        isTruncated = true
    }
}
