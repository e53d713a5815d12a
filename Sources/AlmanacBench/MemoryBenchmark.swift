import Analyzing
import Collecting
import Foundation
import Glibc
import HostMetrics
import Messaging
import TimeSeries

/// Resident memory of this process, bytes.
private func residentBytes() -> Double {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
    let pages = text.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0
    return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
}

/// This machine's own metrics, 2,881 pages of them taken one after the other and dated 15 s apart, for ten instances: 12 hours of node exporters, held by
/// the analyzer.
func memoryBenchmark(_ report: inout Report) throws {
    let exporter = HostExporter()
    var options = AnalyzeOptions()
    options.quantiles = false
    options.forecastMetrics = { _ in false }
    let before = residentBytes()
    var state = AnalyzerState(options: options, epoch: 1, partitions: 1, stopwatch: { 0 })
    var scrapers = (0..<10).map { PageScraper(ScrapeTarget.host(instance: "host-\($0)"), topic: "samples") }
    let start: Milliseconds = 1_700_000_100_000
    for round in 0...2_880 {
        let time = start + Milliseconds(round) * 15_000
        let page = exporter.page()
        for i in scrapers.indices {
            for record in try scrapers[i].records(of: page, at: time) {
                _ = try state.ingest(record.value, partition: 0, offset: Int64(round), now: time)
            }
        }
        if round % 40 == 0 { _ = state.advance(now: time) }
    }
    let series = Double(state.seriesCount)
    report.add(
        "memory: a series with 12 h at 15 s of host metrics, samples and windows", Double(state.historyBytes) / series, "bytes",
        limit: 6_000)
    report.add("memory: the same, growth of the process with labels and tables", (residentBytes() - before) / series, "bytes")
}
