import Backfilling
import Foundation
import Glibc
import History
import Records
import TimeSeries

/// Per CPU second: a month of three series at 15 s, once as sealed chunks and once as rows of CSV, through windows of 1, 3 and 12 h to rows.
func backfillBenchmarks(_ report: inout Report) async throws {
    let start: Milliseconds = 1_700_000_000_000 - 1_700_000_000_000 % 1_800_000
    let count = 30 * 5_760
    let series = (0..<3).map { s in
        (
            key: SeriesKey(
                labels: LabelSet(name: s % 3 == 0 ? "bench_total" : "bench", [Label("n", "\(s)")]), type: s % 3 == 0 ? .counter : .gauge),
            times: (1...count).map { start + Milliseconds($0) * 15_000 }, values: (1...count).map { BenchSeries.value(s, $0) }
        )
    }
    let samples = Double(3 * count)
    let chunks = series.map { one in
        stride(from: 0, to: count, by: 120).map {
            ChunkCodec.encode(times: Array(one.times[$0..<($0 + 120)]), values: Array(one.values[$0..<($0 + 120)]))
        }
    }
    for (every, label, promise) in [(300_000, "5m", 10.0), (60_000, "1m", nil)] as [(Milliseconds, String, Double?)] {
        for quantiles in [false, true] {
            var options = HistoryOptions()
            options.every = every
            options.quantiles = quantiles
            options.profiles = nil
            let name = "backfill: chunks to rows, every \(label)\(quantiles ? ", quantiles" : "")"
            let rows = measureCPU(runs: 5) { analyse(series.map(\.key), chunks, options, writes: false) }
            report.add(name, samples / rows / 1e6, "M samples/s", limit: quantiles ? nil : promise, isCeiling: false)
            let lines = measureCPU(runs: 3) { analyse(series.map(\.key), chunks, options, writes: true) }
            report.add(name + ", as text", samples / lines / 1e6, "M samples/s")
        }
    }
    try await csvBenchmarks(&report, series.map { ($0.key, $0.times, $0.values) }, samples)
}

private func analyse(_ keys: [SeriesKey], _ chunks: [[[UInt8]]], _ options: HistoryOptions, writes: Bool) {
    var buffer = ChunkBuffer()
    var rows = HistoryRows()
    var writer = TransformWriter()
    for (key, chunks) in zip(keys, chunks) {
        let text = SeriesNotation.bytes(key.labels)
        var analysis = HistoryAnalysis(series: key, options: options)
        for chunk in chunks {
            try? chunk.withUnsafeBytes { (raw) throws in
                try ChunkCodec.verify(raw)
                try ChunkCodec.decode(raw, into: &buffer)
            }
            try? analysis.add(times: buffer.times, values: buffer.values, into: &rows)
            take(&rows)
        }
        analysis.finish(into: &rows)
        take(&rows)

        func take(_ rows: inout HistoryRows) {
            if writes {
                _ = rows.write(to: &writer, series: text, windows: options.windows.count)
                writer.bytes.removeAll(keepingCapacity: true)
            }
            rows.removeAll()
        }
    }
}

/// CPU seconds that this process has used: what a core can do, whoever else is on it.
private func cpuSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Least CPU seconds of `runs` runs after one to warm up.
private func measureCPU(runs: Int, _ body: () -> Void) -> Double {
    body()
    var least = Double.infinity
    for _ in 0..<runs {
        let started = cpuSeconds()
        body()
        least = min(least, cpuSeconds() - started)
    }
    return least
}

/// Lines that are counted and dropped.
private struct NullSink: HistorySink {
    final class Part: HistoryPartSink {
        func append(_ lines: [UInt8], types: [Fingerprint: MetricType]) async throws {}
        func commit() async throws {}
        func discard() async {}
    }

    func open(part: Int) async throws -> any HistoryPartSink { Part() }
    func finish() async throws {}
    func close() async {}
}

private func csvBenchmarks(
    _ report: inout Report, _ series: [(SeriesKey, [Milliseconds], [Double])], _ samples: Double
) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("almanac-bench-\(getpid())").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    // Grouped: the rows of a series together. Mixed: as scrapes write them, all series of one time together. Plain names, as the series' text
    // itself is not what is measured.
    let names = series.indices.map { "bench_\($0)" }
    var grouped = "series,time,value\n"
    for (s, (_, times, values)) in series.enumerated() {
        for (t, v) in zip(times, values) { grouped += "\(names[s]),\(t),\(v)\n" }
    }
    var mixed = "series,time,value\n"
    for i in series[0].1.indices {
        for (s, (_, times, values)) in series.enumerated() { mixed += "\(names[s]),\(times[i]),\(values[i])\n" }
    }
    var single = "timestamp,value\n"
    let length = Milliseconds(series[1].1.count) * 15_000
    for month in 0..<3 { for (t, v) in zip(series[1].1, series[1].2) { single += "\(t + Milliseconds(month) * length),\(v)\n" } }
    let inputs = [("grouped", grouped, samples), ("mixed", mixed, samples), ("one series", single, samples)]
    for (name, text, count) in inputs {
        let path = "\(folder)/\(name.prefix(3)).csv"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        var best = Double.infinity
        for run in 0..<5 {
            let seconds = try await runCSV(path, state: "\(folder)/state-\(name.prefix(3))-\(run)")
            best = min(best, seconds)
        }
        report.add("backfill: CSV to rows as text, \(name), one worker", count / best / 1e6, "M samples/s", limit: 5, isCeiling: false)
    }
}

private func runCSV(_ path: String, state: String) async throws -> Double {
    var options = HistoryOptions()
    options.profiles = nil
    let job = BackfillJob(input: path, output: "files:none", options: options)
    let badRows = BadRowReport(.fail)
    let started = cpuSeconds()
    let input = try FilesInput.open(path, filter: try SeriesFilter([]), badRows: badRows, grid: nil, directory: state)
    let journal = try Journal.open(directory: state, job: job)
    let context = BackfillContext(
        job: job, journal: journal, jobs: 1, badRows: badRows, progress: BackfillProgress(), directory: state)
    _ = try await LocalBackfill(context, input: input, sink: NullSink()).run()
    return cpuSeconds() - started
}
