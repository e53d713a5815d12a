import Testing
import TimeSeries

@testable import Records

@Suite struct CheckpointRecordTests {
    static let part = CheckpointPart(
        name: "traffic/é/17", time: -5, revision: Revision(epoch: 3, offset: 99), part: 2, parts: 3,
        data: (0..<300).map { UInt8(truncatingIfNeeded: $0) })

    @Test func partsComeBack() throws {
        var empty = Self.part
        (empty.data, empty.part, empty.parts, empty.time, empty.revision) = ([], 0, 1, .max, Revision(rawValue: .max))
        for part in [Self.part, empty] {
            let value = CheckpointRecord.encode(part)
            #expect(CheckpointRecord.isOne(value) && !ModelStatesRecord.isOne(value))
            #expect(try CheckpointRecord.decode(value) == part)
            #expect(throws: RecordError.self) { try ChunksRecord.decode(value) }
        }
        #expect(!CheckpointRecord.isOne([]) && !CheckpointRecord.isOne(ChunksRecord.encode([ChunksRecordTests.chunk(1)])[0]))
    }

    @Test func aStateIsCutBelowTheLimit() throws {
        let state = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 * 7) }
        let values = CheckpointPart.cut(state, name: "a", time: 1, revision: Revision(rawValue: 2)).map { CheckpointRecord.encode($0) }
        #expect(values.count == 6 && values.allSatisfy { $0.count < 256 * 1024 })
        #expect(try values.flatMap { try CheckpointRecord.decode($0).data } == state)
    }

    @Test func everyTruncationIsAnErrorAndDamageNeverCrashes() {
        let value = CheckpointRecord.encode(Self.part)
        for length in 0..<value.count { #expect(throws: RecordError.self) { try CheckpointRecord.decode(Array(value.prefix(length))) } }
        #expect(throws: RecordError.self) { try CheckpointRecord.decode(value + [0]) }
        for i in 0..<40 {
            for byte in [0, 1, 0x7F, 0x80, 0xFF] as [UInt8] {
                var bytes = value
                bytes[i] = byte
                _ = try? CheckpointRecord.decode(bytes)
            }
        }
    }

    @Test func whatMakesNoSenseIsRefused() {
        var parts = [CheckpointPart](repeating: Self.part, count: 5)
        parts[0].part = 3
        parts[1].parts = 0
        parts[2].parts = 1 << 30
        parts[3].name = ""
        parts[4].name = String(repeating: "n", count: 256)
        for part in parts {
            let value = CheckpointRecord.encode(part)
            #expect(throws: RecordError.self) { try CheckpointRecord.decode(value) }
        }
        var later = CheckpointRecord.encode(Self.part)
        later[1] = 2
        let error = #expect(throws: RecordError.self) { try CheckpointRecord.decode(later) }
        #expect(error?.description.contains("update almanac") == true)
    }
}
