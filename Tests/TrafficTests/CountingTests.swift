import Records
import TestSupport
import Testing
import TimeSeries

@testable import Traffic

@Suite struct CountingTests {
    /// Half an hour around the midnight of Berlin on the day before the clocks change, then around New York's midnight; and plain days.
    static let starts: [Milliseconds] = [1_711_839_000_000, 1_730_606_400_000 - 1_800_000, 1_700_000_000_123]

    static func traffic(_ seed: UInt64, events: Int = 2_500) -> Traffic {
        Traffic(seed: seed, vehicles: 40, events: events, start: starts[Int(seed) % 3], span: 2_400_000)
    }

    @Test(arguments: 1...9 as ClosedRange<UInt64>)
    func countsAreThoseOfSetsAndSorts(seed: UInt64) throws {
        let traffic = CountingTests.traffic(seed)
        var dice = SplitMix64(seed: seed)
        var pipeline = Pipeline(options: traffic.options, sources: seed % 2 == 0 ? 3 : 1)
        for event in traffic.events {
            pipeline.send(event)
            if dice.below(60) == 0 { try pipeline.advance() }
        }
        try pipeline.advance(force: true)
        #expect(!pipeline.outcomes.contains(.tooLate))
        #expect(pipeline.outcomes.contains(.duplicate))
        pipeline.compare(with: pipeline.reference())
    }

    @Test func nothingIsAskedForUntilTheEnd() throws {
        let traffic = CountingTests.traffic(11)
        var pipeline = Pipeline(options: traffic.options)
        for event in traffic.events { pipeline.send(event) }
        try pipeline.advance(force: true)
        pipeline.compare(with: pipeline.reference())
    }

    @Test(arguments: 21...26 as ClosedRange<UInt64>)
    func orderDoesNotMatter(seed: UInt64) throws {
        let traffic = CountingTests.traffic(seed)
        var results: [Pipeline] = []
        for sources in [1, 3] {
            var pipeline = Pipeline(options: traffic.options, sources: sources)
            let events = sources == 1 ? traffic.events.sorted { $0.time < $1.time } : traffic.events
            for event in events { pipeline.send(event) }
            try pipeline.advance(force: true)
            results.append(pipeline)
        }
        #expect(results[0].totals.mapValues(\.1) == results[1].totals.mapValues(\.1))
        #expect(results[0].windows.mapValues(\.1) == results[1].windows.mapValues(\.1))
        let visits = results.map { $0.visits.compactMapValues(\.1) }
        #expect(visits[0].mapValues(\.seen) == visits[1].mapValues(\.seen))
    }

    @Test(arguments: 31...40 as ClosedRange<UInt64>)
    func accidentsChangeNothing(seed: UInt64) throws {
        let traffic = CountingTests.traffic(seed)
        var dice = SplitMix64(seed: seed)
        var pipeline = Pipeline(options: traffic.options, sources: 3)
        for event in traffic.events {
            pipeline.send(event)
            switch dice.below(400) {
            case 0...9: try pipeline.advance()
            case 10...13: pipeline.checkpoint(source: dice.below(3))
            case 14: try pipeline.lose(source: dice.below(3))
            case 15: pipeline.mergeState = pipeline.merge.checkpoint()
            case 16: try pipeline.loseMerge()
            default: break
            }
        }
        for s in 0..<3 {
            pipeline.checkpoint(source: s)
            try pipeline.lose(source: s)
        }
        pipeline.mergeState = pipeline.merge.checkpoint()
        try pipeline.loseMerge()
        try pipeline.advance(force: true)
        pipeline.compare(with: pipeline.reference())
    }

    @Test func stateThatIsBrokenIsRefused() throws {
        let traffic = CountingTests.traffic(3, events: 300)
        var pipeline = Pipeline(options: traffic.options)
        for event in traffic.events { pipeline.send(event) }
        try pipeline.advance()
        let states = [pipeline.partitions[0].checkpoint(), pipeline.merge.checkpoint()]
        var dice = SplitMix64(seed: 5)
        for i in 0..<2_000 {
            var state = states[i % 2]
            if i % 3 == 0 { state.removeLast(dice.below(state.count)) } else { state[dice.below(state.count)] = UInt8(dice.below(256)) }
            if i % 2 == 0 {
                guard var partition = try? TrafficPartition(options: traffic.options, source: 0, epoch: 1, checkpoint: state) else {
                    continue
                }
                _ = partition.advance(now: pipeline.now, force: true)
            } else {
                guard var merge = try? TrafficMerge(options: traffic.options, sources: 1, epoch: 1, checkpoint: state) else { continue }
                _ = merge.advance(now: pipeline.now, force: false)
            }
        }
    }

    @Test func lateAndFutureEventsAreRefused() {
        var options = TrafficOptions()
        options.allowedLateness = 60_000
        var pipeline = Pipeline(options: options)
        func event(_ id: UInt64, _ time: Milliseconds) -> VehicleEvent {
            VehicleEvent(
                vehicle: VehicleID(high: 1, low: id), vehicleType: "Bus", route: "R", latitude: 0, longitude: 0, time: time, speed: nil,
                fuel: nil)
        }
        #expect(pipeline.send(event(1, 1_000_000)) == .accepted)
        #expect(pipeline.send(event(2, 940_000)) == .accepted)
        #expect(pipeline.send(event(2, 939_999)) == .tooLate)
        #expect(pipeline.send(event(2, 940_000)) == .duplicate)
        let ahead = event(3, 1_060_001)
        let outcome = ahead.json.withUnsafeBytes { pipeline.partitions[0].ingest($0, offset: 9, now: 1_000_000) }
        #expect(outcome == .future)
        #expect(pipeline.partitions[0].nextOffset == 10)
    }

    @Test func thereIsABoundToVehiclesAndKeys() {
        var options = TrafficOptions()
        options.maxVehicles = 2
        options.maxKeys = 2
        options.vehicleRetention = 3_600_000
        var pipeline = Pipeline(options: options)
        func event(_ id: UInt64, _ route: String, _ time: Milliseconds) -> VehicleEvent {
            VehicleEvent(
                vehicle: VehicleID(high: 1, low: id), vehicleType: "Bus", route: route, latitude: 0, longitude: 0, time: time, speed: 1,
                fuel: 2)
        }
        #expect(pipeline.send(event(1, "A", 1_000_000)) == .accepted)
        #expect(pipeline.send(event(2, "B", 1_000_000)) == .accepted)
        #expect(pipeline.send(event(3, "A", 1_000_001)) == .overLimit)
        #expect(pipeline.send(event(1, "C", 1_000_002)) == .overLimit)
        #expect(pipeline.send(event(1, "B", 1_000_003)) == .accepted)
        // What was not heard for long makes room.
        #expect(pipeline.send(event(1, "B", 4_700_000)) == .accepted)
        #expect(pipeline.send(event(3, "A", 4_700_000)) == .accepted)
        #expect(pipeline.partitions[0].vehicleCount == 2)
    }
}
