import Records
import TestSupport
import Testing
import TimeSeries

@testable import Traffic

@Suite struct MergeTests {
    static func event(_ time: Milliseconds, vehicle: UInt64, speed: Double? = 60) -> VehicleEvent {
        VehicleEvent(
            vehicle: VehicleID(high: 0, low: vehicle), vehicleType: "Bus", route: "R", latitude: 0, longitude: 0, time: time, speed: speed,
            fuel: 50)
    }

    static func send(_ partition: inout TrafficPartition, _ event: VehicleEvent, _ offset: Int64, now: Milliseconds) {
        let outcome = event.json.withUnsafeBytes { partition.ingest($0, offset: offset, now: now) }
        #expect(outcome == .accepted)
    }

    static func pass(_ output: TrafficOutput, _ merge: inout TrafficMerge, _ offset: inout Int64) throws {
        for bytes in output.partials.map(\.bytes) + (output.progress.isEmpty ? [] : [output.progress]) {
            try merge.ingest(bytes, offset: offset)
            offset += 1
        }
    }

    @Test func aWindowWaitsForAllSourcesButSilentOnes() throws {
        let options = TrafficOptions()
        var parts = (0..<3).map { TrafficPartition(options: options, source: Int32($0), epoch: 1) }
        var merge = TrafficMerge(options: options, sources: 3, epoch: 4)
        var offset: Int64 = 0
        let t: Milliseconds = 1_700_000_000_000
        for s in 0..<2 { MergeTests.send(&parts[s], MergeTests.event(t + 5_000, vehicle: UInt64(s)), 0, now: t + 5_000) }
        MergeTests.send(&parts[0], MergeTests.event(t + 16_000, vehicle: 0), 1, now: t + 16_000)
        for s in 0..<3 { try MergeTests.pass(parts[s].advance(now: t + 16_000), &merge, &offset) }
        #expect(merge.advance(now: t + 16_000).windows.isEmpty)
        MergeTests.send(&parts[1], MergeTests.event(t + 16_000, vehicle: 1), 1, now: t + 16_000)
        for s in 0..<3 { try MergeTests.pass(parts[s].advance(now: t + 16_000), &merge, &offset) }
        // The third has no vehicles and says so after ten seconds.
        #expect(merge.advance(now: t + 17_000).windows.isEmpty)
        try MergeTests.pass(parts[2].advance(now: t + 26_000), &merge, &offset)
        let output = merge.advance(now: t + 26_000)
        #expect(output.windows.map(\.time) == [t + 10_000, t + 10_000])
        #expect(output.windows.map(\.vehicleType) == ["", "Bus"] || output.windows.map(\.vehicleType) == ["Bus", ""])
        #expect(output.windows.allSatisfy { $0.vehicles == 2 && $0.events == 2 && $0.speedAvg == 60 && $0.speedP10 == 60 })
        #expect(output.series.map(\.name) == ["traffic_vehicles", "traffic_events", "traffic_speed_avg", "traffic_speed_p10"])
        #expect(output.series.map(\.vehicleType) == ["Bus", "Bus", nil, nil])
        // A late event brings the rows again, but no series.
        MergeTests.send(&parts[1], MergeTests.event(t + 6_000, vehicle: 9, speed: nil), 2, now: t + 27_000)
        try MergeTests.pass(parts[1].advance(now: t + 27_000), &merge, &offset)
        let again = merge.advance(now: t + 27_000)
        #expect(again.windows.allSatisfy { $0.vehicles == 3 && $0.speedAvg == 60 } && again.windows.count == 2 && again.series.isEmpty)
        #expect(zip(again.windows, output.windows).allSatisfy { $0.revision > $1.revision })
    }

    @Test func silenceOfAllLetsWindowsGoOn() throws {
        let options = TrafficOptions()
        var part = TrafficPartition(options: options, source: 0, epoch: 1)
        var merge = TrafficMerge(options: options, sources: 1, epoch: 1)
        var offset: Int64 = 0
        let t: Milliseconds = 1_700_000_000_000
        MergeTests.send(&part, MergeTests.event(t + 1_000, vehicle: 1), 0, now: t + 1_000)
        var ends: [Milliseconds] = []
        for second in stride(from: Milliseconds(1), to: 90, by: 1) {
            try MergeTests.pass(part.advance(now: t + second * 1000), &merge, &offset)
            ends += merge.advance(now: t + second * 1000).windows.filter { $0.vehicleType == "" }.map(\.time)
        }
        #expect(ends == [t + 10_000, t + 20_000, t + 30_000])
    }

    @Test func formerOwnersLose() throws {
        let options = TrafficOptions()
        let t: Milliseconds = 1_700_000_000_000
        var old = TrafficPartition(options: options, source: 0, epoch: 1)
        var new = TrafficPartition(options: options, source: 0, epoch: 2)
        var merge = TrafficMerge(options: options, sources: 1, epoch: 1)
        var offset: Int64 = 0
        for i in 0..<3 { MergeTests.send(&new, MergeTests.event(t + 1_000, vehicle: UInt64(i)), Int64(i), now: t) }
        MergeTests.send(&old, MergeTests.event(t + 1_000, vehicle: 1), 7, now: t)
        try MergeTests.pass(new.advance(now: t + 1_000, force: true), &merge, &offset)
        try MergeTests.pass(old.advance(now: t + 1_000, force: true), &merge, &offset)
        let output = merge.advance(now: t + 1_000, force: true)
        #expect(output.totals.filter { $0.day == nil }.map(\.vehicles) == [3])
        #expect(output.windows.allSatisfy { $0.vehicles == 3 })
    }

    @Test func brokenRecordsAreRefused() throws {
        let options = TrafficOptions()
        var part = TrafficPartition(options: options, source: 0, epoch: 1)
        for i in 0..<40 {
            MergeTests.send(&part, MergeTests.event(1_700_000_000_000, vehicle: UInt64(i)), Int64(i), now: 1_700_000_000_000)
        }
        let output = part.advance(now: 1_700_000_000_000, force: true)
        let record = try #require(output.partials.first?.bytes)
        var merge = TrafficMerge(options: options, sources: 1, epoch: 1)
        #expect(throws: DecodingFailure.self) { try merge.ingest([1, 2, 3], offset: 0) }
        #expect(throws: DecodingFailure.self) { try merge.ingest(Array(record.dropLast()), offset: 0) }
        var dice = SplitMix64(seed: 12)
        for i in 0..<5_000 {
            var bytes = i % 3 == 0 ? output.progress : record
            bytes[dice.below(bytes.count)] = UInt8(dice.below(256))
            var fresh = merge
            _ = try? fresh.ingest(bytes, offset: Int64(i))
            _ = fresh.advance(now: 1_700_000_000_000)
        }
    }

    @Test func memoryIsBounded() throws {
        var options = TrafficOptions()
        options.allowedLateness = 60_000
        var part = TrafficPartition(options: options, source: 0, epoch: 1)
        var merge = TrafficMerge(options: options, sources: 1, epoch: 1)
        var offset: Int64 = 0
        let t: Milliseconds = 1_700_000_000_000
        for i in 0..<2_000 {
            let now = t + Milliseconds(i) * 300_000
            MergeTests.send(&part, MergeTests.event(now, vehicle: UInt64(i % 10)), Int64(i), now: now)
            try MergeTests.pass(part.advance(now: now), &merge, &offset)
            _ = merge.advance(now: now)
        }
        #expect(merge.panes.count < 40 && merge.kinds[0].ends.count < 40 && merge.totals.count < 8 && part.olderDays.count < 6)
        #expect(part.vehicles.events.count < 200)
    }
}
