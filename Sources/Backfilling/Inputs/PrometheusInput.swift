import History
import Records
import TimeSeries

/// What is asked of a Prometheus server; whoever wires the parts together gives it.
package protocol PrometheusArchive: Sendable {
    /// The series that have samples in (from, to] and match one of the selectors, each once, with what the server says of their types.
    func series(matching selectors: [String], from: Milliseconds, to: Milliseconds) async throws -> [SeriesKey]

    /// Raw samples of one series in (from, to], in order of time.
    func samples(of series: SeriesKey, after from: Milliseconds, upTo to: Milliseconds) async throws -> (
        times: [Milliseconds], values: [Double]
    )
}

/// A Prometheus server's samples: a part for each of 64 groups of shards. Memory: one series' samples of two days at a time.
package struct PrometheusInput: HistoryInput {
    private let archive: any PrometheusArchive
    private let match: [String]
    private let options: HistoryOptions
    private let span: (from: Milliseconds, to: Milliseconds)
    private static let groups = 64
    private static let piece: Milliseconds = 2 * 86_400_000
    /// A raw series without a sample for so long has ended (Prometheus' lookback).
    private static let lookback: Milliseconds = 300_000
    private let listing = Listing()

    private actor Listing {
        var groups: [[SeriesKey]] = []
        func set(_ groups: [[SeriesKey]]) { self.groups = groups }
    }

    /// Throws `BackfillError` without bounds: a server cannot be asked for all there is.
    package init(_ archive: any PrometheusArchive, match: [String], options: HistoryOptions) throws(BackfillError) {
        guard let first = options.firstSample, let to = options.to else {
            throw BackfillError(.usage, "a Prometheus server is read between two times; give --from and --to")
        }
        self.archive = archive
        self.match = match.isEmpty ? [#"{__name__=~".+"}"#] : match
        self.options = options
        span = (first, to)
    }

    package var details: [(name: String, value: String)] { [("parts", "\(PrometheusInput.groups)")] }

    package func prepare(_ context: BackfillContext) async throws -> [Int] {
        context.progress.set(stage: "listing series")
        var groups = Array(repeating: [SeriesKey](), count: PrometheusInput.groups)
        for key in try await archive.series(matching: match, from: span.from, to: span.to) {
            groups[Int(key.id.shard.index) * PrometheusInput.groups / Shard.count].append(key)
        }
        await listing.set(groups)
        return groups.map { max(1, $0.count) }
    }

    package func read(part: Int, into analysis: PartAnalysis) async throws {
        let series = await listing.groups[part].map { ($0, SeriesNotation.bytes($0.labels)) }
        for (key, text) in series.sorted(by: { $0.1.lexicographicallyPrecedes($1.1) }) {
            analysis.begin(key, text: text)
            var from = span.from
            var last = Milliseconds.max
            while from < span.to {
                let next = min(span.to, from + PrometheusInput.piece)
                let samples = try await archive.samples(of: key, after: from, upTo: next)
                let (times, values) = PrometheusInput.ended(samples.times, samples.values, &last)
                try analysis.add(times: times, values: values)
                try await analysis.flush()
                from = next
            }
            try await analysis.end()
        }
    }

    /// Puts a staleness marker where the series fell silent: the API gives none. `last` is the time of the newest sample.
    static func ended(
        _ times: [Milliseconds], _ values: [Double], _ last: inout Milliseconds
    ) -> (times: [Milliseconds], values: [Double]) {
        var (outTimes, outValues): ([Milliseconds], [Double]) = ([], [])
        outTimes.reserveCapacity(times.count + 8)
        outValues.reserveCapacity(times.count + 8)
        for (time, value) in zip(times, values) {
            if last != .max, time - 1 - last >= lookback {
                outTimes.append(last + lookback)
                outValues.append(StaleMarker.value)
            }
            outTimes.append(time)
            outValues.append(value)
            last = time
        }
        return (outTimes, outValues)
    }
}
