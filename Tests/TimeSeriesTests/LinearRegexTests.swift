import Foundation
import TestSupport
import Testing
import TimeSeries

@Suite struct LinearRegexTests {
    @Test(
        arguments: [
            ("", "", true), ("", "a", false), ("a", "a", true), ("a", "aa", false), ("a*", "", true), ("a+", "", false), ("a?b", "b", true),
            ("a{2}", "aa", true), ("a{2}", "aaa", false), ("a{2,}", "aaaaa", true), ("a{1,3}", "aaaa", false), ("a{0}", "", true),
            ("a{,3}", "a{,3}", true),
            ("a{", "a{", true), ("x{y}", "x{y}", true), ("(a|b)*c", "ababc", true), ("a|", "", true), ("|b", "b", true),
            ("(|a)+", "aaa", true),
            ("(a*)*", "aaaa", true), ("(a*)+b", "aaab", true), (".", "\n", true), ("(?-s).", "\n", false), (".", "🚀", true),
            (".{2}", "éa", true),
            ("[a-c]+", "abcabc", true), ("[^a-c]+", "xyz", true), ("[^a-c]", "b", false), ("[]a]", "]", true), ("[^]a]", "]", false),
            ("[a-]", "-", true),
            ("[\\d_]+", "1_2", true), ("[\\D]", "5", false), ("[[:alpha:]]+", "aZ", true), ("[[:^alpha:]]+", "12", true),
            ("\\d{4}-\\d{2}", "2026-11", true),
            ("\\w+", "a_1", true), ("\\W", "-", true), ("\\s\\S", " x", true), ("\\.", ".", true), ("\\.", "x", false),
            ("a\\+b", "a+b", true),
            ("\\x41\\x{1F680}", "A🚀", true), ("\\Qa.b*\\E+", "a.b**", true), ("\\Q.\\E", "x", false), ("^a$", "a", true),
            ("a^b", "ab", false), ("(?m)a$\n^b", "a\nb", true),
            ("\\bfoo\\b", "foo", true), ("foo\\Bbar", "foobar", true), ("foo\\bbar", "foobar", false), ("(?i)HeLLo", "hEllO", true),
            ("(?i:a)b", "Ab", true), ("(?i:a)b", "AB", false), ("a(?i)b|c", "aB", true), ("a(?i)b|c", "C", true),
            ("(?i)[a-z]+", "ABC", true), ("(?i)[^a]", "A", false),
            ("(?i)straße", "STRAßE", true), ("(?P<n>a)(?<m>b)(?:c)", "abc", true), ("a+?b*?", "aab", true),
            ("(a|ab)(c|bcd)(d*)", "abcd", true),
            ("http://.*:[0-9]+/?", "http://host:9100/", true), ("node_(cpu|memory)_.+", "node_cpu_seconds_total", true),
            ("1..|2..", "199", true), ("a.*z", "a\nz", true),
        ] as [(String, String, Bool)])
    func matches(_ pattern: String, _ text: String, _ expected: Bool) throws {
        #expect(try LinearRegex(pattern).matches(text) == expected)
    }

    @Test(arguments: [
        "(", ")", "a)", "(a", "[", "[a", "[z-a]", "*a", "+", "?", "a**", "a+*", "a{2}{3}", "a{1001}", "a{3,2}", "\\", "\\8", "\\1", "\\pL",
        "\\C", "\\x{110000}",
        "\\xg1", "(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b", "(?P<n", "(?", "(?z)", "[[:what:]]", "((a{100}){100}){100}",
        String(repeating: "(", count: 200), String(repeating: "a", count: 20_000),
    ])
    func refuses(_ pattern: String) {
        #expect(throws: RegexError.self) { try LinearRegex(pattern) }
    }

    /// Patterns that take a backtracking engine for ever.
    @Test(
        .timeLimit(.minutes(1)),
        arguments: ["(a+)+b", "(a|a)*b", "(a|aa)+b", "(.*)(.*)(.*)(.*)b", "((((){1000}){1000}){1000}){1000}a*b", "(a?){500}a{500}b"])
    func isLinear(_ pattern: String) throws {
        #expect(try !LinearRegex(pattern).matches(String(repeating: "a", count: 2000)))
        #expect(try LinearRegex(pattern).matches(String(repeating: "a", count: 600) + "b"))
    }

    /// Random patterns against Foundation's engine.
    @Test(arguments: [11, 12, 13] as [UInt64]) func agreesWithFoundation(_ seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for _ in 0..<300 {
            let pattern = LinearRegexTests.randomPattern(depth: 3, &random)
            let reference = try NSRegularExpression(pattern: "\\A(?:\(pattern))\\z", options: [.dotMatchesLineSeparators])
            let regex = try LinearRegex(pattern)
            for _ in 0..<20 {
                let text = String((0..<Int.random(in: 0...6, using: &random)).map { _ in "abc-".randomElement(using: &random) ?? "a" })
                let range = NSRange(location: 0, length: (text as NSString).length)
                let expected = reference.firstMatch(in: text, range: range) != nil
                #expect(regex.matches(text) == expected, "seed \(seed): pattern \(pattern), text \(text)")
            }
        }
    }

    private static func randomPattern(depth: Int, _ random: inout SplitMix64) -> String {
        if depth == 0 { return ["a", "b", "c", ".", "[ab]", "[^a]", "\\w", "\\b", "-"].randomElement(using: &random) ?? "a" }
        func inner() -> String { randomPattern(depth: depth - 1, &random) }
        switch Int.random(in: 0..<5, using: &random) {
        case 0: return inner() + inner()
        case 1: return "(?:\(inner())|\(inner()))"
        case 2: return "(?:\(inner()))" + (["*", "+", "?", "{2}", "{1,2}", "{0,}"].randomElement(using: &random) ?? "*")
        case 3: return "(\(inner()))"
        default: return inner() + inner() + inner()
        }
    }
}
