import Glibc
import KafkaMessaging
import Messaging
import Records
import Storage
import Telemetry
import TestSupport
import Testing
import TimeSeries
import Traffic
import TrafficSimulation
import TrafficTruth

/// Analyzers as processes of their own, three of them, killed at random while a fleet reports over two midnights: the database ends with the truth.
@Suite(.enabled(if: Topology.isPossible), .serialized) struct FleetTests {
    private static func setting(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }

    private static let vehicles = Int(setting("ALMANAC_TEST_FLEET_VEHICLES") ?? 30)
    private static let analyzers = Int(setting("ALMANAC_TEST_FLEET_ANALYZERS") ?? 3)
    private static let hours = Milliseconds(setting("ALMANAC_TEST_FLEET_HOURS") ?? 9)

    /// Two zones, so two midnights; two windows.
    private static var traffic: TrafficOptions {
        var options = TrafficOptions()
        options.zone = "Europe/Rome"
        options.routeZones = ["Route-82": "America/Chicago"]
        options.windows = [.init(length: 60_000, slide: 30_000), .init(length: 90_000, slide: 30_000)]
        return options
    }

    private static let plan = Topology.Plan(
        startsExporters: false, roles: [("analyze", analyzers), ("store", 2)],
        more: """
            traffic:
              zone: Europe/Rome
              routes: [{name: Route-82, zone: America/Chicago}]
              windows: [{length: 60s, slide: 30s}, {length: 90s, slide: 30s}]
              idle_timeout: 5s
            """,
        analyze: """
              interval: 1h
              windows: [1h]
              quantiles: false
              forecast: {metrics: [none]}
              anomalies: {enabled: false}
            """)

    /// Begins an hour before midnight in Rome; every kind of trouble befalls a report on its way.
    private static func simulation(seed: UInt64) throws -> Simulation {
        var options = SimulationOptions()
        options.fleet.seed = seed
        options.fleet.vehicles = vehicles
        options.fleet.interval = 30_000
        options.fleet.start = 1_771_279_200_000
        options.delivery.duplicates = 0.03
        options.delivery.disorder = 0.1
        options.delivery.late = 0.03
        options.delivery.tooLate = 0.01
        options.delivery.malformed = 0.02
        options.delivery.allowedLateness = traffic.allowedLateness
        options.zone = traffic.zone
        return try Simulation(options, truth: traffic)
    }

    @Test func analyzersThatAreKilledGiveTheAnswerOfOne() async throws {
        let seed = Self.setting("ALMANAC_TEST_TOPOLOGY_SEED") ?? UInt64.random(in: 0...UInt64.max)
        let topology = try Topology(Self.plan)
        defer { topology.stop() }
        try await topology.startZooKeeper()
        try await topology.startDatabase()
        try await topology.makeAll()
        for member in topology.members { try member.start() }
        for member in topology.members { try await member.awaitReady() }
        let log = try await KafkaLog.open(topology.kafkaOptions(), metrics: MetricRegistry(), logger: quiet())
        var feed = Feed(simulation: try Self.simulation(seed: seed), log: log, topology: topology)
        // Slower than states are written down, or nobody would get anywhere.
        var chaos = Chaos(topology: topology, seed: seed, between: 3...9)
        let end = feed.simulation.options.fleet.start + Self.hours * 3_600_000
        while try await feed.slice(until: end) { try await chaos.step() }
        try await feed.rest()
        try await chaos.settle()
        print(
            "seed \(seed): \(feed.sent) events; killed \(chaos.kills.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)x" }.joined(separator: ", "))"
        )
        for member in topology.members { try await member.awaitReady() }
        try await compare(&feed, topology, seed)
        await log.close()
    }

    private func compare(_ feed: inout Feed, _ topology: Topology, _ seed: UInt64) async throws {
        feed.simulation.finishTruth()
        let truth = try TruthComparison.rows(ofTruth: feed.simulation.truth?.rows ?? [])
        let store = try topology.database.open()
        // After the end event time follows the wall clock until no window holds an event any more.
        var stored: Set<String> = []
        let deadline = ContinuousClock.now + .seconds(180)
        repeat {
            try await Task.sleep(for: .milliseconds(500))
            stored = try await TruthComparison.rows(of: store, open: truth.open)
        } while stored != truth.rows && ContinuousClock.now < deadline
        await store.close()
        let isTruth = stored == truth.rows
        #expect(isTruth, "seed \(seed): \(TruthComparison.difference(stored, truth.rows))")
        let totals = truth.rows.filter { $0.hasPrefix("total") }
        print("seed \(seed): \(truth.rows.count) rows, \(totals.count) totals compared")
        for route in ["Route-37", "Route-82"] {
            let days = Set(totals.filter { $0.contains(route) }.compactMap { $0.split(separator: " ").first { $0.hasPrefix("2026-") } })
            #expect(days.count >= 2, "midnight of \(route): \(days)")
        }
        #expect(truth.rows.contains { $0.hasPrefix("poi") } && truth.rows.count > 10_000)
        for member in topology.members { #expect(member.end(SIGTERM) == 0, "seed \(seed): \(member.tail)") }
    }
}

/// Sends a simulation's reports, never so far ahead of the analyzers that the mock broker forgets what they still need.
private struct Feed {
    var simulation: Simulation
    let log: KafkaLog
    let topology: Topology
    private(set) var sent = 0

    private static let batch = 2_000
    /// Events of one partition that are not committed; the mock keeps 5 MB.
    private static let mostAhead: Offset = 10_000

    init(simulation: Simulation, log: KafkaLog, topology: Topology) {
        self.simulation = simulation
        self.log = log
        self.topology = topology
    }

    /// False when nothing is left before `end`.
    mutating func slice(until end: Milliseconds) async throws -> Bool {
        guard try await hasRoom() else { return true }
        var records: [ProducerRecord] = []
        while records.count < Feed.batch, let delivery = simulation.next(until: end) { records.append(record(delivery)) }
        try await log.produce(records)
        sent += records.count
        return !records.isEmpty
    }

    /// What is still on its way at the end.
    mutating func rest() async throws {
        var records: [ProducerRecord] = []
        while let delivery = simulation.nextAtEnd() { records.append(record(delivery)) }
        try await log.produce(records)
        sent += records.count
    }

    private func hasRoom() async throws -> Bool {
        let committed = try await log.committedOffsets(topic: topology.events, group: "almanac-traffic")
        for (place, end) in try await log.endOffsets(topic: topology.events) where end - (committed[place] ?? 0) > Feed.mostAhead {
            try await Task.sleep(for: .milliseconds(50))
            return false
        }
        return true
    }

    private mutating func record(_ delivery: Delivery) -> ProducerRecord {
        var bytes: [UInt8] = []
        simulation.write(delivery, &bytes)
        let id = String(decoding: simulation.id(of: delivery.event.vehicle), as: UTF8.self)
        return ProducerRecord(topic: topology.events, key: .text(id), value: bytes)
    }
}
