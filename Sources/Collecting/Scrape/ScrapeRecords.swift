import Messaging
import TimeSeries

/// What one scrape sends: whole or not at all.
struct ScrapeRecords: Sendable {
    private(set) var records: [ProducerRecord] = []
    private(set) var samples = 0
    private(set) var bytes = 0

    mutating func append(_ record: ProducerRecord, samples count: Int) {
        bytes += record.value.count
        samples += count
        records.append(record)
    }
}

/// Columns of samples with times of their own, grouped by series.
struct SampleRun {
    private(set) var series: [Int32] = []
    private(set) var counts: [Int] = []
    private(set) var times: [Milliseconds] = []
    private(set) var values: [Double] = []

    mutating func append(_ sample: ScrapeCache.TimedSample) {
        if series.last != sample.series {
            series.append(sample.series)
            counts.append(0)
        }
        counts[counts.count - 1] += 1
        times.append(sample.time)
        values.append(sample.value)
    }
}

/// The five series that Prometheus makes of every scrape.
struct ScrapeReport: Sendable {
    static let names = [
        "up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added",
    ]

    var isUp: Bool
    /// Seconds from the request to the page taken in.
    var duration: Double
    var counts: PageCounts

    var values: [Double] {
        [isUp ? 1 : 0, duration, Double(counts.scraped), Double(counts.kept), Double(counts.added)]
    }
}
