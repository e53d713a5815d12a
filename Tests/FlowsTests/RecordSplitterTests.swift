import Testing

@testable import Flows

@Suite struct RecordSplitterTests {
    private static let csv = FlowDefinition.Format.csv(separator: 44, columns: [])

    private func split(_ text: String, _ format: FlowDefinition.Format, chunk: Int, limit: Int = 1 << 20) -> ([String], Int64) {
        var splitter = RecordSplitter(format, limit: limit)
        let bytes = Array(text.utf8)
        var records: [String] = []
        func take(_ piece: RecordSplitter.Piece) {
            if case .record(let bytes) = piece { records.append(String(decoding: bytes, as: UTF8.self)) } else { records.append("<long>") }
        }
        var at = 0
        while at < bytes.count {
            splitter.append(bytes[at..<min(bytes.count, at + chunk)])
            at += chunk
            while let piece = splitter.next() { take(piece) }
        }
        while let piece = splitter.next(isLast: true) { take(piece) }
        return (records, splitter.consumed)
    }

    @Test(arguments: [1, 2, 3, 7, 100])
    func piecesDoNotMatter(chunk: Int) {
        let rows = "a,\"b\nc\"\r\n\"d\"\"\n\",e\n\nx\"y,z\nlast"
        #expect(split(rows, RecordSplitterTests.csv, chunk: chunk).0 == ["a,\"b\nc\"", "\"d\"\"\n\",e", "x\"y,z", "last"])
        #expect(split(rows, RecordSplitterTests.csv, chunk: chunk).1 == Int64(rows.utf8.count))
        #expect(split("{\"a\": \"\\\"\"}\r\n\n{}\n", .json, chunk: chunk).0 == [#"{"a": "\""}"#, "{}"])
    }

    @Test(arguments: [1, 5, 100])
    func overlongRecordsAreLeftBehind(chunk: Int) {
        let long = String(repeating: "x", count: 50)
        #expect(split("a\n\(long)\nb\n", .json, chunk: chunk, limit: 10).0 == ["a", "<long>", "b"])
        // A quote that is never closed costs its line, not the file.
        #expect(
            split("a,\"b\nc\nd\ne\nf\ng\nh\n", RecordSplitterTests.csv, chunk: chunk, limit: 10).0 == [
                "<long>", "c", "d", "e", "f", "g", "h",
            ])
    }

    @Test(arguments: [
        ("a,b", ["a", "b"]), ("", [""]), (",", ["", ""]), ("\"a,b\",\"c\"\"d\"", ["a,b", "c\"d"]), (" a , b ", [" a ", " b "]),
        ("a\"b", ["a\"b"]),
        ("\"\"", [""]),
    ])
    func rows(text: String, cells: [String]) throws {
        #expect(try CSVRow.parse(Array(text.utf8), separator: 44) == cells)
    }

    @Test(arguments: ["\"a", "\"a\"b", "\"a\" ,b"])
    func badRows(text: String) {
        #expect(throws: FlowProblem.self) { try CSVRow.parse(Array(text.utf8), separator: 44) }
    }
}
