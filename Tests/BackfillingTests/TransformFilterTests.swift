import History
import TestSupport
import Testing

@testable import Backfilling

@Suite struct TransformFilterTests {
    private func run(_ text: String, badRows: BadRows = .fail, hasType: Bool = false, seed: UInt64 = 1) throws -> (lines: [UInt8], bad: Int)
    {
        var generator = SplitMix64(seed: seed)
        let report = BadRowReport(badRows)
        var filter = try TransformFilter(options: SampleSet.options, hasTypeColumn: hasType, badRows: report)
        let bytes = Array(text.utf8)
        var at = 0
        while at < bytes.count {
            let end = min(bytes.count, at + Int.random(in: 1...(seed == 1 ? 300_000 : 200), using: &generator))
            try filter.feed(bytes[at..<end])
            at = end
        }
        try filter.finish()
        return (filter.output.bytes, report.count)
    }

    @Test func givesTheLinesOfEachSeries() throws {
        let set = SampleSet(seed: 7, series: 5, samples: 600)
        let whole = try run(set.tsv)
        #expect(SampleSet.lines(whole.lines) == (try set.expected()))
        // Cut anywhere, without the last line end.
        let cut = try run(String(set.tsv.dropLast()), seed: 2)
        #expect(cut.lines == whole.lines)
    }

    @Test func orderIsChecked() {
        let back = #expect(throws: BackfillError.self) { _ = try run("a\t1000\t1\na\t3000\t1\n\na\t2000\t1\n") }
        #expect(back?.message.hasPrefix("line 4: the time 2000 is before 3000") == true, "\(back?.message ?? "")")
        let again = #expect(throws: BackfillError.self) {
            _ = try run("a{x=\"1\",y=\"2\"}\t1000\t1\nb\t1000\t1\na{y=\"2\",x=\"1\"}\t2000\t1\n")
        }
        #expect(again?.message.hasPrefix("line 3: the series a{x=\"1\",y=\"2\"} comes back") == true, "\(again?.message ?? "")")
    }

    @Test func labelsInAnotherOrderAreTheSameSeries() throws {
        let lines = try run("a{x=\"1\",y=\"2\"}\t1000\t1\na{y=\"2\",x=\"1\"}\t2000\t1\n").lines
        #expect(SampleSet.lines(lines).count == 2)
        #expect(SampleSet.lines(lines).allSatisfy { $0.hasPrefix("windows\ta{x=\"1\",y=\"2\"}\t300000\t") && $0.contains("\t2\t1.0\t") })
    }

    @Test func badRowsFailOrAreCounted() throws {
        let text = "a\t1000\t1\na\tx\t1\na\t2000\t\\N\na\t3000\n{\t1\t1\n{\t2\t1\na\t4000\tNaN\na\t5000\t3\n"
        let error = #expect(throws: BackfillError.self) { _ = try run(text) }
        #expect(error?.message.hasPrefix("line 2: 'x' is not a time in milliseconds") == true)
        let lenient = try? run(text.replacing("{\t1\t1\n{\t2\t1\n", with: ""), badRows: .skip)
        #expect(lenient?.bad == 2)
        let broken = try run("a\t1000\t1\n{\t1\t1\n{\t2\t1\nb\t1000\t1\n", badRows: .skip, seed: 3)
        #expect(broken.bad == 2 && SampleSet.lines(broken.lines).count == 4)
    }

    @Test func aBadSeriesInBetweenIsLeftOutAlone() throws {
        let text = "a\t1000\t1\n{bad\t1500\t2\na\t2000\t3\n"
        let lines = try run(text, badRows: .skip)
        let expected = try run(text.replacing("{bad\t1500\t2\n", with: "")).lines
        #expect(lines.bad == 1 && lines.lines == expected)
    }

    @Test func resultsThatOneSampleWouldFloodWithAreRefused() {
        var options = HistoryOptions()
        options.windows = [3650 * 86_400_000]
        options.every = 1000
        options.profiles = nil
        #expect(options.problem()?.contains("more than 50000 results after one sample") == true, "\(options.problem() ?? "none")")
    }

    @Test func typesDecideWhatIsAnalysed() throws {
        let counter = try run("a\t1000\t1\tcounter\na\t2000\t5\tcounter\n", hasType: true).lines
        #expect(SampleSet.lines(counter).first?.contains("\t1\t4.0\t4.0\t4.0") == true)
        let gauge = try run("a_total\t1000\t1\tgauge\na_total\t2000\t5\tgauge\n", hasType: true).lines
        #expect(SampleSet.lines(gauge).first?.contains("\t2\t1.0\t5.0\t3.0") == true)
    }
}
