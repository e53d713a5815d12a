import Coordination
import Logging
import Messaging
import Records
import Storage
import StorageContract
import Storing
import Telemetry
import TestSupport
import Testing
import TimeSeries
import Traffic
import TrafficSimulation

@testable import Analyzing

/// Simulated vehicles through the log, both stages and the store: what rests there in the end is the simulation's truth, whatever happened on the way.
@Suite("Traffic by a group of analyzers") struct TrafficRoleTests {
    static let partitions = (events: 6, partials: 3)

    /// The log, the store and the role that fills it.
    final class Pipeline: Sendable {
        let directory: TemporaryDirectory
        let log: EmbeddedLog
        let store = ModelStore()
        let clock = GroupTests.Clock()
        let metrics = MetricRegistry()
        let storing: Task<Void, any Error>

        init() async throws {
            directory = try TemporaryDirectory()
            var options = EmbeddedLogOptions(directory: directory.file("log"))
            options.partitions = ["iot-data-event": partitions.events, "traffic-partials": partitions.partials]
            log = try await EmbeddedLog.open(options, clock: clock, metrics: MetricRegistry(), logger: GroupTests.logger)
            let role = StoreRole(log: log, store: store, clock: clock, metrics: MetricRegistry(), logger: GroupTests.logger)
            storing = Task { try await role.run() }
        }

        /// Starts an analyzer. Cancelling the task ends it where it stands: it writes nothing more down.
        func analyzer(_ options: TrafficOptions) -> Task<Void, any Error> {
            let role = TrafficRole(
                options: options, topics: TrafficTopics(), groups: ("almanac-traffic", "almanac-traffic-merge", "almanac-store"), log: log,
                store: store, coordinator: GroupTests.StoreEpochs(store: store), clock: clock, metrics: metrics,
                logger: GroupTests.logger)
            return Task { try await role.run() }
        }

        func close() async {
            storing.cancel()
            _ = await storing.result
            await log.close()
        }

        /// Until the groups have taken what is there, and it rests in the store. States are written down as time goes on.
        func settle() async throws {
            try await eventually("all is stored", within: 60, every: .milliseconds(50)) {
                self.clock.set(self.clock.now() + 16_000)
                for (topic, group) in [
                    ("iot-data-event", "almanac-traffic"), ("traffic-partials", "almanac-traffic-merge"), ("trafficdata", "almanac-store"),
                ] {
                    let committed = try await self.log.committedOffsets(topic: topic, group: group)
                    for (place, end) in try await self.log.endOffsets(topic: topic) where end > 0 && committed[place] ?? 0 < end {
                        return false
                    }
                }
                return true
            }
        }
    }

    /// Hours around midnight of both zones, with everything that can befall a report.
    static func simulation(seed: UInt64) throws -> Simulation {
        var options = SimulationOptions()
        options.fleet.seed = seed
        options.fleet.vehicles = 60
        options.fleet.interval = 20_000
        options.fleet.start = 1_771_275_600_000
        options.delivery.duplicates = 0.03
        options.delivery.disorder = 0.1
        options.delivery.late = 0.03
        options.delivery.tooLate = 0.01
        options.delivery.malformed = 0.02
        options.delivery.allowedLateness = 600_000
        options.zone = "Europe/Rome"
        return try Simulation(options, truth: traffic)
    }

    static var traffic: TrafficOptions {
        var options = TrafficOptions()
        options.zone = "Europe/Rome"
        options.routeZones = ["Route-82": "America/Chicago"]
        // The clock of the test runs through minutes in a moment: no partition is idle before the end.
        options.idleTimeout = 3 * 3_600_000
        options.windows = [.init(length: 30_000, slide: 10_000), .init(length: 300_000, slide: 60_000)]
        return options
    }

    /// Feeds all of it, with analyzers that come and go as `plan` says, and gives the rows of the store beside those of the truth.
    static func rows(seed: UInt64, analyzers: Int, kills: Int) async throws -> (store: Set<String>, truth: Set<String>) {
        var simulation = try simulation(seed: seed)
        let pipeline = try await Pipeline()
        var running = (0..<analyzers).map { _ in pipeline.analyzer(traffic) }
        let end = simulation.options.fleet.start + 100 * 60_000
        let slices = 100
        var random = SplitMix64(seed: seed)
        var killAt = Set((0..<kills).map { _ in Int(random.next() % UInt64(slices)) })
        for slice in 1...slices {
            let until = simulation.options.fleet.start + (end - simulation.options.fleet.start) * Int64(slice) / Int64(slices)
            var records: [ProducerRecord] = []
            while let delivery = simulation.next(until: until) { records.append(record(delivery, &simulation)) }
            pipeline.clock.set(until)
            try await pipeline.log.produce(records)
            if killAt.remove(slice) != nil {
                let victim = Int(random.next() % UInt64(running.count))
                running[victim].cancel()
                _ = await running[victim].result
                running[victim] = pipeline.analyzer(traffic)
            }
        }
        var rest: [ProducerRecord] = []
        while let delivery = simulation.nextAtEnd() { rest.append(record(delivery, &simulation)) }
        try await pipeline.log.produce(rest)
        simulation.finishTruth()
        // Again: what the silence brings out is itself to be added up and stored.
        for later in 1...3 as ClosedRange<Int64> {
            pipeline.clock.set(end + later * 4 * 3_600_000)
            try await pipeline.settle()
        }
        let truth = try truthRows(&simulation)
        print(
            pipeline.metrics.render().split(separator: "\n").filter { $0.hasPrefix("almanac_traffic") || $0.hasPrefix("almanac_stage") }
                .joined(separator: "\n"), simulation.counts)
        let stored = try await storedRows(pipeline.store, open: truth.open)
        for task in running { task.cancel() }
        for task in running { _ = await task.result }
        await pipeline.close()
        return (stored, truth.rows)
    }

    private static func record(_ delivery: Delivery, _ simulation: inout Simulation) -> ProducerRecord {
        var bytes: [UInt8] = []
        simulation.write(delivery, &bytes)
        let id = String(decoding: simulation.id(of: delivery.event.vehicle), as: UTF8.self)
        return ProducerRecord(topic: "iot-data-event", key: .text(id), value: bytes)
    }
}

// MARK: - Rows as text

extension TrafficRoleTests {
    /// Rows of the truth in a form that those of the store have too, and the visits whose end depends on the end of the data.
    static func truthRows(_ simulation: inout Simulation) throws -> (rows: Set<String>, open: Set<String>) {
        var rows: Set<String> = []
        var open: Set<String> = []
        for line in (simulation.truth?.rows ?? []).split(separator: UInt8(ascii: "\n")) {
            let json = try JSONValue(parsing: Array(line))
            func text(_ name: String) -> String { json[name]?.stringValue ?? "-" }
            func int(_ name: String) -> String { json[name]?.int64Value.map { "\($0)" } ?? "-" }
            switch text("kind") {
            case "total":
                rows.insert(
                    "total \(text("route")) \(text("vehicleType")) \(text("day")) \(int("vehicles")) \(int("events")) \(int("arrivals"))")
            case "window":
                let speeds = "\(micro(json["speedAvg"]?.doubleValue)) \(micro(json["speedP10"]?.doubleValue))"
                rows.insert(
                    "window \(int("time")) \(int("window")) \(text("route")) \(text("vehicleType")) \(int("vehicles")) \(int("events")) "
                        + "\(speeds) \(int("lowFuel"))")
            case "poi":
                let key = "poi \(text("point")) \(text("vehicle")) \(int("entered"))"
                let isOpen = json["open"] != nil
                if isOpen { open.insert(key) }
                rows.insert(
                    "\(key) \(text("vehicleType")) \(text("route")) \(int("seen")) \(micro(json["distance"]?.doubleValue)) "
                        + (isOpen ? "open" : int("left")))
            default: break
            }
        }
        return (rows, open)
    }

    static func storedRows(_ store: any ResultStore, open: Set<String>) async throws -> Set<String> {
        var rows: Set<String> = []
        for days in [TrafficQuery.DaySelection.sinceStart, .days(from: nil, to: nil)] {
            var query = TrafficQuery()
            query.day = days
            query.limit = .max
            for t in try await store.trafficTotals(query) {
                rows.insert("total \(t.route) \(t.vehicleType) \(t.day ?? "-") \(t.vehicles) \(t.events) \(t.arrivals)")
            }
        }
        for w in try await store.trafficWindows(window: nil, route: nil, from: .min, to: .max, limit: .max) {
            rows.insert(
                "window \(w.time) \(w.window) \(w.route) \(w.vehicleType) \(w.vehicles) \(w.events) \(micro(w.speedAvg)) \(micro(w.speedP10)) \(w.lowFuel)"
            )
        }
        for v in try await store.visits(point: nil, vehicle: nil, from: .min, to: .max, limit: .max, insideOnly: false) {
            let key = "poi \(v.point) \(v.vehicle) \(v.entered)"
            let left = open.contains(key) ? "open" : v.left.map { "\($0)" } ?? "-"
            rows.insert("\(key) \(v.vehicleType) \(v.route) \(v.seen) \(micro(v.distance)) \(left)")
        }
        return rows
    }

    private static func micro(_ value: Double?) -> String { value.map { "\(($0 * 1e6).rounded())" } ?? "-" }

    private static func difference(_ a: Set<String>, _ b: Set<String>) -> String {
        let (missing, superfluous) = (b.subtracting(a).sorted(), a.subtracting(b).sorted())
        return
            "missing \(missing.count): \(missing.prefix(3) + missing.filter { !$0.hasPrefix("window") }), superfluous \(superfluous.count): \(superfluous.prefix(3) + superfluous.filter { !$0.hasPrefix("window") })"
    }

    @Test(arguments: [(1, 1, 0), (2, 1, 4), (3, 3, 5)] as [(UInt64, Int, Int)])
    func theStoreEndsWithTheTruth(seed: UInt64, analyzers: Int, kills: Int) async throws {
        let (stored, truth) = try await Self.rows(seed: seed, analyzers: analyzers, kills: kills)
        #expect(truth.filter { $0.hasPrefix("window") }.count > 3_000 && truth.contains { $0.hasPrefix("poi") })
        #expect(
            Set(truth.filter { $0.hasPrefix("total") }.map { $0.split(separator: " ").dropFirst(3).first { $0.hasPrefix("20") } }).count
                >= 2)
        #expect(stored == truth ? true : false, "seed \(seed): \(Self.difference(stored, truth))")
    }
}
