import Records
import Storage
import Synchronization
import TestSupport
import Testing
import TimeSeries

extension ResultStoreContract {
    package static let listing = [
        ContractCheck("matchers", store: matchers),
        ContractCheck("a bad regular expression is an error of usage", store: badRegex),
        ContractCheck("pages list every series once, in order", store: paging),
    ]

    package static let chunkChecks = [
        ContractCheck("chunks that overlap a range", store: chunkOverlap),
        ContractCheck("chunks for an owner that takes over", store: takeover),
        ContractCheck("summaries of chunks for an owner that takes over", store: chunkSummaries),
        ContractCheck("times of the newest windows by shard", store: windowTimes),
    ]

    package static let lifetime = [
        ContractCheck("retention removes what is old and nothing else", store: retention),
        ContractCheck("what was written is there after opening again") { try await durability($0) },
        ContractCheck("reads during writes see whole batches", store: concurrentReads),
        ContractCheck("concurrent writers", store: concurrentWrites),
    ]

    @Sendable static func matchers(_ store: any ResultStore) async throws {
        let up = key("up", [("job", "node"), ("instance", "a:9100")])
        let up2 = key("up", [("job", "prometheus")])
        let load = key("node_load1", [("job", "node")])
        try await store.write(StoreBatch(windows: [up, up2, load].map { windows($0, at: start) }))
        func find(_ matchers: LabelMatcher...) async throws -> Set<SeriesKey> {
            Set(try await store.series(matching: matchers, page: PageRequest(limit: 10)).map(\.key))
        }
        #expect(try await find() == [up, up2, load])
        #expect(try await find(LabelMatcher("__name__", .equal, "up")) == [up, up2])
        #expect(try await find(LabelMatcher("__name__", .equal, "u")) == [])
        #expect(try await find(LabelMatcher("__name__", .equal, "up"), LabelMatcher("job", .equal, "node")) == [up])
        #expect(try await find(LabelMatcher("__name__", .equal, "up"), LabelMatcher("__name__", .equal, "down")) == [])
        #expect(try await find(LabelMatcher("job", .notEqual, "node")) == [up2])
        #expect(try await find(LabelMatcher("instance", .equal, "")) == [up2, load])
        #expect(try await find(LabelMatcher("instance", .notEqual, "")) == [up])
        #expect(try await find(LabelMatcher("__name__", .matches, "up|node_.*")) == [up, up2, load])
        #expect(try await find(LabelMatcher("job", .matches, "nod")) == [], "a regular expression matches the whole value")
        #expect(try await find(LabelMatcher("job", .matches, "n.*e")) == [up, load])
        #expect(try await find(LabelMatcher("instance", .matches, ".*")) == [up, up2, load])
        #expect(try await find(LabelMatcher("instance", .matches, ".+")) == [up])
        #expect(try await find(LabelMatcher("instance", .notMatches, "a:[0-9]{4}")) == [up2, load])
        #expect(try await find(LabelMatcher("absent", .notMatches, "x")) == [up, up2, load])
    }

    @Sendable static func badRegex(_ store: any ResultStore) async throws {
        for pattern in ["(", "[a", "a**", "*", "(?=a)", "\\1", "a{2,1}"] {
            let error = await #expect(throws: StorageError.self, "\(pattern)") {
                _ = try await store.series(matching: [LabelMatcher("job", .matches, pattern)], page: PageRequest(limit: 10))
            }
            #expect(error?.code == .usage)
        }
    }

    @Sendable static func paging(_ store: any ResultStore) async throws {
        let keys = (0..<257).map { key("metric_\($0 % 7)", [("n", "\($0)")]) }
        try await store.write(StoreBatch(windows: keys.map { windows($0, at: start) }))
        let even = [LabelMatcher("n", .matches, ".*[02468]")]
        let evenKeys = stride(from: 0, to: keys.count, by: 2).map { keys[$0] }
        let third = keys.filter { $0.labels.name == "metric_3" }
        var cases: [(limit: Int, matchers: [LabelMatcher], expected: [SeriesKey])] = [1000, 10, 257, 256].map { ($0, [], keys) }
        cases.append((3, even, evenKeys))
        cases.append((5, [LabelMatcher("__name__", .equal, "metric_3")], third))
        for (limit, matchers, expected) in cases {
            var found: [Fingerprint] = []
            while true {
                let page = try await store.series(matching: matchers, page: PageRequest(limit: limit, after: found.last))
                #expect(page.count <= limit)
                if page.isEmpty { break }
                found += page.map(\.key.id)
                guard found.count <= keys.count else { break }
            }
            #expect(found == expected.map(\.id).sorted())
        }
        #expect(try await store.series(matching: [], page: PageRequest(limit: 0)).isEmpty)
    }

    @Sendable static func chunkOverlap(_ store: any ResultStore) async throws {
        let a = key("a")
        // Neighbours, one long one, and one of another series.
        var spans: [(Milliseconds, Milliseconds)] = [(start - 5 * day, start + 90 * minute)]
        for i in 0..<10 as Range<Int64> { spans.append((start + i * hour, start + (i + 1) * hour)) }
        try await store.write(
            StoreBatch(chunks: spans.map { chunk(a, from: $0.0, to: $0.1) } + [chunk(key("b"), from: start, to: start + day)]))
        let ranges: [(Milliseconds, Milliseconds)] = [
            (start, start + hour), (start + 1, start + hour + 1), (start + hour - 1, start + hour), (start + 10 * hour, start + 11 * hour),
            (start - 6 * day, start - 5 * day), (.min, .max), (start + 30 * minute, start + 30 * minute + 1), (start - day, start - hour),
        ]
        for (from, to) in ranges {
            let expected = spans.filter { $0.1 > from && $0.0 < to }.map(\.0).sorted()
            #expect(try await store.chunks(of: a.id, from: from, to: to).map(\.start) == expected, "(\(from), \(to)]")
        }
    }

    @Sendable static func takeover(_ store: any ResultStore) async throws {
        let keys = (0..<30).map { key("m", [("n", "\($0)")]) }
        var all: [ChunkResult] = []
        for (i, key) in keys.enumerated() {
            for j in 0..<(i == 3 ? 1400 : 20) {
                all.append(chunk(key, from: start + Int64(j) * minute, to: start + Int64(j + 1) * minute, bytes: 30))
            }
        }
        try await store.write(StoreBatch(chunks: all))
        let some = Set(keys.prefix(11).map(\.id.shard))
        let everything = Set((0..<Shard.count).map { Shard(UInt16($0)) })
        let cases: [(Set<Shard>, Milliseconds)] = [
            (some, start + 5 * minute), (everything, start + 19 * minute - 1), (everything, .min), ([], start),
        ]
        for (shards, since) in cases {
            let got = Mutex<[[ChunkResult]]>([])
            try await store.recentChunks(shards: shards, since: since) { page in got.withLock { $0.append(page) } }
            let expected = all.filter { shards.contains($0.series.id.shard) && $0.end > since }
                .sorted { ($0.series.id, $0.start) < ($1.series.id, $1.start) }
            let pages = got.withLock { $0 }
            #expect(pages.flatMap { $0 } == expected)
            #expect(pages.allSatisfy { !$0.isEmpty })
        }
        await #expect(throws: CancellationError.self) {
            try await store.recentChunks(shards: everything, since: .min) { _ in throw CancellationError() }
        }
    }

    @Sendable static func windowTimes(_ store: any ResultStore) async throws {
        let keys = (0..<10).map { key("m\($0)") }
        try await store.write(
            StoreBatch(
                windows: keys.enumerated().map { windows($1, at: start + Int64($0) * 15 * second) } + [windows(keys[0], at: start - hour)],
                profiles: [profile(key("no windows"), at: start)]))
        let shards = Set(keys.prefix(4).map(\.id.shard))
        var expected: [Fingerprint: Milliseconds] = [:]
        for (i, key) in keys.enumerated() where shards.contains(key.id.shard) { expected[key.id] = start + Int64(i) * 15 * second }
        #expect(try await store.latestWindowTimes(shards: shards) == expected)
        #expect(try await store.latestWindowTimes(shards: []).isEmpty)
    }

    @Sendable static func retention(_ store: any ResultStore) async throws {
        let old = key("old")
        let steady = key("steady")
        let now = start + 40 * day
        func batch(_ key: SeriesKey, _ time: Milliseconds) -> StoreBatch {
            StoreBatch(
                windows: [windows(key, at: time)], profiles: [profile(key, at: time)], forecasts: [forecast(key, at: time, steps: 0)],
                chunks: [chunk(key, from: time - hour, to: time)])
        }
        for i in 0..<40 { try await store.write(batch(steady, start + Int64(i) * day)) }
        for i in 0..<3 { try await store.write(batch(old, start + Int64(i) * day)) }
        var limits = StoreRetention()
        limits.chunks = 20 * day
        limits.windows = 10 * day
        limits.forecasts = 5 * day
        let removed = try await store.applyRetention(limits, now: now)
        #expect(removed > 0)
        func kept(_ age: Milliseconds) -> [Milliseconds] { (0..<40).map { start + Int64($0) * day }.filter { $0 > now - age } }
        #expect(try await store.chunks(of: steady.id, from: .min, to: .max).map(\.end) == kept(20 * day))
        // Rows at the very edge may stay for up to a day.
        let history = try await store.windowsHistory(steady.id, from: .min, to: .max, limit: 100).map(\.time)
        #expect(history == kept(10 * day) || history == kept(11 * day))
        let forecasts = try await store.forecastHistory(steady.id, from: .min, to: .max, limit: 100).map(\.time)
        #expect(forecasts == kept(5 * day) || forecasts == kept(6 * day))
        #expect(try await store.latestWindows([steady.id, old.id]).map(\.time) == [start + 39 * day])
        #expect(try await store.series(old.id) == nil)
        #expect(try await store.series(matching: [], page: PageRequest(limit: 9)).map(\.key) == [steady])
        #expect(try await store.applyRetention(limits, now: now) == 0, "a second run finds nothing")

        // A series that comes back is a series like any other.
        try await store.write(batch(old, now))
        #expect(try await store.latestWindows([old.id]).map(\.time) == [now])
        #expect(try await store.series(old.id)?.firstSeen == now - hour)
    }

    @Sendable static func durability(_ backend: any StoreBackend) async throws {
        let keys = (0..<5).map { key("m\($0)") }
        var store = try await backend.open()
        for round in 0..<3 {
            for (i, key) in keys.enumerated() {
                let time = start + Int64(round * 5 + i) * 5 * minute
                try await store.write(
                    StoreBatch(
                        windows: [windows(key, at: time)], profiles: [profile(key, at: time)], forecasts: [forecast(key, at: time)],
                        chunks: [chunk(key, from: time, to: time + minute)]))
            }
            let before = try await contents(of: store, keys.map(\.id))
            await store.close()
            store = try await backend.open()
            #expect(try await contents(of: store, keys.map(\.id)) == before)
            try await store.checkHealth()
        }
        await store.close()
        await #expect(throws: StorageError.self, "a closed store says so") {
            try await store.write(StoreBatch(windows: [windows(keys[0], at: start)]))
        }
    }

    @Sendable static func concurrentReads(_ store: any ResultStore) async throws {
        let keys = (0..<20).map { key("m\($0)") }
        let ids = keys.map(\.id)
        try await store.write(StoreBatch(windows: keys.map { windows($0, at: start) }))
        try await withThrowingTaskGroup(of: Void.self) { group in
            let isDone = Flag()
            for _ in 0..<4 {
                group.addTask {
                    while !isDone.isSet {
                        let times = Set(try await store.latestWindows(ids).map(\.time))
                        #expect(times.count == 1, "half a batch is seen: \(times)")
                    }
                }
            }
            group.addTask {
                defer { isDone.set() }
                for i in 1...60 {
                    try await store.write(StoreBatch(windows: keys.map { windows($0, at: start + Int64(i) * 15 * second) }))
                }
            }
            try await group.waitForAll()
        }
    }

    @Sendable static func concurrentWrites(_ store: any ResultStore) async throws {
        let keys = (0..<10).map { key("m\($0)") }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<6 {
                group.addTask {
                    for i in 0..<10 {
                        let time = start + Int64(i * 6 + worker) * 5 * minute
                        try await store.write(StoreBatch(windows: keys.map { windows($0, at: time, revision: Int64(i)) }))
                    }
                }
            }
            try await group.waitForAll()
        }
        for key in keys {
            #expect(try await store.windowsHistory(key.id, from: 0, to: .max, limit: 1000).count == 60)
            #expect(try await store.latestWindows([key.id]).map(\.time) == [start + 59 * 5 * minute])
        }
    }
}
