import Foundation
import HTTPKit
import Hummingbird
import HummingbirdTesting
import Logging
import Messaging
import Records
import Storage
import Telemetry
import TimeSeries

@testable import Serving

/// 2026-03-01T12:00:00Z
let noon: Milliseconds = 1_772_366_400_000

func quietLogger() -> Logger { Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }) }

func key(_ name: String, _ labels: [(String, String)] = [], type: MetricType = .gauge) -> SeriesKey {
    SeriesKey(labels: LabelSet(name: name, labels.map { Label($0.0, $0.1) }), type: type)
}

func windows(_ key: SeriesKey, at time: Milliseconds = noon, revision: Int64 = 1, avg: Double = 2) -> WindowsResult {
    let lengths: [Milliseconds] = [3_600_000, 10_800_000, 43_200_000]
    return WindowsResult(
        series: key, time: time, revision: Revision(rawValue: revision),
        windows: lengths.map {
            WindowStatistics(
                window: $0, count: 240, min: avg - 1, max: avg + 1.5, avg: avg, stddev: 0.25, p50: avg, p95: avg + 1, p99: avg + 1.2)
        })
}

func prediction(_ expected: Double) -> Prediction {
    Prediction(expected: expected, lower80: expected - 1, upper80: expected + 1, lower95: expected - 2, upper95: expected + 2)
}

func forecast(_ key: SeriesKey, at time: Milliseconds = noon, revision: Int64 = 1) -> ForecastResult {
    ForecastResult(
        series: key, time: time, revision: Revision(rawValue: revision), horizon: 600_000, step: 60_000, max: prediction(3),
        min: prediction(1), avg: prediction(2), path: (1...10).map { prediction(Double($0)) })
}

func anomaly(_ key: SeriesKey, onset: Milliseconds, at time: Milliseconds, end: Milliseconds? = nil) -> AnomalyResult {
    AnomalyResult(
        series: key, time: time, revision: Revision(rawValue: 1), onset: onset, end: end, score: 0.6, expected: 2, seen: 9,
        cause: "level up")
}

func unforecast(_ key: SeriesKey, at time: Milliseconds = noon) -> ForecastResult {
    ForecastResult(
        series: key, time: time, revision: Revision(rawValue: 1), horizon: 600_000, step: 60_000, reason: "too short: 12 of 40 samples")
}

func profile(_ key: SeriesKey, at time: Milliseconds = noon, revision: Int64 = 1, verdict: String? = "stationary") -> ProfileResult {
    ProfileResult(
        series: key, time: time, revision: Revision(rawValue: revision), verdict: verdict, samples: 960,
        detail: [
            "samples": 960, "autocorrelation": ["values": [1, 0.5, 0.25], "bounds": [0, 0.06, 0.07], "significantLags": [1, 2]],
            "stationarity": ["adf": ["statistic": -4.5, "pValue": 0.001], "kpss": ["statistic": 0.1, "pValue": 0.1]],
            "seasonality": [["periodSeconds": 3600, "strength": 0.7]], "reason": nil,
        ])
}

func chunk(_ key: SeriesKey, times: [Milliseconds], values: [Double]) -> ChunkResult {
    var moments = Moments()
    for value in values { moments.add(value) }
    return ChunkResult(
        series: key, start: (times.first ?? 0) - 1, end: times.last ?? 0, revision: Revision(rawValue: 1), count: times.count,
        replayOffset: 0, moments: moments, data: ChunkCodec.encode(times: times, values: values))
}

/// One scrape: a sample of each series at one time.
func scrape(_ samples: [(SeriesKey, Double)], at time: Milliseconds) -> [UInt8] {
    let section = SeriesSection(samples.map { (labels: $0.0.labels, type: $0.0.type) })
    return SamplesRecord.encode(source: 1, watermark: time, section: section, time: time, values: samples.map(\.1))
}

func record(_ topic: String, _ value: [UInt8]) -> ConsumerRecord {
    ConsumerRecord(topic: topic, partition: 0, offset: 0, appendTime: noon, key: .shard(Shard(0)), value: value)
}

/// A role on fakes.
struct Bench: Sendable {
    let clock: TestClock
    let store = MemoryStore()
    let log: MemoryLog
    let registry = MetricRegistry()
    let readiness = Readiness()
    let role: ServeRole

    init(now: Milliseconds = noon, moreRoutes: [HTTPRoute] = [], _ change: (inout ServeOptions) -> Void = { _ in }) throws {
        clock = TestClock(now)
        log = MemoryLog(clock: clock)
        var options = ServeOptions()
        options.http.port = 0
        options.version = "1.2.3"
        change(&options)
        role = try ServeRole(
            options: options, store: store, log: log, clock: clock, registry: registry, readiness: readiness, logger: quietLogger(),
            reload: { [] }, moreRoutes: moreRoutes)
    }

    /// As if the topic's tail had brought it.
    func receive(_ result: ResultRecord) {
        role.receive(results: result.encode(shard: Shard(0)).map { record("prometheusdata", $0) })
    }

    func receive(_ samples: [(SeriesKey, Double)], at time: Milliseconds) {
        role.receive(samples: [record("samples", scrape(samples, at: time))])
    }

    func test<Value: Sendable>(_ body: @Sendable (any TestClientProtocol) async throws -> Value) async throws -> Value {
        try await role.server.application().test(.router, body)
    }
}

extension TestClientProtocol {
    func get(_ path: String, _ query: [(String, String)] = [], headers: HTTPFields = [:]) async throws -> TestResponse {
        let text = query.map { "\(PercentCoding.encode($0.0))=\(PercentCoding.encode($0.1))" }.joined(separator: "&")
        return try await execute(uri: text.isEmpty ? path : "\(path)?\(text)", method: .get, headers: headers)
    }
}

extension TestResponse {
    var text: String { String(buffer: body) }
    /// null if it is no JSON, so that an expectation on a member fails with a message.
    var json: JSONValue { (try? JSONValue(parsing: Array(body.readableBytesView))) ?? .null }
}
