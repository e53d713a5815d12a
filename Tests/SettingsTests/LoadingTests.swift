import TestSupport
import Testing

@testable import Settings

@Suite struct LoadingTests {
    private func load(_ text: String?, _ environment: [String: String] = [:], flags: [(String, String)] = []) -> LoadedConfiguration {
        var sources = ConfigurationSources(file: text.map { ("a/b.yaml", $0) }, environment: environment)
        sources.flags = flags.map { .init(flag: "--\($0.0)", key: $0.0, text: $0.1) }
        sources.readFile = { path throws(FileText.Failure) in
            if path == "a/token.txt" { return "from-file\r\n" }
            if path == "/abs.txt" || path == "env.txt" { return "from-\(path)" }
            throw FileText.Failure(description: "cannot read \(path): No such file or directory")
        }
        return Configuration.load(sources)
    }

    @Test(arguments: [nil, "", "# nothing\n", "---\n", "collect:\nserver:\n", "{}"] as [String?])
    func nothingGivenIsTheDefault(text: String?) {
        let loaded = load(text)
        #expect(loaded.mistakes == [])
        #expect(loaded.configuration == Configuration())
        #expect(loaded.configuration.collect.collectsHost)
    }

    @Test func flagsBeatEnvironmentBeatsFile() {
        let file = "listen: 127.0.0.1:1\ndata: /file\nlog_level: debug\n"
        let environment = ["ALMANAC_LISTEN": "127.0.0.1:2", "ALMANAC_DATA": "/environment", "ALMANAC_LOG_LEVEL": ""]
        let all = load(file, environment, flags: [("listen", "127.0.0.1:3")])
        #expect(all.mistakes == [])
        #expect(all.configuration.listen.port == 3)
        #expect(all.configuration.data == "/environment")
        #expect(all.configuration.logLevel == .debug)
    }

    @Test func mistakesNameTheirSource() {
        let loaded = load("analyze: {interval: soon}", ["ALMANAC_COLLECT_INTERVAL": "often"], flags: [("listen", "here")])
        #expect(
            loaded.mistakes.map(\.description).map { $0.prefix { $0 != "\"" } } == [
                "a/b.yaml:1:21: analyze.interval: ", "flag --listen: listen: ",
                "environment variable ALMANAC_COLLECT_INTERVAL: collect.interval: ",
            ])
    }

    @Test func listsFromTheEnvironment() {
        let loaded = load(
            "collect:\n  scrape:\n  - {job: one, targets: ['127.0.0.1:1']}\n",
            [
                "ALMANAC_ANALYZE_WINDOWS": "5m, 1h", "ALMANAC_COLLECT_KEEP": "[a, 'b,c']",
                "ALMANAC_COLLECT_SCRAPE_0_LABELS": "zone=a, rack=b",
                "ALMANAC_COLLECT_SCRAPE_1_JOB": "two", "ALMANAC_COLLECT_SCRAPE_1_URL": "http://127.0.0.1:2/x",
                "ALMANAC_SERVER_TOKENS": "[{token: t, role: write}]", "ALMANAC_SERVER_TLS_CERT_FILE": "/abs.txt",
                "ALMANAC_SERVER_TLS_KEY_FILE": "env.txt",
            ])
        #expect(loaded.mistakes == [])
        let configuration = loaded.configuration
        #expect(configuration.analyze.windows == [300_000, 3_600_000])
        #expect(configuration.collect.keep == ["a", "b,c"])
        #expect(configuration.collect.scrape.map(\.job) == ["one", "two"])
        #expect(configuration.collect.scrape.first?.labels == ["zone": "a", "rack": "b"])
        #expect(configuration.collect.scrape.flatMap(\.urls) == ["http://127.0.0.1:1/metrics", "http://127.0.0.1:2/x"])
        #expect(configuration.server.tokens.first?.token?.reveal() == "t")
        #expect(configuration.server.tls?.keyFile == "env.txt")
        #expect(!configuration.collect.collectsHost)
    }

    @Test func secretsComeFromTheBestSource() {
        let file = "server:\n  tokens:\n  - {token_file: token.txt}\n"
        #expect(load(file).configuration.server.tokens.first?.token == Secret("from-file"))
        let overridden = load(file, ["ALMANAC_SERVER_TOKENS_0_TOKEN": "from-env"])
        #expect(overridden.mistakes == [])
        #expect(overridden.configuration.server.tokens.first?.token == Secret("from-env"))
        let byFile = load("server:\n  tokens:\n  - {token: inline}\n", ["ALMANAC_SERVER_TOKENS_0_TOKEN_FILE": "env.txt"])
        #expect(byFile.mistakes == [])
        #expect(byFile.configuration.server.tokens.first?.token == Secret("from-env.txt"))
    }

    @Test func beyondLoopbackNeedsProtection() {
        let open = load("listen: 0.0.0.0:5002\n")
        #expect(open.mistakes.map(\.key) == ["listen"])
        #expect(load("listen: 0.0.0.0:5002\nserver: {tokens: [{token: x}]}\n").mistakes == [])
        #expect(load("listen: 0.0.0.0:5002\nserver: {users: [{name: a, password: x}]}\n").mistakes == [])
    }

    @Test func strayVariablesAreWarnedOf() {
        let loaded = load(
            nil,
            [
                "ALMANAC_COLLECT_INTERVALL": "5s", "ALMANAC_PORT": "tcp://10.0.0.1:80", "ALMANAC_SERVICE_HOST": "x", "ALMANAC_CONFIG": "y",
                "HOME": "/",
            ])
        #expect(loaded.mistakes == [])
        #expect(
            loaded.warnings == ["the environment variable ALMANAC_COLLECT_INTERVALL names no key; did you mean ALMANAC_COLLECT_INTERVAL?"])
    }

    @Test func unknownFlagsAreMistakes() {
        #expect(
            load(nil, flags: [("collect.intervall", "5s")]).mistakes.map(\.description) == [
                "flag --collect.intervall: collect.intervall: unknown key; did you mean \"collect.interval\"?"
            ])
    }

    @Test func theTimeoutNeverExceedsTheInterval() {
        let loaded = load("collect: {interval: 5s, scrape: [{job: a, url: 'http://h/', interval: 2s}]}")
        #expect(loaded.mistakes == [])
        let collect = loaded.configuration.collect
        #expect(collect.timeout(nil, interval: collect.interval) == 5000)
        #expect(collect.timeout(nil, interval: 2000) == 2000)
    }

    @Test func aliasesAreFollowedButBounded() {
        let loaded = load("collect:\n  keep: &names [a, b]\n  drop: *names\n")
        #expect(loaded.mistakes == [])
        #expect(loaded.configuration.collect.drop == ["a", "b"])
        var bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n"
        for (name, before) in zip("bcdefghi", "abcdefgh") {
            bomb += "\(name): &\(name) [\(Array(repeating: "*\(before)", count: 9).joined(separator: ","))]\n"
        }
        #expect(load(bomb).mistakes.count == 1)
        #expect(load(String(repeating: "[", count: 200_000)).mistakes.count == 1)
        #expect(load(String(repeating: "x", count: 2 << 20)).mistakes.count == 1)
    }

    @Test func printingIsReadBack() {
        let text = """
            listen: "[::1]:99"
            server:
              max_body: 3MiB
              allowed_hosts: [a.example]
            collect:
              keep: ['a"b\\\\d', "null", "- x", "#y", "true"]
              types: [{match: x, type: counter}]
              host: {enabled: false, instance: "a: b"}
              scrape:
              - job: "~"
                targets: [h:1, "[::1]:2"]
                labels: {a: "x: y", b: "", c: "tab\\tline\\n"}
                honor_labels: true
              prometheus:
              - url: http://p:9090
                selectors: ['{job="node"}']
                expressions: [{name: a, expr: "sum(rate(x[5m])) # no", step: 30s}]
            analyze: {windows: [90s], quantiles: off}
            """
        let first = load(text)
        #expect(first.mistakes == [])
        #expect(first.configuration != Configuration())
        let printed = first.configuration.yaml
        let second = load(printed)
        #expect(second.mistakes == [], "\(printed)")
        #expect(second.configuration == first.configuration, "\(printed)")
        #expect(load(Configuration().yaml).configuration == Configuration())
    }

    /// Where a mistake quotes what was given, that may be a secret.
    @Test(arguments: [
        "server: {tokens: [PASSWORD]}", "server: {users: ['a:PASSWORD']}", "server: {users: [[PASSWORD]]}",
        "collect: {scrape: [{job: a, targets: ['http://u:PASSWORD@h:1/x']}]}", "collect: {scrape: [{job: a, targets: ['u:PASSWORD@h:1']}]}",
        "collect: {scrape: [{job: a, url: 'htp://u:PASSWORD@h/x?token=PASSWORD'}]}", "collect: {prometheus: [PASSWORD]}",
        "store: {mysql: PASSWORD}", "notify: {webhooks: [{url: 'u:PASSWORD@h'}]}",
    ])
    func mistakesHideSecrets(text: String) {
        let loaded = load(text)
        #expect(!loaded.mistakes.isEmpty)
        for mistake in loaded.mistakes { #expect(!mistake.description.contains("PASSWORD"), "\(mistake)") }
    }

    @Test func masksLeaveTheRest() {
        #expect(Secret.masked("\"http://h/x\" and \"a@b\", then c?") == "\"http://h/x\" and \"<secret>@b\", then c?")
        #expect(Secret.masked("'https://u:p@w@h:1/x?a=b'") == "'https://<secret>@h:1/x?<secret>'")
        #expect(Secret.masked("plain") == "plain")
    }

    @Test func printingHidesSecrets() {
        let text =
            "server: {tokens: [{token: hunter2, role: write}], users: [{name: u, password: hunter2}]}\n"
            + "collect: {scrape: [{job: j, url: 'http://h/', bearer_token: hunter2}]}\n"
        let loaded = load(text)
        #expect(loaded.mistakes == [])
        let printed = loaded.configuration.yaml
        #expect(!printed.contains("hunter2"))
        #expect(printed.contains("token: <secret>"))
        #expect(!"\(loaded)".contains("hunter2"))
        var dumped = ""
        dump(loaded, to: &dumped)
        #expect(!dumped.contains("hunter2"))
        // What was printed is not taken for a secret.
        #expect(
            load(printed).mistakes.map(\.key) == ["server.tokens[0].token", "server.users[0].password", "collect.scrape[0].bearer_token"])
    }

    /// Whatever the bytes, reading gives a configuration or mistakes, never a crash; every mistake has a place.
    @Test(arguments: [11, 12, 13, 14] as [UInt64])
    func brokenTextsAreMistakes(seed: UInt64) {
        let whole =
            "listen: 127.0.0.1:1\ncollect:\n  interval: 5s\n  scrape:\n  - job: a\n    targets: [h:1]\n    labels: {x: 'y'}\n"
            + "analyze: &a\n  windows: [1h]\n"
        var random = SplitMix64(seed: seed)
        for _ in 0..<400 {
            var bytes = Array(whole.utf8)
            for _ in 0...Int(random.next() % 4) {
                let at = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 4 {
                case 0: bytes[at] = UInt8(truncatingIfNeeded: random.next() & 0x7F)
                case 1: bytes.remove(at: at)
                case 2: bytes.insert(Array("{}[]:-#&*!|>'\"%@`\t\n ,?".utf8).randomElement(using: &random) ?? 0x20, at: at)
                default: bytes.insert(contentsOf: bytes[at...].prefix(20), at: at)
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            let loaded = load(text)
            for mistake in loaded.mistakes {
                if case .file(let name, let line, let column) = mistake.place, name == "a/b.yaml", line >= 1, column >= 1 { continue }
                Issue.record("seed \(seed): \(mistake)\n\(text)")
            }
        }
    }
}
