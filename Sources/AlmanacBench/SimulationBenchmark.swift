import Analyzing
import Collecting
import Glibc
import HostMetrics
import Messaging
import Records
import TimeSeries

/// CPU seconds of this thread.
private func threadSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Twenty-four hours of host metrics, every 15 s, through the analyzer on a simulated clock: pages of this machine, of as many instances as make about a
/// thousand series. Forecasts are off: the figures are those of the profiles.
func simulationBenchmark(_ report: inout Report) throws {
    let exporter = HostExporter()
    var options = AnalyzeOptions()
    options.quantiles = false
    options.forecastMetrics = { _ in false }
    var state = AnalyzerState(options: options, epoch: 1, partitions: 1, stopwatch: threadSeconds)
    var scrapers = try instances(exporter, series: 1_000)
    let start: Milliseconds = 1_700_006_400_000
    let rounds = 5_760
    var profiled: Set<Fingerprint> = []
    var work = ProfileWork(from: start + 13 * 3_600_000)
    var steps: [Double] = []
    for round in 0..<rounds {
        let time = start + Milliseconds(round) * 15_000
        let page = exporter.page()
        for i in scrapers.indices {
            for record in try scrapers[i].records(of: page, at: time) {
                _ = try state.ingest(record.value, partition: 0, offset: Int64(round), now: time)
            }
        }
        let began = threadSeconds()
        let output = state.advance(now: time).output
        if time >= work.from { steps.append((threadSeconds() - began) * 1e3) }
        for (_, record) in output.results {
            if case .profiles(let list) = record { for profile in list { profiled.insert(profile.series.id) } }
        }
        for line in output.lines where line.kind == .metadata { work.add(line) }
    }
    let series = Double(state.seriesCount)
    report.add("simulation: series", series, "of which \(profiled.count) have a profile")
    let share = work.seconds / Double(work.profiles) * 10_000 / (Double(options.profileInterval) / 1000)
    report.add("simulation: CPU of profiles, 10,000 series every 5 min", share * 100, "% of a core", limit: 5)
    let dearest = work.dearest / Double(work.perStep.count) * 10_000 / (Double(options.profileInterval) / 1000)
    report.add("simulation: the same, if all series were like the dearest at each step", dearest * 100, "% of a core", limit: 5)
    report.add("simulation: CPU of a profile with its samples", work.seconds / Double(work.profiles) * 1e6, "us")
    let mean = Double(work.perStep.reduce(0, +)) / Double(max(work.perStep.count, 1))
    report.add("simulation: most profiles in one step, over their mean", Double(work.perStep.max() ?? 0) / mean, "", limit: 3)
    steps.sort()
    func rank(_ q: Double) -> Double { steps[Int(q * Double(steps.count - 1))] }
    report.add("simulation: CPU of a step (windows and profiles), median", rank(0.5), "ms")
    report.add("simulation: the same, p99", rank(0.99), "ms")
    report.add("simulation: the same, most", rank(1), "ms")
    report.add("simulation: memory of the rollup of a series after a day", Double(state.rollupBytes) / series, "bytes", limit: 6_000)
}

/// Scrapers of so many instances that their pages have about `series` series.
private func instances(_ exporter: HostExporter, series: Int) throws -> [PageScraper] {
    let lines = exporter.page().split(separator: 10).count { $0.first != UInt8(ascii: "#") }
    let count = max(1, (series + lines / 2) / max(lines, 1))
    return (0..<count).map { PageScraper(ScrapeTarget.host(instance: "host-\($0)"), topic: "samples") }
}

/// What the profiles of a simulation cost once every series has its twelve hours.
private struct ProfileWork {
    let from: Milliseconds
    var profiles = 0
    var seconds = 0.0
    var perStep: [Int] = []
    /// Sum over the steps of the longest profile and the mean time to get its samples.
    var dearest = 0.0

    init(from: Milliseconds) { self.from = from }

    mutating func add(_ line: EvaluationLogLine) {
        guard line.time >= from else { return }
        profiles += line.series
        seconds += line.fetch + line.compute
        perStep.append(line.series)
        dearest += line.max + line.fetch / Double(line.series)
    }
}
