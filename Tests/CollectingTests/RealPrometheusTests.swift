import Fetching
import Foundation
import Messaging
import Telemetry
import TestSupport
import Testing
import TimeSeries

@testable import Collecting

private let prometheusPath = "/usr/bin/prometheus"
private let promtoolPath = "/usr/bin/promtool"
private let nodeExporterPath = "/usr/bin/prometheus-node-exporter"
private let hasPrometheus = ChildProcess.isInstalled(prometheusPath) && ChildProcess.isInstalled(promtoolPath)
private let hasNodeExporter = ChildProcess.isInstalled(nodeExporterPath)

/// A real Prometheus with history that the test knows.
struct RealPrometheus {
    let process: ChildProcess
    let port: Int
    var url: String { "http://127.0.0.1:\(port)" }

    /// `history` is a page of OpenMetrics text with timestamps, without `# EOF`.
    static func start(history: String, configuration: String = "global: {}\n", flags: [String] = []) async throws -> RealPrometheus {
        let directory = try ChildProcess.temporaryDirectory()
        let data = directory + "/data"
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        if !history.isEmpty {
            try (history + "# EOF\n").write(toFile: directory + "/history.om", atomically: true, encoding: .utf8)
            try ChildProcess.runTool(promtoolPath, ["tsdb", "create-blocks-from", "openmetrics", directory + "/history.om", data])
        }
        try configuration.write(toFile: directory + "/prometheus.yml", atomically: true, encoding: .utf8)
        let port = freePort()
        let process = try ChildProcess(
            prometheusPath,
            [
                "--config.file=\(directory)/prometheus.yml", "--storage.tsdb.path=\(data)", "--web.listen-address=127.0.0.1:\(port)",
                "--storage.tsdb.retention.time=10y",
            ] + flags, directory: directory)
        let server = RealPrometheus(process: process, port: port)
        try await eventually("Prometheus is ready: \(process.printed)") { await server.isReady() }
        return server
    }

    private func isReady() async -> Bool {
        guard canConnect(port), let fetcher = try? Fetcher(tls: TLSOptions(), credentials: nil, maxBodyBytes: 1 << 20) else { return false }
        let page = try? await fetcher.fetch("\(url)/-/ready", timeout: 1_000)
        await fetcher.close()
        return page?.status == 200
    }
}

@Suite(.serialized) struct RealPrometheusTests {
    /// A day of two gauges and a counter, each at its own phase, ending 20 minutes ago.
    private struct History {
        var text = ""
        var truth: [String: [Sample]] = [:]

        init(hours: Int, series: Int, now: Milliseconds) {
            var random = SplitMix64(seed: 7)
            let end = now - 1_200_000
            for family in ["temperature", "requests_total"] {
                let type = family == "temperature" ? "gauge" : "counter"
                text += "# TYPE \(type == "counter" ? "requests" : family) \(type)\n"
                for i in 0..<series {
                    var samples: [Sample] = []
                    var total = 0.0
                    var time = end - Int64(hours) * 3_600_000 + Int64(i) * 137
                    while time < end {
                        total = type == "counter" ? total + 1.25 : Double.random(in: -40...40, using: &random)
                        samples.append(Sample(time, total))
                        text += "\(family){i=\"\(i)\"} \(total) \(time / 1_000).\(String(1_000 + time % 1_000).dropFirst())\n"
                        time += 15_000
                    }
                    truth["\(family){i=\"\(i)\"}"] = samples
                }
            }
        }
    }

    @Test(.enabled(if: hasPrometheus, "Debian's prometheus is not installed"), arguments: [50_000_000, 1_000])
    func historyComesWholeAndOnce(maxSamples: Int) async throws {
        let history = History(hours: 4, series: 5, now: SystemTime().now())
        let server = try await RealPrometheus.start(history: history.text, flags: ["--query.max-samples=\(maxSamples)"])
        defer { server.process.stop() }
        var source = PrometheusOptions(baseURL: server.url + "/")
        source.selectors = [#"{__name__=~"temperature|requests_total"}"#]
        source.expressions = [.init(name: "temperature:max", expr: "max by (site) (temperature)", step: 60_000)]
        source.backfill = 6 * 3_600_000
        source.interval = 500
        source.labels = [Label("site", "here")]
        var options = CollectOptions()
        options.prometheus = [source]
        let bench = RoleBench(options)
        try await eventually("the past is filled: \(bench.role.status())", within: 60) { bench.role.status().first?.health == .up }
        try await eventually("and polled on") { bench.registry.counter("almanac_collect_prometheus_requests_total", help: "").value > 20 }
        await bench.stop()
        let out = try bench.decoded()
        for (name, samples) in history.truth {
            let key = name.replacing("}", with: ",site=\"here\"}")
            let got = try #require(out.samples[key], "\(key)")
            #expect(got.filter { !$0.isStale } == samples, "\(key) with at most \(maxSamples) samples a query")
            // It ended 20 minutes ago.
            #expect(got.last == Sample((samples.last?.time ?? 0) + 300_000, StaleMarker.value))
        }
        #expect(out.types[#"temperature:max{site="here"}"#] == .gauge)
        #expect(out.types[#"requests_total{i="0",site="here"}"#] == .counter)
        let derived = try #require(out.samples[#"temperature:max{site="here"}"#]).filter { !$0.isStale }
        #expect(derived.count > 200)
        #expect(derived.allSatisfy { $0.time % 60_000 == 0 })
        #expect(zip(derived, derived.dropFirst()).allSatisfy { $0.time < $1.time })
    }

    @Test(.enabled(if: hasPrometheus, "Debian's prometheus is not installed"))
    func aWrongSelectorIsNamed() async throws {
        let server = try await RealPrometheus.start(history: "")
        defer { server.process.stop() }
        var source = PrometheusOptions(baseURL: server.url)
        source.selectors = ["{job="]
        var options = CollectOptions()
        options.prometheus = [source]
        let bench = RoleBench(options)
        try await eventually("the error shows") { bench.role.status().first?.health == .down }
        let error = try #require(bench.role.status().first?.lastError)
        #expect(error.contains("correct the selector or expression"), "\(error)")
        #expect(bench.registry.render().contains("almanac_collect_prometheus_up{url=\"\(server.url)\"} 0"))
        await bench.stop()
    }

    @Test(.enabled(if: hasPrometheus && hasNodeExporter, "Debian's prometheus and prometheus-node-exporter are not installed"))
    func whatAServerScrapesComesLive() async throws {
        let exporter = try await startNodeExporter()
        defer { exporter.process.stop() }
        let configuration = """
            scrape_configs:
            - job_name: node
              scrape_interval: 1s
              static_configs: [{targets: ["127.0.0.1:\(exporter.port)"]}]

            """
        let server = try await RealPrometheus.start(history: "", configuration: configuration)
        defer { server.process.stop() }
        var source = PrometheusOptions(baseURL: server.url)
        source.selectors = [#"{job="node"}"#]
        source.interval = 1_000
        source.lag = 1_000
        source.overlap = 10_000
        var options = CollectOptions()
        options.prometheus = [source]
        let bench = RoleBench(options)
        let key = "node_load1{instance=\"127.0.0.1:\(exporter.port)\",job=\"node\"}"
        try await eventually("load arrives", within: 60) { (try bench.decoded().samples[key]?.count ?? 0) >= 5 }
        await bench.stop()
        let decoded = try bench.decoded()
        // What the server holds is what has been sent: each sample once.
        let client = try PrometheusClient(source, metrics: CollectMetrics(MetricRegistry()))
        let got = try #require(decoded.samples[key])
        let columns = try await client.samples("node_load1", after: got[0].time - 1, upTo: got[got.count - 1].time)
        await client.close()
        #expect(zip(columns.times, columns.values).map { Sample($0, $1) } == got)
        #expect(
            decoded.types["node_cpu_seconds_total{cpu=\"0\",instance=\"127.0.0.1:\(exporter.port)\",job=\"node\",mode=\"idle\"}"]
                == .counter)
    }

    /// The same page scraped by both: the same series under the same labels, with the same values.
    @Test(.enabled(if: hasPrometheus, "Debian's prometheus is not installed"), arguments: [false, true])
    func namesSeriesAsPrometheusDoes(honorLabels: Bool) async throws {
        let page = """
            # TYPE plain gauge
            plain 1.5
            with_labels{a="b",c="d \\"quoted\\" \\\\ \\n line"} 2
            collides{job="x",instance="y",exported_job="z"} 3
            empties{instance="",a=""} 4
            extra{site="theirs",exported_site="more"} 5
            # TYPE latency histogram
            latency_bucket{le="0.1"} 1
            latency_bucket{le="+Inf"} 3
            latency_sum 0.75
            latency_count 3
            odd_nan NaN
            odd_inf -Inf

            """
        let exporter = StubServer { _ in StubServer.page(page) }
        defer { exporter.stop() }
        let configuration = """
            scrape_configs:
            - job_name: j
              scrape_interval: 1s
              honor_labels: \(honorLabels)
              static_configs: [{targets: ["127.0.0.1:\(exporter.port)"], labels: {site: ours}}]

            """
        let server = try await RealPrometheus.start(history: "", configuration: configuration)
        defer { server.process.stop() }
        var source = PrometheusOptions(baseURL: server.url)
        source.selectors = ["unused"]
        let client = try PrometheusClient(source, metrics: CollectMetrics(MetricRegistry()))
        let reader = PrometheusReader(source, topic: "samples")
        var theirs: [String: [Sample]] = [:]
        try await eventually("Prometheus has scraped") {
            let now = SystemTime().now()
            let columns = try await client.samples("{__name__=~\".+\"}", after: now - 60_000, upTo: now)
            var fresh = reader
            let answer = PrometheusReader.Answer(expression: -1, after: now - 60_000, columns: columns)
            theirs = try Decoded(fresh.records([answer], upTo: now).records).samples
            return theirs.count >= 16
        }
        await client.close()
        var target = ScrapeTarget(url: "http://127.0.0.1:\(exporter.port)/metrics", job: "j")
        target.labels = [Label("site", "ours")]
        target.honorLabels = honorLabels
        target.interval = 500
        target.timeout = 500
        var options = CollectOptions()
        options.targets = [target]
        let bench = RoleBench(options)
        try await eventually("scraped here") { bench.status("j")?.health == .up }
        try await eventually("and sent") { try bench.decoded().samples.count >= 16 }
        await bench.stop()
        let ours = try bench.decoded().samples
        #expect(Set(ours.keys) == Set(theirs.keys))
        for (series, samples) in ours where !series.contains("scrape_duration_seconds") && !series.contains("scrape_series_added") {
            let (mine, other) = (samples[0].value, theirs[series]?.first?.value ?? 0)
            #expect(mine == other || mine.isNaN && other.isNaN, "\(series)")
        }
    }

    @Test func aServerThatIsAwayIsWaitedFor() async throws {
        let answers: @Sendable (StubServer.Request) -> StubServer.Answer = { request in
            if request.body.contains("time") && request.body.contains("query=time") {
                return StubServer.page(
                    #"{"status":"success","data":{"resultType":"scalar","result":[1000000,"1000000"]}}"#, type: "application/json")
            }
            if request.path.contains("metadata") { return StubServer.page(#"{"status":"success","data":{}}"#) }
            return StubServer.page(
                #"{"status":"error","errorType":"internal","error":"disk on fire"}"#, status: "500 Internal Server Error")
        }
        let server = StubServer(answers)
        defer { server.stop() }
        var away = PrometheusOptions(baseURL: "http://127.0.0.1:\(freePort())")
        away.selectors = ["up"]
        var broken = PrometheusOptions(baseURL: server.url)
        broken.selectors = ["up"]
        var options = CollectOptions()
        options.prometheus = [away, broken]
        let bench = RoleBench(options)
        try await eventually("both say why") { bench.role.status().count(where: { $0.lastError != nil }) == 2 }
        let errors = bench.role.status().compactMap(\.lastError)
        #expect(errors.contains { $0.contains("check that the server runs") }, "\(errors)")
        #expect(errors.contains { $0.contains("500: disk on fire") }, "\(errors)")
        await bench.stop()
    }
}

/// A real node exporter.
struct RealExporter {
    let process: ChildProcess
    let port: Int
}

func startNodeExporter() async throws -> RealExporter {
    let port = freePort()
    let process = try ChildProcess(
        nodeExporterPath, ["--web.listen-address=127.0.0.1:\(port)"], directory: try ChildProcess.temporaryDirectory())
    try await eventually("node exporter listens: \(process.printed)") { canConnect(port) }
    return RealExporter(process: process, port: port)
}

@Suite struct RealExporterTests {
    @Test(.enabled(if: hasNodeExporter, "Debian's prometheus-node-exporter is not installed"))
    func nodeExporterIsScraped() async throws {
        let exporter = try await startNodeExporter()
        var target = ScrapeTarget(url: "http://127.0.0.1:\(exporter.port)/metrics", job: "node")
        target.interval = 1_000
        target.timeout = 1_000
        target.drop = ["go_.*"]
        var options = CollectOptions()
        options.targets = [target]
        let bench = RoleBench(options)
        let labels = "instance=\"127.0.0.1:\(exporter.port)\",job=\"node\""
        try await eventually("three scrapes") { (try bench.decoded().samples["up{\(labels)}"]?.count ?? 0) >= 3 }
        exporter.process.stop()
        try await eventually("it is down") { bench.status("node")?.health == .down }
        await bench.stop()
        let out = try bench.decoded()
        #expect(out.samples.count > 200)
        #expect(out.samples.keys.allSatisfy { !$0.hasPrefix("go_") })
        #expect(out.types["node_load1{\(labels)}"] == .gauge)
        #expect(out.types["node_context_switches_total{\(labels)}"] == .counter)
        let load = try #require(out.samples["node_load1{\(labels)}"])
        #expect(load.last?.isStale == true)
        #expect(load.count(where: \.isStale) == 1)
        #expect(out.values("up{\(labels)}").last == 0)
        #expect(out.values("up{\(labels)}").first == 1)
    }
}
