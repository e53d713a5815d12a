import Records
import TestSupport
import Testing
import TimeSeries

@testable import History

@Suite struct TransformLineTests {
    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test func linesReadBackEqual() throws {
        var generator = SplitMix64(seed: 11)
        for round in 0..<2_000 {
            let kind = TransformLine.Kind.allCases[round % 3]
            var line = TransformLine(
                kind: kind, series: #"m{a="x\ty\\"}"#, time: Int64.random(in: -5_000...5_000_000_000_000, using: &generator))
            func number() -> Double? {
                switch Int.random(in: 0..<5, using: &generator) {
                case 0: nil
                case 1: Double(Int.random(in: -1_000_000...1_000_000, using: &generator))
                case 2: Double(Int.random(in: -99_999_999...99_999_999, using: &generator)) / 1000
                default: Double(bitPattern: UInt64.random(in: 0...UInt64.max, using: &generator) & ~(1 << 62))
                }
            }
            line.window = kind == .profile ? nil : 3_600_000
            line.count = 240
            line.min = number()
            line.avg = number()
            line.p99 = number()
            line.detail = kind == .windows ? nil : #"{"reason":"a \"b\" \\n"}"#
            var bytes: [UInt8] = []
            line.append(to: &bytes)
            #expect(bytes.last == 0x0A && bytes.count { $0 == 0x0A } == 1 && bytes.count { $0 == 0x09 } == 12)
            let read = try TransformLine(parsing: bytes)
            #expect(read == line, "round \(round)")
        }
    }

    @Test func numbersAreSwiftsShortestText() {
        var generator = SplitMix64(seed: 12)
        var values: [Double] = [
            0, -0.0, 1, -1, 0.1, 0.001, 0.0001, 999_999_999_999.999, 1e12, 1e16, 123.456, 0.005, 1e-5, .leastNonzeroMagnitude, 1.7e308, 0.3,
            2.675,
        ]
        for _ in 0..<50_000 {
            values.append(Double(bitPattern: UInt64.random(in: 0...UInt64.max, using: &generator)))
            values.append(Double(Int64.random(in: -1_000_000_000_000_000...1_000_000_000_000_000, using: &generator)) / 1000)
            values.append(Double(Int64.random(in: -1_000_000...1_000_000, using: &generator)) / 10_000)
        }
        for value in values where value.isFinite {
            var bytes: [UInt8] = []
            DecimalText.append(value, to: &bytes)
            #expect(text(bytes) == value.description)
        }
    }

    @Test func seriesReadBackEqual() throws {
        let sets = [
            LabelSet(name: "up"), LabelSet(name: "up", [Label("job", "a\"b\\c\nd\te\rf"), Label("a", "\\t")]),
            LabelSet([Label("only", "label")]), LabelSet(name: "odd name{}", [Label("odd-label", "ü=,}")]),
            LabelSet(name: "node:cpu:rate5m"),
        ]
        for set in sets {
            let bytes = SeriesNotation.bytes(set)
            #expect(!bytes.contains(0x09) && !bytes.contains(0x0A) && !bytes.contains(0x0D))
            let read = try SeriesNotation.parse(bytes)
            #expect(read == set, "\(text(bytes))")
        }
        #expect(text(SeriesNotation.bytes(try SeriesNotation.parse(Array(#"m{ b="2", a="1", }"#.utf8)))) == #"m{a="1",b="2"}"#)
        #expect(text(SeriesNotation.bytes(try SeriesNotation.parse(Array("disk usage-%".utf8)))) == #"{"disk usage-%"}"#)
    }

    @Test(arguments: ["", "{}", "m{", "m{a}", "m{a=b}", #"m{a="x}"#, #"m{a="1",a="2"}"#, #"m{a="1"}x"#, #"a"b"#, #"m{a=""}{"#])
    func wrongSeriesSayWhere(_ wrong: String) {
        #expect(throws: SeriesNotationError.self) { try SeriesNotation.parse(Array(wrong.utf8)) }
    }

    @Test func linesBecomeResults() throws {
        let key = SeriesKey(labels: LabelSet(name: "m_total", [Label("a", "1")]), type: .counter)
        let series = SeriesNotation.bytes(key.labels)
        let revision = Revision(rawValue: 0)
        let rows = (1...3).map { k in
            WindowsResult(
                series: key, time: Milliseconds(k) * 300_000, revision: revision,
                windows: [
                    WindowStatistics(window: 3_600_000, count: k, min: 1, max: 2.5, avg: 1.25, stddev: k > 1 ? 0.1 : nil),
                    WindowStatistics(window: 10_800_000, count: 9, min: 0, max: 3, avg: 1, stddev: 0.7, p50: 1, p95: 2, p99: 3),
                ])
        }
        let profile = ProfileResult(
            series: key, time: 600_000, revision: revision, verdict: "stationary", samples: 40,
            detail: ["samples": 40, "stationarity": ["verdict": "stationary"]])
        let prediction = Prediction(expected: 1, lower80: 0.5, upper80: 1.5, lower95: 0.25, upper95: 2)
        let forecast = ForecastResult(
            series: key, time: 900_000, revision: revision, horizon: 600_000, step: 60_000, max: prediction, path: [prediction], reason: nil
        )
        var writer = TransformWriter()
        writer.write(rows[0], series: series)
        writer.write(rows[1], series: series)
        writer.write(profile, series: series)
        writer.write(rows[2], series: series)
        writer.write(forecast, samples: 7, series: series)
        var decoder = TransformDecoder(revision: revision)
        try decoder.add(writer.bytes)
        let results = decoder.finish()
        #expect(results.windows == rows)
        #expect(results.windows.allSatisfy { $0.series.type == .counter && $0.series.labels == key.labels })
        #expect(results.profiles == [profile])
        #expect(results.forecasts == [forecast])
    }

    @Test(arguments: [
        "windows\tm\t1", "rows\tm\t1\t1\t1" + String(repeating: "\t\\N", count: 8),
        "windows\tm\tx\t1\t1" + String(repeating: "\t\\N", count: 8),
        "windows\tm\t1\t\\N\t1" + String(repeating: "\t\\N", count: 8), "profile\tm\t1\t\\N\t1" + String(repeating: "\t\\N", count: 8),
    ])
    func wrongLinesAreRefused(_ wrong: String) {
        #expect(throws: TransformLineError.self) { try TransformLine(parsing: Array(wrong.utf8)) }
    }

    @Test func aCutLineIsRefused() {
        var decoder = TransformDecoder(revision: Revision(rawValue: 0))
        #expect(throws: TransformLineError.self) { try decoder.add(Array("windows\tm\t1".utf8)) }
    }
}
