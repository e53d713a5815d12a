import Records
import TestSupport
import Testing
import TimeSeries

@testable import almanac

@Suite struct DescribeTests {
    private func series(_ values: [Double], times: [Milliseconds] = []) -> CSVSeries {
        var series = CSVSeries()
        series.values = values
        series.times = times
        return series
    }

    @Test func gapsAreBridgedAndTold() throws {
        let even = try EvenSeries.make(series([1, 2, 5], times: [0, 1000, 4000]), step: nil)
        // The median distance of 1 s and 3 s is 3 s; asked for 1 s, two steps are missing.
        #expect(even.step == 3000)
        let fine = try EvenSeries.make(series([1, 2, 5], times: [0, 1000, 4000]), step: 1000)
        #expect(fine.values == [1, 2, 3, 4, 5])
        #expect(fine.bridged == 2)
        #expect(fine.notes == ["2 of 5 steps are missing (40 %); profile and forecast see straight lines there, so trust them little"])
    }

    @Test func leadingAndTrailingGapsAreCut() throws {
        let even = try EvenSeries.make(series([.nan, .nan, 1, .nan, 3, .nan]), step: 1000)
        #expect(even.values == [1, 2, 3])
        let timed = try EvenSeries.make(series([.nan, 1, 2], times: [0, 1000, 2000]), step: nil)
        #expect(timed.values == [1, 2] && timed.start == 1000)
    }

    @Test func disorderAndRepeatsAreTold() throws {
        let even = try EvenSeries.make(series([3, 1, 2, 9], times: [2000, 0, 1000, 1000]), step: nil)
        #expect(even.values == [1, 2, 3])
        #expect(even.notes == ["1 row is out of order; sorted by time", "1 row repeats a time; the first of each counts"])
    }

    @Test func valuesOfOneStepAreAveraged() throws {
        let even = try EvenSeries.make(series([1, 3, 10], times: [0, 100, 1000]), step: 1000)
        #expect(even.values == [2, 10])
    }

    @Test func jitterStaysOnTheGrid() throws {
        var random = SplitMix64(seed: 5)
        let times = (0..<500).map { Milliseconds($0) * 15_000 + .random(in: -900...900, using: &random) }
        let even = try EvenSeries.make(series(times.indices.map(Double.init), times: times), step: 15_000)
        #expect(even.values == times.indices.map(Double.init), "seed 5")
    }

    @Test func aSpanThatIsNoGridIsRefused() {
        #expect { try EvenSeries.make(series([1, 2, 3], times: [0, 1, 900_000_000_000]), step: 1) } throws: { "\($0)".contains("--step") }
        #expect { try EvenSeries.make(series([1, 2], times: [5, 5]), step: nil) } throws: { "\($0)".contains("same time") }
    }

    @Test func quantilesInterpolate() {
        var values = [4.0, 1, 3, 2]
        let statistics = SeriesDescription.Statistics(moments: Moments(), quantilesOf: &values)
        #expect(statistics.p50 == 2.5)
        #expect((statistics.p95 - 3.85).magnitude < 1e-12)
        var one = [7.0]
        #expect(SeriesDescription.Statistics(moments: Moments(), quantilesOf: &one).p99 == 7)
    }

    private static func wave(_ count: Int, seed: UInt64) -> [Double] {
        var random = SplitMix64(seed: seed)
        var level = 0.0
        return (0..<count).map { _ in
            level = 0.8 * level + Double.random(in: -1...1, using: &random)
            return 50 + level
        }
    }

    @Test func textAndJSONSayTheSame() throws {
        let values = DescribeTests.wave(600, seed: 3)
        let description = try SeriesDescription.make(series(values), name: "x.csv", step: 60_000, horizon: 600_000)
        let json = try JSONValue(parsing: description.json.jsonBytes)
        #expect(json["statistics"]?["count"]?.intValue == 600)
        #expect(json["statistics"]?["max"]?.doubleValue == values.max())
        let forecast = try #require(json["forecast"])
        #expect(forecast["path"]?.arrayValue?.count == 10)
        let expected = try #require(forecast["avg"]?["expected"]?.doubleValue)
        let text = DescriptionText(description: description, style: TerminalStyle(width: 80, isASCII: true)).render()
        #expect(text.contains(NumberText.format(expected)))
        #expect(text.contains(json["profile"]?["stationarity"]?["verdict"]?.stringValue ?? "no verdict"))
        #expect(text.contains("Forecast of the next 10m"))
        for line in text.split(separator: "\n") { #expect(line.count <= 110, "\(line)") }
    }

    @Test(arguments: [
        [5.0], [5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5], [1, 2, 3], [1e308, -1e308, 1e308], [0, 0],
        [0, .leastNonzeroMagnitude],
    ])
    func oddSeriesAreDescribed(values: [Double]) throws {
        let description = try SeriesDescription.make(series(values), name: "x", step: nil, horizon: 600_000)
        for isASCII in [true, false] {
            let text = DescriptionText(description: description, style: TerminalStyle(width: 60, isASCII: isASCII)).render()
            #expect(text.contains("Statistics"))
            #expect(!text.contains("nan") && !text.contains("inf"))
        }
        _ = try JSONValue(parsing: description.json.jsonBytes)
    }

    @Test func theASCIIPlotIsWhatItShouldBe() {
        let plot = TerminalPlot(
            history: [0, 1, 2, 3, 4], forecast: [(4, 3, 5), (4, 2, 6)], style: TerminalStyle(width: 34, isASCII: true), height: 7)
        #expect(
            plot.lines() == [
                "          6 |                  :::",
                "            |              :::::::",
                "            |            **+++++++",
                "          3 |         ***  :::::::",
                "            |     ****         :::",
                "            |  ***",
                "          0 |**",
            ])
    }

    @Test(arguments: [40, 80, 200])
    func plotsFitTheWidth(width: Int) {
        let values = DescribeTests.wave(3000, seed: 8)
        for isASCII in [true, false] {
            let plot = TerminalPlot(history: values, forecast: [(50, 49, 51)], style: TerminalStyle(width: width, isASCII: isASCII))
            for line in plot.lines() { #expect(line.count <= width, "\(line)") }
            #expect(plot.lines().allSatisfy { !isASCII || $0.utf8.count == $0.count })
        }
    }

    @Test func brailleDotsStandWhereTheyShould() {
        var canvas = DotCanvas(columns: 1, rows: 1, dotsPerColumn: 2, dotsPerRow: 4)
        canvas.line((0, 0), (0, 0), .history)
        #expect(canvas.braille(0, 0).0 == "\u{2801}")
        canvas.line((1, 3), (1, 3), .history)
        #expect(canvas.braille(0, 0).0 == "\u{2881}")
        canvas.line((0, 0), (0, 3), .history)
        #expect(canvas.braille(0, 0).0 == "\u{28C7}")
        canvas.line((-5, -5), (9, 9), .history)
    }

    @Test(arguments: [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"), (-1000, "-1,000")])
    func thousands(value: Int, text: String) { #expect(Count.digits(value) == text) }
}
