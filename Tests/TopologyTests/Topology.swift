import Foundation
import FoundationNetworking
import Glibc
import KafkaMessaging
import Logging
import Messaging
import Synchronization
import Telemetry
import TestSupport
import Testing

/// The built program, beside the test bundle.
let program = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent("almanac").path

/// The broker that `ALMANAC_TEST_KAFKA=host:port` names.
let realBroker: String? = getenv("ALMANAC_TEST_KAFKA").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }

func quiet() -> Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }

/// One process of the topology, which may be killed and started again under its name.
final class Member: @unchecked Sendable {
    let role: String
    let name: String
    let port: Int
    private let arguments: [String]
    private let output: String
    private(set) var process: ServerProcess?

    init(role: String, name: String, folder: TemporaryDirectory, config: String) {
        self.role = role
        self.name = name
        port = freePort()
        output = folder.file("\(name).log")
        arguments = [
            role, "--config", config, "--listen", "127.0.0.1:\(port)", "--data", folder.file(name), "--set", "instance=\(name)",
        ]
    }

    func start() throws { process = try ServerProcess(program, arguments, output: output) }

    @discardableResult
    func end(_ signal: Int32 = SIGKILL) -> Int32 { process?.end(signal) ?? 0 }

    func signal(_ signal: Int32) { process?.signal(signal) }

    var isRunning: Bool { process?.isRunning ?? false }
    /// The last lines of what it printed.
    var tail: String { "\(name): " + ((try? String(contentsOfFile: output, encoding: .utf8)) ?? "").suffix(1500) }

    func readiness() async -> (code: Int, text: String) { await get("http://127.0.0.1:\(port)/-/ready") }
    var isReady: Bool { get async { await readiness().code == 200 } }

    func awaitReady(within seconds: Double = 60) async throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while await !isReady {
            guard isRunning, ContinuousClock.now < deadline else {
                Issue.record("not ready within \(seconds) s: \(await readiness()); \(tail)")
                return
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }
}

/// The text of a page; code 0 where nothing answered.
func get(_ url: String) async -> (code: Int, text: String) {
    guard let address = URL(string: url) else { return (0, "") }
    guard let (body, response) = try? await URLSession.shared.data(for: URLRequest(url: address, timeoutInterval: 5)) else {
        return (0, "")
    }
    return ((response as? HTTPURLResponse)?.statusCode ?? 0, String(decoding: body, as: UTF8.self))
}

/// What the processes stand on, and the configuration that they share.
final class Topology: @unchecked Sendable {
    static let sessionTimeout: Int64 = 2000
    static let partitions = 4
    static var isPossible: Bool {
        ZooKeeperServer.isInstalled && MariaDBServer.isInstalled
            && ["prometheus-node-exporter", "prometheus"].allSatisfy { ServerProcess.isInstalled("/usr/bin/" + $0) }
    }

    /// Who is there, and what their configuration says beyond the addresses.
    struct Plan {
        var startsExporters = true
        /// On the Cassandra that is given, not on a MariaDB.
        var usesCassandra = false
        var roles = [("collect", 2), ("analyze", 2), ("store", 2), ("serve", 1)]
        /// Further sections, as YAML.
        var more = ""
        /// Members of `analyze`, as YAML.
        var analyze = """
              interval: 1s
              windows: [10s, 30s, 60s]
              quantiles: false
              allowed_lateness: 15s
              chunk_span: 10s
              idle_timeout: 8s
              forecast: {metrics: [none]}
              anomalies: {enabled: false}
            """
    }

    /// Names of their own, as a given broker keeps those of earlier runs.
    let samples: String
    let results: String
    let chunks: String
    let events: String
    let partials: String
    let traffic: String
    let folder: TemporaryDirectory
    let mock: MockBroker?
    let broker: String
    let database: any Database
    let ensemble: ZooKeeperEnsemble
    let exporters: [Exporter]
    /// Scraped by the Prometheus server that the collectors read.
    let behindPrometheus = Exporter()
    private let prometheusPort = freePort()
    private var realExporters: [ServerProcess] = []
    private let realPorts: [Int]
    private(set) var members: [Member] = []

    private let plan: Plan

    /// Makes the servers of which nothing runs yet but the broker of this process and the exporters.
    init(_ plan: Plan = Plan()) throws {
        self.plan = plan
        folder = try TemporaryDirectory()
        let suffix = "-\(UInt32.random(in: 0...UInt32.max))"
        (samples, results, chunks) = ("samples" + suffix, "results" + suffix, "chunks" + suffix)
        (events, partials, traffic) = ("events" + suffix, "partials" + suffix, "traffic" + suffix)
        if let realBroker {
            mock = nil
            broker = realBroker
        } else {
            let mock = try MockBroker()
            for topic in [samples, results, chunks, events, partials, traffic] {
                mock.create(topic, partitions: Topology.partitions)
                mock.create(topic + ".dlq", partitions: Topology.partitions)
            }
            self.mock = mock
            broker = mock.address
        }
        try folder.write(MariaDBServer.password, to: "password")
        if plan.usesCassandra, let given = GivenCassandra.value {
            database = try Cassandra(given, passwordFile: folder.write(given.password, to: "cassandra"))
        } else {
            database = try MariaDB(passwordFile: folder.file("password"))
        }
        ensemble = try ZooKeeperEnsemble()
        exporters = (0..<3).map { _ in Exporter() }
        realPorts = [freePort(), freePort()]
        if plan.startsExporters { try startExporters() }
        for (role, count) in plan.roles {
            for i in 1...count {
                let name = "\(role)-\(i)"
                let config = try folder.write(configuration(name), to: "\(name).yaml")
                members.append(Member(role: role, name: name, folder: folder, config: config))
            }
        }
    }

    private func startExporters() throws {
        realExporters = [
            try ServerProcess(
                "/usr/bin/prometheus-node-exporter", ["--web.listen-address=127.0.0.1:\(realPorts[0])"], output: folder.file("node.log")),
            try ServerProcess(
                "/usr/bin/prometheus",
                [
                    "--config.file=\(try folder.write(prometheusConfiguration, to: "prometheus.yml"))",
                    "--storage.tsdb.path=\(folder.file("tsdb"))", "--web.listen-address=127.0.0.1:\(prometheusPort)",
                ], output: folder.file("prometheus.log")),
            try ServerProcess(program, ["exporter", "--listen", "127.0.0.1:\(realPorts[1])"], output: folder.file("exporter.log")),
        ]
    }

    private var prometheusConfiguration: String {
        """
        scrape_configs:
          - job_name: prometheus
            scrape_interval: 1s
            scrape_timeout: 900ms
            static_configs: [{targets: ["127.0.0.1:\(behindPrometheus.port)"]}]
        """
    }

    /// Each collector shows the stub exporters its own name.
    private func configuration(_ name: String) -> String {
        let stubs = exporters.map { "\"127.0.0.1:\($0.port)\"" }.joined(separator: ", ")
        let real = realPorts.map { "\"127.0.0.1:\($0)\"" }.joined(separator: ", ")
        let hosts = ensemble.servers.map { "\"\($0.address)\"" }.joined(separator: ", ")
        let suffix = samples.dropFirst("samples".count)
        return """
            messaging:
              kind: kafka
              kafka:
                brokers: ["\(broker)"]
                topics: {partitions: \(Topology.partitions), replication: 1, min_insync_replicas: 1}
                properties: {session.timeout.ms: "6000", heartbeat.interval.ms: "1000"}
            topics: {samples: \(samples), prometheusdata: \(results), chunks: \(chunks), control: control\(suffix), \
            iot_data_event: \(events), traffic_partials: \(partials), trafficdata: \(traffic)}
            store:
              \(database.configuration)
              history_interval: 1s
            coordination:
              kind: zookeeper
              zookeeper: {hosts: [\(hosts)], session_timeout: \(Topology.sessionTimeout)ms}
            collect:
              host: {enabled: false}
              scrape:
                - {job: stub, targets: [\(stubs)], interval: 1s, timeout: 900ms, username: \(name), password_file: \(folder.file("password"))}
                - {job: real, targets: [\(real)], interval: 5s, timeout: 3s, keep: ["node_load.*", "node_cpu_seconds_total", "node_memory_Mem.*"]}
              prometheus:
                - {url: "http://127.0.0.1:\(prometheusPort)", selectors: ['{job="prometheus"}'], interval: 2s, backfill: 20s}
            analyze:
            \(plan.analyze)
            \(plan.more)
            """
    }

    func member(_ name: String) -> Member { members.first { $0.name == name } ?? members[0] }
    func of(_ role: String) -> [Member] { members.filter { $0.role == role } }

    func kafkaOptions() -> KafkaOptions {
        var options = KafkaOptions(brokers: [broker])
        options.clientID = "almanac-topology-test"
        options.closeTimeout = 2000
        return options
    }

    func startDatabase() async throws { try await database.start() }

    func startZooKeeper() async throws {
        for server in ensemble.servers { try server.start() }
        try await ensemble.awaitQuorum()
    }

    /// Topics and tables, by `almanac init`; the mock broker's topics are there, and it has no request to make some.
    func makeAll() async throws {
        if mock != nil { return }
        try runTool(program, ["init", "--config", folder.file("serve-1.yaml")])
    }

    func stop() {
        for member in members { member.end() }
        for process in realExporters { process.end() }
        for exporter in exporters + [behindPrometheus] { exporter.stop() }
        ensemble.stop()
        database.end()
    }
}
