import TestSupport
import Testing
import TimeSeries

@testable import almanac

@Suite struct CSVTests {
    private func rows(_ text: String, delimiter: UInt8 = UInt8(ascii: ","), pieces: Int = .max) throws -> [[String]] {
        var parser = CSVParser(delimiter: delimiter)
        var rows: [[String]] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            try parser.feed(rest.prefix(pieces)) { rows.append($0.fields) }
            rest = rest.dropFirst(min(pieces, rest.count))
        }
        try parser.finish { rows.append($0.fields) }
        return rows
    }

    static let texts: [(String, [[String]])] = [
        ("", []), ("\n\n", []), ("a", [["a"]]), ("a\n", [["a"]]), ("a,b\nc,d", [["a", "b"], ["c", "d"]]),
        ("a,b\r\nc,d\r\n", [["a", "b"], ["c", "d"]]),
        ("a\rb\r", [["a"], ["b"]]), (",\n", [["", ""]]), ("a,", [["a", ""]]), ("\"a,b\",c", [["a,b", "c"]]), ("\"a\"\"b\"", [["a\"b"]]),
        ("\"a\nb\",c\nd,e", [["a\nb", "c"], ["d", "e"]]), ("\"\"\n1", [[""], ["1"]]), ("\"\"", [[""]]), ("\"a\r\nb\"", [["a\r\nb"]]),
    ]

    @Test(arguments: texts)
    func rowsOfRFC4180(text: String, expected: [[String]]) throws {
        for pieces in [1, 2, 3, .max] { #expect(try rows(text, pieces: pieces) == expected, "\(text.debugDescription) by \(pieces)") }
    }

    @Test(arguments: [
        ("a\n\"b\nc", "line 2: a quote that is opened here is never closed"),
        ("a\n\"b\"c", "line 2: text after a closing quote; double a quote that belongs to the text"),
        ("a\u{0}b", "line 1: a zero byte; is this a text file?"),
    ])
    func brokenRows(text: String, message: String) {
        #expect { try rows(text) } throws: { "\($0)" == message }
    }

    @Test func anEndlessRowIsRefused() {
        #expect(throws: CSVParser.Failure.self) { try rows(String(repeating: "x", count: 2 << 20)) }
    }

    @Test(arguments: [("a,b;c,d", ","), ("a;b;c,d", ";"), ("a\tb", "\t"), ("1.5", ","), ("\"a;b;c\",d", ","), ("a,b\nc;d;e;f", ",")])
    func delimiters(text: String, expected: String) { #expect(CSVParser.detectDelimiter(Array(text.utf8)) == expected.utf8.first) }

    private func read(_ text: String, column: String? = nil, time: String? = nil) throws -> CSVSeries {
        var reader = CSVSeriesReader(column: column, timeColumn: time)
        var parser = CSVParser(delimiter: CSVParser.detectDelimiter(Array(text.utf8)))
        try parser.feed(Array(text.utf8)) { try reader.add($0) }
        try parser.finish { try reader.add($0) }
        return try reader.finish()
    }

    @Test func oneValuePerLine() throws {
        let series = try read("1\n2.5\n-3e2\n")
        #expect(series.values == [1, 2.5, -300])
        #expect(series.times.isEmpty && series.column.isEmpty)
    }

    @Test func headerAndTimesAreFound() throws {
        let series = try read("host,timestamp,load\nweb,2026-01-31T00:00:00Z,1.5\nweb,2026-01-31T00:01:00Z,2\n")
        #expect(series.column == "load")
        #expect(series.values == [1.5, 2])
        #expect(series.times == [1_769_817_600_000, 1_769_817_660_000])
    }

    @Test func columnsAreNamedOrNumbered() throws {
        let text = "when,a,b\n1769817600,1,10\n1769817660,2,20\n"
        #expect(try read(text, column: "b", time: "when").values == [10, 20])
        #expect(try read(text, column: "B", time: "1").times == [1_769_817_600_000, 1_769_817_660_000])
        #expect(try read("1769817600,5\n1769817660,6\n").times.count == 2)
        #expect { try read(text, column: "c") } throws: { "\($0)" == "--column c: there is no such column; the columns are when, a, b" }
        #expect { try read("1,2\n", column: "3") } throws: { "\($0)".contains("a number from 1 to 2") }
        #expect { try read(text, column: "a", time: "a") } throws: { "\($0)".contains("same column") }
    }

    @Test func missingAndBadRowsAreTold() throws {
        let series = try read(
            "t,v\n2026-01-01,1\n2026-01-02,\n2026-01-03,NaN\n2026-01-04,abc\nyesterday,5\n"
                + "2026-01-06,1,2\n2026-01-07,7\n2026-01-08,8\n2026-01-09,inf\n"
        )
        #expect(series.values.count == 6)
        #expect(series.missing == 3)
        #expect(series.badRows == 3)
        #expect(
            series.badRowNotes == [
                "line 5 \"abc\" is not a number", "line 6 \"yesterday\" is not a time (ISO 8601, or seconds or milliseconds since 1970)",
                "line 7 has 3 fields, not 2",
            ])
    }

    @Test(arguments: [
        ("", "the file is empty"), ("\n \n", "no column holds numbers"), ("value\n", "has a header (value) but no values"),
        ("a,b\nx,y\n", "no column holds numbers"),
        ("v\nNaN\n\"\"\n", "only missing values"), ("v\n1\nx\ny\nz\n", "most rows cannot be read"),
    ])
    func filesWithoutASeries(text: String, message: String) {
        #expect { try read(text) } throws: { "\($0)".contains(message) }
    }

    @Test func decimalCommas() throws { #expect(try read("zeit;wert\n2026-01-01;1,5\n2026-01-02;2\n").values == [1.5, 2]) }

    @Test(
        arguments: [
            ("1970-01-01", 0), ("1970-01-01T00:00:01Z", 1000), ("2000-02-29 12:34:56.789", 951_827_696_789),
            ("2026-01-31T01:00:00+01:00", 1_769_817_600_000),
            ("2026-01-31T00:00:00.5-0030", 1_769_819_400_500), ("1969-12-31T23:59:59Z", -1000), ("1769817600", 1_769_817_600_000),
            ("1769817600.25", 1_769_817_600_250), ("1769817600250", 1_769_817_600_250), ("1769817600250000", 1_769_817_600_250),
            ("1769817600250000000", 1_769_817_600_250), ("2026-01-31T00:00", 1_769_817_600_000),
        ] as [(String, Milliseconds)])
    func times(text: String, expected: Milliseconds) { #expect(TimeText.parse(text) == expected) }

    @Test(arguments: [
        "", "now", "2026-13-01", "2026-02-29", "2026-01-31T25:00", "2026-01-31T00:00:00X", "31.01.2026", "12", "inf", "2026-1-1",
        "2026-01-31T00:00:00+1",
    ])
    func notTimes(text: String) { #expect(TimeText.parse(text) == nil) }

    @Test(arguments: [21, 22] as [UInt64])
    func formattedTimesAreReadBack(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for _ in 0..<3000 {
            let time = Milliseconds.random(in: -2_000_000_000_000...4_000_000_000_000, using: &random)
            #expect(TimeText.iso8601(TimeText.format(time)) == time, "seed \(seed), \(time)")
        }
    }
}
