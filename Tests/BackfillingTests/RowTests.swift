import Records
import TestSupport
import Testing
import TimeSeries

@testable import Backfilling

@Suite struct RowTests {
    private func value(_ text: String) -> FieldBytes.Value {
        Array((text + "!").utf8).withUnsafeBufferPointer { $0.baseAddress.map { FieldBytes.value($0, 0, text.utf8.count) } ?? .wrong }
    }

    private func time(_ text: String) -> Milliseconds? {
        Array((text + "!").utf8).withUnsafeBufferPointer { $0.baseAddress.flatMap { FieldBytes.time($0, 0, text.utf8.count) } }
    }

    @Test func numbersAreReadToTheBit() {
        var generator = SplitMix64(seed: 5)
        var texts = [
            "0", "-0", "1", "-1.5", "1e3", "1.25E-3", "+7", "123456789012345678901234567890", "0.1", "9007199254740993", "1e400", "-1e-400",
            ".5", "5.",
        ]
        for _ in 0..<20_000 {
            let bits = Double(bitPattern: UInt64.random(in: 0...UInt64.max, using: &generator))
            if bits.isFinite { texts.append(bits.description) }
            texts.append("\(Double(Int64.random(in: -1_000_000_000...1_000_000_000, using: &generator)) / 1000)")
        }
        for text in texts {
            guard case .number(let read) = value(text) else {
                Issue.record("'\(text)' is not read")
                continue
            }
            #expect(read.bitPattern == Double(text)?.bitPattern, "'\(text)' is read as \(read)")
        }
    }

    @Test func wordsForNoNumber() {
        for text in ["NaN", "nan"] { if case .number(let v) = value(text) { #expect(v.isNaN) } else { Issue.record("\(text)") } }
        for text in ["Inf", "Infinity", "+Inf"] {
            if case .number(let v) = value(text) { #expect(v == .infinity) } else { Issue.record("\(text)") }
        }
        if case .number(let v) = value("-Infinity") { #expect(v == -.infinity) } else { Issue.record("-Infinity") }
        for text in ["", "\\N", "null", "NA", "-"] { if case .missing = value(text) {} else { Issue.record("'\(text)' is not missing") } }
        for text in ["x", "1.2.3", "1,2,3", "0x10", "1e", "--1"] {
            if case .wrong = value(text) {} else { Issue.record("'\(text)' is a number") }
        }
    }

    @Test(
        arguments: [
            ("2026-01-31T12:34:56Z", 1_769_862_896_000), ("2026-01-31 12:34:56.789", 1_769_862_896_789), ("2026-01-31", 1_769_817_600_000),
            ("2026-01-31T12:34+01:00", 1_769_859_240_000), ("2026-01-31T12:34:56-0530", 1_769_882_696_000),
            ("1769862896", 1_769_862_896_000),
            ("1769862896789", 1_769_862_896_789), ("1769862896.789", 1_769_862_896_789), ("1769862896789000000", 1_769_862_896_789),
        ] as [(String, Int64)])
    func timesOfManyForms(_ text: String, _ expected: Int64) { #expect(time(text) == expected) }

    @Test(arguments: ["", "x", "2026-13-01", "2026-02-30", "2026-01-31T25:00", "12", "2026-01-31T12:34:56+1", "2026-01-31T12:34:56."])
    func noTimes(_ text: String) { #expect(time(text) == nil) }

    private func layout(_ text: String) throws -> RowLayout { try Array(text.utf8).withUnsafeBytes { try RowLayout.detect($0) } }

    @Test func layoutsAreFound() throws {
        #expect(
            try layout("timestamp,value\n2026-01-01,1\n")
                == RowLayout(form: .csv, delimiter: 0x2C, width: 2, time: 0, value: 1, headerBytes: 16))
        #expect(try layout("value\n1\n") == RowLayout(form: .csv, delimiter: 0x2C, width: 1, time: nil, value: 0, headerBytes: 6))
        #expect(try layout("1769862896,1\n") == RowLayout(form: .csv, delimiter: 0x2C, width: 2, time: 0, value: 1))
        let long = try layout("series;time;value\n")
        #expect(long.keys == [0] && long.roles == [.series] && long.delimiter == 0x3B && long.time == 1 && long.value == 2)
        let labels = try layout("time,__name__,job,type,value\n")
        #expect(labels.keys == [1, 2, 3] && labels.roles == [.name, .label("job"), .type])
        #expect(try layout("up,1769862896,1\n").roles == [.series])
        #expect(try layout("when,time\n").value == 0)
    }

    @Test(arguments: ["time,a,b\n", "a,b,c\n", "series,metric,time,value\n", "1,2,3,4\n", "\n", "time,timestamp,value\n"])
    func layoutsThatMakeNoSense(_ text: String) { #expect(throws: BackfillError.self) { try layout(text) } }

    @Test func rowsBecomeColumns() throws {
        let text =
            "series,time,value\r\n\"m{a=\"\"1,2\"\"}\",1769862896000,1.5\r\nup,1769862897,2\n\nup,1769862898,\nup,x,3\nup,1769862899,y\nup,1\n\"up,1769862899,1\nlast,1769862899,7"
        let layout = try layout(text)
        var scanner = RowScanner(layout)
        var columns = RowColumns()
        var bad: [String] = []
        let bytes = Array(text.utf8)
        _ = bytes[layout.headerBytes...].withUnsafeBufferPointer {
            scanner.scan($0, into: &columns) {
                bad.append($0.message)
                return true
            }
        }
        #expect(columns.times == [1_769_862_896_000, 1_769_862_897_000, 1_769_862_899_000] && columns.values == [1.5, 2, 7])
        #expect(columns.ids == [0, 1, 2])
        #expect(
            bad.count == 4 && bad[0].contains("'x'") && bad[1].contains("'y'") && bad[2].contains("2 fields, not 3")
                && bad[3].contains("quote"), "\(bad)")
        let resolver = KeyResolver(layout: layout, fallback: LabelSet([]), filter: try SeriesFilter([]))
        guard case .series(let series) = resolver.resolve(scanner.table.key(0)) else {
            Issue.record("the key is no series")
            return
        }
        #expect(series.key.labels == LabelSet(name: "m", [Label("a", "1,2")]))
    }

    @Test func keysKeepTheirNumbers() {
        var generator = SplitMix64(seed: 3)
        var table = KeyTable()
        var known: [[UInt8]: Int] = [:]
        for _ in 0..<30_000 {
            let key = (0..<Int.random(in: 0..<20, using: &generator)).map { _ in UInt8.random(in: 0..<3, using: &generator) }
            let (id, isNew) = key.withUnsafeBufferPointer { table.intern($0) }
            #expect(isNew == (known[key] == nil) && id == known[key, default: id])
            known[key] = id
        }
        #expect(table.count == known.count && known.allSatisfy { table.key($1).elementsEqual($0) })
    }
}
