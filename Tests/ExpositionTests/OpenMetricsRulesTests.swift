import Exposition
import Testing

/// The rules of OpenMetrics 1.0, each with a page that obeys it and pages that break it.
@Suite struct OpenMetricsRulesTests {
    @Test func readsTheWholeSample() throws {
        let read = try rows(openMetricsSample, .openMetrics)
        try #require(read.count == 21)
        #expect(read[2] == Row("go_gc_duration_seconds_sum", 0.010459421, .counter))
        #expect(read[4] == Row("requests_total{code=\"200\"}", 1027, time: 1_395_066_363_000, .counter))
        #expect(read[5] == Row("requests_created{code=\"200\"}", 1395066000.25, time: 1_395_066_363_000, .gauge))
        #expect(read[7] == Row("latency_bucket{le=\"0.1\"}", 8, .counter))
        #expect(read[12] == Row("queue_bucket{le=\"1\"}", 20, .gauge))
        #expect(read[20] == Row("unannounced{e=\"never\"}", 1, .unknown))
    }

    @Test(
        arguments: [
            ("1", 1000), ("0.0015", 2), ("1520879607.789", 1_520_879_607_789), ("-1.5", -1500), ("1.5e3", 1_500_000), ("1e300", Int64.max),
            ("-1e300", -Int64.max),
        ] as [(String, Int64)])
    func timestampsAreSeconds(_ text: String, _ milliseconds: Int64) throws {
        #expect(try rows("a 1 \(text)\n# EOF", .openMetrics) == [Row("a", 1, time: milliseconds)])
    }

    @Test func acceptsAPageOfNothing() throws {
        #expect(try rows("# EOF\n", .openMetrics).isEmpty)
    }

    @Test(arguments: [
        "# TYPE a counter\na_total{x=\"1\"} 1\na_created{x=\"1\"} 2\na_total{x=\"2\"} 1\n",
        "# TYPE a counter\na_total 1 # {} 1\n",
        "# TYPE a counter\na_total 1 1 # {t=\"\"} -Inf 2.5\n",
        "# TYPE a stateset\na{a=\"x\",b=\"1\"} 1\na{b=\"1\",a=\"y\"} 0\n",
        "# TYPE a histogram\na_bucket{x=\"1\",le=\"+Inf\"} 0\na_bucket{x=\"2\",le=\"+Inf\"} 0\n",
        "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1 1\na_bucket{le=\"+Inf\"} 1 2\n",
        "# TYPE a summary\na_count 0\na_sum 0.5\na{quantile=\"0\"} NaN\n",
        "# TYPE a info\na_info{v=\"1\"} 1\na_info{v=\"2\"} 1\n",
        "# TYPE a_total gauge\na_total -1\n",
        "# HELP a \u{0} nul and \u{1F600}\na{b=\" # {}}=,\"} 1\n",
        "# UNIT a_b_s b_s\n# TYPE a_b_s gauge\n",
        "a{le=\"x\",quantile=\"y\"} -1\n",
        "a nan\nb Infinity\nc -inf\nd +5.\ne .5E-1\n",
        "{\"my.metric\",\"a label\"=\"b\"} 1\n# TYPE \"x y\" counter\n{\"x y_total\"} 1\n",
    ])
    func accepts(_ page: String) {
        #expect(failure(page + "# EOF\n", .openMetrics) == nil)
    }

    @Test(
        arguments: [
            // Lines
            (" a 1\n", 1, 1), ("a 1\r\n", 1, 3), ("a\t1\n", 1, 2), ("#HELP a b\n", 1, 2), ("# a comment\n", 1, 3), ("#  HELP a b\n", 1, 3),
            ("a 1\n\n", 2, 1), ("# HELP  a b\n", 1, 8), ("# TYPE a  gauge\n", 1, 10), ("# TYPE a Gauge\n", 1, 10),
            // Labels
            ("a{a=\"b\n\"} 1\n", 1, 5), ("a {} 1\n", 1, 3), ("a{ a=\"b\"} 1\n", 1, 3), ("a{a=\"b\", c=\"d\"} 1\n", 1, 9),
            ("a{,} 1\n", 1, 3),
            ("a{a:b=\"c\"} 1\n", 1, 4), ("a{__name__=\"b\"} 1\n", 1, 3), ("{a=\"b\"} 1\n", 1, 1), ("a{\"b\"} 1\n", 1, 3),
            ("{\"\"} 1\n", 1, 1 + 1),
            // Values and timestamps
            ("a 1e\n", 1, 3), ("a 1,5\n", 1, 3), ("a ++1\n", 1, 3), ("a infinit\n", 1, 3), ("a +nan\n", 1, 3), ("a 1 2 3\n", 1, 7),
            ("a 1  2\n", 1, 5),
            // Metadata
            ("# TYPE a untyped\n", 1, 10), ("# TYPE a gauge\n# TYPE a gauge\n", 2, 1), ("# HELP a b\n# UNIT a \n# HELP a b\n", 3, 1),
            ("# TYPE a_s info\n# UNIT a_s s\n", 2, 12), ("# UNIT as s\n", 1, 11), ("# UNIT _s s\n# UNIT s s\n", 2, 10),
            // Families
            ("a 1\nb 1\na 2\n", 3, 1), ("# TYPE a counter\na_total 1\n# TYPE a_created gauge\n", 3, 1), ("# TYPE a counter\na 1\n", 2, 1),
            ("# TYPE a_count gauge\n# TYPE a summary\n", 2, 1),
            // Groups
            ("a{x=\"1\"} 1\na{x=\"2\"} 1\na{x=\"1\"} 1\n", 3, 1), ("a 1 1\na 1\n", 2, 1), ("a 1 1.5\na 1 1.25\n", 2, 5),
            ("# TYPE a summary\na{quantile=\"0\",x=\"1\"} 0\na_sum{x=\"2\"} 0\na_count{x=\"1\"} 0\n", 4, 1),
            // Types
            ("# TYPE a counter\na_total -1\n", 2, 9), ("# TYPE a gauge\na 1 # {a=\"b\"} 1\n", 2, 5),
            ("# TYPE a stateset\na{a=\"b\"} 0.5\n", 2, 10),
            ("# TYPE a histogram\na_bucket{le=\"x\"} 1\n", 2, 14), ("# TYPE a histogram\na_bucket{le=\"Inf\"} 1\n", 2, 14),
            ("# TYPE a histogram\na_bucket{le=\"+Inf\"} 0.5\n", 2, 21), ("# TYPE a histogram\na_bucket{le=\"1\"} 1\n", 2, 1),
            ("# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\n", 3, 21),
            ("# TYPE a histogram\na_bucket{le=\"+Inf\"} 2\na_count 1\na_sum 1\n", 4, 1), ("# TYPE a summary\na_count 0.5\n", 2, 9),
            // Exemplars
            ("# TYPE a counter\na_total 1 #{} 1\n", 2, 11), ("# TYPE a counter\na_total 1 # {} 1 \n", 2, 18),
            ("# TYPE a counter\na_total 1 # {}\n", 2, 15),
            ("# TYPE a counter\na_total 1 # {b=\"1\",b=\"2\"} 1\n", 2, 20), ("# TYPE a counter\na_total 1 # {} 1 1 1\n", 2, 19),
        ] as [(String, Int, Int)])
    func refuses(_ page: String, _ line: Int, _ column: Int) throws {
        let error = try #require(failure(page + "# EOF\n", .openMetrics), "parsed: \(page)")
        #expect((error.line, error.column) == (line, column), "\(error):\n\(page)")
    }

    @Test func demandsTheEnd() {
        #expect(failure("a 1\n", .openMetrics)?.line == 2)
        #expect(failure("", .openMetrics)?.line == 1)
        #expect(failure("# EOF\n# EOF\n", .openMetrics)?.line == 2)
        #expect(failure("# EOF \n", .openMetrics)?.column == 6)
        #expect(failure("a 1", .openMetrics)?.column == 4)
    }

    @Test(arguments: [1, 8, 16, 17, 500]) func findsARepeatedLabelAmongMany(_ count: Int) {
        let labels = (0..<count).map { "l\($0)=\"v\"" }.joined(separator: ",")
        #expect(failure("a{\(labels)} 1\n# EOF", .openMetrics) == nil)
        #expect(failure("a{\(labels),l0=\"w\"} 1\n# EOF", .openMetrics)?.column == 4 + labels.utf8.count)
    }

    @Test func keepsManyGroupsApart() throws {
        // More groups and families than the sets start with, twice with one parser.
        var page = ""
        for family in 0..<50 {
            page += "# TYPE f\(family) gauge\n"
            for i in 0..<200 { page += "f\(family){b=\"\(i % 7)\",a=\"\(i)\"} \(i)\n" }
        }
        page += "# EOF\n"
        var parser = ExpositionParser(format: .openMetrics)
        var parsed = ParsedPage()
        for _ in 0..<2 {
            try parser.parse(Array(page.utf8), into: &parsed)
            #expect(parsed.count == 10_000)
        }
    }
}
