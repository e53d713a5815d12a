import Analytics
import Glibc
import Records
import TestSupport
import Testing
import TimeSeries

@testable import almanac

@Suite struct DecompositionDescriptionTests {
    /// A day's sine of amplitude 5 with an hour's of 1.5 on a slope, noise, at five minutes for ten days.
    private func series(noise: Double = 1, seed: UInt64 = 4) -> CSVSeries {
        var random = SplitMix64(seed: seed)
        var series = CSVSeries()
        series.values = (0..<2_880).map { i in
            let turn = 2 * Double.pi * Double(i)
            let cycles: Double = 5 * sin(turn / 288) + 1.5 * sin(turn / 12)
            let rest: Double = noise * Double.random(in: -1...1, using: &random)
            return 100 + Double(i) / 200 + cycles + rest
        }
        return series
    }

    private func describe(_ series: CSVSeries, _ choice: SeriesDecomposition.Choice?) throws -> SeriesDescription {
        try SeriesDescription.make(series, name: "x.csv", step: 300_000, horizon: 600_000, decompose: choice)
    }

    private func text(_ description: SeriesDescription) -> String {
        DescriptionText(description: description, style: TerminalStyle(width: 90, isASCII: true)).render()
    }

    @Test func theCyclesThatWereFoundAreTakenApart() throws {
        let description = try describe(series(), .found)
        let parts = try #require(description.decomposition)
        #expect(parts.periods == [12, 288])
        let fit = try #require(parts.stl.value)
        #expect(fit.seasonalStrengths.allSatisfy { $0 > 0.7 } && fit.trendStrength > 0.5)
        let text = text(description)
        #expect(text.contains("Decomposition"))
        #expect(text.contains("cycle of 1h ") && text.contains("cycle of 1d "))
        #expect(text.contains(NumberText.fixed(fit.seasonalStrengths[1], 2)))
        for line in text.split(separator: "\n") { #expect(line.count <= 120, "\(line)") }
    }

    @Test func aPeriodThatIsNamedIsTaken() throws {
        let description = try describe(series(), .period(86_400_000))
        let parts = try #require(description.decomposition)
        #expect(parts.periods == [288])
        let classical = try #require(parts.classical.first?.value)
        #expect(classical.seasonalStrengths[0] > 0.8)
        let json = try JSONValue(parsing: description.json.jsonBytes)
        let stl = try #require(json["decomposition"]?["stl"])
        for part in ["trend", "remainder"] {
            let values = try #require(stl[part]?.arrayValue)
            #expect(values.count == 2_880)
        }
        let season = try #require(stl["seasonal"]?.arrayValue?.first)
        #expect(season["periodSeconds"]?.doubleValue == 86_400)
        let moving = try #require(json["decomposition"]?["classical"]?.arrayValue?.first)
        // A centred moving average has no value for half a period at each end.
        let trend = try #require(moving["trend"]?.arrayValue)
        let missing = trend.filter { $0.doubleValue == nil }.count
        #expect(missing == 288)
        #expect(moving["trendStrength"]?.doubleValue == classical.trendStrength)
    }

    @Test func whatCannotBeTakenApartSaysWhy() throws {
        var flat = CSVSeries()
        flat.values = [Double](repeating: 3, count: 300)
        var short = CSVSeries()
        short.values = (0..<40).map { Double($0 % 7) }
        var random = SplitMix64(seed: 3)
        var noise = CSVSeries()
        noise.values = (0..<300).map { _ in Double.random(in: -1...1, using: &random) }
        let cases: [(CSVSeries, SeriesDecomposition.Choice, String)] = [
            (flat, .period(3_600_000), "none: constant"), (short, .period(86_400_000), "none: too short: 40 of 576 samples"),
            (noise, .found, "none: no cycle was found; name one with --period"), (short, .period(1), "none: a period below 2: 0"),
        ]
        for (series, choice, reason) in cases {
            let description = try describe(series, choice)
            #expect(text(description).contains(reason), "\(reason)")
            let json = try JSONValue(parsing: description.json.jsonBytes)
            #expect(json["decomposition"]?["stl"]?["reason"]?.stringValue != nil)
        }
    }

    @Test func nothingIsSaidUnlessAsked() throws {
        let description = try describe(series(), nil)
        #expect(description.decomposition == nil && !text(description).contains("Decomposition"))
        #expect(try JSONValue(parsing: description.json.jsonBytes)["decomposition"] == nil)
    }
}
