import TestSupport
import Testing
import TimeSeries

@testable import Collecting

/// Answers as a server would give them, from samples that a test knows.
private func answer(_ series: [String: [Sample]], after from: Milliseconds, upTo to: Milliseconds, closed: Bool, expression: Int = -1)
    throws -> PrometheusReader.Answer
{
    let result = series.sorted { $0.key < $1.key }.compactMap { metric, samples -> String? in
        let inside = samples.filter { ($0.time > from || closed && $0.time == from) && $0.time <= to }
        if inside.isEmpty { return nil }
        let values = inside.map { "[\(Double($0.time) / 1_000),\"\($0.value)\"]" }.joined(separator: ",")
        return "{\"metric\":\(metric),\"values\":[\(values)]}"
    }
    let text = "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[\(result.joined(separator: ","))]}}"
    return PrometheusReader.Answer(expression: expression, after: from, columns: try MatrixParser.parse(Array(text.utf8)))
}

@Suite struct PrometheusReaderTests {
    private func options() -> PrometheusOptions {
        var options = PrometheusOptions(baseURL: "http://p:9090")
        options.selectors = ["{job=\"x\"}"]
        return options
    }

    private let a = #"{"__name__":"a","job":"x"}"#
    private let aKey = #"a{job="x"}"#

    @Test(arguments: [true, false])
    func seamsNeitherLoseNorDouble(closed: Bool) throws {
        let samples = (0..<240).map { Sample(Int64($0) * 15_000, Double($0)) }
        var reader = PrometheusReader(options(), topic: "samples")
        var got: [Sample] = []
        for piece in 0..<60 {
            let from = Int64(piece) * 60_000
            let records = reader.records([try answer([a: samples], after: from, upTo: from + 60_000, closed: closed)], upTo: from + 60_000)
            let decoded = try Decoded(records.records)
            #expect(decoded.watermarks.allSatisfy { $0 == from + 60_000 })
            got += decoded.samples[aKey] ?? []
        }
        #expect(got == Array(samples.dropFirst()))
    }

    @Test func lateSamplesWithinTheOverlapAreSentOnce() throws {
        var reader = PrometheusReader(options(), topic: "samples")
        func take(_ times: [Milliseconds], _ after: Milliseconds, _ to: Milliseconds) throws -> [Milliseconds] {
            let series = [a: times.map { Sample($0, 1) }]
            return try Decoded(reader.records([try answer(series, after: after, upTo: to, closed: true)], upTo: to).records).samples[aKey]?
                .map(\.time) ?? []
        }
        #expect(try take([15_000, 45_000], 0, 60_000) == [15_000, 45_000])
        #expect(try take([15_000, 30_000, 45_000, 75_000], 0, 90_000) == [30_000, 75_000])
        #expect(try take([15_000, 30_000, 45_000, 60_000, 75_000, 90_000], 0, 100_000) == [60_000, 90_000])
        #expect(try take([30_000, 45_000, 60_000, 75_000, 90_000], 0, 110_000) == [])
    }

    @Test func aSilentSeriesEndsAfterTheLookback() throws {
        var reader = PrometheusReader(options(), topic: "samples")
        let series = [a: [Sample(60_000, 1)]]
        _ = reader.records([try answer(series, after: 0, upTo: 100_000, closed: true)], upTo: 100_000)
        #expect(try Decoded(reader.records([], upTo: 359_999).records).samples.isEmpty)
        #expect(try Decoded(reader.records([], upTo: 360_000).records).samples[aKey] == [Sample(360_000, StaleMarker.value)])
        #expect(try Decoded(reader.records([], upTo: 700_000).records).samples.isEmpty)
        let back = [a: [Sample(710_000, 2)]]
        let records = reader.records([try answer(back, after: 700_000, upTo: 720_000, closed: true)], upTo: 720_000)
        #expect(try Decoded(records.records).samples[aKey] == [Sample(710_000, 2)])
    }

    @Test func aGapWithinAPieceIsAnEndToo() throws {
        var reader = PrometheusReader(options(), topic: "samples")
        let series = [a: [Sample(1_000, 1), Sample(301_000, 2), Sample(601_001, 3)]]
        let records = reader.records([try answer(series, after: 0, upTo: 700_000, closed: true)], upTo: 700_000)
        #expect(
            try Decoded(records.records).samples[aKey]
                == [Sample(1_000, 1), Sample(301_000, 2), Sample(601_000, StaleMarker.value), Sample(601_001, 3)])
    }

    @Test func twoSelectorsWithTheSameSeriesSendItOnce() throws {
        var reader = PrometheusReader(options(), topic: "samples")
        let series = [a: (1..<5).map { Sample(Int64($0) * 15_000, 1) }]
        let one = try answer(series, after: 0, upTo: 60_000, closed: true)
        #expect(try Decoded(reader.records([one, one], upTo: 60_000).records).samples[aKey]?.count == 4)
    }

    @Test func anExpressionTakesItsConfiguredNameAndEndsWithTheFirstEmptyStep() throws {
        var options = options()
        options.selectors = []
        options.expressions = [
            .init(name: "load:avg", expr: "avg(a)", step: 15_000), .init(name: "load:max", expr: "max(a)", step: 15_000),
        ]
        options.labels = [Label("site", "s"), Label("job", "other")]
        var reader = PrometheusReader(options, topic: "samples")
        let series = [#"{"job":"x"}"#: [Sample(15_000, 1), Sample(30_000, 2)]]
        let answers = [
            try answer(series, after: 0, upTo: 45_000, closed: true, expression: 0),
            try answer(series, after: 0, upTo: 45_000, closed: true, expression: 1),
        ]
        let out = try Decoded(reader.records(answers, upTo: 45_000).records)
        #expect(out.samples.keys.sorted() == [#"load:avg{job="x",site="s"}"#, #"load:max{job="x",site="s"}"#])
        #expect(
            out.samples[#"load:avg{job="x",site="s"}"#]
                == [Sample(15_000, 1), Sample(30_000, 2), Sample(45_000, StaleMarker.value)])
    }

    @Test func aRoundWithoutSamplesStillMovesTheWatermark() throws {
        var reader = PrometheusReader(options(), topic: "samples")
        let records = reader.records([], upTo: 5_000).records
        #expect(records.count == 1)
        #expect(try Decoded(records).watermarks == [5_000])
    }

    @Test func metricsThatAreNotTextsAreLeftOut() throws {
        var reader = PrometheusReader(options(), topic: "samples")
        let odd = try answer([#"{"__name__":5}"#: [Sample(1_000, 1)], a: [Sample(1_000, 1)]], after: 0, upTo: 5_000, closed: true)
        #expect(try Decoded(reader.records([odd], upTo: 5_000).records).samples.count == 1)
    }

    @Test func seriesThatHaveEndedAreForgotten() throws {
        var reader = PrometheusReader(options(), topic: "samples")
        var to: Milliseconds = 0
        for round in 0..<40 {
            to += 600_000
            let series = Dictionary(
                uniqueKeysWithValues: (0..<200).map { ("{\"__name__\":\"a\",\"id\":\"\(round)-\($0)\"}", [Sample(to - 1_000, 1)]) })
            _ = reader.records([try answer(series, after: to - 600_000, upTo: to, closed: true)], upTo: to)
        }
        #expect(reader.seriesCount < 2_000)
    }

    /// A server whose samples come late and out of order, read in random pieces with overlap: in the end everything has come exactly once.
    @Test(arguments: 0..<60 as Range<UInt64>)
    func everySampleComesExactlyOnce(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let options = options()
        var reader = PrometheusReader(options, topic: "samples")
        // Per series the samples with the time at which the server knows them.
        var truth: [String: [(sample: Sample, known: Milliseconds)]] = [:]
        for i in 0..<20 {
            var time = Int64.random(in: 1...15_000, using: &random)
            var samples: [(sample: Sample, known: Milliseconds)] = []
            while time < 1_200_000 {
                let delay = Int.random(in: 0..<5, using: &random) == 0 ? Int64.random(in: 0..<100_000, using: &random) : 0
                samples.append((Sample(time, Double.random(in: 0..<1, using: &random)), time + delay))
                time += Int64.random(in: 5_000...30_000, using: &random)
            }
            truth["{\"__name__\":\"m\",\"i\":\"\(i)\"}"] = samples
        }
        var position: Milliseconds = 0
        var got: [String: [Sample]] = [:]
        while position < 1_500_000 {
            let to = position + Int64.random(in: 1_000...60_000, using: &random)
            let known = truth.mapValues { $0.filter { $0.known <= to }.map(\.sample) }
            let from = position - options.overlap
            let closed = Bool.random(using: &random)
            let records = reader.records([try answer(known, after: from, upTo: to, closed: closed)], upTo: to)
            for (series, samples) in try Decoded(records.records).samples {
                #expect(samples.map(\.time) == samples.map(\.time).sorted(), "seed \(seed)")
                got[series, default: []] += samples.filter { !$0.isStale }
            }
            position = to
        }
        for (metric, samples) in truth {
            let key = "m{i=\"" + metric.split(separator: "\"")[7] + "\"}"
            #expect((got[key] ?? []).sorted { $0.time < $1.time } == samples.map(\.sample), "seed \(seed) \(key)")
        }
    }
}

@Suite struct PieceSizeTests {
    @Test func halvesDownToAMinuteAndGrowsAgain() {
        var size = PieceSize()
        for _ in 0..<20 { size.halve() }
        #expect(size.length == PieceSize.smallest)
        #expect(size.isSmallest)
        for _ in 0..<8 { size.succeeded() }
        #expect(size.length == 2 * PieceSize.smallest)
        for _ in 0..<200 { size.succeeded() }
        #expect(size.length == PieceSize.largest)
    }
}
