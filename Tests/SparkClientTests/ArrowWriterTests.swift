import SparkClient
import Testing

/// What is written is what the reader reads, which knows pyarrow's bytes; Spark itself reads it in the tests against a server.
@Suite struct ArrowWriterTests {
    private static func texts(_ values: [[UInt8]]) -> ArrowWriter.Texts {
        var texts = ArrowWriter.Texts()
        for value in values { texts.append(value) }
        return texts
    }

    @Test(arguments: [0, 1, 2, 7, 8, 9, 1_000])
    func theReaderReadsEveryRow(rows: Int) throws {
        let names = (0..<rows).map { Array(String(repeating: "ü\t\($0)", count: $0 % 5).utf8) }
        let numbers = (0..<rows).map { Int64($0) &* -7_777_777_777_777 }
        let raw = (0..<rows).map { [UInt8](repeating: UInt8($0 & 0xFF), count: $0 % 11) }
        let bytes = ArrowWriter.stream([
            ("series", .utf8(Self.texts(names))), ("n", .int64(numbers)), ("", .binary(Self.texts(raw))),
            ("a long name of a column", .int64(numbers)),
        ])
        let (fields, batches) = try ArrowReader.batches(bytes)
        #expect(
            fields == [
                ArrowField(name: "series", type: .utf8), ArrowField(name: "n", type: .int(64)), ArrowField(name: "", type: .binary),
                ArrowField(name: "a long name of a column", type: .int(64)),
            ])
        let batch = try #require(batches.first)
        #expect(batches.count == 1 && batch.rows == rows)
        for row in 0..<rows {
            #expect(batch.slice(0, row).map(Array.init) == names[row] && batch.int64(1, row) == numbers[row])
            #expect(batch.slice(2, row).map(Array.init) == raw[row] && batch.int64(3, row) == numbers[row])
        }
        #expect(bytes.count % 8 == 0)
    }
}
