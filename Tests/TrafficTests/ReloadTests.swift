import Records
import Testing
import TimeSeries

@testable import Traffic

@Suite struct ReloadTests {
    @Test func windowsThatAreNewBeginWhole() throws {
        var options = TrafficOptions()
        var part = TrafficPartition(options: options, source: 0, epoch: 1)
        var merge = TrafficMerge(options: options, sources: 1, epoch: 1)
        var offset: Int64 = 0
        let t: Milliseconds = 1_700_000_000_000
        var rows: [TrafficWindow] = []
        for i in 0..<60 {
            let now = t + Milliseconds(i) * 5_000
            if i == 20 {
                options.windows.append(.init(length: 60_000, slide: 20_000))
                part.apply(options)
                merge.apply(options)
            }
            MergeTests.send(&part, MergeTests.event(now, vehicle: UInt64(i % 3)), Int64(i), now: now)
            try MergeTests.pass(part.advance(now: now), &merge, &offset)
            rows += merge.advance(now: now).windows.filter { $0.vehicleType == "Bus" }
        }
        let short = rows.filter { $0.window == 30_000 && $0.time >= t + 30_000 }
        #expect(short.allSatisfy { $0.vehicles == 3 && $0.events == 6 } && short.count == 27)
        let long = rows.filter { $0.window == 60_000 }
        #expect(long.allSatisfy { $0.vehicles == 3 && $0.events == 12 } && long.count == 7)
    }

    @Test func pointsAreRenumbered() {
        var options = TrafficOptions()
        options.points = ["a", "b"].map { PointOfInterest(name: $0, area: .circle(latitude: 0, longitude: 0, radius: 1)) }
        var part = TrafficPartition(options: options, source: 0, epoch: 1)
        let t: Milliseconds = 1_700_000_000_000
        MergeTests.send(&part, MergeTests.event(t, vehicle: 1), 0, now: t)
        #expect(part.advance(now: t, force: true).visits.map(\.point) == ["a", "b"])
        options.points.removeFirst()
        options.points.append(PointOfInterest(name: "c", area: .circle(latitude: 0, longitude: 0, radius: 1)))
        part.apply(options)
        let ended = part.advance(now: t, force: true).visits
        #expect(ended.map(\.point) == ["a"] && ended.first?.left == t + 120_000)
        MergeTests.send(&part, MergeTests.event(t + 1_000, vehicle: 1), 1, now: t)
        let visits = part.advance(now: t, force: true).visits.sorted { $0.point < $1.point }
        #expect(visits.map(\.point) == ["b", "c"])
        #expect(visits.map(\.entered) == [t, t + 1_000])
    }
}
