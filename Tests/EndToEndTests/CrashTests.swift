import Foundation
import Logging
import Messaging
import Records
import Storage
import Synchronization
import Telemetry
import TestSupport
import Testing
import TimeSeries

/// The process is killed again and again under load; what it acknowledged must all be there, once.
@Suite(.serialized) struct CrashTests {
    static let series = 40

    struct Clock: WallClock {
        func now() -> Milliseconds { Int64(Date().timeIntervalSince1970 * 1000) }
    }

    /// What an independent reader finds in the log: per series all samples, the first of each time.
    static func acknowledged(_ directory: String) async throws -> [Fingerprint: (key: SeriesKey, samples: [Int64: Double])] {
        let log = try await EmbeddedLog.open(
            EmbeddedLogOptions(directory: directory), clock: Clock(), metrics: MetricRegistry(), logger: Logger(label: "test"))
        let tail = try await log.tail(topics: ["samples"], from: .earliest)
        let end = try await log.endOffsets(topic: "samples").values.reduce(0, +)
        var found: [Fingerprint: (key: SeriesKey, samples: [Int64: Double])] = [:]
        var next: Int64 = 0
        while next < end {
            for record in try await tail.poll(maxBytes: 1 << 20, timeout: 1_000).records {
                next = record.offset + 1
                let decoded = try record.value.withUnsafeBytes { try SamplesRecord(decoding: $0) }
                let keys = try record.value.withUnsafeBytes {
                    try SeriesSection.decode(UnsafeRawBufferPointer(rebasing: $0[decoded.sectionRange]))
                }
                var at = 0
                for (i, key) in keys.enumerated() {
                    for _ in 0..<(decoded.counts?[i] ?? 1) {
                        let time = decoded.times.count == 1 ? decoded.times[0] : decoded.times[at]
                        var entry = found[key.id] ?? (key, [:])
                        if entry.samples[time] == nil { entry.samples[time] = decoded.values[at] }
                        found[key.id] = entry
                        at += 1
                    }
                }
            }
        }
        await tail.close()
        await log.close()
        return found
    }

    /// Windows by the plain definition.
    static func expected(_ key: SeriesKey, _ samples: [(time: Int64, value: Double)], at t: Int64, window: Int64) -> [Double] {
        var values: [Double] = []
        for (i, sample) in samples.enumerated() where sample.time > t - window && sample.time <= t && !sample.value.isNaN {
            if key.type != .counter {
                values.append(sample.value)
            } else if i > 0, !samples[i - 1].value.isNaN {
                let before = samples[i - 1]
                let increase = sample.value >= before.value ? sample.value - before.value : sample.value
                values.append(increase / (Double(sample.time - before.time) / 1000))
            }
        }
        return values
    }

    @Test func killedTwentyTimesItLosesAndDoublesNothing() async throws {
        let pages = Atomic<Int>(0)
        let exporter = PageServer {
            let n = pages.add(1, ordering: .relaxed).newValue
            var page = "# TYPE gauge_value gauge\n"
            for i in 0..<CrashTests.series { page += "gauge_value{i=\"\(i)\"} \(Double((n * 7919 + i * 104_729) % 10_007) / 100)\n" }
            return page + "# TYPE pages_total counter\npages_total \(n)\n"
        }
        defer { exporter.stop() }
        let folder = try TemporaryFolder()
        let port = freePort()
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix64(seed: seed)
        try """
        data: \(folder.path)/data
        listen: 127.0.0.1:\(port)
        store: {history_interval: 1s}
        collect:
          host: {enabled: false}
          scrape: [{job: load, targets: ["127.0.0.1:\(exporter.port)"], interval: 200ms, timeout: 200ms}]
        analyze: {interval: 1s, windows: [10s, 30s, 60s], allowed_lateness: 2s, chunk_span: 10s, idle_timeout: 5s, forecast: {metrics: [none]}}
        """.write(toFile: folder.path + "/almanac.yaml", atomically: true, encoding: .utf8)
        for _ in 0..<20 {
            let server = try Server(Program.path, ["run", "--config", folder.path + "/almanac.yaml"], output: folder.path + "/out.log")
            // At any moment: while starting, replaying, sealing, storing.
            let moment = Double.random(in: 0.3...3.5, using: &random)
            let deadline = ContinuousClock.now + .seconds(moment)
            try await eventually("the moment", within: 10) { ContinuousClock.now > deadline }
            #expect(server.isRunning, "seed \(seed): it ended by itself: \(server.printed.suffix(2_000))")
            _ = server.end(SIGKILL)
        }
        let last = try Server(Program.path, ["run", "--config", folder.path + "/almanac.yaml"], output: folder.path + "/out.log")
        try await eventually("ready at the end: \(last.printed.suffix(2_000))") {
            await get("http://127.0.0.1:\(port)/-/ready").code == 200
        }
        let before = pages.load(ordering: .relaxed)
        try await eventually("more pages") { pages.load(ordering: .relaxed) > before + 10 }
        #expect(last.end(SIGTERM) == 0, "\(last.printed.suffix(2_000))")
        try await compare(folder.path + "/data", seed: seed)
    }

    private func compare(_ data: String, seed: UInt64) async throws {
        let found = try await Self.acknowledged(data + "/log")
        let store = try SQLiteStore(SQLiteStoreOptions(path: data + "/almanac.db"))
        var rows = 0
        var sealed = 0
        let chosen = found.values.filter { $0.key.labels.name != "gauge_value" || ($0.key.labels["i"]?.count ?? 0) == 1 }
        #expect(chosen.count > 10, "seed \(seed)")
        for (key, byTime) in chosen {
            let samples = byTime.sorted { $0.key < $1.key }.map { (time: $0.key, value: $0.value) }
            let history = try await store.windowsHistory(key.id, from: 0, to: .max, limit: 100_000)
            #expect(!history.isEmpty, "seed \(seed): no rows of \(key.labels)")
            for (a, b) in zip(history, history.dropFirst()) {
                #expect(b.time - a.time == 1_000, "seed \(seed): \(key.labels) has a gap from \(a.time) to \(b.time)")
            }
            for row in history {
                for window in row.windows {
                    let values = Self.expected(key, samples, at: row.time, window: window.window)
                    let place: Comment = "seed \(seed): \(key.labels) at \(row.time) over \(window.window) ms"
                    #expect(window.count == values.count, place)
                    #expect(window.min == values.min() && window.max == values.max(), place)
                    if let avg = window.avg, !values.isEmpty {
                        let mean = values.reduce(0, +) / Double(values.count)
                        #expect(abs(avg - mean) <= 1e-11 * max(1, abs(mean)), place)
                    }
                    rows += 1
                }
            }
            let chunks = try await store.chunks(of: key.id, from: 0, to: .max)
            sealed += chunks.count
            for chunk in chunks {
                let inside = samples.filter { $0.time > chunk.start && $0.time <= chunk.end }
                #expect(
                    try ChunkCodec.decode(chunk.data).times == inside.map(\.time), "seed \(seed): chunk \(chunk.start) of \(key.labels)")
            }
        }
        #expect(rows > 1_000 && sealed > 10, "seed \(seed): the test must see rows and chunks: \(rows), \(sealed)")
        await store.close()
    }
}
