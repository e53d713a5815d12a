import Foundation
import Records
import Storage
import StorageContract
import TestSupport
import Testing
import TimeSeries

/// A day of results as analyzers send them: an evaluation every 15 s has its latest row, of which the history keeps one in five minutes.
struct DayOfResults {
    let keys: [SeriesKey]
    private var values: [Double]
    private var random: SplitMix64

    init(series: Int, seed: UInt64) {
        keys = (0..<series).map { i in
            let labels = [("instance", "host-\(i / 200):9100"), ("job", "node"), ("device", "dm-\(i % 200)"), ("mode", "user")]
            return key("node_disk_read_time_seconds_total", labels, type: i % 3 == 0 ? .counter : .gauge)
        }
        values = Array(repeating: 100, count: series)
        random = SplitMix64(seed: seed)
    }

    /// Everything of one history interval of five minutes: full-precision statistics, which no format stores in less than 8 bytes.
    mutating func interval(_ n: Int) -> StoreBatch {
        var batch = StoreBatch()
        let time = start + Int64(n) * 5 * minute
        for (i, key) in keys.enumerated() {
            values[i] += Double.random(in: -1...1, using: &random)
            let (spread, value) = (Double.random(in: 0.5...2, using: &random), values[i])
            func noise() -> Double { value + Double.random(in: -spread...spread, using: &random) }
            let statistics = [hour, 3 * hour, 12 * hour].map { window in
                WindowStatistics(
                    window: window, count: Int(window / 15_000), min: noise(), max: noise(), avg: noise(), stddev: spread, p50: noise(),
                    p95: noise(), p99: noise())
            }
            let revision = Revision(epoch: 3, offset: Int64(n * 1000 + i))
            batch.windows.append(WindowsResult(series: key, time: time, revision: revision, windows: statistics))
            func prediction() -> Prediction {
                Prediction(expected: noise(), lower80: noise(), upper80: noise(), lower95: noise(), upper95: noise())
            }
            batch.forecasts.append(
                ForecastResult(
                    series: key, time: time, revision: revision, horizon: 10 * minute, step: minute, max: prediction(), min: prediction(),
                    avg: prediction(), path: (0..<10).map { _ in prediction() }))
            if n % 12 == 0 { batch.profiles.append(profile(key, time, revision)) }
            if n % 6 == 0 { batch.chunks.append(chunk(key, time, revision)) }
        }
        return batch
    }

    private mutating func profile(_ key: SeriesKey, _ time: Milliseconds, _ revision: Revision) -> ProfileResult {
        func number() -> JSONValue { .double(Double.random(in: -1...1, using: &random)) }
        func numbers(_ count: Int) -> JSONValue { .array((0..<count).map { _ in number() }) }
        let test: JSONValue = [
            "statistic": number(), "pValue": number(), "lags": 27, "observations": 2852,
            "criticalValues": ["1%": number(), "5%": number(), "10%": number()],
        ]
        let detail: JSONValue = [
            "samples": 2880, "stepMs": 15_000, "interpolated": 0,
            "autocorrelation": ["values": numbers(35), "bounds": numbers(35), "significantLags": .array((1...20).map { .int($0) })],
            "ljungBox": ["statistic": number(), "pValue": number(), "lags": 34],
            "partialAutocorrelation": ["values": numbers(35), "bound": number(), "significantLags": [1, 2, 3]],
            "stationarity": ["verdict": "stationary", "adf": test, "adfTrend": test, "kpss": test, "kpssTrend": test],
            "seasonality": [["periodSeconds": number(), "strength": number()]],
        ]
        return ProfileResult(series: key, time: time, revision: revision, verdict: "stationary", samples: 2880, detail: detail)
    }

    /// Half an hour of samples at 15 s with two decimals.
    private mutating func chunk(_ key: SeriesKey, _ time: Milliseconds, _ revision: Revision) -> ChunkResult {
        var value = 100.0
        let times = (1...120).map { time + Int64($0) * 15 * second }
        let samples = times.map { _ -> Double in
            value += Double.random(in: -1...1, using: &random)
            return (value * 100).rounded() / 100
        }
        var moments = Moments()
        for sample in samples { moments.add(sample) }
        return ChunkResult(
            series: key, start: time, end: time + 30 * minute, revision: revision, count: 120, replayOffset: 1 << 33, moments: moments,
            data: ChunkCodec.encode(times: times, values: samples))
    }
}

@Suite struct SQLiteSizeTests {
    /// 1,000 series stay under 200 MB a day with the default histories. Measured on a twentieth of the series; what does not grow with
    /// them only makes the figure larger.
    @Test func aDayOfAThousandSeries() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("a.db")
        let store = try SQLiteStore(SQLiteStoreOptions(path: path))
        var day = DayOfResults(series: 50, seed: 77)
        for n in 0..<288 { try await store.write(day.interval(n)) }
        let history = try await store.windowsHistory(day.keys[9].id, from: 0, to: .max, limit: 1000)
        #expect(history.count == 288)
        await store.close()
        let bytes = try #require(try FileManager.default.attributesOfItem(atPath: path)[.size] as? NSNumber).int64Value
        #expect(bytes * 20 < 200_000_000, "\(bytes * 20 / 1_000_000) MB a day for 1,000 series")
    }
}
