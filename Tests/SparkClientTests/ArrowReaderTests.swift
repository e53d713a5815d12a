import Foundation
import SparkClient
import TestSupport
import Testing

/// Against bytes that pyarrow wrote (scripts/arrow-golden.py), and against the same bytes spoilt.
@Suite struct ArrowReaderTests {
    static func golden(_ name: String) throws -> [UInt8] {
        let url = try #require(Bundle.module.url(forResource: name, withExtension: "arrows", subdirectory: "Golden"))
        return Array(try Data(contentsOf: url))
    }

    @Test func readsEveryTypeWithNulls() throws {
        let (fields, batches) = try ArrowReader.batches(Self.golden("types"))
        #expect(fields.map(\.name).joined(separator: " ") == "byte short int long float double text bytes flag day micros local nothing")
        let batch = try #require(batches.first)
        #expect(batches.count == 1 && batch.rows == 3)
        #expect((0..<4).map { batch.int64($0, 0) } == [-128, -32768, -2_147_483_648, .min])
        #expect((0..<4).map { batch.int64($0, 2) } == [127, 32767, 2_147_483_647, .max])
        #expect(batch.double(4, 0) == 0.5 && batch.double(4, 2) == .infinity)
        #expect(batch.double(5, 0) == 0.1 && batch.double(5, 2)?.sign == .minus)
        #expect(batch.string(6, 0) == "" && batch.string(6, 2) == "grüße\t\n")
        #expect(batch.slice(7, 2).map(Array.init) == [0, 255])
        #expect(batch.bool(8, 0) == true && batch.bool(8, 2) == false)
        #expect(batch.int64(9, 0) == -1 && batch.int64(9, 2) == 20_484)
        #expect(fields[10].type == .timestamp(unit: 1_000_000, zone: "UTC") && batch.int64(10, 0) == 1_769_860_800_123_456)
        #expect(fields[11].type == .timestamp(unit: 1_000, zone: nil) && batch.int64(11, 2) == -1)
        for column in fields.indices { #expect(batch.isNull(column, 1), "column \(fields[column].name)") }
        #expect(batch.isNull(12, 0) && batch.string(5, 0) == nil && batch.double(0, 0) == nil)
    }

    @Test func readsBatchesInOrder() throws {
        let (_, batches) = try ArrowReader.batches(Self.golden("batches"))
        let rows = batches.flatMap { batch in (0..<batch.rows).map { (batch.int64(0, $0) ?? -1, batch.string(1, $0) ?? "") } }
        #expect(rows.map(\.0) == Array(0..<200))
        #expect(rows[123].1 == "row 123")
        #expect(try ArrowReader.batches(Self.golden("empty")).batches.isEmpty)
    }

    @Test func refusesWhatItDoesNotRead() throws {
        let error = try #require(throws: ArrowError.self) { try ArrowReader.batches(Self.golden("nested")) }
        #expect(error.description.contains("column 'list' is nested"))
        #expect(throws: ArrowError.self) { try ArrowReader.batches([]) }
        #expect(throws: ArrowError.self) { try ArrowReader.batches([0xFF, 0xFF, 0xFF, 0xFF, 0xF0, 0xFF, 0xFF, 0x7F]) }
    }

    /// Hostile bytes: cut short at every place, and with bytes changed. They may be refused or read as something else, and every value
    /// that is then asked for must lie within them.
    @Test func survivesSpoiltBytes() throws {
        for name in ["types", "batches"] {
            let sound = try Self.golden(name)
            for length in 0..<min(sound.count, 2_000) { Self.readAll(Array(sound[..<length])) }
            var random = SplitMix64(seed: 7)
            for _ in 0..<4_000 {
                var bytes = sound
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    let place = Int.random(in: 0..<bytes.count, using: &random)
                    bytes[place] =
                        Bool.random(using: &random)
                        ? .random(in: 0...255, using: &random) : [0, 0x7F, 0x80, 0xFF].randomElement(using: &random) ?? 0
                }
                Self.readAll(bytes)
            }
        }
    }

    private static func readAll(_ bytes: [UInt8]) {
        guard let (_, batches) = try? ArrowReader.batches(bytes) else { return }
        var sum: Int64 = 0
        for batch in batches {
            for column in batch.fields.indices {
                for row in 0..<min(batch.rows, 1_000) {
                    sum &+= batch.int64(column, row) ?? 0
                    sum &+= Int64(batch.slice(column, row)?.count ?? 0) + (batch.bool(column, row) == true ? 1 : 0)
                    sum &+= batch.double(column, row)?.isNaN == true ? 1 : 0
                }
            }
        }
        withExtendedLifetime(sum) {}
    }
}
