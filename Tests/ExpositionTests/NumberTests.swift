import Exposition
import Glibc
import TestSupport
import Testing

/// Values come out bit for bit as `strtod` reads them.
@Suite struct NumberTests {
    private func check(_ texts: [String], seed: UInt64 = 0) throws {
        let page = texts.map { "a \($0)\n" }.joined()
        let values = try rows(page).map(\.value)
        try #require(values.count == texts.count)
        for (text, value) in zip(texts, values) {
            let expected = strtod(text, nil)
            #expect(value.bitPattern == expected.bitPattern, "\(text): \(value), strtod \(expected), seed \(seed)")
        }
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>) func randomBitPatterns(_ seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        var texts: [String] = []
        while texts.count < 20_000 {
            let value = Double(bitPattern: generator.next())
            guard value.isFinite else { continue }
            texts.append(value.description)
            texts.append(digits17(value))
        }
        try check(texts, seed: seed)
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>) func randomDecimals(_ seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        var texts: [String] = []
        for _ in 0..<40_000 {
            var digits = (0..<Int.random(in: 1...21, using: &generator)).map { _ in String(Int.random(in: 0...9, using: &generator)) }
            if Bool.random(using: &generator) { digits.insert(".", at: Int.random(in: 0...digits.count, using: &generator)) }
            if Bool.random(using: &generator) { digits.append("e\(Int.random(in: -330...310, using: &generator))") }
            if Bool.random(using: &generator) { digits.append("E+\(Int.random(in: 0...30, using: &generator))") }
            let text = digits.joined()
            if text.contains("E") && text.contains("e") { continue }
            texts.append(Bool.random(using: &generator) ? text : "-" + text)
        }
        try check(texts, seed: seed)
    }

    @Test func aroundPowersOfTwoAndHalfways() throws {
        var texts: [String] = []
        for exponent in 50...66 {
            for offset in -3...3 { texts.append("\(UInt64(1) << min(exponent, 63) &+ UInt64(bitPattern: Int64(offset)))") }
        }
        for value in [9_007_199_254_740_993, 9_007_199_254_740_992, 9_007_199_254_740_991] {
            for exponent in -25...25 { texts.append("\(value)e\(exponent)") }
        }
        try check(texts)
    }

    @Test func extremes() throws {
        try check([
            "0", "-0", "0.0", "-0e10", "5e-324", "2.4703282292062327e-324", "2.4703282292062328e-324", "2.2250738585072014e-308",
            "2.2250738585072011e-308", "1.7976931348623157e308", "1.7976931348623159e308", "1e309", "-1e400", "1e-400", "1e99999",
            "1e-99999",
            "123456789012345678901234567890", "0.000000000000000000000000000000001", "1" + String(repeating: "0", count: 400),
            "0." + String(repeating: "0", count: 400) + "1e400", String(repeating: "9", count: 2000) + "e-1990", "1e22", "1e23", "1.e5",
            ".5", "00012",
            "1e00000000000000000005", "+7", "0x1.8p1", "-0X.8P+4", "0x1p-1080",
        ])
    }

    @Test func namedValues() throws {
        let page = ["Inf", "+inf", "-INF", "Infinity", "-infinity", "NaN", "nan"].map { "a \($0)\n" }.joined()
        let values = try rows(page).map(\.value)
        #expect(values.prefix(5).elementsEqual([.infinity, .infinity, -.infinity, .infinity, -.infinity]))
        #expect(values.suffix(2).allSatisfy { $0.isNaN && $0.bitPattern == Double.nan.bitPattern })
    }

    /// `%.17e`.
    private func digits17(_ value: Double) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            guard let base = buffer.baseAddress else { return "" }
            let written = withVaList([value]) { vsnprintf(base, 64, "%.17e", $0) }
            return String(decoding: buffer.prefix(Int(written)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }
}
