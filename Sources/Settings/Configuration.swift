import TimeSeries

/// The whole configuration as plain values with their defaults. What each key is called, what it may be and what it is for
/// stands once, in `ConfigurationSchema`; docs/CONFIGURATION.md is made from that.
package struct Configuration: Sendable, Equatable {
    /// Directory of the embedded log, the SQLite database, the log files and the lock.
    package var data = "./data"
    package var listen = ListenAddress(host: "127.0.0.1", port: 5002)
    package var logLevel = LogLevel.info
    package var server = ServerSettings()
    package var topics = TopicSettings()
    package var log = LogSettings()
    package var messaging = MessagingSettings()
    package var coordination = CoordinationSettings()
    /// What this process is called among the others; nil for the machine's name.
    package var instance: String?
    package var store = StoreSettings()
    package var collect = CollectSettings()
    package var analyze = AnalyzeSettings()
    package var traffic = TrafficSettings()
    package var notify = NotifySettings()
    package var flows: [FlowSettings] = []
    package var joins: [JoinSettings] = []

    package init() {}
}

package enum LogLevel: String, Sendable, CaseIterable {
    case trace, debug, info, notice, warning, error, critical
}

/// The HTTP face.
package struct ServerSettings: Sendable, Equatable {
    package var tls: ServerTLSSettings?
    package var tokens: [TokenSettings] = []
    package var users: [UserSettings] = []
    /// Names that a request's Host header may carry besides the listening address and loopback.
    package var allowedHosts: [String] = []
    /// Largest request body, bytes.
    package var maxBody: Int64 = 1 << 20

    package init() {}
}

package struct ServerTLSSettings: Sendable, Equatable {
    package var certificateFile = ""
    package var keyFile = ""

    package init() {}
}

package enum AccessRole: String, Sendable, CaseIterable {
    case read, write
}

package struct TokenSettings: Sendable, Equatable {
    package var token: Secret?
    package var role = AccessRole.read

    package init() {}
}

package struct UserSettings: Sendable, Equatable {
    package var name = ""
    package var password: Secret?
    package var role = AccessRole.read

    package init() {}
}

package struct TopicSettings: Sendable, Equatable {
    package var samples = "samples"
    package var prometheusdata = "prometheusdata"
    package var chunks = "chunks"
    package var control = "control"
    package var events = "iot-data-event"
    package var trafficPartials = "traffic-partials"
    package var trafficdata = "trafficdata"

    package init() {}
}

/// The embedded log.
package struct LogSettings: Sendable, Equatable {
    package var segmentBytes: Int64 = 64 << 20
    package var retentionAge: Milliseconds = 3 * 3_600_000
    /// Of one topic.
    package var retentionBytes: Int64 = 1 << 30
    package var queueBytes: Int64 = 32 << 20

    package init() {}
}

package struct StoreSettings: Sendable, Equatable {
    package var kind = StoreKind.sqlite
    package var mysql = MySQLSettings()
    package var cassandra = CassandraSettings()
    /// The history keeps one row of a series per this.
    package var historyInterval: Milliseconds = 300_000
    package var retention = StoreRetentionSettings()
    /// Disk budget of the database; 0 for none.
    package var maxBytes: Int64 = 0

    package init() {}
}

package struct StoreRetentionSettings: Sendable, Equatable {
    package var chunks: Milliseconds = 15 * 86_400_000
    package var windows: Milliseconds = 15 * 86_400_000
    package var profiles: Milliseconds = 15 * 86_400_000
    package var forecasts: Milliseconds = 15 * 86_400_000
    package var anomalies: Milliseconds = 15 * 86_400_000
    package var trafficWindows: Milliseconds = 7 * 86_400_000
    package var trafficTotals: Milliseconds = 400 * 86_400_000
    package var visits: Milliseconds = 15 * 86_400_000
    package var alerts: Milliseconds = 15 * 86_400_000

    package init() {}
}
