import Foundation
import History
import Records
import Testing
import TimeSeries

@testable import Backfilling

@Suite struct ChunkFilterTests {
    private static let set = SampleSet(seed: 31, series: 9, samples: 1_200)
    private static let span: Milliseconds = 1_800_000

    /// Rows of half hours; those of counters carry the sample before.
    private static func rows(_ set: SampleSet = set) -> [String] {
        set.series.sorted { SeriesNotation.bytes($0.labels).lexicographicallyPrecedes(SeriesNotation.bytes($1.labels)) }.flatMap { one in
            let type = MetricType.guess(name: one.labels.name)
            var rows: [String] = []
            var at = 0
            while at < one.times.count {
                let start = (one.times[at] - 1) / span * span
                var end = at
                while end < one.times.count, one.times[end] <= start + span { end += 1 }
                let carry = at > 0 && type == .counter
                let range = (carry ? at - 1 : at)..<end
                let chunk = ChunkCodec.encode(times: Array(one.times[range]), values: Array(one.values[range]), carry: carry)
                let series = String(decoding: SeriesNotation.bytes(one.labels), as: UTF8.self)
                rows.append("\(series)\t\(ChunkRow.text(type))\t\(start)\t\(Data(chunk).base64EncodedString())")
                at = end
            }
            return rows
        }
    }

    private static func filter(_ text: String, cut: Int = .max) throws -> [String] {
        var filter = ChunkFilter(options: SampleSet.options)
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            try filter.feed(rest.prefix(cut))
            rest = rest.dropFirst(cut)
        }
        try filter.finish()
        return SampleSet.lines(filter.output.bytes)
    }

    @Test(arguments: [1, 7, 4_096, Int.max])
    func chunksGiveTheLinesOfTheirSamples(cut: Int) throws {
        let set = cut == 1 ? SampleSet(seed: 32, series: 2, samples: 200) : Self.set
        let text = Self.rows(set).joined(separator: "\n")
        #expect(try Self.filter(text, cut: cut) == set.expected())
        #expect(try Self.filter(text + "\n", cut: cut) == set.expected())
    }

    @Test func whatIsWrongIsNamed() throws {
        let good = Self.rows()
        func message(_ rows: [String]) -> String {
            do {
                _ = try Self.filter(rows.joined(separator: "\n"))
                return "none"
            } catch let error as BackfillError where error.code == .badRow {
                return error.message
            } catch {
                return "another error: \(error)"
            }
        }
        #expect(message([good[0], "a\tgauge\t1"]).hasPrefix("line 2: 3 fields"))
        #expect(message(["a\tsummary\t1\tAAAA"]) == "line 1: the type 'summary' is not gauge, counter or unknown")
        #expect(message(["a{\tgauge\t1\tAAAA"]).hasPrefix("line 1: "))
        #expect(message(["a\tgauge\t1\tA*AA"]) == "line 1: the chunk of a from 1 cannot be read: it is no base64")
        var fields = good[1].split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        var bytes = Array(try #require(Data(base64Encoded: fields[3])))
        bytes[bytes.count / 2] ^= 0x40
        fields[3] = Data(bytes).base64EncodedString()
        #expect(message([good[0], fields.joined(separator: "\t")]).contains("line 2: the chunk of "))
        #expect(message([good[1], good[0]]).contains("chunks must be sorted by series and time"))
        let (first, last) = (good[0], try #require(good.last))
        #expect(message([first, last, good[1]]).contains("comes back after another"))
    }
}
