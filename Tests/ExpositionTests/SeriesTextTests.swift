import Exposition
import Testing

@Suite struct SeriesTextTests {
    private func decoded(_ text: String) throws -> [String] {
        let (name, labels) = try parseSeries(text.utf8)
        return [name] + labels.flatMap { [$0.name, $0.value] }
    }

    @Test(
        arguments: [
            ("a", ["a"]), ("a{}", ["a"]), ("a {b=\"c\"}", ["a", "b", "c"]), ("a{b=\"c\",d=\"e\"}", ["a", "b", "c", "d", "e"]),
            ("a{ d = \"\" , b=\"c\" , }", ["a", "d", "", "b", "c"]), ("a{b=\"\\\\\\\"\\n\\x\"}", ["a", "b", "\\\"\n\\x"]),
            ("a{b=\"é😀\"}", ["a", "b", "é😀"]), ("{\"my.metric\",\"a label\"=\"b\"}", ["my.metric", "a label", "b"]),
            ("{x=\"y\",\"m\\\"n\"}", ["m\"n", "x", "y"]),
        ] as [(String, [String])])
    func decodes(_ text: String, _ expected: [String]) throws {
        #expect(try decoded(text) == expected)
    }

    @Test(
        arguments: [
            ("", 1), ("a ", 0), ("{}", 1), ("a{b=\"c\",b=\"d\"}", 9), ("a{__name__=\"b\"}", 3), ("a{b=\"c\"} 1", 9), ("a{b=\"c\"", 8),
            ("a{\"\"=\"b\"}", 4),
            ("a{b=\"c\",\"\\\\\"=\"d\",\"\\\\\"=\"d\"}", 19),
        ] as [(String, Int)])
    func refuses(_ text: String, _ column: Int) {
        if column == 0 { return #expect((try? decoded(text)) == ["a"]) }
        #expect { _ = try decoded(text) } throws: { ($0 as? ExpositionError)?.line == 1 && ($0 as? ExpositionError)?.column == column }
    }

    @Test(arguments: [2, 16, 17, 300]) func findsARepeatedNameAmongMany(_ count: Int) throws {
        let labels = (0..<count).map { "l\($0)=\"v\"" }.joined(separator: ",")
        #expect(try decoded("a{\(labels)}").count == 1 + 2 * count)
        #expect(throws: ExpositionError.self) { try decoded("a{\(labels),l1=\"w\"}") }
    }
}
