import Testing
import TimeSeries

@testable import Records

@Suite struct ResultRecordTests {
    static let key = SeriesKey(labels: LabelSet(name: "load", [Label("path", "a\"\\\n😀")]), type: .gauge)

    static func windows(_ i: Int) -> WindowsResult {
        WindowsResult(
            series: key, time: 1_700_000_000_000, revision: Revision(epoch: 3, offset: Int64(i)),
            windows: [
                WindowStatistics(
                    window: 3_600_000, count: 240, min: -0.1, max: 1e300, avg: 0.30000000000000004, stddev: 1, p50: 2, p95: 3, p99: 4),
                WindowStatistics(window: 10_800_000, count: 0),
            ])
    }

    @Test func windowsComeBackToTheLastDigit() throws {
        let record = ResultRecord.windows([Self.windows(1), Self.windows(2)])
        let values = record.encode(shard: Self.key.id.shard)
        #expect(values.count == 1)
        #expect(try ResultRecord.decode(values[0]) == record)
    }

    @Test func theOtherKindsComeBack() throws {
        let p = Prediction(expected: 1, lower80: 0.5, upper80: 1.5, lower95: 0.1, upper95: 1.9)
        let forecast = ForecastResult(
            series: Self.key, time: 5, revision: Revision(rawValue: 9), horizon: 600_000, step: 15_000, max: p, min: p, avg: nil,
            path: [p, p],
            reason: "short")
        let profile = ProfileResult(
            series: Self.key, time: 5, revision: Revision(rawValue: 9), verdict: "unit-root", samples: 40,
            detail: ["a": [1, 2.5, nil], "b": "c"])
        let lasting = AnomalyResult(
            series: Self.key, time: 5, revision: Revision(rawValue: 9), onset: 4, end: nil, score: 0.6125, expected: 1 / 3, seen: nil,
            cause: "level up")
        var ended = lasting
        ended.end = 5
        ended.seen = -1e300
        for record in [ResultRecord.forecasts([forecast]), .profiles([profile]), .anomalies([lasting, ended])] {
            #expect(try ResultRecord.decode(record.encode(shard: Self.key.id.shard)[0]) == record)
        }
    }

    @Test func largeResultsAreSplitBelowTheLimit() throws {
        let record = ResultRecord.windows((0..<3_000).map { Self.windows($0) })
        let values = record.encode(shard: Shard(1))
        #expect(values.count > 1)
        var back: [WindowsResult] = []
        for value in values {
            #expect(value.count <= ResultRecord.maximumBytes)
            if case .windows(let part) = try ResultRecord.decode(value) { back += part }
        }
        #expect(ResultRecord.windows(back) == record)
    }

    @Test(arguments: [
        "", "[]", "{}", #"{"schema":2,"kind":"windows","time":1,"results":[]}"#, #"{"schema":1,"kind":"what","time":1,"results":[]}"#,
        #"{"schema":1,"kind":"windows","time":1,"results":[{}]}"#, #"{"schema":1,"kind":"windows","results":[]}"#,
        #"{"schema":1,"kind":"forecast","time":1,"results":[{"id":"00","labels":{},"revision":1}]}"#,
        #"{"schema":1,"kind":"anomaly","time":1,"results":[{"id":"00000000000000000000000000000001","labels":{},"revision":1,"onset":1}]}"#,
    ])
    func whatCannotBeReadSaysWhy(text: String) {
        let error = #expect(throws: RecordError.self) { try ResultRecord.decode(Array(text.utf8)) }
        #expect(error?.description.isEmpty == false)
    }

    @Test func revisionsOrderByEpochThenOffset() {
        #expect(Revision(epoch: 1, offset: 1 << 40) < Revision(epoch: 2, offset: 0))
        #expect(Revision(epoch: 2, offset: 5) < Revision(epoch: 2, offset: 6))
        #expect(Revision(epoch: -1, offset: -1).rawValue == 0)
    }
}

@Suite struct ChunksRecordTests {
    static func chunk(_ i: Int) -> ChunkResult {
        ChunkResult(
            series: ResultRecordTests.key, start: 1_800_000 * Int64(i), end: 1_800_000 * Int64(i + 1),
            revision: Revision(rawValue: Int64(i)), count: 120,
            replayOffset: Int64(i * 7), moments: Moments(count: 120, min: -1, max: 2, mean: 0.5, m2: 3),
            data: (0..<500).map { UInt8(truncatingIfNeeded: $0 * i) })
    }

    @Test func chunksComeBackAndLargeOnesAreSplit() throws {
        let chunks = (0..<1_000).map { Self.chunk($0) }
        let values = ChunksRecord.encode(chunks)
        #expect(values.count > 1 && values.allSatisfy { $0.count < 256 * 1024 })
        #expect(try values.flatMap { try ChunksRecord.decode($0) } == chunks)
    }

    @Test func everyTruncationIsAnError() {
        let value = ChunksRecord.encode([Self.chunk(1), Self.chunk(2)])[0]
        for length in 0..<value.count {
            #expect(throws: RecordError.self) { try ChunksRecord.decode(Array(value.prefix(length))) }
        }
    }

    @Test func damageNeverCrashes() {
        let value = ChunksRecord.encode([Self.chunk(1), Self.chunk(2)])[0]
        var state: UInt64 = 7
        for _ in 0..<3_000 {
            var bytes = value
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            bytes[Int(state >> 33) % 120] = UInt8(truncatingIfNeeded: state >> 20)
            _ = try? ChunksRecord.decode(bytes)
        }
    }
}
