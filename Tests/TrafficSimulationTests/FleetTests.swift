import Testing
import TimeSeries
import Traffic

@testable import TrafficSimulation

@Suite struct FleetTests {
    @Test(arguments: [FleetPreset.us, .italy].map(\.name))
    func roadsAreWithinTheirBoxesAndOfBelievableLength(name: String) throws {
        let preset = try #require(FleetPreset.named(name))
        for road in preset.roads {
            #expect((60...165).contains(road.length), "\(road.name) is \(road.length) km long")
            for (i, point) in road.points.enumerated() {
                #expect((road.box.low.latitude...road.box.high.latitude).contains(point.latitude), "\(road.name) \(i)")
                #expect((road.box.low.longitude...road.box.high.longitude).contains(point.longitude), "\(road.name) \(i)")
                if i > 0 { #expect(Earth.distance(road.points[i - 1], point) < 0.6, "\(road.name) \(i)") }
            }
        }
        for junction in preset.junctions {
            let a = preset.roads[junction.road]
            let b = preset.roads[junction.otherRoad]
            let gap = Earth.distance(
                a.place(at: junction.way, piece: a.piece(at: junction.way)),
                b.place(at: junction.otherWay, piece: b.piece(at: junction.otherWay)))
            #expect(gap < 0.05, "\(a.name) and \(b.name) are \(gap) km apart")
        }
    }

    @Test func route37PassesTheOriginalPoint() {
        let road = FleetPreset.us.roads[0]
        let place = Coordinate(latitude: 33.877495, longitude: -95.50238)
        #expect(road.name == "Route-37")
        #expect(road.points.map { Earth.distance($0, place) }.min() ?? 1 < 0.001)
    }

    /// Nearest of all pieces, on a plane that is right for short distances.
    static func distance(of event: FleetEvent, from road: Road) -> Double {
        let latitude = Double(event.latitude) / 1e6
        let longitude = Double(event.longitude) / 1e6
        let east = 111.195 * (latitude * .pi / 180).cosine
        func flat(_ point: Coordinate) -> (x: Double, y: Double) {
            ((point.longitude - longitude) * east, (point.latitude - latitude) * 111.195)
        }
        var best = Double.infinity
        for i in 1..<road.points.count {
            let (a, b) = (flat(road.points[i - 1]), flat(road.points[i]))
            let (dx, dy) = (b.x - a.x, b.y - a.y)
            let square = dx * dx + dy * dy
            let part = square > 0 ? min(1, max(0, -(a.x * dx + a.y * dy) / square)) : 0
            let (x, y) = (a.x + part * dx, a.y + part * dy)
            best = min(best, (x * x + y * y).squareRoot())
        }
        return best
    }

    @Test(arguments: [FleetPreset.us, .italy].map(\.name))
    func positionsLieOnTheRoadAndAgreeWithTheSpeeds(name: String) throws {
        let preset = try #require(FleetPreset.named(name))
        let all = try events(makeOptions(preset, vehicles: 25, start: monday + 12 * hour), for: 2 * hour)
        #expect(all.count > 20_000)
        for event in all.enumerated().filter({ $0.offset % 211 == 0 }).map(\.element) {
            #expect(FleetTests.distance(of: event, from: preset.roads[Int(event.route)]) < 0.015)
        }
        var last: [Int32: FleetEvent] = [:]
        var ratios: [Double] = []
        var jumps = 0
        for event in all {
            if let before = last[event.vehicle], before.route == event.route, event.time - before.time < 7_000 {
                func place(_ event: FleetEvent) -> Coordinate {
                    Coordinate(latitude: Double(event.latitude) / 1e6, longitude: Double(event.longitude) / 1e6)
                }
                let speed = Earth.distance(place(before), place(event)) / Double(event.time - before.time) * 3_600_000
                let told = Double(before.speed + event.speed) / 20
                // Who turns round at the end of a road has braked at once.
                if speed > told + 20 { jumps += 1 }
                if told > 40 { ratios.append(speed / told) }
            }
            last[event.vehicle] = event
            #expect((0...1_600).contains(event.speed) && (0...1_000).contains(event.fuel))
        }
        #expect(jumps < all.count / 2_000)
        ratios.sort()
        #expect((0.98...1.02).contains(ratios[ratios.count / 2]))
    }

    @Test func reportsComeInOrderAndEachVehicleGoesForth() throws {
        let all = try events(makeOptions(vehicles: 60, interval: 1_000), for: hour)
        var last: [Int32: Milliseconds] = [:]
        var newest: Milliseconds = .min
        for event in all {
            #expect(event.time >= newest)
            #expect(event.time > last[event.vehicle] ?? .min)
            newest = event.time
            last[event.vehicle] = event.time
        }
        #expect(last.count > 50)
    }

    @Test func typesDrivesAndRoadsAreAllThere() throws {
        let all = try events(makeOptions(vehicles: 100), for: 12 * hour)
        #expect(Set(all.map(\.type)).count == 5)
        #expect(Set(all.map(\.route)).count == 3)
        // Some change roads, some fall silent for a while, some refuel.
        let byVehicle = Dictionary(grouping: all, by: \.vehicle).values
        #expect(byVehicle.filter { Set($0.map(\.route)).count > 1 }.count > 10)
        #expect(byVehicle.filter { zip($0, $0.dropFirst()).contains { $1.time - $0.time > 120_000 } }.count > 50)
        #expect(byVehicle.filter { zip($0, $0.dropFirst()).contains { $1.fuel > $0.fuel + 500 } }.count > 20)
        #expect(all.filter { $0.fuel < 150 }.count > 100)
        #expect(all.filter { !$0.hasSpeed }.count > 50)
    }

    @Test func rushHoursAreVisible() throws {
        let all = try events(makeOptions(vehicles: 150, interval: 30_000), for: 24 * hour)
        func mean(_ from: Double, _ to: Double) -> Double {
            let speeds = all.filter { Double($0.time - monday) / 3.6e6 >= from && Double($0.time - monday) / 3.6e6 < to }.map(\.speed)
            return Double(speeds.reduce(0, +)) / Double(max(1, speeds.count)) / 10
        }
        let noon = mean(11, 14)
        #expect(mean(7.3, 8.3) < noon * 0.85)
        #expect(mean(17, 18.2) < noon * 0.85)
        // On a Saturday nobody hurries to work.
        let saturday = RoadConditions.rush(hour: 7.8, isWeekend: true)
        #expect(saturday.forwards > 0.95 && saturday.backwards > 0.95)
    }

    @Test func incidentsComeAndGo() throws {
        var conditions = try RoadConditions(preset: .us, start: monday, seed: 5)
        var seen: Set<Milliseconds> = []
        var free = 0
        for minute in 0..<1_440 {
            conditions.advance(to: monday + Int64(minute) * 60_000)
            for incident in conditions.incidents.joined() {
                seen.insert(incident.start)
                #expect(incident.end > monday + Int64(minute) * 60_000)
            }
            if conditions.incidents[0].isEmpty { free += 1 }
        }
        #expect((30...160).contains(seen.count))
        #expect(free > 300)
    }
}

extension Double {
    /// Taylor's series is enough between the poles' circles.
    fileprivate var cosine: Double {
        var term = 1.0
        var sum = 1.0
        for i in 1..<12 {
            term *= -self * self / Double(2 * i * (2 * i - 1))
            sum += term
        }
        return sum
    }
}
