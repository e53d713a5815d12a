import Synchronization
import Telemetry

/// The instruments of a session. Labels are reasons: few.
final class CassandraMetrics: Sendable {
    let requests: Counter
    let failures: Counter
    let timeouts: Counter
    let opened: Counter
    let lost: Counter
    let failedConnects: Counter
    let prepared: Counter
    let refreshes: Counter
    let warnings: Counter
    private let registry: MetricRegistry
    private let retries = Mutex<[String: Counter]>([:])

    init(_ registry: MetricRegistry) {
        self.registry = registry
        requests = registry.counter("almanac_cassandra_requests_total", help: "Requests sent to Cassandra, each attempt.")
        failures = registry.counter("almanac_cassandra_failures_total", help: "Requests that failed after all their attempts.")
        timeouts = registry.counter("almanac_cassandra_timeouts_total", help: "Attempts that got no answer in time.")
        opened = registry.counter("almanac_cassandra_connections_opened_total", help: "Connections made to nodes.")
        lost = registry.counter("almanac_cassandra_connections_lost_total", help: "Connections lost that nobody closed here.")
        failedConnects = registry.counter("almanac_cassandra_connects_failed_total", help: "Attempts to connect to a node that failed.")
        prepared = registry.counter("almanac_cassandra_prepared_total", help: "Statements prepared on a node, with repetitions.")
        refreshes = registry.counter("almanac_cassandra_topology_refreshes_total", help: "Times that the cluster's tables were read.")
        warnings = registry.counter("almanac_cassandra_warnings_total", help: "Warnings that nodes gave with their answers.")
    }

    func retried(_ reason: String) {
        let counter = retries.withLock { known in
            if let counter = known[reason] { return counter }
            let made = registry.counter(
                "almanac_cassandra_retries_total", help: "Requests sent again, by reason.", labels: [("reason", reason)])
            known[reason] = made
            return made
        }
        counter.add()
    }

    /// Gauges read when the page is rendered.
    func watch(_ read: @escaping @Sendable () -> (inFlight: Int, queued: Int, nodes: Int, connected: Int)) {
        let inFlight = registry.gauge(
            "almanac_cassandra_in_flight", help: "Requests on their way, with those given up and not answered yet.")
        let queued = registry.gauge("almanac_cassandra_queued", help: "Requests that wait for a stream.")
        let nodes = registry.gauge("almanac_cassandra_nodes", help: "Nodes of the cluster that requests go to.")
        let connected = registry.gauge("almanac_cassandra_nodes_connected", help: "Of these, nodes with a connection.")
        registry.onCollect {
            let now = read()
            inFlight.set(Double(now.inFlight))
            queued.set(Double(now.queued))
            nodes.set(Double(now.nodes))
            connected.set(Double(now.connected))
        }
    }
}
