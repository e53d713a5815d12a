import ArgumentParser
import Settings

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check a configuration file and name every mistake.",
        discussion: """
            Each mistake is one line, file:line:column: key: what is wrong. Environment variables ALMANAC_... count as they would for \
            `almanac run`. The exit code is 0 for a good file and 1 for one with mistakes. docs/CONFIGURATION.md has all keys.

            Examples:
              almanac check almanac.yaml
              almanac check almanac.yaml --print    what is in effect, secrets masked
              almanac check --keys                  all keys and their defaults
            """)

    @Argument(
        help: ArgumentHelp("The file; without one, the defaults and the environment are checked.", valueName: "file"), completion: .file())
    var file: String?

    @Option(name: .customLong("set"), help: ArgumentHelp("Give a key a value, KEY=VALUE, as for `almanac run`.", valueName: "key=value"))
    var values: [String] = []

    @Flag(help: "Print the configuration in effect, secrets masked.")
    var print = false

    @Flag(help: "Print the reference of all keys.")
    var keys = false

    func run() throws {
        if keys { return Output.text(ReferenceText.markdown()) }
        let flags = try SettingFlags.parse(values)
        let loaded = Configuration.load(path: file ?? Output.environment["ALMANAC_CONFIG"], environment: Output.environment, flags: flags)
        for warning in loaded.warnings { Output.error("warning: \(warning)") }
        if !loaded.mistakes.isEmpty {
            for mistake in loaded.mistakes { Output.line(mistake.description) }
            let count = loaded.mistakes.count
            throw Failure("\(count) mistake\(count == 1 ? "" : "s")")
        }
        if print { Output.text(loaded.configuration.yaml) } else { Output.line("ok: \(ConfigurationSummary.text(loaded.configuration))") }
    }
}

/// A configuration in a line.
enum ConfigurationSummary {
    static func text(_ configuration: Configuration) -> String {
        let what = "\(sources(configuration.collect)); windows \(windows(configuration.analyze))"
        return "\(what); data in \(configuration.data); serves \(url(configuration))"
    }

    /// `this machine, 3 targets and 1 Prometheus server`
    static func sources(_ collect: CollectSettings) -> String {
        var parts: [String] = []
        if collect.collectsHost { parts.append("this machine") }
        let targets = collect.scrape.reduce(0) { $0 + $1.urls.count }
        if targets > 0 { parts.append(Count.text(targets, "target", "targets")) }
        if !collect.prometheus.isEmpty { parts.append(Count.text(collect.prometheus.count, "Prometheus server", "Prometheus servers")) }
        guard let last = parts.popLast() else { return "no source" }
        return parts.isEmpty ? last : parts.joined(separator: ", ") + " and " + last
    }

    /// `Kafka at a:9092, b:9092 and MySQL at db:3306`
    static func backends(_ configuration: Configuration) -> String {
        let messaging =
            configuration.messaging.kind == .kafka
            ? "Kafka at \(configuration.messaging.kafka.brokers.joined(separator: ", "))" : "the log in \(configuration.data)"
        let mysql = configuration.store.mysql
        let store =
            switch configuration.store.kind {
            case .sqlite: "SQLite"
            case .mysql: "MySQL at \(mysql.socket ?? "\(mysql.host):\(mysql.port)")"
            case .cassandra: "Cassandra at \(configuration.store.cassandra.hosts.joined(separator: ", "))"
            }
        return "\(messaging) and \(store)"
    }

    private static func windows(_ analyze: AnalyzeSettings) -> String {
        analyze.windows.map { DurationText.format($0) }.joined(separator: ", ")
    }

    /// Where a browser finds it. An address that means "all" is no address to visit.
    static func url(_ configuration: Configuration, port: Int? = nil) -> String {
        var address = configuration.listen
        if let port { address.port = port }
        if address.host == "0.0.0.0" || address.host == "::" { address.host = "127.0.0.1" }
        return "\(configuration.server.tls == nil ? "http" : "https")://\(address)/"
    }
}

/// `--set KEY=VALUE`
enum SettingFlags {
    static func parse(_ values: [String]) throws -> [ConfigurationSources.Flag] {
        try values.map { text in
            guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
                throw ValidationError("--set \(text): give KEY=VALUE, as in --set collect.interval=5s")
            }
            let key = String(text[..<equals])
            return ConfigurationSources.Flag(flag: "--set", key: key, text: String(text[text.index(after: equals)...]))
        }
    }
}
