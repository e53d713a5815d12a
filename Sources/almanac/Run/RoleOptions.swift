import Analytics
import Analyzing
import Collecting
import Fetching
import HTTPKit
import Messaging
import Serving
import Settings
import Storage
import Storing
import Synchronization
import TimeSeries

/// From the configuration to the options of each part.
extension Configuration {
    static let analyzeGroup = "almanac-analyze"
    static let storeGroup = "almanac-store"

    var logsDirectory: String { data + "/logs" }

    var embeddedLogOptions: EmbeddedLogOptions {
        var options = EmbeddedLogOptions(directory: data + "/log")
        options.segmentBytes = log.segmentBytes
        options.retention = .init(bytes: log.retentionBytes, age: log.retentionAge)
        options.queueBytes = Int(log.queueBytes)
        // Results rest in the store; on the topic only what a reader may still fetch is worth its disk.
        options.topicRetention[topics.prometheusdata] = .init(
            bytes: min(log.retentionBytes, max(256 << 20, 2 * log.segmentBytes)), age: min(log.retentionAge, 3_600_000))
        options.requiredGroups = [
            topics.samples: [Configuration.analyzeGroup],
            topics.prometheusdata: [Configuration.storeGroup],
            topics.chunks: [Configuration.storeGroup],
            topics.trafficdata: [Configuration.storeGroup],
        ]
        if traffic.enabled {
            options.requiredGroups[topics.events] = [Configuration.trafficGroup]
            options.requiredGroups[topics.trafficPartials] = [Configuration.trafficMergeGroup]
        }
        for flow in flows {
            if let topic = flow.source.topic { options.requiredGroups[topic, default: []].append("collect-flow-\(flow.name)") }
        }
        options.topicRetention[topics.trafficdata] = options.topicRetention[topics.prometheusdata]
        return options
    }

    var sqliteOptions: SQLiteStoreOptions {
        var options = SQLiteStoreOptions(path: data + "/almanac.db")
        options.history.windows = HistoryInterval(every: store.historyInterval, grid: analyze.interval)
        options.history.forecasts = HistoryInterval(every: store.historyInterval, grid: analyze.forecast.interval)
        options.history.profiles = HistoryInterval(every: max(store.historyInterval, 3_600_000), grid: analyze.profile.interval)
        return options
    }

    var retention: StoreRetention {
        var retention = StoreRetention()
        retention.chunks = store.retention.chunks
        retention.windows = store.retention.windows
        retention.profiles = store.retention.profiles
        retention.forecasts = store.retention.forecasts
        retention.anomalies = store.retention.anomalies
        retention.trafficWindows = store.retention.trafficWindows
        retention.trafficTotals = store.retention.trafficTotals
        retention.visits = store.retention.visits
        retention.alerts = store.retention.alerts
        retention.maxBytes = store.maxBytes
        return retention
    }

    var analyzeOptions: AnalyzeOptions {
        var options = AnalyzeOptions()
        options.timesEachSeries = [.trace, .debug].contains(logLevel)
        options.samplesTopic = topics.samples
        options.resultsTopic = topics.prometheusdata
        options.chunksTopic = topics.chunks
        options.group = Configuration.analyzeGroup
        options.storeGroup = Configuration.storeGroup
        options.interval = analyze.interval
        options.windows = analyze.windows.sorted()
        options.quantiles = analyze.quantiles
        options.allowedLateness = analyze.allowedLateness
        options.idleTimeout = analyze.idleTimeout
        options.chunkSpan = analyze.chunkSpan
        options.maxSeries = analyze.maxSeries
        options.catchUpInterval = max(store.historyInterval, analyze.interval)
        options.profileInterval = analyze.profile.interval
        options.profileSpan = analyze.profile.span
        options.forecastInterval = analyze.forecast.interval
        options.forecastHorizon = analyze.forecast.horizon
        options.forecastRefit = analyze.forecast.refit
        options.forecastSpan = analyze.forecast.span
        if !analyze.forecast.metrics.isEmpty {
            let matcher = NameMatcher(analyze.forecast.metrics)
            options.forecastMetrics = { matcher.matches($0) }
        }
        options.anomalies =
            analyze.anomalies.enabled
            ? AnomalyOptions(falseIncidentsPerWeek: Double(analyze.anomalies.falseIncidentsPerWeek)) : nil
        if !analyze.anomalies.metrics.isEmpty {
            let matcher = NameMatcher(analyze.anomalies.metrics)
            options.anomalyMetrics = { matcher.matches($0) }
        }
        return options
    }

    var serveOptions: ServeOptions {
        var options = ServeOptions()
        options.http = httpOptions
        options.version = Version.number
        options.resultsTopics = [topics.prometheusdata]
        options.samplesTopic = topics.samples
        options.trafficTopic = topics.trafficdata
        options.eventsTopic = topics.events
        options.traffic = trafficOptions
        // Raw samples that no sealed chunk holds yet.
        options.recentSpan = max(options.recentSpan, analyze.chunkSpan + analyze.allowedLateness + 300_000)
        return options
    }

    private var httpOptions: HTTPServerOptions {
        var options = HTTPServerOptions(host: listen.host, port: listen.port)
        options.tls = server.tls.map { TLSFiles(certificatePath: $0.certificateFile, keyPath: $0.keyFile) }
        for token in server.tokens {
            let secret = HTTPKit.Secret(token.token?.reveal() ?? "")
            if token.role == .write { options.writeTokens.append(secret) } else { options.readTokens.append(secret) }
        }
        options.users = server.users.map { user in
            BasicUser(name: user.name, password: HTTPKit.Secret(user.password?.reveal() ?? ""), role: user.role == .write ? .write : .read)
        }
        options.allowedHosts = server.allowedHosts
        options.maxBodyBytes = Int(server.maxBody)
        return options
    }

    /// Every secret text, for the log to hide.
    var secrets: [String] {
        let accesses = collect.scrape.map(\.access) + collect.prometheus.map(\.access) + notify.webhooks.map(\.access)
        let all =
            server.tokens.map(\.token) + server.users.map(\.password)
            + [messaging.kafka.sasl?.password, store.mysql.password, store.cassandra.password, coordination.zookeeper.password]
            + accesses.flatMap { [$0.bearerToken, $0.password] }
        return all.compactMap { $0?.reveal() }
    }
}

// MARK: - Collect

extension Configuration {
    var collectOptions: CollectOptions {
        var options = CollectOptions()
        options.topic = topics.samples
        options.drainTimeout = 3_000
        if collect.collectsHost { options.targets.append(hostTarget) }
        options.targets += collect.scrape.flatMap { job in job.urls.map { target(job, $0) } }
        options.prometheus = collect.prometheus.map(prometheus)
        return options
    }

    private var hostTarget: ScrapeTarget {
        var target = ScrapeTarget.host(instance: collect.host.instance)
        target.interval = collect.host.interval ?? collect.interval
        applyCommon(&target, timeout: nil, keep: [], drop: [])
        target.types += Configuration.untypedHostCounters
        return target
    }

    /// What node exporter calls untyped although it counts.
    private static let untypedHostCounters = [
        "node_vmstat_(pg|psw|oom).*",
        "node_netstat_.*(Segs|Errs|Errors|Datagrams|Octets|Opens|Drops|Msgs|NoPorts|Overflows|Retrans|Timeouts|Rsts|Recv|Sent|Failed)",
    ].map { MetricTypeRule(pattern: $0, type: .counter) }

    private func target(_ job: ScrapeSettings, _ url: String) -> ScrapeTarget {
        var target = ScrapeTarget(url: url, job: job.job)
        target.labels = job.labels.sorted { $0.key < $1.key }.map { Label($0.key, $0.value) }
        target.interval = job.interval ?? collect.interval
        target.honorLabels = job.honorLabels
        target.honorTimestamps = job.honorTimestamps
        target.credentials = Configuration.credentials(job.access)
        target.tls = TLSOptions(caFile: job.access.caFile, insecureSkipVerify: job.access.insecureSkipVerify)
        applyCommon(&target, timeout: job.timeout, keep: job.keep, drop: job.drop)
        if let limit = job.maxSeries { target.maxSeries = limit }
        return target
    }

    private func applyCommon(_ target: inout ScrapeTarget, timeout: Milliseconds?, keep: [String], drop: [String]) {
        target.timeout = collect.timeout(timeout, interval: target.interval)
        target.maxBodyBytes = Int(collect.maxBody)
        target.maxSeries = collect.maxSeries
        target.keep = [collect.keep, keep]
        target.drop = collect.drop + drop
        target.types = typeRules
    }

    private var typeRules: [MetricTypeRule] {
        collect.types.map { MetricTypeRule(pattern: $0.match, type: $0.type == .counter ? .counter : .gauge) }
    }

    private func prometheus(_ server: PrometheusSettings) -> PrometheusOptions {
        var options = PrometheusOptions(baseURL: server.url)
        options.selectors = server.selectors
        options.interval = server.interval ?? collect.interval
        options.expressions = server.expressions.map { .init(name: $0.name, expr: $0.expr, step: $0.step ?? options.interval) }
        options.backfill = server.backfill
        options.timeout = server.timeout
        options.labels = server.labels.sorted { $0.key < $1.key }.map { Label($0.key, $0.value) }
        options.types = typeRules
        options.credentials = Configuration.credentials(server.access)
        options.tls = TLSOptions(caFile: server.access.caFile, insecureSkipVerify: server.access.insecureSkipVerify)
        return options
    }

    static func credentials(_ access: ClientAccess) -> HTTPCredentials? {
        if let token = access.bearerToken { return .bearer(token.reveal()) }
        if let user = access.username { return .basic(user: user, password: access.password?.reveal() ?? "") }
        return nil
    }
}

/// Regular expressions over whole names, with what they said of names before.
final class NameMatcher: Sendable {
    private struct State {
        var patterns: [LinearRegex]
        var known: [String: Bool] = [:]
    }

    private static let maximumKnown = 100_000
    private let state: Mutex<State>

    /// Patterns that do not compile match nothing; `Configuration.load` has refused them before.
    init(_ patterns: [String]) { state = Mutex(State(patterns: patterns.compactMap { try? LinearRegex($0) })) }

    func matches(_ name: String) -> Bool {
        state.withLock { state in
            if let known = state.known[name] { return known }
            let isMatch = state.patterns.contains { $0.matches(name) }
            if state.known.count >= NameMatcher.maximumKnown { state.known.removeAll() }
            state.known[name] = isMatch
            return isMatch
        }
    }
}

extension Configuration {
    var storeOptions: StoreRoleOptions {
        var options = StoreRoleOptions()
        options.resultsTopic = topics.prometheusdata
        options.chunksTopic = topics.chunks
        options.trafficTopic = topics.trafficdata
        options.group = Configuration.storeGroup
        options.retention = retention
        return options
    }
}
