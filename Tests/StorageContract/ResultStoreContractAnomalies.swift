import Records
import Storage
import Testing
import TimeSeries

extension ResultStoreContract {
    package static let anomalyChecks = [
        ContractCheck("an incident is one row, its latest version", store: incidents),
        ContractCheck("incidents keep range and limit, the newest win", store: incidentRanges),
        ContractCheck("incidents go with their retention, and hold their series until then", store: incidentRetention),
        ContractCheck("incidents outlive an opening") { try await incidentsAgain($0) },
    ]

    private static func anomaly(
        _ series: SeriesKey, onset: Milliseconds, at time: Milliseconds, revision: Int64 = 1, end: Milliseconds? = nil, score: Double = 0.5
    ) -> AnomalyResult {
        AnomalyResult(
            series: series, time: time, revision: Revision(rawValue: revision), onset: onset, end: end, score: score, expected: 1 / 3,
            seen: -2.5e300, cause: "level up")
    }

    private static func written(_ store: any ResultStore, _ anomalies: [AnomalyResult]) async throws {
        var batch = StoreBatch()
        batch.anomalies = anomalies
        try await store.write(batch)
    }

    private static func all(_ store: any ResultStore, _ series: SeriesKey) async throws -> [AnomalyResult] {
        try await store.anomalies(of: series.id, from: .min, to: .max, limit: 1_000)
    }

    @Sendable static func incidents(_ store: any ResultStore) async throws {
        let (a, b) = (key("a"), key("b"))
        let opened = anomaly(a, onset: start, at: start + second)
        let raised = anomaly(a, onset: start, at: start + minute, score: 0.9)
        let ended = anomaly(a, onset: start, at: start + hour, end: start + minute, score: 0.9)
        try await written(store, [raised, opened])
        #expect(try await all(store, a) == [raised])
        try await written(store, [ended, anomaly(b, onset: start, at: start)])
        #expect(try await all(store, a) == [ended])
        // Earlier, equal with an equal or lower revision: nothing. Equal with a higher one: replaced.
        try await written(store, [opened, raised])
        try await written(
            store, [anomaly(a, onset: start, at: start + hour, revision: 1), anomaly(a, onset: start, at: start + hour, revision: 0)])
        #expect(try await all(store, a) == [ended])
        let again = anomaly(a, onset: start, at: start + hour, revision: 2, end: start + minute, score: 0.25)
        try await written(store, [again])
        #expect(try await all(store, a) == [again])
        #expect(try await all(store, b).count == 1)
        #expect(try await all(store, key("c")).isEmpty)
        let series = try #require(try await store.series(a.id))
        #expect(series.firstSeen == start && series.lastSeen == start + hour)
        var odd = anomaly(b, onset: start + day, at: start + day)
        odd.expected = .nan
        odd.seen = nil
        try await written(store, [odd])
        let stored = try #require(try await all(store, b).last)
        #expect(stored.seen == nil && stored.expected.map { $0.isNaN } ?? true)
    }

    @Sendable static func incidentRanges(_ store: any ResultStore) async throws {
        let series = key("a")
        let incidents = (0..<10).map { i in
            let onset = start + Milliseconds(i) * hour
            return anomaly(series, onset: onset, at: onset + 10 * minute, end: i == 4 ? nil : onset + 5 * minute)
        }
        try await written(store, incidents)
        func found(_ from: Milliseconds, _ to: Milliseconds, _ limit: Int = 100) async throws -> [Int] {
            try await store.anomalies(of: series.id, from: from, to: to, limit: limit).map { Int(($0.onset - start) / hour) }
        }
        #expect(try await found(.min, .max) == Array(0..<10))
        #expect(try await found(.min, .max, 3) == [7, 8, 9])
        #expect(try await found(.min, .max, 0) == [])
        // (from, to]: an onset at `to` and an end after `from` touch it; number 4 lasts.
        #expect(try await found(start + 2 * hour, start + 3 * hour) == [2, 3])
        #expect(try await found(start + 2 * hour + 5 * minute, start + 3 * hour - 1) == [])
        #expect(try await found(start + 8 * hour + 6 * minute, start + day) == [4, 9])
        #expect(try await found(start + day, start + 2 * day) == [4])
        #expect(try await found(start + day, start) == [])
    }

    @Sendable static func incidentRetention(_ store: any ResultStore) async throws {
        let (old, new) = (key("old"), key("new"))
        try await written(
            store,
            [
                anomaly(old, onset: start, at: start + minute), anomaly(new, onset: start, at: start + minute),
                anomaly(new, onset: start + day, at: start + 40 * day),
            ])
        var retention = StoreRetention()
        retention.anomalies = 30 * day
        _ = try await store.applyRetention(retention, now: start + 20 * day)
        #expect(try await all(store, old).count == 1)
        #expect(try await store.series(old.id) != nil)
        _ = try await store.applyRetention(retention, now: start + 45 * day)
        #expect(try await all(store, old).isEmpty)
        #expect(try await store.series(old.id) == nil)
        #expect(try await all(store, new).map(\.onset) == [start + day])
        #expect(try await store.series(new.id) != nil)
    }

    static func incidentsAgain(_ backend: any StoreBackend) async throws {
        let series = key("a", [("job", "x")])
        let first = try await backend.open()
        try await written(first, [anomaly(series, onset: start, at: start + minute, end: start)])
        let before = try await all(first, series)
        await first.close()
        let second = try await backend.open()
        #expect(try await all(second, series) == before)
        #expect(before.count == 1)
        await second.close()
    }
}
