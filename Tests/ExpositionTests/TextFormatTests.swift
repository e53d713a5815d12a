import Exposition
import Testing

@Suite struct TextFormatTests {
    @Test func readsTheWholeSample() throws {
        let read = try rows(textSample)
        try #require(read.count == 15)
        #expect(read[0] == Row("go_gc_duration_seconds{quantile=\"0\"}", 3.0579e-05, .gauge))
        #expect(read[3] == Row("go_gc_duration_seconds_sum", 0.010459421, .counter))
        #expect(read[7] == Row("node_cpu_seconds_total{cpu=\"1\",mode=\"idle\"}", 0.1 + 0.2, .counter))
        #expect(read[8] == Row("http_request_duration_seconds_bucket{handler=\"/metrics\",le=\"0.1\"}", 24054, .counter))
        #expect(
            read[12]
                == Row(
                    "node_filesystem_free_bytes{device=\"C:\\\\DIR\",mountpoint=\"a \\\"quoted\\\" dir\\nétage\"}", -.infinity,
                    time: 1_395_066_363_000, .gauge))
        #expect(read[13] == Row("something_weird{problem=\"division by zero\"}", .infinity, time: -3_982_045))
        #expect(read[14] == Row("{\"my.metric\",region=\"eu\"}", .nan))
    }

    @Test(
        arguments: [
            ("", []), ("\n\n \t\n", []), ("a 1", [Row("a", 1)]), ("a 1\n\n", [Row("a", 1)]), ("  a \t 1 \t 2 \n", [Row("a", 1, time: 2)]),
            ("a{} 1\n", [Row("a{}", 1)]), ("a{b=\"c\"}1\n", [Row("a{b=\"c\"}", 1)]), ("a {b=\"c\"} 1\n", [Row("a {b=\"c\"}", 1)]),
            ("a{ b = \"c\" , } 1\n", [Row("a{ b = \"c\" , }", 1)]), ("a{b=\"c\" d=\"e\"} 1\n", [Row("a{b=\"c\" d=\"e\"}", 1)]),
            ("a:b_c1 1\n", [Row("a:b_c1", 1)]), ("_ 1\n", [Row("_", 1)]), ("a{b=\"}, {\\\"\"} 1\n", [Row("a{b=\"}, {\\\"\"}", 1)]),
            ("a{b=\"x\ny\"} 1\nc 2\n", [Row("a{b=\"x\ny\"}", 1), Row("c", 2)]), ("a{b=\"\u{0}\"} 1\n", [Row("a{b=\"\u{0}\"}", 1)]),
            ("#\n# \n#HELP\n# HELPS a\n# TYPES b\n# EOF\n# HELP a\n# HELP a \u{e9}\r\na 1\n", [Row("a", 1)]),
            ("a +1\nab -0\nb 0x1p-3\n", [Row("a", 1), Row("ab", -0.0), Row("b", 0.125)]), ("a 1 +5\n", [Row("a", 1, time: 5)]),
            ("{ \"a b\" } 1\n{c=\"d\",\"e\"} 2\n", [Row("{ \"a b\" }", 1), Row("{c=\"d\",\"e\"}", 2)]),
            ("a 1\na 2\n", [Row("a", 1), Row("a", 2)]),
        ] as [(String, [Row])])
    func accepts(_ page: String, _ expected: [Row]) throws {
        #expect(try rows(page) == expected)
    }

    @Test(
        arguments: [
            ("a", 1, 2), ("a\n", 1, 2), ("a 1\nb \n", 2, 3), ("a 1\n{b=\"c\"} 1\n", 2, 1), ("a{b=\"c\"", 1, 8), ("a{b=\"c", 1, 5),
            ("a{b=\"\\", 1, 5),
            ("a{b=\"\\\n\"} 1", 1, 5), ("a{b=c} 1\n", 1, 5), ("a{b} 1\n", 1, 4), ("a{1b=\"c\"} 1\n", 1, 3), ("a{,} 1\n", 1, 3),
            ("a{b=\"c\",,} 1\n", 1, 9),
            ("a{\"b\"} 1\n", 1, 3), ("{\"a\",\"b\"} 1\n", 1, 6), ("{\"\"} 1\n", 1, 2), ("{} 1\n", 1, 1), ("1a 1\n", 1, 1),
            ("a-b 1\n", 1, 2),
            ("a 1 2 3\n", 1, 7), ("a 1 2.5\n", 1, 6), ("a 1 x\n", 1, 5), ("a 1 99999999999999999999\n", 1, 5), ("a x\n", 1, 3),
            ("a 1_000\n", 1, 3),
            ("a 1\r\n", 1, 4), ("\r\n", 1, 1), ("a 1 2\r\n", 1, 6), ("# TYPE a gauge\r\na 1\r\n", 1, 15), ("\na 1\n# TYPE a\n", 3, 9),
            ("# TYPE a wrong\n", 1, 10), ("# TYPE \n", 1, 8), ("# HELP 1\n", 1, 8), ("a 1\n\u{0}b 2\n", 2, 1), ("a \u{0}1\n", 1, 3),
            ("é 1\n", 1, 1), ("a 0x1\n", 1, 3), ("a 1e\n", 1, 3), ("a .\n", 1, 3), ("a --1\n", 1, 3), ("a nan(1)\n", 1, 3),
        ] as [(String, Int, Int)])
    func refuses(_ page: String, _ line: Int, _ column: Int) throws {
        let error = try #require(failure(page), "parsed: \(page)")
        #expect((error.line, error.column) == (line, column), "\(error):\n\(page)")
    }

    @Test(
        arguments: [
            [0xC3], [0xC3, 0x28], [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xC0, 0x80], [0xE0, 0x80, 0x80],
            [0xF0, 0x80, 0x80, 0x80],
            [0x80], [0xFF], [0xE2, 0x28, 0xA1], [0xF0, 0x9F, 0x98, 0x28],
        ] as [[UInt8]])
    func refusesTextThatIsNotUTF8(_ bad: [UInt8]) throws {
        for padding in ["", "four", "seventeen letters"] {
            let label = Array("ok 1\na{b=\"\(padding)".utf8)
            let error = try #require(failure(label + bad + Array("\"} 1\n".utf8)))
            #expect((error.line, error.column) == (2, label.count - 4), "\(error)")
            let help = Array("# HELP a \(padding)".utf8)
            #expect(failure(help + bad + Array("\na 1\n".utf8))?.column == help.count + 1)
        }
    }

    @Test func acceptsEveryScalarInALabelValue() {
        for start in stride(from: UInt32(0x80), to: 0x11_0000, by: 0x1F3) {
            guard let scalar = Unicode.Scalar(start) else { continue }
            #expect(failure("a{b=\"\(scalar)\"} 1\n") == nil, "U+\(String(start, radix: 16))")
        }
    }

    @Test(
        arguments: [
            ("counter", "", RowType.counter), ("counter", "_total", .counter), ("counter", "_created", .gauge), ("counter", "_x", .unknown),
            ("gauge", "", .gauge), ("gauge", "_total", .unknown), ("histogram", "_bucket", .counter), ("histogram", "_sum", .counter),
            ("histogram", "_count", .counter), ("histogram", "", .unknown), ("summary", "", .gauge), ("summary", "_count", .counter),
            ("untyped", "", .unknown), ("unknown", "", .unknown), ("info", "_info", .gauge), ("stateset", "", .gauge),
            ("gaugehistogram", "_bucket", .gauge),
        ] as [(String, String, RowType)])
    func typesFollowTheTypeLine(_ type: String, _ suffix: String, _ expected: RowType) throws {
        #expect(try rows("# TYPE a:b \(type) \na:b\(suffix) 1\nb\(suffix) 1\n").map(\.type) == [expected, .unknown])
        #expect(try rows("# TYPE \"a.b\" \(type)\n{\"a.b\(suffix)\"} 1\n").map(\.type) == [expected])
    }

    @Test func aTypeHoldsForItsOwnFamilyOnly() throws {
        let page = "a 1\n# TYPE a counter\na 1\na{b=\"c\"} 1\nab 1\n# TYPE ab gauge\nab 1\na 1\n"
        #expect(try rows(page).map(\.type) == [.unknown, .counter, .counter, .unknown, .gauge, .unknown])
    }

    @Test func refusesMoreSeriesThanAllowed() {
        for (format, end) in [(ExpositionFormat.prometheusText, ""), (.openMetrics, "# EOF\n")] {
            let page = Array("a 1\nb 1\nc 1\n\(end)".utf8)
            #expect(failure(page, format, maxSeries: 3) == nil)
            #expect(failure(page, format, maxSeries: 2)?.line == 3)
        }
    }

    @Test func aPageCountsWholeOrNotAtAll() throws {
        var parser = ExpositionParser(format: .prometheusText)
        var parsed = ParsedPage()
        try parser.parse(Array("a 1\nb 2\n".utf8), into: &parsed)
        #expect(parsed.count == 2)
        #expect(throws: ExpositionError.self) { try parser.parse(Array("a 1\nb\n".utf8), into: &parsed) }
        #expect(parsed.count == 0 && parsed.times.isEmpty && parsed.types.isEmpty && parsed.seriesStart.isEmpty)
    }

    @Test(
        arguments: [
            (nil, .prometheusText), ("text/plain; version=0.0.4", .prometheusText), ("application/openmetrics-text", .openMetrics),
            (" Application/OpenMetrics-Text ;version=1.0.0; charset=utf-8", .openMetrics),
            ("application/openmetrics-text2", .prometheusText), ("", .prometheusText),
        ] as [(String?, ExpositionFormat)])
    func formatFollowsTheContentType(_ contentType: String?, _ expected: ExpositionFormat) {
        #expect(ExpositionFormat.from(contentType: contentType) == expected)
    }
}
