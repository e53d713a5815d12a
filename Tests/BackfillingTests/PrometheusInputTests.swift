import History
import Records
import TestSupport
import Testing
import TimeSeries

@testable import Backfilling

/// A server that holds a set of samples.
private struct SetArchive: PrometheusArchive {
    let set: SampleSet

    func series(matching selectors: [String], from: Milliseconds, to: Milliseconds) async throws -> [SeriesKey] {
        set.series.map { SeriesKey(labels: $0.labels, type: .guess(name: $0.labels.name)) }
    }

    func samples(
        of series: SeriesKey, after from: Milliseconds, upTo to: Milliseconds
    ) async throws -> (times: [Milliseconds], values: [Double]) {
        guard let one = set.series.first(where: { $0.labels == series.labels }) else { return ([], []) }
        let range = one.times.indices.filter { one.times[$0] > from && one.times[$0] <= to }
        return (range.map { one.times[$0] }, range.map { one.values[$0] })
    }
}

@Suite struct PrometheusInputTests {
    @Test func readsASeriesPieceByPiece() async throws {
        var set = SampleSet(seed: 31, series: 4, samples: 3_000)
        var options = SampleSet.options
        options.from = 1_700_000_000_000
        options.to = 1_700_000_000_000 + 6 * 86_400_000
        let folder = try TemporaryDirectory()
        let job = BackfillJob(input: "prometheus", output: "files", options: options)
        let journal = try Journal.open(directory: folder.file("state"), job: job)
        let context = BackfillContext(
            job: job, journal: journal, jobs: 2, badRows: BadRowReport(.fail), progress: BackfillProgress(), directory: folder.file("state")
        )
        let input = try PrometheusInput(SetArchive(set: set), match: [], options: options)
        _ = try await LocalBackfill(context, input: input, sink: FilesSink(directory: folder.file("out"))).run()
        // The same samples with a marker in each silence, in one piece.
        for i in set.series.indices {
            var last = Milliseconds.max
            (set.series[i].times, set.series[i].values) = PrometheusInput.ended(set.series[i].times, set.series[i].values, &last)
        }
        let expected = try set.expected(options)
        let lines = try PartFolder(folder.file("out")).lines
        #expect(lines == expected && expected.count > 1_000)
        #expect(set.series[0].values.contains { StaleMarker.isStale($0) })
    }

    @Test func needsBounds() {
        #expect(throws: BackfillError.self) {
            _ = try PrometheusInput(SetArchive(set: SampleSet(seed: 1, series: 1, samples: 1)), match: [], options: HistoryOptions())
        }
    }

    @Test func aSilenceEndsTheSeries() {
        var last = Milliseconds.max
        let first = PrometheusInput.ended([1_000, 2_000], [1, 2], &last)
        #expect(first.times == [1_000, 2_000])
        let second = PrometheusInput.ended([302_001, 602_001], [3, 4], &last)
        #expect(second.times == [302_000, 302_001, 602_001] && StaleMarker.isStale(second.values[0]))
    }
}
