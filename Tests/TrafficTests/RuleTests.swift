import Records
import Testing
import TimeSeries

@testable import Traffic

@Suite struct RuleTests {
    static func event(
        _ second: Int, speed: Double? = nil, fuel: Double? = nil, route: String = "R", latitude: Double = 0, vehicle: UInt64 = 1
    ) -> VehicleEvent {
        VehicleEvent(
            vehicle: VehicleID(high: 0, low: vehicle), vehicleType: "Bus", route: route, latitude: latitude, longitude: 0,
            time: 1_700_000_000_000 + Milliseconds(second) * 1000, speed: speed, fuel: fuel)
    }

    static func alerts(_ options: TrafficOptions, _ events: [VehicleEvent], joined: JoinLookup? = nil) -> [TrafficAlert] {
        var partition = TrafficPartition(options: options, source: 0, epoch: 1)
        for (offset, event) in events.enumerated() {
            _ = event.json.withUnsafeBytes { partition.ingest($0, offset: Int64(offset), now: 1_700_001_000_000, joined: joined) }
        }
        return partition.advance(now: 1_700_001_000_000).alerts
    }

    @Test func speedAboveForAWhile() {
        var options = TrafficOptions()
        options.rules = [TrafficRule(name: "fast", condition: .speedAbove(.value(110), for: 20_000))]
        let alerts = RuleTests.alerts(
            options,
            [
                RuleTests.event(0, speed: 120), RuleTests.event(10, speed: 100), RuleTests.event(20, speed: 111),
                RuleTests.event(30), RuleTests.event(25, speed: 0), RuleTests.event(40, speed: 131), RuleTests.event(50, speed: 140),
                RuleTests.event(60, speed: 110),
            ])
        #expect(alerts.map(\.onset) == [RuleTests.event(20).time, RuleTests.event(20).time])
        #expect(alerts.map(\.time) == [RuleTests.event(40).time, RuleTests.event(60).time])
        #expect(alerts.map(\.end) == [nil, RuleTests.event(60).time])
        #expect(alerts.first?.message == "speed 131 km/h above 110 for 20 s")
        #expect(alerts.first?.value == 131 && alerts.first?.limit == 110)
        #expect(alerts.first?.subject == "00000000-0000-0000-0000-000000000001")
    }

    @Test func fuelBelowAndFilters() {
        var options = TrafficOptions()
        options.rules = [TrafficRule(name: "fuel", condition: .fuelBelow(10), routes: ["R"])]
        let alerts = RuleTests.alerts(
            options,
            [
                RuleTests.event(0, fuel: 5, route: "Other"), RuleTests.event(1, fuel: 9), RuleTests.event(2, fuel: 8),
                RuleTests.event(3), RuleTests.event(4, fuel: 10),
            ])
        #expect(alerts.map(\.message) == ["fuel 9 % below 10 %", "fuel was below 10 %"])
        #expect(alerts.last?.end == RuleTests.event(4).time)
    }

    @Test func enteringAPoint() {
        var options = TrafficOptions()
        options.points = [PointOfInterest(name: "yard", area: .circle(latitude: 0, longitude: 0, radius: 1), timeToLive: 60_000)]
        options.rules = [TrafficRule(name: "arrived", condition: .enters("yard"))]
        let alerts = RuleTests.alerts(
            options,
            [
                RuleTests.event(0, latitude: 1), RuleTests.event(10), RuleTests.event(20), RuleTests.event(30, latitude: 1),
                RuleTests.event(25, latitude: 1), RuleTests.event(40), RuleTests.event(101),
            ])
        #expect(alerts.map(\.onset) == [10, 40, 101].map { RuleTests.event($0).time })
        #expect(alerts.allSatisfy { $0.end == $0.onset && $0.value == nil && $0.message == "entered yard" })
    }

    @Test func limitsFromAJoinedTable() {
        var options = TrafficOptions()
        options.rules = [
            TrafficRule(name: "limit", condition: .speedAbove(.field("speed_limit", default: nil), for: 0)),
            TrafficRule(name: "standard", condition: .speedAbove(.field("none", default: 90), for: 0)),
        ]
        let alerts = RuleTests.alerts(
            options, [RuleTests.event(0, speed: 80, route: "City"), RuleTests.event(1, speed: 80, route: "Motorway")],
            joined: { event, field in field == "speed_limit" && event.route == "City" ? 50 : nil })
        #expect(alerts.map(\.rule) == ["limit", "limit"])
        #expect(alerts.first?.limit == 50)
        #expect(alerts.last?.end == RuleTests.event(1).time)
    }

    @Test func silenceAndReloadEndAlerts() {
        var options = TrafficOptions()
        options.rules = [
            TrafficRule(name: "fuel", condition: .fuelBelow(10)), TrafficRule(name: "fast", condition: .speedAbove(.value(50), for: 0)),
        ]
        options.alertSilence = 60_000
        var partition = TrafficPartition(options: options, source: 0, epoch: 1)
        func send(_ event: VehicleEvent, _ offset: Int64) {
            _ = event.json.withUnsafeBytes { partition.ingest($0, offset: offset, now: 1_700_001_000_000) }
        }
        send(RuleTests.event(0, speed: 80, fuel: 5), 0)
        #expect(partition.advance(now: 1_700_001_000_000).alerts.count == 2)
        options.rules.removeLast()
        partition.apply(options)
        let ended = partition.advance(now: 1_700_001_002_000).alerts
        #expect(ended.map(\.rule) == ["fast"] && ended.first?.end == RuleTests.event(0).time)
        send(RuleTests.event(120, fuel: 50, vehicle: 2), 1)
        let silent = partition.advance(now: 1_700_001_004_000).alerts
        #expect(silent.map(\.rule) == ["fuel"] && silent.first?.end == RuleTests.event(0).time)
    }
}
