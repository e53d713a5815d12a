import Records
import Storage
import Synchronization
import TestSupport
import Testing
import TimeSeries

/// A place where one store's data rests: opened, closed and opened again by the checks. The history policy is the default one.
package protocol StoreBackend: Sendable {
    func open() async throws -> any ResultStore
}

/// One thing that every store must do.
package struct ContractCheck: Sendable, CustomTestStringConvertible {
    package let name: String
    package let run: @Sendable (any StoreBackend) async throws -> Void

    init(_ name: String, _ run: @escaping @Sendable (any StoreBackend) async throws -> Void) {
        self.name = name
        self.run = run
    }

    /// A check that opens the store once.
    init(_ name: String, store run: @escaping @Sendable (any ResultStore) async throws -> Void) {
        self.init(name) { backend in
            let store = try await backend.open()
            do { try await run(store) } catch {
                await store.close()
                throw error
            }
            await store.close()
        }
    }

    package var testDescription: String { name }
}

/// The contract of `ResultStore`. A store's tests run every check on a backend of its own:
/// `@Test(arguments: ResultStoreContract.checks) func contract(_ check: ContractCheck)`.
package enum ResultStoreContract {
    package static let checks: [ContractCheck] =
        writing + reading + listing + chunkChecks + modelStateChecks + anomalyChecks + trafficChecks + lifetime

    package static let writing = [
        ContractCheck("an empty batch changes nothing", store: emptyBatch),
        ContractCheck("what was written is read back exactly", store: readsBack),
        ContractCheck("a higher revision replaces, an equal or lower one does not", store: revisions),
        ContractCheck("the latest row is the one with the greatest time", store: latest),
        ContractCheck("any order and repetition of batches ends in the same content") { try await anyOrder($0) },
        ContractCheck("what is not finite is never stored", store: notFinite),
        ContractCheck("odd labels survive", store: oddLabels),
        ContractCheck("a series has the type of its newest result", store: typeChange),
    ]

    package static let reading = [
        ContractCheck("unknown series have nothing", store: unknownSeries),
        ContractCheck("the history keeps one row per interval", store: historyInterval),
        ContractCheck("the history keeps range and limit, the newest win", store: historyLimits),
        ContractCheck("windows and horizons that are no longer computed are not latest", store: changedWindows),
        ContractCheck("the latest forecast has its path, the history has not", store: forecastPaths),
        ContractCheck("latest rows come in the order asked for", store: latestOrder),
    ]

    @Sendable static func emptyBatch(_ store: any ResultStore) async throws {
        try await store.write(StoreBatch())
        #expect(try await store.series(matching: [], page: PageRequest(limit: 10)).isEmpty)
    }

    @Sendable static func readsBack(_ store: any ResultStore) async throws {
        let a = key("a", [("job", "x")], type: .counter)
        var wide = windows(a, at: start, revision: .max, value: 0.1)
        wide.windows[0].min = -Double.greatestFiniteMagnitude
        wide.windows[0].max = .greatestFiniteMagnitude
        wide.windows[1].avg = .leastNonzeroMagnitude
        wide.windows[1].stddev = nil
        wide.windows[2] = WindowStatistics(window: 12 * hour, count: 0)
        let detail: JSONValue = [
            "verdict": "stationary", "acf": .array((0..<40).map { .double(Double($0) / 7) }), "x": nil, "n": [1, "é\"\n"],
        ]
        let profile = profile(a, at: start, verdict: nil, detail: detail)
        var forecast = forecast(a, at: start, value: 1.0 / 3)
        forecast.min = nil
        forecast.reason = "too short: 40 of 120 samples"
        let chunk = chunk(a, from: start - hour, to: start, bytes: 3000)
        let empty = ChunkResult(
            series: a, start: start, end: start + hour, revision: Revision(rawValue: 0), count: 0, replayOffset: -1, moments: Moments(),
            data: [])
        try await store.write(StoreBatch(windows: [wide], profiles: [profile], forecasts: [forecast], chunks: [chunk, empty]))

        let ids = [a.id]
        #expect(try await store.latestWindows(ids) == [wide])
        #expect(try await store.windowsHistory(a.id, from: start - 1, to: start, limit: 10) == [wide])
        #expect(try await store.latestProfiles(ids) == [profile])
        #expect(try await store.latestForecasts(ids) == [forecast])
        #expect(try await store.chunks(of: a.id, from: 0, to: .max) == [chunk, empty])
        let stored = try #require(try await store.series(a.id))
        #expect(stored == StoredSeries(key: a, firstSeen: start - hour, lastSeen: start + hour))
        #expect(stored.key.labels == a.labels)
        #expect(stored.key.type == .counter)
    }

    @Sendable static func revisions(_ store: any ResultStore) async throws {
        let a = key("a")
        func batch(_ revision: Int64, _ value: Double) -> StoreBatch {
            StoreBatch(
                windows: [windows(a, at: start, revision: revision, value: value)],
                profiles: [profile(a, at: start, revision: revision, verdict: "v\(value)")],
                forecasts: [forecast(a, at: start, revision: revision, value: value)],
                chunks: [chunk(a, from: start - hour, to: start + Int64(value), revision: revision)])
        }
        let steps: [(Int64, Double, Double)] = [(5, 1, 1), (5, 2, 1), (4, 3, 1), (6, 4, 4), (.max, 5, 5), (7, 6, 5)]
        for (revision, value, seen) in steps {
            try await store.write(batch(revision, value))
            #expect(try await store.latestWindows([a.id]).first?.windows.first?.avg == seen)
            #expect(try await store.windowsHistory(a.id, from: 0, to: .max, limit: 9).map { $0.windows.first?.avg } == [seen])
            #expect(try await store.latestProfiles([a.id]).map(\.verdict) == ["v\(seen)"])
            #expect(try await store.latestForecasts([a.id]).map { $0.avg?.expected } == [seen])
            #expect(try await store.forecastHistory(a.id, from: 0, to: .max, limit: 9).map { $0.avg?.expected } == [seen])
            #expect(try await store.chunks(of: a.id, from: 0, to: .max).map(\.end) == [start + Int64(seen)])
        }
        // Within one batch too, whatever the order.
        let b = key("b")
        try await store.write(
            StoreBatch(windows: [2, 9, 3].map { windows(b, at: start, revision: $0, value: Double($0)) }))
        #expect(try await store.latestWindows([b.id]).first?.windows.first?.avg == 9)
        #expect(try await store.windowsHistory(b.id, from: 0, to: .max, limit: 9).map { $0.windows.first?.avg } == [9])
    }

    @Sendable static func latest(_ store: any ResultStore) async throws {
        let a = key("a")
        func batch(_ time: Milliseconds, _ revision: Int64) -> StoreBatch {
            StoreBatch(
                windows: [windows(a, at: time, revision: revision)], profiles: [profile(a, at: time, revision: revision)],
                forecasts: [forecast(a, at: time, revision: revision)])
        }
        try await store.write(batch(start + 30 * second, 10))
        try await store.write(batch(start, 99))
        #expect(try await store.latestWindows([a.id]).map(\.time) == [start + 30 * second])
        try await store.write(batch(start + 45 * second, 1))
        #expect(try await store.latestWindows([a.id]).map(\.time) == [start + 45 * second])
        #expect(try await store.latestProfiles([a.id]).map(\.time) == [start + 45 * second])
        #expect(try await store.latestForecasts([a.id]).map(\.time) == [start + 45 * second])
        #expect(try await store.latestForecasts([a.id]).map(\.revision.rawValue) == [1])
        let stored = try await store.series(a.id)
        #expect(stored?.firstSeen == start)
        #expect(stored?.lastSeen == start + 45 * second)
    }

    @Sendable static func notFinite(_ store: any ResultStore) async throws {
        let a = key("a")
        var bad = windows(a, at: start)
        bad.windows[0].avg = .nan
        bad.windows[0].max = .infinity
        bad.windows[0].min = -.infinity
        var worse = forecast(a, at: start, steps: 4)
        worse.max?.upper95 = .infinity
        worse.avg?.expected = .nan
        worse.path[2].lower80 = .nan
        var chunk = chunk(a, from: start, to: start + 1)
        chunk.moments.m2 = .infinity
        let detail: JSONValue = ["p": .double(.nan)]
        try await store.write(
            StoreBatch(windows: [bad], profiles: [profile(a, at: start, detail: detail)], forecasts: [worse], chunks: [chunk]))
        let first = try #require(try await store.latestWindows([a.id]).first?.windows.first)
        #expect(first.avg == nil && first.max == nil && first.min == nil && first.p50 == 1)
        let forecast = try #require(try await store.latestForecasts([a.id]).first)
        #expect(forecast.max == nil && forecast.avg == nil && forecast.min == worse.min)
        #expect(forecast.path == Array(worse.path.prefix(2)))
        #expect(try await store.latestProfiles([a.id]).first?.detail == ["p": nil])
        let moments = try #require(try await store.chunks(of: a.id, from: 0, to: .max).first?.moments)
        #expect(moments.m2.isNaN && moments.mean == chunk.moments.mean)
    }

    static let oddValues = [
        "say \"hi\"", "back\\slash", "new\nline", "tab\t", "nul\u{0}byte", "🚀 emoji 👩‍👩‍👧", "e\u{301} and é", "'; DROP TABLE series; --",
        "%_[]",
        String(repeating: "long ", count: 3000), "\u{FFFD}", " leading and trailing ", "{}", "null",
    ]

    @Sendable static func oddLabels(_ store: any ResultStore) async throws {
        let keys = oddValues.map { key("odd", [("value", $0), ("näme \"q\"", "1")]) } + [SeriesKey(labels: LabelSet([]), type: .unknown)]
        try await store.write(StoreBatch(windows: keys.map { windows($0, at: start) }))
        for key in keys {
            let stored = try #require(try await store.series(key.id))
            #expect(Array(stored.key.labels.canonicalBytes) == key.labels.canonicalBytes)
        }
        for value in oddValues {
            let found = try await store.series(matching: [LabelMatcher("value", .equal, value)], page: PageRequest(limit: 100))
            #expect(found.map(\.key.id) == [key("odd", [("value", value), ("näme \"q\"", "1")]).id])
        }
        #expect(try await store.latestWindows(keys.map(\.id)).count == keys.count)
    }

    @Sendable static func typeChange(_ store: any ResultStore) async throws {
        try await store.write(StoreBatch(windows: [windows(key("a", type: .unknown), at: start)]))
        try await store.write(StoreBatch(windows: [windows(key("a", type: .counter), at: start + minute)]))
        try await store.write(StoreBatch(windows: [windows(key("a", type: .gauge), at: start + second)]))
        #expect(try await store.series(key("a").id)?.key.type == .counter)
        #expect(try await store.latestWindows([key("a").id]).first?.series.type == .counter)
    }

    @Sendable static func unknownSeries(_ store: any ResultStore) async throws {
        let id = key("nobody").id
        #expect(try await store.series(id) == nil)
        #expect(try await store.latestWindows([id]).isEmpty)
        #expect(try await store.latestProfiles([id]).isEmpty)
        #expect(try await store.latestForecasts([id]).isEmpty)
        #expect(try await store.windowsHistory(id, from: 0, to: .max, limit: 10).isEmpty)
        #expect(try await store.forecastHistory(id, from: 0, to: .max, limit: 10).isEmpty)
        #expect(try await store.chunks(of: id, from: 0, to: .max).isEmpty)
    }

    @Sendable static func historyInterval(_ store: any ResultStore) async throws {
        let a = key("a")
        var batch = StoreBatch()
        for i in 0..<240 { batch.windows.append(windows(a, at: start + Int64(i) * 15 * second)) }
        for i in 0..<60 { batch.forecasts.append(forecast(a, at: start + Int64(i) * minute)) }
        try await store.write(batch)
        let every5Minutes = (0..<12).map { start + Int64($0) * 5 * minute }
        #expect(try await store.windowsHistory(a.id, from: 0, to: .max, limit: 1000).map(\.time) == every5Minutes)
        #expect(try await store.forecastHistory(a.id, from: 0, to: .max, limit: 1000).map(\.time) == every5Minutes)
        #expect(try await store.latestWindows([a.id]).map(\.time) == [start + 239 * 15 * second])
    }

    @Sendable static func historyLimits(_ store: any ResultStore) async throws {
        let a = key("a")
        // Three days with a gap of one, and a row before 1970.
        let times = [-hour] + (0..<24).map { start + Int64($0) * hour } + (0..<24).map { start + 2 * day + Int64($0) * hour }
        try await store.write(
            StoreBatch(windows: times.map { windows(a, at: $0) }, forecasts: times.map { forecast(a, at: $0, steps: 0) }))
        let cases: [(Milliseconds, Milliseconds, Int)] = [
            (start, start + 5 * hour, 100), (start - 1, start + 5 * hour - 1, 100), (Int64.min, Int64.max, 1000),
            (Int64.min, Int64.max, 30),
            (start, start + 3 * day, 1), (start, start + 3 * day, 0), (start + 5, start + 5, 10), (start + day, start + 2 * day, 10),
            (start + 2 * day, start, 10), (-2 * hour, start, 10), (start, start + day, -1),
        ]
        for (from, to, limit) in cases {
            let expected = Array(times.filter { $0 > from && $0 <= to }.suffix(max(0, limit)))
            #expect(try await store.windowsHistory(a.id, from: from, to: to, limit: limit).map(\.time) == expected)
            #expect(try await store.forecastHistory(a.id, from: from, to: to, limit: limit).map(\.time) == expected)
        }
    }

    @Sendable static func changedWindows(_ store: any ResultStore) async throws {
        let a = key("a")
        try await store.write(
            StoreBatch(windows: [windows(a, at: start)], forecasts: [forecast(a, at: start), forecast(a, at: start, horizon: 4 * hour)]))
        #expect(try await store.latestForecasts([a.id]).map(\.horizon) == [10 * minute, 4 * hour])
        try await store.write(
            StoreBatch(windows: [windows(a, at: start + 15 * second, of: [hour, 6 * hour])], forecasts: [forecast(a, at: start + minute)]))
        #expect(try await store.latestWindows([a.id]) == [windows(a, at: start + 15 * second, of: [hour, 6 * hour])])
        #expect(try await store.latestForecasts([a.id]) == [forecast(a, at: start + minute)])
    }

    @Sendable static func forecastPaths(_ store: any ResultStore) async throws {
        let a = key("a")
        try await store.write(StoreBatch(forecasts: [forecast(a, at: start, steps: 20), forecast(a, at: start + 5 * minute, steps: 20)]))
        #expect(try await store.latestForecasts([a.id]) == [forecast(a, at: start + 5 * minute, steps: 20)])
        let history = try await store.forecastHistory(a.id, from: 0, to: .max, limit: 10)
        #expect(history == [forecast(a, at: start, steps: 0), forecast(a, at: start + 5 * minute, steps: 0)])
    }

    @Sendable static func latestOrder(_ store: any ResultStore) async throws {
        let keys = (0..<20).map { key("m\($0)") }
        try await store.write(StoreBatch(windows: keys.map { windows($0, at: start) }, profiles: keys.map { profile($0, at: start) }))
        let asked = (keys + [key("nobody")]).map(\.id).sorted { $0.low < $1.low }
        let expected = asked.filter { $0 != key("nobody").id }
        #expect(try await store.latestWindows(asked).map(\.series.id) == expected)
        #expect(try await store.latestProfiles(asked).map(\.series.id) == expected)
    }
}
