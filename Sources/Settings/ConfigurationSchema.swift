import TimeSeries

private let second: Milliseconds = 1000
private let minute = 60 * second
private let hour = 60 * minute
private let day = 24 * hour

/// The one description of all keys: reading, environment names, printing and docs/CONFIGURATION.md come from it.
enum ConfigurationSchema {
    static let root = Section<Configuration>(
        [
            .value(
                "data", \.data, .path,
                "Directory of the log, the database, the log files and the lock. Made if missing. Counts from the working directory."),
            .value("listen", \.listen, .listenAddress, "Where the dashboard, the API and `/metrics` are served. Port 0 takes a free one."),
            .value("log_level", \.logLevel, .choice, "The least important messages that are logged."),
            .section("server", \.server, server, "Who may ask, and how."),
            .section("topics", \.topics, topics, "Names of the topics."),
            .optional(
                "instance", \.instance, .text, "What this process is called among the others. Default: the machine's name and the port."),
            .section("messaging", \.messaging, messaging, "What carries the topics."),
            .section("log", \.log, log, "The embedded log."),
            .section("coordination", \.coordination, coordination, "How several processes divide the work."),
            .section("store", \.store, store, "The database of results."),
            .section("collect", \.collect, collect, "Where samples come from."),
            .section("analyze", \.analyze, analyze, "What is computed from them."),
            .section("traffic", \.traffic, traffic, "Vehicles that report where they are."),
            .section("notify", \.notify, notify, "Who is told of alerts."),
            .sections("flows", \.flows, FlowSettings(), flow, "Any records, JSON or CSV, that become series."),
            .sections("joins", \.joins, JoinSettings(), join, "What flows and the rules of the traffic look up by key."),
        ], check: ConfigurationChecks.root)

    /// All keys in order, sections included.
    static let references = root.references(path: "", variable: Loader.prefix, defaults: Configuration())

    /// What `--set` and the environment can give, for suggestions.
    static var settablePaths: [String] { references.filter { $0.kind != .section }.map(\.path) }

    /// The sections that have a key of this name.
    static func paths(endingIn name: String) -> [String] {
        references.compactMap { reference in
            guard reference.path.hasSuffix("." + name) else { return nil }
            return String(reference.path.dropLast(name.utf8.count + 1))
        }
    }
}

// MARK: - server, topics, log, store

extension ConfigurationSchema {
    private static let server = Section<ServerSettings>([
        .optionalSection("tls", \.tls, ServerTLSSettings(), serverTLS, "Serve HTTPS."),
        .sections("tokens", \.tokens, TokenSettings(), token, "Bearer tokens."),
        .sections("users", \.users, UserSettings(), user, "Users of basic authentication."),
        .list(
            "allowed_hosts", \.allowedHosts, of: .host,
            "Names besides localhost that the Host header may carry while nobody has to authenticate (guards against DNS rebinding)."),
        .value("max_body", \.maxBody, .size(1024...(1 << 30)), "Largest request body."),
    ])

    private static let serverTLS = Section<ServerTLSSettings>([
        .file("cert_file", \.certificateFile, required: true, "Certificate chain, PEM."),
        .file("key_file", \.keyFile, required: true, "Private key, PEM."),
    ])

    private static let token = Section<TokenSettings>(
        [
            .secret("token", \.token, "The token."),
            .secretFile("token_file", \.token),
            .value("role", \.role, .choice, "What it allows: `write` may also change things."),
        ], check: ConfigurationChecks.token)

    private static let user = Section<UserSettings>(
        [
            .value("name", \.name, .text, required: true, "Name of the user, without a colon."),
            .secret("password", \.password, "The password."),
            .secretFile("password_file", \.password),
            .value("role", \.role, .choice, "What the user may do: `write` may also change things."),
        ], check: ConfigurationChecks.user)

    private static let topics = Section<TopicSettings>(
        [
            .value("samples", \.samples, .topic, "Samples from collect to analyze."),
            .value("prometheusdata", \.prometheusdata, .topic, "Results from analyze to store and serve."),
            .value("chunks", \.chunks, .topic, "Sealed chunks of samples."),
            .value("control", \.control, .topic, "Intentions of users, compacted."),
            .value("iot_data_event", \.events, .topic, "Events of vehicles."),
            .value("traffic_partials", \.trafficPartials, .topic, "Counts of one partition of the events, on their way to be added up."),
            .value("trafficdata", \.trafficdata, .topic, "What is known of the traffic."),
        ], check: ConfigurationChecks.topics)

    private static let log = Section<LogSettings>(
        [
            .value("segment_bytes", \.segmentBytes, .size((1 << 20)...(1 << 31)), "Size at which a new segment file begins."),
            .value(
                "retention_age", \.retentionAge, .duration(minute...(3650 * day)),
                "How long records are kept. What is still needed is never removed."),
            .value(
                "retention_bytes", \.retentionBytes, .size((1 << 20)...(1 << 50)),
                "Disk that one topic may take; the oldest segments go first, but none that is still needed."),
            .value(
                "queue_bytes", \.queueBytes, .size((1 << 16)...(1 << 32)),
                "Memory for records that wait for the disk; when full, sources wait."),
        ], check: ConfigurationChecks.log)

    private static let store = Section<StoreSettings>([
        .value(
            "kind", \.kind, .choice, "`sqlite`: a file in the data directory. `mysql`: a MySQL or MariaDB server. `cassandra`: a cluster."),
        .section("mysql", \.mysql, mysql, "The MySQL or MariaDB server."),
        .section("cassandra", \.cassandra, cassandra, "The Cassandra cluster."),
        .value(
            "history_interval", \.historyInterval, .duration(second...day),
            "The history keeps one row of each series per this; the latest row is always there."),
        .section("retention", \.retention, retention, "How long each kind is kept."),
        .value(
            "max_bytes", \.maxBytes, .size(0...(1 << 50)),
            "Disk budget of the database; beyond it the oldest history goes first. 0: none."),
    ])

    private static let retention = Section<StoreRetentionSettings>([
        .value("chunks", \.chunks, .duration(hour...(3650 * day)), "The raw samples."),
        .value("windows", \.windows, .duration(hour...(3650 * day)), "Window statistics."),
        .value("profiles", \.profiles, .duration(hour...(3650 * day)), "Profiles."),
        .value("forecasts", \.forecasts, .duration(hour...(3650 * day)), "Forecasts."),
        .value("anomalies", \.anomalies, .duration(hour...(3650 * day)), "Anomalies."),
        .value("traffic_windows", \.trafficWindows, .duration(hour...(3650 * day)), "Windows of the traffic."),
        .value(
            "traffic_totals", \.trafficTotals, .duration(hour...(36_500 * day)),
            "Totals of a day, counted from its end; those since the start stay."),
        .value("visits", \.visits, .duration(hour...(3650 * day)), "Visits to points of interest, counted from the last that was heard."),
        .value("alerts", \.alerts, .duration(hour...(3650 * day)), "Alerts, counted from the last that was heard."),
    ])
}

// MARK: - collect

extension ConfigurationSchema {
    private static let interval = ValueForm<Milliseconds>.duration(100...day)
    private static let timeout = ValueForm<Milliseconds>.duration(100...hour)
    private static let seriesLimit = ValueForm<Int>.integer(1...100_000_000)

    private static let collect = Section<CollectSettings>(
        [
            .section("host", \.host, host, "The metrics of this machine, under node exporter's names."),
            .value("interval", \.interval, interval, "Time between two scrapes of a target."),
            .value("timeout", \.timeout, timeout, "How long a target may take to answer; at most the interval."),
            .value("max_body", \.maxBody, .size(1024...(1 << 32)), "Largest page of a target, after decompression."),
            .value("max_series", \.maxSeries, seriesLimit, "Most series that one target may send; a page with more counts as failed."),
            .list("keep", \.keep, of: .regex, "Only metrics whose whole name matches one of these; empty: all."),
            .list("drop", \.drop, of: .regex, "No metric whose whole name matches one of these."),
            .sections(
                "types", \.types, TypeOverride(), typeOverride,
                "Says what metrics are whose `# TYPE` and name mislead; the first match counts."),
            .sections("scrape", \.scrape, ScrapeSettings(), scrape, "Prometheus exporters to scrape."),
            .sections("prometheus", \.prometheus, PrometheusSettings(), prometheus, "Prometheus servers to ask for history and news."),
        ], check: ConfigurationChecks.collect)

    private static let host = Section<HostSettings>([
        .optional("enabled", \.enabled, .bool, "Default: true if neither `scrape` nor `prometheus` has an entry."),
        .optional("interval", \.interval, interval, "Default: `collect.interval`."),
        .optional("instance", \.instance, .labelValue, "The label `instance`. Default: the machine's name."),
    ])

    private static let typeOverride = Section<TypeOverride>([
        .value("match", \.match, .regex, required: true, "Regular expression over the whole metric name."),
        .value("type", \.type, .choice, required: true, "`counter`: its per-second rate is analysed; `gauge`: the values are."),
    ])

    private static let scrape = Section<ScrapeSettings>(
        [
            .value("job", \.job, .text, required: true, "The label `job`."),
            .optional("url", \.url, .url, "The page, whole; instead of `targets`."),
            .list("targets", \.targets, of: .target, "Several `host:port`, with `scheme` and `path`.").shown { $0.url == nil },
            .value("scheme", \.scheme, .choice, "For `targets`.").shown { $0.url == nil },
            .value("path", \.path, .urlPath, "For `targets`.").shown { $0.url == nil },
            .optional("interval", \.interval, interval, "Default: `collect.interval`."),
            .optional("timeout", \.timeout, timeout, "Default: `collect.timeout`."),
            .map("labels", \.labels, keys: .labelName, values: .labelValue, "Labels that every series gets."),
            .value("honor_labels", \.honorLabels, .bool, "Where the page and these labels disagree, the page wins."),
            .value("honor_timestamps", \.honorTimestamps, .bool, "Take the page's timestamps where it has them."),
            .list("keep", \.keep, of: .regex, "As `collect.keep`, of this job; both must let a metric through."),
            .list("drop", \.drop, of: .regex, "As `collect.drop`, of this job."),
            .optional("max_series", \.maxSeries, seriesLimit, "Default: `collect.max_series`."),
        ], and: access(\.access), check: ConfigurationChecks.scrape)

    private static let prometheus = Section<PrometheusSettings>(
        [
            .value("url", \.url, .url, required: true, "The server, as http://127.0.0.1:9090."),
            .list("selectors", \.selectors, of: .text, "Series to take raw, as `{job=\"node\"}` or `up`."),
            .sections("expressions", \.expressions, ExpressionSettings(), expression, "PromQL whose value becomes a series."),
            .value("backfill", \.backfill, .duration(0...(30 * day)), "How far back the windows are filled at the start; 0: not."),
            .optional("interval", \.interval, interval, "Time between two polls. Default: `collect.interval`."),
            .value("timeout", \.timeout, timeout, "How long one request may take."),
            .map("labels", \.labels, keys: .labelName, values: .labelValue, "Labels that every series gets."),
        ], and: access(\.access), check: ConfigurationChecks.prometheus)

    private static let expression = Section<ExpressionSettings>([
        .value("name", \.name, .metricName, required: true, "Name of the series."),
        .value("expr", \.expr, .text, required: true, "The expression."),
        .optional("step", \.step, interval, "Time between its values. Default: the server's interval here."),
    ])

    /// The keys by which a client shows who it is; they stand beside the others, not in a section of their own.
    private static let accessFields: [Field<ClientAccess>] = [
        .secret("bearer_token", \.bearerToken, "Sent as `Authorization: Bearer`."),
        .secretFile("bearer_token_file", \.bearerToken),
        .optional("username", \.username, .text, "For basic authentication."),
        .secret("password", \.password, "For basic authentication."),
        .secretFile("password_file", \.password),
        .optionalFile("ca_file", \.caFile, "Authorities to trust, PEM. Default: the system's."),
        .value("insecure_skip_verify", \.insecureSkipVerify, .bool, "Do not verify the server's certificate. Only for trials."),
    ]

    static func access<Root>(_ path: SendablePath<Root, ClientAccess>) -> [Field<Root>] {
        accessFields.map { field in
            Field<Root>(
                name: field.name,
                read: { root, spot, loader in field.read(&root[keyPath: path], spot, &loader) },
                show: { field.show($0[keyPath: path]) },
                references: { key, variable, defaults in field.references(key, variable, defaults[keyPath: path]) },
                isSecret: field.isSecret)
        }
    }
}

// MARK: - analyze

extension ConfigurationSchema {
    private static let analyze = Section<AnalyzeSettings>(
        [
            .value("interval", \.interval, .duration(second...hour), "The grid on which the windows are evaluated."),
            .list("windows", \.windows, of: .duration(second...(31 * day)), "Lengths of the sliding windows."),
            .value(
                "allowed_lateness", \.allowedLateness, .duration(0...day),
                "Samples up to this late still change their windows; later ones are counted and dropped."),
            .value(
                "idle_timeout", \.idleTimeout, .duration(second...day),
                "A source that is silent for this long no longer holds back the others."),
            .value("max_series", \.maxSeries, .integer(1...100_000_000), "Series held at most; samples of more are refused and counted."),
            .value(
                "chunk_span", \.chunkSpan, .duration(second...(12 * hour)),
                "Length of the sealed chunks that rest in the store. Keep it unless you know why."),
            .value("quantiles", \.quantiles, .bool, "Compute p50, p95 and p99 of the windows."),
            .section("profile", \.profile, profile, "Autocorrelation, stationarity, seasonality."),
            .section("forecast", \.forecast, forecast, "What is expected next."),
            .section("anomalies", \.anomalies, anomalies, "What is out of the ordinary."),
        ], check: ConfigurationChecks.analyze)

    private static let profile = Section<ProfileSettings>([
        .value("interval", \.interval, .duration(second...day), "Time between two profiles of a series."),
        .value("span", \.span, .duration((10 * minute)...(31 * day)), "How much of the past is looked at."),
    ])

    private static let anomalies = Section<AnomalySettings>([
        .value("enabled", \.enabled, .bool, "Look for anomalies."),
        .value(
            "false_incidents_per_week", \.falseIncidentsPerWeek, .integer(1...10_000),
            "How many incidents an ordinary series may give in a week: more finds more. The rate is aimed at, not guaranteed."),
        .list("metrics", \.metrics, of: .regex, "Only metrics whose whole name matches one of these; empty: all."),
    ])

    private static let forecast = Section<ForecastSettings>([
        .value("interval", \.interval, .duration(second...day), "Time between two forecasts of a series."),
        .value("horizon", \.horizon, .duration(minute...(7 * day)), "How far ahead."),
        .value("refit", \.refit, .duration(second...day), "Time between two full fits of a series; between them the model is updated."),
        .value("span", \.span, .duration((10 * minute)...(31 * day)), "How much of the past a fit sees."),
        .list("metrics", \.metrics, of: .regex, "Only metrics whose whole name matches one of these; empty: all."),
    ])
}
