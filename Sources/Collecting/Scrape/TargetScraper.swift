import Exposition
import Fetching
import Glibc
import Messaging
import TimeSeries

/// What one target's scrapes keep between them. Pure: pages and times go in, records come out.
struct TargetScraper {
    private let target: ScrapeTarget
    private let topic: String
    private let source: UInt64
    private let labels: TargetLabels
    private var cache: ScrapeCache
    private var parser: ExpositionParser
    private var page = ParsedPage()
    private(set) var counts = PageCounts()
    /// Size of the last good page, to make room for the next.
    private(set) var lastPageBytes = 0
    private var hasSent = false
    /// Name and labels of one series, bytes: every result carries them again.
    private static let maxSeriesBytes: UInt32 = 64 * 1024

    init(_ target: ScrapeTarget, instance: String, topic: String) {
        self.target = target
        self.topic = topic
        source = Fingerprint(hashing: Array(target.sourceName.utf8)).high
        labels = TargetLabels(job: target.job, instance: instance, labels: target.labels, honorLabels: target.honorLabels)
        cache = TargetScraper.cache(target, labels)
        parser = ExpositionParser(format: .prometheusText)
    }

    private static func cache(_ target: ScrapeTarget, _ labels: TargetLabels) -> ScrapeCache {
        ScrapeCache(
            labels: labels, rules: MetricRules(keep: target.keep, drop: target.drop, types: target.types),
            limits: ScrapeCache.Limits(maxSeries: target.maxSeries, honorTimestamps: target.honorTimestamps))
    }

    /// Takes a page; gives why it cannot be taken, nil if it was. Then every series of the target ends.
    mutating func take(_ fetched: FetchedPage, at time: Milliseconds) -> String? {
        parser.format = .from(contentType: fetched.contentType)
        lastPageBytes = fetched.body.count
        do {
            try parser.parse(fetched.body, into: &page)
        } catch {
            fail()
            return "malformed page: \(error)"
        }
        if let row = page.seriesLength.firstIndex(where: { $0 > TargetScraper.maxSeriesBytes }) {
            let refusal = PageRefusal.badSeries(
                row: row, message: "a series of \(page.seriesLength[row]) bytes; at most \(TargetScraper.maxSeriesBytes) are taken")
            fail()
            return describe(refusal, fetched.body)
        }
        let outcome = fetched.body.withUnsafeBytes { bytes in take(bytes, at: time) }
        switch outcome {
        case .success(let counts):
            self.counts = counts
            return nil
        case .failure(let refusal):
            let scraped = page.count
            fail()
            counts.scraped = scraped
            return describe(refusal, fetched.body)
        }
    }

    private mutating func take(_ bytes: UnsafeRawBufferPointer, at time: Milliseconds) -> Result<PageCounts, PageRefusal> {
        do throws(PageRefusal) {
            return .success(try cache.apply(page, bytes: bytes, at: time))
        } catch {
            return .failure(error)
        }
    }

    private func describe(_ refusal: PageRefusal, _ body: [UInt8]) -> String {
        switch refusal {
        case .tooManySeries(let limit):
            return "the page has more than the allowed \(limit) series; raise the limit or drop metrics by name"
        case .badSeries(let row, let message):
            let start = page.seriesRange(row).lowerBound
            let before = body[..<start]
            let line = before.count { $0 == 0x0A } + 1
            let column = start - (before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0) + 1
            return "malformed page: line \(line), column \(column): \(message)"
        }
    }

    /// The scrape brought no page.
    mutating func fail() {
        counts = PageCounts()
        cache.applyFailure()
    }

    /// The records of the scrape that was just taken or failed.
    mutating func records(_ report: ScrapeReport, at time: Milliseconds) -> ScrapeRecords {
        hasSent = true
        cache.setReport(report.values)
        return cache.records(topic: topic, source: source, time: time)
    }

    /// Staleness markers for all that the target had.
    mutating func end(at time: Milliseconds) -> ScrapeRecords {
        guard hasSent else { return ScrapeRecords() }
        cache.endAll()
        return cache.records(topic: topic, source: source, time: time)
    }

    /// How many names of series are kept.
    var rememberedNames: Int { cache.keyCount }

    /// Starts as if nothing had been scraped before.
    mutating func forget() {
        guard hasSent else { return }
        hasSent = false
        cache = TargetScraper.cache(target, labels)
    }
}

/// The machine's name, for the label `instance`.
func hostName() -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
