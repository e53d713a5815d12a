import Telemetry

struct ZooKeeperMetrics: Sendable {
    let sessions: Counter
    let expirations: Counter
    let leasesLost: Counter
    let membershipChanges: Counter
    let heartbeats: Histogram
    let connected: Gauge
    let members: Gauge
    let lease: Gauge

    init(_ registry: MetricRegistry) {
        sessions = registry.counter("almanac_coordination_sessions_total", help: "Sessions opened with ZooKeeper.")
        expirations = registry.counter(
            "almanac_coordination_session_expirations_total",
            help: "Sessions that ZooKeeper ended because it had not heard of this process.")
        leasesLost = registry.counter(
            "almanac_coordination_leases_lost_total", help: "Times when work was stopped because ZooKeeper had not answered for long.")
        membershipChanges = registry.counter(
            "almanac_coordination_membership_changes_total", help: "Changes of the list of processes that divide the work.")
        heartbeats = registry.histogram("almanac_coordination_heartbeat_seconds", help: "Duration of heartbeats, each a confirmed write.")
        connected = registry.gauge("almanac_coordination_connected", help: "1 while connected with ZooKeeper.")
        members = registry.gauge("almanac_coordination_members", help: "Processes that divide the work.")
        lease = registry.gauge("almanac_coordination_lease_remaining_seconds", help: "For how long this process may act without an answer.")
    }
}
