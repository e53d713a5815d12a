import Fetching
import Messaging
import TimeSeries

/// The scrape path without the network: pages of one target in, records for the log out. For benchmarks and replays.
package struct PageScraper {
    package struct Refused: Error, CustomStringConvertible {
        package var description: String
    }

    private var scraper: TargetScraper

    package init(_ target: ScrapeTarget, topic: String) {
        scraper = TargetScraper(target, instance: target.instance ?? "bench", topic: topic)
    }

    /// The records that a scrape of `page` at `time` would send, the report series (`up`, ...) included.
    package mutating func records(of page: [UInt8], at time: Milliseconds, contentType: String? = nil) throws -> [ProducerRecord] {
        if let reason = scraper.take(FetchedPage(contentType: contentType, body: page), at: time) { throw Refused(description: reason) }
        let report = ScrapeReport(isUp: true, duration: 0, counts: scraper.counts)
        return scraper.records(report, at: time).records
    }
}
