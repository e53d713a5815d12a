import TestSupport
import Testing
import TimeSeries

@testable import Flows

@Suite struct JoinTests {
    @Test func tables() throws {
        let table = try JoinTable(csv: Array("a;k;b\n1;x;2\n3;y\n4;;5\n6;x;\"7\n8\"\n".utf8), key: "k", separator: UInt8(ascii: ";"))
        #expect(table.count == 1)
        #expect(table.badRows == 2)
        #expect(table.value(key: "x", field: "b") == .text("7\n8"))
        #expect(table.value(key: "x", field: "none") == .missing)
        #expect(table.value(key: "y", field: "a") == .missing)
        for text in ["", "a,b\n1,2\n", "k,k\n1,2\n", "\"k\n"] {
            #expect(throws: FlowProblem.self) { try JoinTable(csv: Array(text.utf8), key: "k") }
        }
    }

    /// As-of answers depend on the set of values, not on their order, and are those of a search through all.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func asOfUnderDisorder(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let keep: Milliseconds = [50, 300, 5_000][Int(seed % 3)]
        var entries: [(key: String, time: Milliseconds, value: Int64)] = []
        for key in ["a", "b", "c"] {
            let times = Set((0..<200).map { _ in Milliseconds.random(in: 10_000...12_000, using: &random) })
            for time in times { entries.append((key, time, .random(in: 0...99, using: &random))) }
        }
        var inOrder = TemporalJoin(keep: keep, maxKeys: 10)
        for entry in entries.sorted(by: { $0.time < $1.time }) {
            inOrder.insert(["v": .integer(entry.value)], key: entry.key, at: entry.time)
        }
        var disordered = TemporalJoin(keep: keep, maxKeys: 10)
        for entry in entries.shuffled(using: &random) { disordered.insert(["v": .integer(entry.value)], key: entry.key, at: entry.time) }
        let newest = entries.map(\.time).max() ?? 0
        // Further back than one `keep` nothing is promised.
        for time in max(9_990, newest - keep + 1)...12_010 {
            for key in ["a", "b", "c", "d"] {
                let right = entries.filter { $0.key == key && $0.time <= time && $0.time > time - keep }.max { $0.time < $1.time }?.value
                let expected = right.map { FieldValue.integer($0) } ?? .missing
                #expect(inOrder.value(key: key, field: "v", at: time) == expected)
                #expect(disordered.value(key: key, field: "v", at: time) == expected)
            }
        }
    }

    @Test func bounds() {
        var join = TemporalJoin(keep: 1_000, maxKeys: 2)
        for key in ["a", "b", "c"] { join.insert([:], key: key, at: 10_000) }
        #expect(join.keys == 2 && join.refused == 1)
        // The others have aged: there is room again.
        join.insert([:], key: "a", at: 20_000)
        join.insert([:], key: "c", at: 20_000)
        #expect(join.keys == 2 && join.refused == 1)
        #expect(join.fields(key: "b", at: 10_500) == nil)
        var one = TemporalJoin(keep: 1_000_000, maxKeys: 2)
        for i in 0..<5_000 as Range<Int64> { one.insert(["v": .integer(i)], key: "a", at: 1_000 + i) }
        one.insert(["v": .integer(-1)], key: "a", at: 1)
        #expect(one.value(key: "a", field: "v", at: 1_000 + 4_999) == .integer(4_999))
        #expect(one.fields(key: "a", at: 1_000 + 903) == nil)
        one.insert(["v": .integer(7)], key: "a", at: 1_000 + 4_999)
        #expect(one.value(key: "a", field: "v", at: 9_000) == .integer(7))
    }

    @Test func values() throws {
        var definition = JoinDefinition(name: "j", source: .topic("t"), key: "route.id")
        definition.time = FlowTime(field: "at", form: .epochMilliseconds)
        var reader = try JoinReader(definition)
        let entry = try reader.read(
            Array(#"{"route": {"id": 7, "limit": "90"}, "at": 1000, "tags": [1], "none": null}"#.utf8), arrival: 5_000)
        #expect(
            entry == JoinEntry(key: "7", time: 1_000, fields: ["route.id": .integer(7), "route.limit": .text("90"), "at": .integer(1_000)]))
        for text in [
            "{}", "[]", "x", #"{"route": {"id": 7}}"#, #"{"route": {"id": 7}, "at": 700000}"#, #"{"route": {"id": []}, "at": 1000}"#,
        ] {
            #expect(throws: FlowProblem.self) { try reader.read(Array(text.utf8), arrival: 5_000) }
        }
    }
}
