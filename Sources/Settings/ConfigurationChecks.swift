import TimeSeries

/// What must hold between keys.
enum ConfigurationChecks {
    static func root(_ all: Configuration, _ path: String, _ loader: inout Loader) {
        let isProtected = !all.server.tokens.isEmpty || !all.server.users.isEmpty
        if !all.listen.isLoopback && !isProtected {
            loader.report(
                "listen",
                "\(all.listen) can be reached from other machines; give server.tokens or server.users, "
                    + "or listen on 127.0.0.1:\(all.listen.port)"
            )
        }
        flows(all, &loader)
    }

    static func token(_ token: TokenSettings, _ path: String, _ loader: inout Loader) {
        if token.token == nil && !loader.isGiven(path + ".token") && !loader.isGiven(path + ".token_file") {
            loader.report(path, "has no token; give token_file (or token)")
        }
    }

    static func user(_ user: UserSettings, _ path: String, _ loader: inout Loader) {
        if user.name.contains(":") {
            loader.report(path + ".name", "\"\(user.name)\" has a colon, which basic authentication cannot carry")
        }
        if user.password == nil && !loader.isGiven(path + ".password") && !loader.isGiven(path + ".password_file") {
            loader.report(path, "has no password; give password_file (or password)")
        }
    }

    static func topics(_ topics: TopicSettings, _ path: String, _ loader: inout Loader) {
        var seen: [String: String] = [:]
        for (key, name) in [
            ("samples", topics.samples), ("prometheusdata", topics.prometheusdata), ("chunks", topics.chunks), ("control", topics.control),
            ("iot_data_event", topics.events), ("traffic_partials", topics.trafficPartials), ("trafficdata", topics.trafficdata),
        ] {
            if let other = seen[name] {
                loader.report("\(path).\(key)", "\"\(name)\" is already the topic of \(path).\(other); every topic needs a name of its own")
            }
            seen[name] = key
        }
    }

    static func log(_ log: LogSettings, _ path: String, _ loader: inout Loader) {
        if log.retentionBytes < 2 * log.segmentBytes {
            loader.report(
                path + ".retention_bytes",
                "\(SizeText.format(log.retentionBytes)) does not hold two segments of \(SizeText.format(log.segmentBytes)) "
                    + "(\(path).segment_bytes)"
            )
        }
    }

    static func collect(_ collect: CollectSettings, _ path: String, _ loader: inout Loader) {
        checkTimeout(collect.timeout, interval: collect.interval, path, &loader)
        for (i, job) in collect.scrape.enumerated() where job.timeout != nil {
            checkTimeout(job.timeout ?? 0, interval: job.interval ?? collect.interval, "\(path).scrape[\(i)]", &loader)
        }
        for (i, server) in collect.prometheus.enumerated() {
            if !server.url.isEmpty, collect.prometheus[..<i].contains(where: { $0.url == server.url }) {
                loader.report(
                    "\(path).prometheus[\(i)].url", "\(server.url) is already listed; put all selectors and expressions in one entry")
            }
            for (j, expression) in server.expressions.enumerated() {
                let twin = server.expressions[..<j].contains { $0.name == expression.name && !expression.name.isEmpty }
                let key = "\(path).prometheus[\(i)].expressions[\(j)].name"
                if twin { loader.report(key, "\"\(expression.name)\" is already the name of another expression of this server") }
            }
        }
        checkTargets(collect, path, &loader)
    }

    private static func checkTimeout(_ timeout: Milliseconds, interval: Milliseconds, _ path: String, _ loader: inout Loader) {
        guard timeout > interval, loader.isGiven(path + ".timeout") else { return }
        let text = "\(DurationText.format(timeout)) is longer than the interval of \(DurationText.format(interval))"
        loader.report(path + ".timeout", text + "; a scrape must end before the next begins")
    }

    /// One page under one job twice would give every series twice.
    private static func checkTargets(_ collect: CollectSettings, _ path: String, _ loader: inout Loader) {
        var seen: [String: String] = [:]
        for (i, job) in collect.scrape.enumerated() {
            for (j, url) in job.urls.enumerated() {
                let key = job.url != nil ? "\(path).scrape[\(i)].url" : "\(path).scrape[\(i)].targets[\(j)]"
                let identity = "\(job.job) \(url)"
                if let first = seen[identity] {
                    loader.report(key, "\(url) is already scraped under this job (\(first)); its series would come twice")
                } else {
                    seen[identity] = key
                }
            }
        }
    }

    static func scrape(_ job: ScrapeSettings, _ path: String, _ loader: inout Loader) {
        let hasURL = loader.isGiven(path + ".url")
        let hasTargets = loader.isGiven(path + ".targets")
        if hasURL && hasTargets { loader.report(path + ".targets", "give either url or targets, not both") }
        if !hasURL && job.targets.isEmpty && !hasTargets {
            loader.report(path, "names no target; give url, or targets as [host:port]")
        }
        if hasTargets && job.targets.isEmpty && !hasURL { loader.report(path + ".targets", "is empty; give at least one host:port") }
        for key in ["scheme", "path"] where hasURL && loader.isGiven("\(path).\(key)") {
            loader.report("\(path).\(key)", "goes with targets; the url already has it")
        }
        checkAccess(job.access, path, &loader)
    }

    static func prometheus(_ server: PrometheusSettings, _ path: String, _ loader: inout Loader) {
        if !loader.isGiven(path + ".selectors") && !loader.isGiven(path + ".expressions") {
            loader.report(path, "asks for nothing; give selectors (such as ['{job=\"node\"}']) or expressions")
        }
        for (i, selector) in server.selectors.enumerated() where selector.hasSuffix("]") {
            loader.report("\(path).selectors[\(i)]", "\"\(selector)\" has a range; give the selector alone, almanac chooses the ranges")
        }
        checkAccess(server.access, path, &loader)
    }

    static func checkAccess(_ access: ClientAccess, _ path: String, _ loader: inout Loader) {
        if access.bearerToken != nil && access.username != nil {
            loader.report(path + ".username", "give either bearer_token or username and password, not both")
        }
        if access.username == nil && access.password != nil && !loader.isGiven(path + ".username") {
            loader.report(path, "has a password but no username")
        }
    }

    static func analyze(_ analyze: AnalyzeSettings, _ path: String, _ loader: inout Loader) {
        if analyze.windows.isEmpty && loader.isGiven(path + ".windows") && !loader.hasMistakes(under: path + ".windows") {
            loader.report(path + ".windows", "is empty; give at least one length, such as [1h, 3h, 12h]")
        }
        if analyze.windows.count > 16 { loader.report(path + ".windows", "has \(analyze.windows.count) windows; at most 16") }
        for (i, window) in analyze.windows.enumerated() {
            let key = "\(path).windows[\(i)]"
            let text = DurationText.format(window)
            if analyze.windows[..<i].contains(window) { loader.report(key, "\(text) is given twice") }
            if window < analyze.interval {
                loader.report(key, "\(text) is shorter than \(path).interval (\(DurationText.format(analyze.interval)))")
            }
        }
        if analyze.forecast.refit < analyze.forecast.interval {
            loader.report(
                path + ".forecast.refit", "\(DurationText.format(analyze.forecast.refit)) is shorter than \(path).forecast.interval")
        }
    }
}
