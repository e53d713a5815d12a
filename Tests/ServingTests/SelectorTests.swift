import HTTPKit
import HTTPTypes
import HummingbirdTesting
import Records
import Storage
import TestSupport
import Testing
import TimeSeries

@testable import Serving

@Suite("Selectors")
struct SelectorTests {
    @Test(arguments: [
        ("up", [LabelMatcher("__name__", .equal, "up")]),
        ("job:rate:sum", [LabelMatcher("__name__", .equal, "job:rate:sum")]),
        (" up { } ", [LabelMatcher("__name__", .equal, "up")]),
        (
            #"a{b="c",d!="e",f=~"g.*",h!~"i",}"#,
            [
                LabelMatcher("__name__", .equal, "a"), LabelMatcher("b", .equal, "c"), LabelMatcher("d", .notEqual, "e"),
                LabelMatcher("f", .matches, "g.*"), LabelMatcher("h", .notMatches, "i"),
            ]
        ),
        (#"{a = 'x' , b=`\d`}"#, [LabelMatcher("a", .equal, "x"), LabelMatcher("b", .equal, #"\d"#)]),
        (#"{"http.time",a="b"}"#, [LabelMatcher("__name__", .equal, "http.time"), LabelMatcher("a", .equal, "b")]),
        (#"{"dotted.label"="b"}"#, [LabelMatcher("dotted.label", .equal, "b")]),
        (#"{a="\"\\\n\u00e9\x41}{,="}"#, [LabelMatcher("a", .equal, "\"\\\né\u{41}}{,=")]),
    ])
    func parses(text: String, matchers: [LabelMatcher]) throws { #expect(try SelectorParser.parse(text) == matchers) }

    @Test(arguments: [
        ("", 1), ("{}", 3), ("a{", 3), ("a{b}", 4), ("a{b=}", 5), ("a{b=c}", 5), ("a{b=\"c}", 8), ("a{b=\"c\"", 8),
        ("a{b=\"c\" d=\"e\"}", 9),
        ("a{=\"c\"}", 3), ("a b", 3), ("9a", 1), ("a{b~\"c\"}", 4), ("a{b=\"\\q\"}", 7), ("a}", 2), ("a[5m]", 2), ("a{\"b\"}", 3),
        ("sum(a)", 4),
    ])
    func namesThePlaceOfAMistake(text: String, position: Int) {
        let error = #expect(throws: SelectorError.self, "\(text)") { _ = try SelectorParser.parse(text) }
        #expect(error?.position == position, "\(text): \(error?.description ?? "")")
    }

    @Test func notationOfEverySeriesParsesBack() throws {
        let seed: UInt64 = 3
        var generator = SplitMix64(seed: seed)
        let alphabet: [Character] = ["a", "Z", "\"", "\\", "\n", "{", "}", ",", "=", "é", "🚗", " ", "~"]
        for i in 0..<500 {
            let labels = (0..<Int.random(in: 0...4, using: &generator)).map { n in
                Label("l\(n)", String((0..<6).map { _ in alphabet.randomElement(using: &generator) ?? "a" }))
            }
            let set = LabelSet(name: "metric_\(i % 7)", labels)
            #expect(try SeriesQuery.labels(notation: set.description) == set, "seed \(seed), \(set)")
        }
    }

    private func query(_ text: String) throws -> SeriesQuery { try SeriesQuery(try QueryParameters(text)) }

    @Test func unionsWithinAParameterAndIntersectsAcross() throws {
        let a = key("a", [("x", "1")])
        let b = key("b", [("x", "2")])
        let c = key("c", [("x", "1")])
        let either = try query("match[]=a&match[]=b")
        #expect([a, b, c].map(either.matches) == [true, true, false])
        let both = try query("match[]=%7Bx%3D%221%22%7D&metric=a&metric=b")
        #expect([a, b, c].map(both.matches) == [true, false, false])
        let exact = try query("metric=a%7Bx%3D%221%22%7D")
        #expect([a, b, key("a"), key("a", [("x", "1"), ("y", "1")])].map(exact.matches) == [true, false, false, false])
        #expect(try query("").isAll)
        #expect(try query("").matches(a))
    }

    @Test(arguments: [
        ("match[]=%7B", "match[]"), ("match[]=a%7Bb%3D~%22(%22%7D", "match[]"), ("match[]=%7Ba%3D~%22.*%22%7D", "match[]"),
        ("metric=", "metric"),
        ("metric=a%7Bb%3D~%22c%22%7D", "metric"), ("match[]=%7Ba!%3D%22b%22%7D", "match[]"),
    ])
    func badQueriesNameTheParameter(text: String, name: String) throws {
        let problem = #expect(throws: Problem.self) { _ = try query(text) }
        #expect(problem?.status == .badRequest)
        #expect(problem?.detail.contains("'\(name)'") == true, "\(problem?.detail ?? "")")
    }

    /// Each expression alone is small enough; every series would be asked for both.
    @Test(arguments: ["/api/v1/series", "/all_metrics"])
    func expressionsThatAreTooLargeTogetherAreRefused(path: String) async throws {
        let expression = "(.?){1000}(.?){1000}(.?){1000}(.?){1000}.*"
        try await Bench().test { client in
            let one = try await client.get(path, [("match[]", "up{a=~\"\(expression)\"}")])
            #expect(one.status == .ok, "\(one.text)")
            for queries in [
                [("match[]", "up{a=~\"\(expression)\",b=~\"\(expression)\"}")],
                [("match[]", "up{a=~\"\(expression)\"}"), ("match[]", "up{b!~\"\(expression)\"}")],
            ] {
                let both = try await client.get(path, queries)
                #expect(both.status == .badRequest)
                #expect(both.json["detail"]?.stringValue?.contains("too large together") == true, "\(both.text)")
            }
        }
    }

    @Test func cursors() throws {
        let cursor = Cursor(after: key("a").id, index: 12)
        #expect(Cursor(cursor.text) == cursor)
        for text in ["", "x", "\(key("a").id)", "\(key("a").id)-", "\(key("a").id)-x", "\(key("a").id)--1", "abc-1"] {
            #expect(Cursor(text) == nil, "\(text)")
        }
    }
}
