import Exposition
import TestSupport
import Testing

/// Damaged pages: the parser answers with rows or with an error that points into the page, and never crashes.
@Suite struct MutationTests {
    private static let pages: [(page: [UInt8], format: ExpositionFormat)] = [
        (Array(textSample.utf8), .prometheusText), (Array(openMetricsSample.utf8), .openMetrics),
        (Array(openMetricsSample.utf8), .prometheusText),
        (Array(textSample.utf8), .openMetrics),
    ]

    private func check(_ page: [UInt8], _ format: ExpositionFormat, _ reproduce: @autoclosure () -> String) {
        var parser = ExpositionParser(format: format)
        var parsed = ParsedPage()
        do throws(ExpositionError) {
            try parser.parse(page, into: &parsed)
            for row in 0..<parsed.count {
                let range = parsed.seriesRange(row)
                #expect(range.upperBound <= page.count && !range.isEmpty, "\(reproduce())")
                _ = try? parseSeries(page[range])
            }
        } catch {
            let lines = page.split(separator: 0x0A, omittingEmptySubsequences: false)
            let isInside = (1...lines.count).contains(error.line) && (1...lines[error.line - 1].count + 1).contains(error.column)
            #expect(isInside && !error.message.isEmpty && parsed.count == 0, "\(error): \(reproduce())")
        }
    }

    @Test func everyTruncation() {
        for (page, format) in Self.pages {
            for length in 0...page.count { check(Array(page[..<length]), format, "the first \(length) bytes, \(format)") }
        }
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>) func randomDamage(_ seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        for round in 0..<2_000 {
            var (page, format) = Self.pages[round % Self.pages.count]
            for _ in 0..<Int.random(in: 1...4, using: &generator) { damage(&page, &generator) }
            check(page, format, "seed \(seed), round \(round)")
        }
    }

    private func damage(_ page: inout [UInt8], _ generator: inout SplitMix64) {
        guard !page.isEmpty else { return }
        let place = Int.random(in: 0..<page.count, using: &generator)
        let special: [UInt8] = [0, 0x09, 0x0A, 0x0D, 0x20, 0x22, 0x23, 0x2C, 0x30, 0x3D, 0x5C, 0x65, 0x7B, 0x7D, 0x80, 0xFF]
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: page[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 1: page[place] = special.randomElement(using: &generator) ?? 0
        case 2: page.insert(special.randomElement(using: &generator) ?? 0, at: place)
        case 3: page.removeSubrange(place..<min(page.count, place + Int.random(in: 1...9, using: &generator)))
        case 4: page.insert(contentsOf: page[place..<min(page.count, place + 40)], at: Int.random(in: 0..<page.count, using: &generator))
        default: page.removeSubrange(place...)
        }
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>) func randomBytes(_ seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        for round in 0..<2_000 {
            let page = (0..<Int.random(in: 0...200, using: &generator)).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
            check(page, round % 2 == 0 ? .prometheusText : .openMetrics, "seed \(seed), round \(round)")
        }
    }

    @Test func hugeTokens() {
        let long = String(repeating: "x", count: 1_000_000)
        let digits = String(repeating: "7", count: 1_000_000)
        #expect(failure("\(long){\(long)=\"\(long)\"} 1\n") == nil)
        #expect(failure("a \(digits)\n") == nil)
        #expect(failure("a 1 \(digits)\n")?.column == 5)
        #expect(failure("a{b=\"\(long)")?.column == 5)
        #expect(failure("a{" + String(repeating: "b=\"c\",", count: 200_000) + "} 1\n") == nil)
        #expect(failure("a{" + String(repeating: "b=\"c\",", count: 200_000) + "d=\"e\"} 1\n# EOF", .openMetrics)?.line == 1)
    }
}
