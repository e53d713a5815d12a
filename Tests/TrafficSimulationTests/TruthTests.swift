import Foundation
import Testing
import TimeSeries
import Traffic

@testable import TrafficSimulation

@Suite struct TruthTests {
    static let routes = ["R1", "R2"]
    static let types = ["Bus", "Taxi"]
    static let ids = ["v0", "v1", "v2"]

    static func event(
        _ vehicle: Int32, _ time: Milliseconds, route: UInt8 = 0, type: UInt8 = 0, speed: Int32? = 500, fuel: Int32 = 500,
        latitude: Int32 = 0
    ) -> FleetEvent {
        FleetEvent(
            vehicle: vehicle, route: route, type: type, hasSpeed: speed != nil, time: time, latitude: latitude, longitude: 0,
            speed: speed ?? 0, fuel: fuel)
    }

    /// Worked out by hand. In any order, with any duplicates and however often it is told that a part is complete.
    @Test(arguments: 0..<8 as Range<UInt64>)
    func aSmallCaseByHand(seed: UInt64) throws {
        let day: Milliseconds = 86_400_000
        var options = TrafficOptions()
        options.windows = [.init(length: 30_000, slide: 10_000)]
        options.points = [
            PointOfInterest(name: "here", area: .circle(latitude: 0, longitude: 0, radius: 1), routes: ["R1"], timeToLive: 20_000)
        ]
        var truth = try Truth(options: options, routes: Self.routes, types: Self.types, ids: Self.ids, start: 0)
        let all = [
            Self.event(0, day - 10_000, speed: 603),
            Self.event(0, day, speed: nil, fuel: 149),
            Self.event(1, day, type: 1, speed: 4_500, latitude: 500_000),
            Self.event(0, day + 5_000, route: 1, speed: 100),
            Self.event(1, day + 41_000, type: 1, speed: 250, fuel: 150),
            Self.event(1, day + 62_000, type: 1, speed: 260, fuel: 10),
        ]
        var random = SimulationRandom(seed: seed)
        var arriving = seed == 0 ? all : (all + [all[0], all[3], all[5]]).shuffled(using: &random)
        if seed % 2 == 1 {
            // Half of it is complete before the rest comes.
            let early = arriving.filter { $0.time < day + 1 }
            arriving.removeAll { $0.time < day + 1 }
            for event in early { truth.add(event) }
            truth.complete(before: day - 5_000)
            truth.complete(before: day + 1)
        }
        for event in arriving { truth.add(event) }
        truth.finish()
        let text = lines(truth.rows).sorted()
        let window = #"{"kind":"window","time":"#
        let golden = [
            #"{"kind":"poi","point":"here","vehicle":"v0","vehicleType":"Bus","route":"R1","entered":86390000,"seen":86400000,"left":86405000,"dwell":10000,"latitude":0.0,"longitude":0.0,"distance":0.0}"#,
            #"{"kind":"poi","point":"here","vehicle":"v1","vehicleType":"Taxi","route":"R1","entered":86441000,"seen":86441000,"left":86461000,"dwell":0,"latitude":0.0,"longitude":0.0,"distance":0.0}"#,
            #"{"kind":"poi","point":"here","vehicle":"v1","vehicleType":"Taxi","route":"R1","entered":86462000,"seen":86462000,"left":null,"dwell":0,"latitude":0.0,"longitude":0.0,"distance":0.0,"open":true}"#,
            #"{"kind":"total","route":"R1","vehicleType":"Bus","day":"1970-01-01","vehicles":1,"events":1,"arrivals":0}"#,
            #"{"kind":"total","route":"R1","vehicleType":"Bus","day":"1970-01-02","vehicles":1,"events":1,"arrivals":0}"#,
            #"{"kind":"total","route":"R1","vehicleType":"Bus","day":null,"vehicles":1,"events":2,"arrivals":0}"#,
            #"{"kind":"total","route":"R1","vehicleType":"Taxi","day":"1970-01-02","vehicles":1,"events":3,"arrivals":0}"#,
            #"{"kind":"total","route":"R1","vehicleType":"Taxi","day":null,"vehicles":1,"events":3,"arrivals":0}"#,
            #"{"kind":"total","route":"R2","vehicleType":"Bus","day":"1970-01-02","vehicles":1,"events":1,"arrivals":1}"#,
            #"{"kind":"total","route":"R2","vehicleType":"Bus","day":null,"vehicles":1,"events":1,"arrivals":1}"#,
            // (t-30, t]: the event at -10 s is in the windows -10, 0 and 10; those at 0 in 0, 10 and 20.
            window
                + #"86390000,"window":30000,"route":"R1","vehicleType":"Bus","vehicles":1,"events":1,"speeds":1,"speedSum":60300,"speedAvg":60.3,"speedP10":60.0,"lowFuel":0}"#,
            window
                + #"86390000,"window":30000,"route":"R1","vehicleType":"","vehicles":1,"events":1,"speeds":1,"speedSum":60300,"speedAvg":60.3,"speedP10":60.0,"lowFuel":0}"#,
        ]
        for row in golden { #expect(text.contains(row), "\(row)") }
        func windows(_ end: Milliseconds) -> [String] {
            text.filter { $0.hasPrefix(window + "\(end),") }.map { String($0.dropFirst((window + "\(end),\"window\":30000,").count)) }
        }
        let r1Bus = #""route":"R1","vehicleType":"Bus","vehicles":1,"#
        let r1Taxi = #""route":"R1","vehicleType":"Taxi","vehicles":1,"#
        for end in [day, day + 10_000] {
            let found = windows(end)
            #expect(found.contains(r1Bus + #""events":2,"speeds":1,"speedSum":60300,"speedAvg":60.3,"speedP10":60.0,"lowFuel":1}"#))
            #expect(found.contains(r1Taxi + #""events":1,"speeds":1,"speedSum":450000,"speedAvg":450.0,"speedP10":400.0,"lowFuel":0}"#))
            #expect(
                found.contains(
                    #""route":"R1","vehicleType":"","vehicles":2,"events":3,"speeds":2,"speedSum":510300,"speedAvg":255.15,"speedP10":60.0,"lowFuel":1}"#
                ))
            #expect(found.count == (end == day ? 3 : 5))
        }
        #expect(windows(day + 20_000).contains(r1Bus + #""events":1,"speeds":0,"speedSum":0,"speedAvg":null,"speedP10":null,"lowFuel":1}"#))
        // The events at 5 s are in (0, 30], that at 41 s is not.
        #expect(windows(day + 30_000).count == 2)
        #expect(windows(day + 40_000).isEmpty)
        #expect(windows(day + 70_000).allSatisfy { $0.hasSuffix(#""speedAvg":25.5,"speedP10":25.0,"lowFuel":1,"open":true}"#) })
        #expect(windows(day + 60_000).allSatisfy { $0.hasSuffix(#""lowFuel":0}"#) } && windows(day + 60_000).count == 2)
        #expect(windows(day + 90_000).count == 2 && windows(day + 100_000).isEmpty)
        #expect(text.count == 10 + 2 + 3 + 5 + 5 + 2 + 2 + 2 + 2 + 2 + 2)
        #expect(truth.accepted == 6 && truth.duplicates == (seed == 0 ? 0 : 3))
    }

    /// A second naive computation of a simulated hour: every row from the whole set at once.
    @Test func aSimulatedHourAgreesWithANaiveComputation() throws {
        var options = DeliveryTests.disturbed()
        options.fleet.vehicles = 25
        let analysis = TrafficOptions()
        var simulation = try Simulation(options, truth: analysis)
        var set: [[Int64]: FleetEvent] = [:]
        for delivery in deliveries(&simulation, until: monday + 11 * hour) {
            switch delivery.fate {
            case .tooLate, .malformed: break
            default: set[[Int64(delivery.event.vehicle), delivery.event.time]] = delivery.event
            }
        }
        simulation.finishTruth()
        let bytes = simulation.truth?.rows ?? []
        let all = Array(set.values)
        let windows = try rows(bytes, "window")
        #expect(windows.count > 3_000)
        for row in windows.enumerated().filter({ $0.offset % 17 == 0 }).map(\.element) {
            let time = row["time"] as? Int64 ?? 0
            let type = row["vehicleType"] as? String ?? ""
            let inside = all.filter {
                $0.time > time - 30_000 && $0.time <= time && FleetPreset.us.routeNames[Int($0.route)] == row["route"] as? String
                    && (type.isEmpty || FleetPreset.us.typeNames[Int($0.type)] == type)
            }
            #expect(row["events"] as? Int == inside.count)
            #expect(row["vehicles"] as? Int == Set(inside.map(\.vehicle)).count)
            let speeds = inside.filter(\.hasSpeed).map { Double($0.speed) / 10 }.sorted()
            #expect(abs((row["speedAvg"] as? Double ?? 0) - speeds.reduce(0, +) / Double(speeds.count)) < 1e-9)
            let rank = Int((0.1 * Double(speeds.count)).rounded(.up)) - 1
            #expect(row["speedP10"] as? Double == (speeds[rank] * 2).rounded(.down) / 2)
        }
        let totals = try rows(bytes, "total").filter { $0["day"] is NSNull }
        #expect(totals.compactMap { $0["events"] as? Int }.reduce(0, +) == all.count)
        let summary = try #require(try rows(bytes, "summary").first)
        #expect(summary["accepted"] as? Int == all.count)
        #expect(summary["duplicates"] as? Int == simulation.counts.duplicates)
        let faults = try rows(bytes, "malformed")
        #expect(faults.count == 20)
        #expect(faults.compactMap { $0["events"] as? Int }.reduce(0, +) == summary["malformed"] as? Int)
    }

    @Test func daysAreThoseOfTheZone() throws {
        // Around midnight UTC, which is 19:00 in Chicago: one day there, two here.
        func days(_ zone: String) throws -> [String: Int] {
            var options = makeOptions(start: monday + 18 * hour)
            options.zone = zone
            var simulation = try Simulation(options, truth: TrafficOptions())
            _ = deliveries(&simulation, until: monday + 20 * hour)
            simulation.finishTruth()
            var counts: [String: Int] = [:]
            for row in try rows(simulation.truth?.rows ?? [], "total") {
                if let day = row["day"] as? String { counts[day, default: 0] += row["events"] as? Int ?? 0 }
            }
            return counts
        }
        let utc = try days("UTC")
        let chicago = try days("America/Chicago")
        #expect(utc.keys.sorted() == ["2026-09-21", "2026-09-22"])
        #expect(chicago.keys.sorted() == ["2026-09-21"])
        #expect(utc.values.reduce(0, +) == chicago["2026-09-21"])
        var naive = 0
        for event in try events(makeOptions(start: monday + 18 * hour), for: 2 * hour) where event.time < monday + 19 * hour { naive += 1 }
        #expect(utc["2026-09-21"] == naive)
    }

    @Test func routesMayHaveZonesOfTheirOwn() throws {
        var options = TrafficOptions()
        options.routeZones = ["R2": "Asia/Tokyo"]
        var truth = try Truth(options: options, routes: Self.routes, types: Self.types, ids: Self.ids, start: 0)
        truth.add(Self.event(0, 20 * hour, route: 0))
        truth.add(Self.event(0, 20 * hour + 1, route: 1))
        truth.finish()
        let days = try rows(truth.rows, "total").compactMap { $0["day"] as? String }
        #expect(days.sorted() == ["1970-01-01", "1970-01-02"])
    }

    @Test func polygonsHoldWhatIsInThem() {
        let area = PointOfInterest.Area.polygon([
            Coordinate(latitude: -1, longitude: -1), Coordinate(latitude: -1, longitude: 1), Coordinate(latitude: 1, longitude: 1),
            Coordinate(latitude: 1, longitude: -1),
        ])
        #expect(TruthPlace.isInside(Self.event(0, 0, latitude: 900_000), area))
        #expect(!TruthPlace.isInside(Self.event(0, 0, latitude: 1_100_000), area))
        #expect(abs(TruthPlace.distance(Self.event(0, 0, latitude: 1_000_000), area) - 111.195) < 0.001)
    }

    @Test func zonesKnowTheirClocks() throws {
        // 25 October 2026, 03:00 in Rome becomes 02:00.
        let change: Milliseconds = 1_792_890_000_000
        let rome = try FleetZone(name: "Europe/Rome", around: change)
        #expect(rome.offset(at: change - 1) == 2 * hour && rome.offset(at: change) == hour)
        #expect(rome.endOfRepetition(at: change - hour) == change + hour)
        #expect(rome.endOfRepetition(at: change + hour) == nil && rome.endOfRepetition(at: change - hour - 1) == nil)
        #expect(throws: SimulationError.self) { try FleetZone(name: "Rome/Europe", around: 0) }
        // Nobody reports local times that mean two things.
        var options = makeOptions(.italy, start: change - 2 * hour)
        options.form.time = .local
        var simulation = try Simulation(options)
        let times = deliveries(&simulation, until: change + 2 * hour).map(\.event.time)
        #expect(times.allSatisfy { $0 < change - hour || $0 >= change + hour } && times.allSatisfy { $0 % 1000 == 0 })
        #expect(times.contains { $0 < change - hour } && times.contains { $0 >= change + hour })
    }
}
