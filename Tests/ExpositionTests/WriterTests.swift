import Exposition
import TestSupport
import Testing

@Suite struct WriterTests {
    @Test func writesAPage() {
        var writer = ExpositionWriter()
        writer.family("node_load1", type: .gauge, help: "Load, 1m\\average\n\"now\".")
        writer.row("node_load1", value: 0.25)
        writer.family("http", type: .histogram)
        writer.row("http", suffix: "_bucket", labels: [("path", "C:\\\"a\"\n"), ("le", "+Inf")], value: 3, time: -1_500)
        writer.row("my.metric", labels: [("a label", "é")], value: .nan)
        let expected = """
            # HELP node_load1 Load, 1m\\\\average\\n"now".
            # TYPE node_load1 gauge
            node_load1 0.25
            # TYPE http histogram
            http_bucket{path="C:\\\\\\"a\\"\\n",le="+Inf"} 3 -1500
            {"my.metric","a label"="é"} NaN

            """
        #expect(String(decoding: writer.bytes, as: UTF8.self) == expected)
    }

    @Test(
        arguments: [
            (0, "0"), (-0.0, "-0.0"), (1, "1"), (-17, "-17"), (0.1, "0.1"), (1e15, "1000000000000000"),
            (9_007_199_254_740_992, "9007199254740992"),
            (1e300, "1e+300"), (.leastNonzeroMagnitude, "5e-324"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"),
            (1.0 / 3, "0.3333333333333333"),
        ] as [(Double, String)])
    func writesTheShortestNumber(_ value: Double, _ expected: String) {
        var writer = ExpositionWriter()
        writer.row("a", value: value)
        #expect(String(decoding: writer.bytes, as: UTF8.self) == "a \(expected)\n")
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>) func whatIsWrittenIsReadBack(_ seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        var writer = ExpositionWriter()
        var expected: [(name: String, labels: [(String, String)], value: Double, time: Int64?)] = []
        for family in 0..<30 {
            let name = Bool.random(using: &generator) ? "metric_\(family)" : "metric.\(family) \(randomText(&generator))"
            writer.family(name, type: .gauge, help: randomText(&generator))
            for _ in 0..<Int.random(in: 1...5, using: &generator) {
                let labels = (0..<Int.random(in: 0...4, using: &generator)).map { i in
                    (name: Bool.random(using: &generator) ? "l\(i)" : "l \(i)\"\\", value: randomText(&generator))
                }
                let value =
                    Bool.random(using: &generator)
                    ? Double(bitPattern: generator.next()) : Double.random(in: -1e6...1e6, using: &generator).rounded()
                let time =
                    Bool.random(using: &generator) ? Int64.random(in: -5_000_000_000_000...5_000_000_000_000, using: &generator) : nil
                writer.row(name, labels: labels, value: value, time: time)
                expected.append((name, labels, value, time))
            }
        }
        let read = try rows(writer.bytes)
        try #require(read.count == expected.count, "seed \(seed)")
        for (row, expected) in zip(read, expected) {
            let (name, labels) = try parseSeries(row.series.utf8)
            #expect(name == expected.name && row.time == expected.time && row.type == .gauge, "seed \(seed)")
            #expect(labels.elementsEqual(expected.labels) { $0 == $1 }, "seed \(seed)")
            #expect(row.value.bitPattern == expected.value.bitPattern || row.value.isNaN && expected.value.isNaN, "seed \(seed)")
        }
    }

    private func randomText(_ generator: inout SplitMix64) -> String {
        let alphabet: [Character] = ["a", "b", " ", "\\", "\"", "\n", "é", "😀", "}", "{", ",", "=", "n", "\t", "#"]
        return String((0..<Int.random(in: 0...20, using: &generator)).map { _ in alphabet.randomElement(using: &generator) ?? "a" })
    }
}
