import TimeSeries

package struct CollectSettings: Sendable, Equatable {
    package var host = HostSettings()
    package var interval: Milliseconds = 15_000
    package var timeout: Milliseconds = 10_000
    /// Largest page of a target, bytes after decompression.
    package var maxBody: Int64 = 64 << 20
    /// Most series that one target may send.
    package var maxSeries = 1_000_000
    package var keep: [String] = []
    package var drop: [String] = []
    package var types: [TypeOverride] = []
    package var scrape: [ScrapeSettings] = []
    package var prometheus: [PrometheusSettings] = []

    package init() {}

    /// How long a target may take: as given, but never longer than its interval.
    package func timeout(_ own: Milliseconds?, interval: Milliseconds) -> Milliseconds { min(own ?? timeout, interval) }

    /// Whether the built-in host metrics are collected: as told, else when nothing else is configured.
    package var collectsHost: Bool { host.enabled ?? (scrape.isEmpty && prometheus.isEmpty) }
}

package struct HostSettings: Sendable, Equatable {
    package var enabled: Bool?
    /// nil: `collect.interval`.
    package var interval: Milliseconds?
    /// The `instance` label; nil: the machine's name.
    package var instance: String?

    package init() {}
}

package enum SeriesType: String, Sendable, CaseIterable {
    case gauge, counter
}

/// Says what metrics mean whose `# TYPE` and name mislead.
package struct TypeOverride: Sendable, Equatable {
    /// Regular expression over the whole metric name.
    package var match = ""
    package var type = SeriesType.gauge

    package init() {}
}

package enum URLScheme: String, Sendable, CaseIterable {
    case http, https
}

/// One job of targets.
package struct ScrapeSettings: Sendable, Equatable {
    package var job = ""
    package var url: String?
    package var targets: [String] = []
    package var scheme = URLScheme.http
    package var path = "/metrics"
    package var interval: Milliseconds?
    package var timeout: Milliseconds?
    package var labels: [String: String] = [:]
    package var honorLabels = false
    package var honorTimestamps = true
    package var keep: [String] = []
    package var drop: [String] = []
    package var maxSeries: Int?
    package var access = ClientAccess()

    package init() {}

    /// The pages to fetch: `url`, or each of `targets` with scheme and path.
    package var urls: [String] {
        if let url { return [url] }
        return targets.map { "\(scheme.rawValue)://\($0)\(path)" }
    }
}

/// How a client shows who it is, and whom it trusts.
package struct ClientAccess: Sendable, Equatable {
    package var bearerToken: Secret?
    package var username: String?
    package var password: Secret?
    /// PEM file of authorities to trust besides the system's.
    package var caFile: String?
    package var insecureSkipVerify = false

    package init() {}
}

/// One Prometheus server that is asked for raw samples and expressions.
package struct PrometheusSettings: Sendable, Equatable {
    package var url = ""
    package var selectors: [String] = []
    package var expressions: [ExpressionSettings] = []
    /// How far back the windows are filled at the start.
    package var backfill: Milliseconds = 12 * 3_600_000
    package var interval: Milliseconds?
    /// Of one request.
    package var timeout: Milliseconds = 60_000
    package var labels: [String: String] = [:]
    package var access = ClientAccess()

    package init() {}
}

/// A PromQL expression that becomes a series.
package struct ExpressionSettings: Sendable, Equatable {
    package var name = ""
    package var expr = ""
    package var step: Milliseconds?

    package init() {}
}
