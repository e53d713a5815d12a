import TimeSeries

/// The state of one source as people ask for it, in the spirit of Prometheus' `/api/v1/targets`.
package struct SourceStatus: Sendable, Equatable {
    package enum Kind: String, Sendable {
        case scrape, prometheus
    }

    package enum Health: String, Sendable {
        /// Nothing has been tried yet.
        case unknown
        case up
        case down
        /// Another process does it.
        case elsewhere
    }

    package var kind: Kind
    package var job: String
    package var instance: String
    /// Without a password.
    package var url: String
    package var health: Health = .unknown
    package var lastError: String?
    /// The time that the last scrape's samples carry, or up to where a Prometheus server has been read.
    package var lastScrape: Milliseconds?
    /// Seconds.
    package var lastDuration: Double = 0
    /// Samples of the last scrape or round.
    package var samples = 0
    /// Scrapes that wait for the log.
    package var pending = 0
}
