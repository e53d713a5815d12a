import Analyzing
import Collecting
import Fetching
import Foundation
import HTTPKit
import Logging
import Serving
import Settings
import Synchronization
import Testing
import TimeSeries

@testable import almanac

@Suite struct WiringTests {
    private func load(_ yaml: String) -> LoadedConfiguration { Configuration.load(ConfigurationSources(file: ("x.yaml", yaml))) }

    @Test func theDefaultWatchesTheHost() {
        let options = Configuration().collectOptions
        #expect(options.targets.map(\.url) == ["host:"])
        #expect(options.problems() == [])
    }

    @Test func targetsTakeWhatTheirJobAndTheWholeSay() throws {
        let loaded = load(
            """
            collect:
              interval: 5s
              max_series: 100
              keep: [node_.*]
              drop: [node_b]
              types: [{match: node_x, type: counter}]
              scrape:
              - {job: a, targets: [h:1, h:2], interval: 2s, keep: [.*_a, .*_b], labels: {z: "1", y: "2"}, username: u, password: secret-p}
              - {job: b, url: "https://h/x", max_series: 7, bearer_token: secret-t, insecure_skip_verify: true}
              prometheus:
              - {url: "http://p:9090", selectors: [up], expressions: [{name: e, expr: "1"}], labels: {q: r}}
            """)
        #expect(loaded.mistakes == [])
        let options = loaded.configuration.collectOptions
        #expect(options.problems() == [])
        #expect(options.targets.map(\.url) == ["http://h:1/metrics", "http://h:2/metrics", "https://h/x"])
        let first = try #require(options.targets.first)
        #expect(first.interval == 2000 && first.timeout == 2000 && first.maxSeries == 100)
        #expect(first.labels == [Label("y", "2"), Label("z", "1")])
        #expect(first.credentials == .basic(user: "u", password: "secret-p"))
        #expect(options.targets.last?.maxSeries == 7 && options.targets.last?.tls.insecureSkipVerify == true)
        #expect(first.keep == [["node_.*"], [".*_a", ".*_b"]])
        #expect(options.prometheus.first?.interval == 5000 && options.prometheus.first?.expressions.first?.step == 5000)
        #expect(Set(loaded.configuration.secrets) == ["secret-p", "secret-t"])
    }

    @Test func theServerTakesTokensUsersAndAddress() {
        let loaded = load(
            "listen: 0.0.0.0:81\nserver: {tokens: [{token: abc}, {token: def, role: write}], "
                + "users: [{name: u, password: p}], max_body: 2MiB}"
        )
        let options = loaded.configuration.serveOptions.http
        #expect(options.port == 81 && options.readTokens.count == 1 && options.writeTokens.count == 1 && options.users.count == 1)
        #expect(options.maxBodyBytes == 2 << 20)
        #expect(throws: Never.self) { try options.validate() }
    }

    @Test func forecastMetricsAreWholeNames() {
        let options = load("analyze: {forecast: {metrics: [node_load1, 'cpu_.*']}, windows: [3h, 1h]}").configuration.analyzeOptions
        #expect(options.windows == [3_600_000, 3 * 3_600_000])
        #expect(options.forecastMetrics?("node_load1") == true && options.forecastMetrics?("cpu_x") == true)
        #expect(options.forecastMetrics?("node_load15") == false)
        #expect(Configuration().analyzeOptions.forecastMetrics == nil)
    }

    @Test func aBadFileLeavesTheOldConfiguration() throws {
        let text = Mutex("log_level: debug")
        let applied = Mutex<[LogLevel]>([])
        let reloader = Reloader(
            current: Configuration(), logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            source: { Configuration.load(ConfigurationSources(file: ("x.yaml", text.withLock { $0 }))) },
            apply: { new in applied.withLock { $0.append(new.logLevel) } })
        #expect(try reloader.reload() == [])
        text.withLock { $0 = "log_level: loud" }
        #expect { try reloader.reload() } throws: { "\($0)".hasPrefix("x.yaml:1:12: log_level: \"loud\" is not one of") }
        #expect(applied.withLock { $0 } == [.debug])
    }

    @Test func changesThatNeedARestartAreNamed() {
        var new = Configuration()
        new.collect.interval = 1000
        #expect(Reloader.needRestart(Configuration(), new) == [])
        new.listen.port = 1
        new.analyze.quantiles = false
        #expect(Reloader.needRestart(Configuration(), new) == ["listen", "analyze"])
        let flows = load("flows: [{name: a, source: {http: true}, values: {v: v}}]").configuration
        #expect(Reloader.needRestart(Configuration(), flows) == ["flows"])
    }

    @Test func dataDirectoriesAreMadeOrRefusedInWords() throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "almanac-\(UUID().uuidString)").path()
        defer { try? FileManager.default.removeItem(atPath: root) }
        try DataDirectory.prepare(root + "/a/b")
        try DataDirectory.prepare(root + "/a/b/")
        #expect(try FileManager.default.contentsOfDirectory(atPath: root + "/a/b").isEmpty)
        _ = FileManager.default.createFile(atPath: root + "/file", contents: Data())
        #expect { try DataDirectory.prepare(root + "/file") } throws: { "\($0)".contains("is a file; name a directory") }
        #expect { try DataDirectory.prepare(root + "/file/x") } throws: { "\($0)".contains("Not a directory; choose another with --data") }
        #expect { try DataDirectory.prepare("/proc/nothing/here") } throws: { "\($0)".contains("cannot be made") }
    }

    @Test func theSummaryIsShort() {
        #expect(
            ConfigurationSummary.text(Configuration()) == "this machine; windows 1h, 3h, 12h; data in ./data; serves http://127.0.0.1:5002/"
        )
        let many = load(
            "listen: ':9'\nserver: {tokens: [{token: x}]}\n"
                + "collect: {host: {enabled: true}, scrape: [{job: a, targets: [h:1, h:2]}], prometheus: [{url: 'http://p', selectors: [up]}]}"
        )
        #expect(ConfigurationSummary.text(many.configuration).hasPrefix("this machine, 2 targets and 1 Prometheus server;"))
        #expect(ConfigurationSummary.url(many.configuration) == "http://127.0.0.1:9/")
    }
}
