import Analyzing
import Collecting
import Dispatch
import Foundation
import Glibc
import Logging
import Messaging
import Telemetry
import TimeSeries

private struct SystemTime: WallClock {
    func now() -> Milliseconds { Int64(Date().timeIntervalSince1970 * 1000) }
}

/// A page of many series in the manner of a node exporter.
func benchPage(series: Int, round: Int) -> [UInt8] {
    var page = ""
    page.reserveCapacity(series * 100)
    for s in 0..<series {
        if s % 1_000 == 0 { page += "# TYPE bench_metric_\(s / 1_000)_total \(s % 3_000 == 0 ? "counter" : "gauge")\n" }
        let value = BenchSeries.value(s, round)
        page +=
            "bench_metric_\(s / 1_000)_total{device=\"sd\(s % 10)\",mountpoint=\"/var/lib/volume-\(s % 1_000)\",fstype=\"ext4\"} \(value)\n"
    }
    return Array(page.utf8)
}

/// CPU seconds of this process, all threads.
func processSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// The whole way of a scraped page: parse, identify, encode, append with fdatasync, read back, decode, into the windows.
func lineBenchmark(_ report: inout Report, series: Int = 200_000, rounds: Int = 7) async throws {
    let directory = NSTemporaryDirectory() + "/almanac-bench-\(getpid())"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let log = try await EmbeddedLog.open(
        EmbeddedLogOptions(directory: directory), clock: SystemTime(), metrics: MetricRegistry(), logger: Logger(label: "bench"))
    var scraper = PageScraper(ScrapeTarget(url: "http://127.0.0.1:9/metrics", job: "bench"), topic: "samples")
    var options = AnalyzeOptions()
    options.quantiles = false
    var state = AnalyzerState(options: options, epoch: 1, partitions: 1, stopwatch: { 0 })
    let consumer = try await log.consumer(topics: ["samples"], group: "bench")
    let start = SystemTime().now() - Int64(rounds) * 15_000
    var wall: [Double] = []
    var cpu: [Double] = []
    var parts = (scrape: 0.0, produce: 0.0, poll: 0.0, ingest: 0.0)
    for round in 0..<rounds {
        let page = benchPage(series: series, round: round)
        let time = start + Int64(round) * 15_000
        let began = DispatchTime.now().uptimeNanoseconds
        let beganCPU = processSeconds()
        let records = try scraper.records(of: page, at: time)
        let scraped = DispatchTime.now().uptimeNanoseconds
        try await log.produce(records)
        let produced = DispatchTime.now().uptimeNanoseconds
        var taken = 0
        var polling: UInt64 = 0
        while taken < series {
            let from = DispatchTime.now().uptimeNanoseconds
            let batch = try await consumer.poll(maxBytes: 8 << 20, timeout: 1_000)
            polling += DispatchTime.now().uptimeNanoseconds - from
            for record in batch.records {
                taken += try state.ingest(record.value, partition: 0, offset: record.offset, now: time).accepted
            }
        }
        let ended = DispatchTime.now().uptimeNanoseconds
        // The first page makes the series: it is another thing.
        if round == 0 { continue }
        wall.append(Double(ended - began) / 1e9)
        cpu.append(processSeconds() - beganCPU)
        parts.scrape += Double(scraped - began) / 1e6 / Double(rounds - 1)
        parts.produce += Double(produced - scraped) / 1e6 / Double(rounds - 1)
        parts.poll += Double(polling) / 1e6 / Double(rounds - 1)
        parts.ingest += Double(ended - produced - polling) / 1e6 / Double(rounds - 1)
    }
    await consumer.close()
    await log.close()
    wall.sort()
    cpu.sort()
    print(
        "  of a page of \(series) series: scrape \(rounded(parts.scrape)) ms, produce with fdatasync \(rounded(parts.produce)) ms, "
            + "poll \(rounded(parts.poll)) ms, decode into windows \(rounded(parts.ingest)) ms")
    report.add(
        "line: page through the fsynced log to windows", Double(series) / wall[wall.count / 2] / 1e6, "M samples/s", limit: 1,
        isCeiling: false)
    report.add("line: the same by CPU time", Double(series) / cpu[cpu.count / 2] / 1e6, "M samples/s of one core")
}
