import Foundation
import Messaging
import Records
import Storage
import Synchronization
import TimeSeries

@testable import Serving

/// A clock that stands still until it is told otherwise.
final class TestClock: WallClock {
    private let time: Mutex<Milliseconds>

    init(_ time: Milliseconds) { self.time = Mutex(time) }

    func now() -> Milliseconds { time.withLock { $0 } }
    func advance(_ by: Milliseconds) { time.withLock { $0 += by } }
}

struct SystemClock: WallClock {
    func now() -> Milliseconds { Milliseconds(Date().timeIntervalSince1970 * 1000) }
}

/// A store in memory; can be told to fail.
final class MemoryStore: ResultStore {
    private struct State {
        var batch = StoreBatch()
        var failure: StorageError?
        var reads = 0
    }

    private let state = Mutex(State())

    func fail(_ error: StorageError?) { state.withLock { $0.failure = error } }
    var reads: Int { state.withLock { $0.reads } }

    private func read() throws -> StoreBatch {
        try state.withLock {
            $0.reads += 1
            if let failure = $0.failure { throw failure }
            return $0.batch
        }
    }

    func write(_ batch: StoreBatch) async throws {
        state.withLock {
            $0.batch.windows += batch.windows
            $0.batch.profiles += batch.profiles
            $0.batch.forecasts += batch.forecasts
            $0.batch.chunks += batch.chunks
            $0.batch.anomalies += batch.anomalies
            $0.batch.trafficTotals += batch.trafficTotals
            $0.batch.trafficWindows += batch.trafficWindows
            $0.batch.visits += batch.visits
            $0.batch.alerts += batch.alerts
        }
    }

    private func allSeries(_ batch: StoreBatch) -> [StoredSeries] {
        var found: [Fingerprint: StoredSeries] = [:]
        let seen =
            batch.windows.map { ($0.series, $0.time) } + batch.profiles.map { ($0.series, $0.time) }
            + batch.forecasts.map { ($0.series, $0.time) } + batch.chunks.map { ($0.series, $0.end) }
        for (key, time) in seen {
            let known = found[key.id]
            found[key.id] = StoredSeries(
                key: key, firstSeen: min(known?.firstSeen ?? time, time), lastSeen: max(known?.lastSeen ?? time, time))
        }
        return found.values.sorted { $0.key.id < $1.key.id }
    }

    func series(matching matchers: [LabelMatcher], page: PageRequest) async throws -> [StoredSeries] {
        let matcher = try SeriesMatcher(matchers)
        let fitting = allSeries(try read()).filter { series in
            (page.after.map { $0 < series.key.id } ?? true) && matcher.matches(series.key.labels)
        }
        return Array(fitting.prefix(page.limit))
    }

    func series(_ id: Fingerprint) async throws -> StoredSeries? { allSeries(try read()).first { $0.key.id == id } }

    private func latest<R: LiveResult>(_ ids: [Fingerprint], _ results: [R]) -> [R] {
        ids.compactMap { id in results.filter { $0.series.id == id }.max { $1.isNewer(than: $0) } }
    }

    func latestWindows(_ ids: [Fingerprint]) async throws -> [WindowsResult] { latest(ids, try read().windows) }
    func latestProfiles(_ ids: [Fingerprint]) async throws -> [ProfileResult] { latest(ids, try read().profiles) }
    func latestForecasts(_ ids: [Fingerprint]) async throws -> [ForecastResult] { latest(ids, try read().forecasts) }

    func windowsHistory(_ id: Fingerprint, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [WindowsResult] {
        let rows = try read().windows.filter { $0.series.id == id && $0.time > from && $0.time <= to }.sorted { $0.time < $1.time }
        return Array(rows.suffix(limit))
    }

    func forecastHistory(_ id: Fingerprint, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [ForecastResult] {
        let rows = try read().forecasts.filter { $0.series.id == id && $0.time > from && $0.time <= to }.sorted { $0.time < $1.time }
        return Array(rows.suffix(limit))
    }

    func anomalies(of id: Fingerprint, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [AnomalyResult] {
        let touching = try read().anomalies.filter { $0.series.id == id && $0.onset <= to && $0.end.map { $0 > from } ?? true }
        return touching.sorted { $0.onset < $1.onset }.suffix(limit)
    }

    func chunks(of id: Fingerprint, from: Milliseconds, to: Milliseconds) async throws -> [ChunkResult] {
        try read().chunks.filter { $0.series.id == id && $0.end > from && $0.start < to }.sorted { $0.start < $1.start }
    }

    func recentChunks(shards: Set<Shard>, since: Milliseconds, _ receive: @Sendable ([ChunkResult]) async throws -> Void) async throws {}
    func modelStates(shards: Set<Shard>, _ receive: @Sendable ([ModelStateResult]) async throws -> Void) async throws {}
    func nextEpoch(for name: String) async throws -> Int64 { 1 }
    func latestWindowTimes(shards: Set<Shard>) async throws -> [Fingerprint: Milliseconds] { [:] }
    func applyRetention(_ retention: StoreRetention, now: Milliseconds) async throws -> Int { 0 }
    func checkHealth() async throws { _ = try read() }
    func close() async {}

    // Traffic: every row is written once here.

    func trafficTotals(_ query: TrafficQuery) async throws -> [TrafficTotal] {
        let fitting = try read().trafficTotals.filter { total in
            (query.route ?? total.route) == total.route && (query.vehicleType ?? total.vehicleType) == total.vehicleType
                && query.day.contains(total.day)
        }
        let sorted = fitting.sorted { ($1.day ?? "", $0.route, $0.vehicleType) < ($0.day ?? "", $1.route, $1.vehicleType) }
        return Array(sorted.prefix(max(0, query.limit)))
    }

    func trafficWindows(
        window: Milliseconds?, route: String?, from: Milliseconds, to: Milliseconds, limit: Int
    ) async throws -> [TrafficWindow] {
        let fitting = try read().trafficWindows.filter { row in
            (window ?? row.window) == row.window && (route ?? row.route) == row.route && row.time > from && row.time <= to
        }
        let sorted = fitting.sorted { ($0.time, $0.window, $0.route, $0.vehicleType) < ($1.time, $1.window, $1.route, $1.vehicleType) }
        return Array(sorted.suffix(max(0, limit)))
    }

    func latestTrafficWindows() async throws -> [TrafficWindow] {
        let rows = try read().trafficWindows
        let newest = Dictionary(rows.map { ($0.window, $0.time) }, uniquingKeysWith: max)
        return rows.filter { newest[$0.window] == $0.time }
            .sorted { ($0.window, $0.route, $0.vehicleType) < ($1.window, $1.route, $1.vehicleType) }
    }

    func visits(
        point: String?, vehicle: String?, from: Milliseconds, to: Milliseconds, limit: Int, insideOnly: Bool
    ) async throws -> [PointVisit] {
        let fitting = try read().visits.filter { visit in
            (point ?? visit.point) == visit.point && (vehicle ?? visit.vehicle) == visit.vehicle && !visit.isWithdrawn
                && visit.entered <= to && (visit.left.map { $0 > from && !insideOnly } ?? true)
        }
        return Array(fitting.sorted { ($0.entered, $0.point, $0.vehicle) < ($1.entered, $1.point, $1.vehicle) }.suffix(max(0, limit)))
    }

    func alerts(rule: String?, subject: String?, from: Milliseconds, to: Milliseconds, limit: Int) async throws -> [TrafficAlert] {
        let fitting = try read().alerts.filter { alert in
            (rule ?? alert.rule) == alert.rule && (subject ?? alert.subject) == alert.subject && alert.onset <= to
                && (alert.end.map { $0 > from } ?? true)
        }
        return Array(fitting.sorted { ($0.onset, $0.rule, $0.subject) < ($1.onset, $1.rule, $1.subject) }.suffix(max(0, limit)))
    }

    func checkpoint(named name: String) async throws -> Checkpoint? { nil }
}

/// A log in memory that can only be appended to and tailed; can be told to fail.
final class MemoryLog: MessageLog {
    private struct State {
        var records: [ConsumerRecord] = []
        var failure: MessagingError?
        var produceFailure: MessagingError?
        var isHeld = false
        var waiting = 0
        var tails = 0
    }

    private let state = Mutex(State())
    private let clock: any WallClock

    init(clock: any WallClock) { self.clock = clock }

    func fail(_ error: MessagingError?) { state.withLock { $0.failure = error } }
    var tails: Int { state.withLock { $0.tails } }

    /// Appending fails, everything else goes on.
    func failProducing(_ error: MessagingError?) { state.withLock { $0.produceFailure = error } }
    /// Appending waits, as while the disk has not answered.
    func hold(_ isHeld: Bool) { state.withLock { $0.isHeld = isHeld } }
    /// Calls that wait.
    var waiting: Int { state.withLock { $0.waiting } }
    func records(of topic: String) -> [ConsumerRecord] { state.withLock { $0.records.filter { $0.topic == topic } } }

    func produce(_ records: [ProducerRecord]) async throws {
        let now = clock.now()
        state.withLock { $0.waiting += 1 }
        defer { state.withLock { $0.waiting -= 1 } }
        while state.withLock({ $0.isHeld }) { try await Task.sleep(for: .milliseconds(5)) }
        try state.withLock { state in
            if let failure = state.produceFailure { throw failure }
            for record in records {
                state.records.append(
                    ConsumerRecord(
                        topic: record.topic, partition: 0, offset: Offset(state.records.count), appendTime: now, key: record.key,
                        value: record.value, headers: record.headers))
            }
        }
    }

    func consumer(topics: [String], group: String) async throws -> any MessageConsumer { throw MessagingError(.usage, "not here") }

    func tail(topics: [String], from start: TailStart) async throws -> any MessageConsumer {
        try state.withLock {
            if let failure = $0.failure { throw failure }
            $0.tails += 1
        }
        var since: Milliseconds = .min
        if case .time(let time) = start { since = time }
        return Tail(log: self, topics: topics, since: since)
    }

    private func read(_ topics: [String], from index: Int, since: Milliseconds) throws -> ([ConsumerRecord], Int) {
        try state.withLock { state in
            if let failure = state.failure { throw failure }
            let new = state.records[index...].filter { topics.contains($0.topic) && $0.appendTime >= since }
            return (Array(new), state.records.count)
        }
    }

    private final class Tail: MessageConsumer {
        let log: MemoryLog
        let topics: [String]
        let since: Milliseconds
        let index = Mutex(0)

        init(log: MemoryLog, topics: [String], since: Milliseconds) {
            self.log = log
            self.topics = topics
            self.since = since
        }

        func poll(maxBytes: Int, timeout: Milliseconds) async throws -> ConsumedBatch {
            var batch = ConsumedBatch()
            let (records, next) = try log.read(topics, from: index.withLock { $0 }, since: since)
            index.withLock { $0 = next }
            batch.records = records
            if records.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
            return batch
        }

        func commit(_ offsets: [TopicPartition: Offset]) async throws {}
        func seek(_ partition: TopicPartition, to offset: Offset) async throws {}
        func close() async {}
    }

    func endOffsets(topic: String) async throws -> [TopicPartition: Offset] { [:] }
    func committedOffsets(topic: String, group: String) async throws -> [TopicPartition: Offset] { [:] }
    func partitionCount(topic: String) async throws -> Int { 1 }
    func close() async {}
}
