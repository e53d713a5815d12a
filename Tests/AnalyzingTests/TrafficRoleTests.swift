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
import TrafficTruth

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

        /// The ends of the topics, and what the groups have committed of them.
        private func offsets() async throws -> (values: [Offset], isDone: Bool) {
            var values: [Offset] = []
            var isDone = true
            for (topic, group) in [
                ("iot-data-event", "almanac-traffic"), ("traffic-partials", "almanac-traffic-merge"), ("trafficdata", "almanac-store"),
            ] {
                let committed = try await log.committedOffsets(topic: topic, group: group)
                for (place, end) in try await log.endOffsets(topic: topic).sorted(by: { $0.key.partition < $1.key.partition }) {
                    values += [end, committed[place] ?? 0]
                    if end > 0, committed[place] ?? 0 < end { isDone = false }
                }
            }
            return (values, isDone)
        }

        /// Until nothing has moved for half a second: a busy machine must not look like silent vehicles.
        func quiesce() async throws {
            var last: [Offset] = []
            var still = 0
            try await eventually("nothing moves any more", within: 120, every: .milliseconds(50)) {
                let now = try await self.offsets().values
                still = now == last ? still + 1 : 0
                last = now
                return still == 10
            }
        }

        /// Until the groups have taken what is there, and it rests in the store. States are written down as time goes on, and it goes on when nothing moves.
        func settle() async throws {
            try await eventually("all is stored", within: 120, every: .milliseconds(10)) {
                if try await self.offsets().isDone { return true }
                try await self.quiesce()
                self.clock.set(self.clock.now() + 16_000)
                return false
            }
        }
    }

    /// From half an hour before midnight in Rome to ten minutes after it in London, with everything that can befall a report.
    static func simulation(seed: UInt64) throws -> Simulation {
        var options = SimulationOptions()
        options.fleet.seed = seed
        options.fleet.vehicles = 60
        options.fleet.interval = 20_000
        options.fleet.start = 1_771_281_000_000
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
        options.routeZones = ["Route-82": "Europe/London"]
        // The clock of the test runs through minutes in a moment: no partition is idle before the end.
        options.idleTimeout = 30 * 3_600_000
        options.windows = [.init(length: 30_000, slide: 10_000), .init(length: 300_000, slide: 60_000)]
        return options
    }

    /// Feeds all of it, with analyzers that come and go as `plan` says, and gives the rows of the store beside those of the truth.
    static func rows(seed: UInt64, analyzers: Int, kills: Int) async throws -> (store: Set<String>, truth: Set<String>) {
        var simulation = try simulation(seed: seed)
        let pipeline = try await Pipeline()
        let end = simulation.options.fleet.start + 100 * 60_000
        // All of it is past from the beginning, so that nothing is refused as of the future.
        pipeline.clock.set(end)
        var running = (0..<analyzers).map { _ in pipeline.analyzer(traffic) }
        let slices = 100
        var random = SplitMix64(seed: seed)
        var killAt = Set((0..<kills).map { _ in Int(random.next() % UInt64(slices)) })
        for slice in 1...slices {
            let until = simulation.options.fleet.start + (end - simulation.options.fleet.start) * Int64(slice) / Int64(slices)
            var records: [ProducerRecord] = []
            while let delivery = simulation.next(until: until) { records.append(record(delivery, &simulation)) }
            try await pipeline.log.produce(records)
            // The second stage waits for partitions of which it has heard nothing for five minutes of the clock alone.
            if slice == 1 { try await pipeline.quiesce() }
            pipeline.clock.set(pipeline.clock.now() + 16_000)
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
        try await pipeline.settle()
        // Again: what the silence brings out is itself to be added up and stored.
        for _ in 1...3 {
            pipeline.clock.set(pipeline.clock.now() + 31 * 3_600_000)
            try await pipeline.quiesce()
            try await pipeline.settle()
        }
        let truth = try TruthComparison.rows(ofTruth: simulation.truth?.rows ?? [])
        let stored = try await TruthComparison.rows(of: pipeline.store, open: truth.open)
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

extension TrafficRoleTests {
    @Test(arguments: [(1, 1, 0), (2, 1, 4), (3, 3, 5), (4, 3, 9)] as [(UInt64, Int, Int)])
    func theStoreEndsWithTheTruth(seed: UInt64, analyzers: Int, kills: Int) async throws {
        let (stored, truth) = try await Self.rows(seed: seed, analyzers: analyzers, kills: kills)
        #expect(truth.filter { $0.hasPrefix("window") }.count > 3_000 && truth.contains { $0.hasPrefix("poi") })
        for route in ["Route-37", "Route-82"] {
            let totals = truth.filter { $0.hasPrefix("total \(route)") }
            #expect(Set(totals.compactMap { $0.split(separator: " ").first { $0.hasPrefix("2026-") } }).count == 2, "midnight of \(route)")
        }
        // Not the sets themselves: a failure would print tens of thousands of rows.
        let isTruth = stored == truth
        #expect(isTruth, "seed \(seed): \(TruthComparison.difference(stored, truth))")
    }
}

// MARK: - Broken events

extension TrafficRoleTests {
    private static func reasons(_ fault: Fault) -> Set<EventFault> {
        switch fault {
        case .truncated: [.endsEarly, .syntax, .notAnObject, .empty, .missingVehicle]
        case .words, .quoted: [.notAnObject]
        case .bareNaN: [.syntax, .wrongType, .badNumber]
        // The byte may take the place of a quote.
        case .invalidUTF8: [.notUTF8, .syntax]
        case .trailingText: [.trailingBytes]
        case .emptyObject, .noVehicleID: [.missingVehicle]
        case .noVehicleType: [.missingType]
        case .noRouteID: [.missingRoute]
        case .noLatitude: [.missingLatitude]
        case .nullTimestamp: [.missingTimestamp, .wrongType]
        case .vehicleIDNoUUID: [.notUUID]
        case .latitudeInWords, .speedInWords: [.badNumber]
        case .latitudeBeyondPole: [.latitudeRange]
        case .longitudeBeyondDateLine: [.longitudeRange]
        case .speedNegative: [.speedRange]
        case .timestampInWords: [.badTimestamp]
        case .timestampImpossible: [.impossibleDate]
        }
    }

    /// Each becomes a dead letter as it came, with the reason of its fault, and leaves nothing behind.
    @Test func brokenEventsOfTwentyKindsAreDeadLetters() throws {
        var options = SimulationOptions()
        options.fleet.vehicles = 200
        options.fleet.start = 1_771_281_000_000
        options.delivery.malformed = 1
        var simulation = try Simulation(options)
        var stage = TrafficStage(
            state: TrafficPartition(options: Self.traffic, source: 0, epoch: 1), options: Self.traffic, topics: TrafficTopics(),
            mergePartitions: 1, metrics: TrafficMetrics(MetricRegistry()), joined: nil)
        let empty = stage.checkpoint().count
        var seen: Set<String> = []
        for offset in 0..<100_000 as Range<Int64> {
            guard let delivery = simulation.next(until: .max) else { break }
            guard case .malformed(let fault) = delivery.fate else { continue }
            var bytes: [UInt8] = []
            simulation.write(delivery, &bytes)
            let record = ConsumerRecord(
                topic: "iot-data-event", partition: 0, offset: offset, appendTime: simulation.time, key: .text("v"), value: bytes)
            let letters = stage.ingest(record, now: simulation.time)
            let reason = letters.first.map { String($0.reason.prefix { $0 != ":" }) } ?? "none"
            seen.insert(fault.name)
            if letters.count == 1, letters[0].value == bytes, Self.reasons(fault).contains(where: { $0.rawValue == reason }) { continue }
            Issue.record("\(fault.name) is refused as \(reason): \(String(decoding: bytes, as: UTF8.self))")
            return
        }
        #expect(seen.count == 20 && stage.state.vehicleCount == 0)
        // Only how far it has come.
        #expect(stage.advance(now: simulation.time).records.count <= 1 && stage.checkpoint().count < empty + 64)
    }
}
