import Fetching
import TimeSeries

/// Gives all metrics whose whole name matches `pattern` this type, whatever the page or the server says.
package struct MetricTypeRule: Sendable, Equatable {
    package var pattern: String
    package var type: MetricType

    package init(pattern: String, type: MetricType) {
        self.pattern = pattern
        self.type = type
    }
}

/// One exporter to scrape, with the meaning and the defaults of Prometheus' `scrape_config`.
package struct ScrapeTarget: Sendable, Equatable {
    package enum Source: Sendable, Equatable {
        /// `http` or `https`.
        case http(url: String)
        /// This machine's own statistics, in process.
        case host
    }

    package var source: Source
    package var job: String
    /// The label `instance`; nil means the URL's host and port, or the host's name.
    package var instance: String?
    /// Labels that every series of the target gets.
    package var labels: [Label] = []
    package var interval: Milliseconds = 15_000
    package var timeout: Milliseconds = 10_000
    /// Bytes of the body, and of what it decompresses to.
    package var maxBodyBytes = 64 << 20
    /// Samples kept after `keep` and `drop`; more of them fail the scrape (Prometheus' `sample_limit`).
    package var maxSeries = 1_000_000
    /// Whether labels of the page win over the target's; otherwise the page's become `exported_<name>`.
    package var honorLabels = false
    /// Whether timestamps in the page count.
    package var honorTimestamps = true
    /// Lists of regular expressions for whole metric names: kept is what one of each list matches that is not empty.
    package var keep: [[String]] = []
    /// Regular expressions for whole metric names that are dropped.
    package var drop: [String] = []
    package var types: [MetricTypeRule] = []
    package var credentials: HTTPCredentials?
    package var tls = TLSOptions()

    package init(url: String, job: String) {
        source = .http(url: url)
        self.job = job
    }

    /// The machine itself under node exporter's metric names.
    package static func host(job: String = "node", instance: String? = nil) -> ScrapeTarget {
        var target = ScrapeTarget(url: "", job: job)
        target.source = .host
        target.instance = instance
        return target
    }

    /// The URL, or `host:` for the machine itself. Work is divided between processes by this name.
    package var url: String {
        switch source {
        case .http(let url): url
        case .host: "host:"
        }
    }

    /// What makes two entries of a target list the same target.
    package var id: String { "\(job) \(url)" }

    /// The URL without a password.
    package var displayURL: String { redacted(url) }

    /// The name behind `SamplesRecord.source`.
    package var sourceName: String { "scrape:\(job):\(url)" }

    /// Whether the series that this target makes are named as `other`'s, so that they go on without an end between.
    func namesSeriesLike(_ other: ScrapeTarget) -> Bool {
        id == other.id && instance == other.instance && labels == other.labels && honorLabels == other.honorLabels
            && keep == other.keep && drop == other.drop
    }

    /// What is wrong with the options, in words for a person; nil if nothing.
    package func problem() -> String? {
        if case .http(let url) = source, HTTPAddress(url) == nil {
            return "\(displayURL) is no http:// or https:// URL with a host"
        }
        if job.isEmpty { return "target \(displayURL) needs a job" }
        if interval < 100 { return "target \(displayURL): the interval must be at least 100 ms" }
        if timeout <= 0 || timeout > interval { return "target \(displayURL): the timeout must be above 0 and at most the interval" }
        if maxBodyBytes <= 0 || maxSeries <= 0 { return "target \(displayURL): limits must be above 0" }
        for pattern in keep.flatMap({ $0 }) + drop + types.map(\.pattern) {
            if let error = NamePattern.problem(pattern) { return "target \(displayURL): \(error)" }
        }
        return nil
    }
}

/// The parts of a URL that matter here; nil where it is not http or https or has no host.
struct HTTPAddress {
    let scheme: String
    /// Host and port as in the label `instance`, the port always there.
    let instance: String

    init?(_ url: String) {
        guard let separator = url.range(of: "://") else { return nil }
        scheme = url[..<separator.lowerBound].lowercased()
        guard scheme == "http" || scheme == "https" else { return nil }
        var authority = url[separator.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
        guard !authority.isEmpty, !authority.hasPrefix(":"), !authority.contains(where: { $0 == " " }) else { return nil }
        // An IPv6 host stands in brackets; only a colon behind them begins a port.
        let afterHost = authority.lastIndex(of: "]").map { authority[authority.index(after: $0)...] } ?? authority
        if let colon = afterHost.lastIndex(of: ":") {
            guard let port = Int(afterHost[afterHost.index(after: colon)...]), (1...65_535).contains(port) else { return nil }
            instance = String(authority)
        } else {
            instance = "\(authority):\(scheme == "https" ? 443 : 80)"
        }
    }
}

/// `url` without what stands before `@` in its authority.
func redacted(_ whole: String) -> String {
    // A query may carry a token.
    let url = whole.firstIndex(of: "?").map { whole[..<$0] + "?***" } ?? whole
    guard let separator = url.range(of: "://") else { return url }
    let rest = url[separator.upperBound...]
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    guard let at = authority.lastIndex(of: "@") else { return url }
    return url[..<separator.upperBound] + "***" + rest[at...]
}

extension String {
    fileprivate func range(of text: String) -> Range<String.Index>? { firstRange(of: text) }
}
