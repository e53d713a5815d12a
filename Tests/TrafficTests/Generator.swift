import TestSupport
import TimeSeries

@testable import Traffic

extension SplitMix64 {
    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
    mutating func unit() -> Double { Double(next() >> 11) / Double(1 << 53) }
}

extension VehicleEvent {
    /// As a producer writes it; null for what it does not tell.
    var json: [UInt8] {
        func text(_ value: Double?) -> String { value.map { "\($0)" } ?? "null" }
        return Array(
            """
            {"vehicleId":"\(vehicle)","vehicleType":"\(vehicleType)","routeId":"\(route)","latitude":"\(latitude)",\
            "longitude":"\(longitude)","timestamp":\(time),"speed":\(text(speed)),"fuelLevel":\(text(fuel))}
            """.utf8)
    }
}

/// Vehicles that drive about, change routes, come and go at the points, and whose events arrive out of order and twice.
struct Traffic {
    var options = TrafficOptions()
    var events: [VehicleEvent] = []

    static let types = ["Bus", "Taxi", "Large Truck"]

    init(seed: UInt64, vehicles: Int, events count: Int, start: Milliseconds, span: Milliseconds) {
        var dice = SplitMix64(seed: seed)
        options.windows = [
            .init(length: 30_000, slide: 10_000), .init(length: 120_000, slide: 40_000), .init(length: 15_000, slide: 15_000),
        ]
        options.allowedLateness = 120_000
        options.zone = "America/New_York"
        options.routeZones = ["Route-1": "Europe/Berlin", "Route-2": "Asia/Kolkata"]
        options.points = [
            PointOfInterest(name: "depot", area: .circle(latitude: 50, longitude: 8, radius: 3), timeToLive: 40_000),
            PointOfInterest(
                name: "quarter",
                area: .polygon([
                    .init(latitude: 49.98, longitude: 7.98), .init(latitude: 50.03, longitude: 7.97),
                    .init(latitude: 50.02, longitude: 8.05),
                ]), routes: ["Route-0", "Route-1"], vehicleTypes: ["Bus", "Taxi"], timeToLive: 25_000),
        ]
        let ids = (0..<vehicles).map { _ in VehicleID(high: dice.next(), low: dice.next()) }
        var routes = (0..<vehicles).map { _ in dice.below(4) }
        var made: [(arrives: Milliseconds, event: VehicleEvent)] = []
        for i in 0..<count {
            let v = dice.below(vehicles)
            if dice.below(8) == 0 { routes[v] = dice.below(4) }
            let time = start + Milliseconds(i) * span / Milliseconds(count) + Milliseconds(dice.below(1000))
            let event = VehicleEvent(
                vehicle: ids[v], vehicleType: Traffic.types[v % 3], route: "Route-\(routes[v])", latitude: 49.95 + dice.unit() * 0.1,
                longitude: 7.95 + dice.unit() * 0.1, time: time,
                speed: dice.below(10) == 0 ? nil : (dice.unit() * 420_000).rounded() / 1000,
                fuel: dice.below(10) == 0 ? nil : dice.unit() * 100)
            let delay = dice.below(3) == 0 ? Milliseconds(dice.below(Int(options.allowedLateness / 2))) : 0
            made.append((time + delay, event))
            if dice.below(20) == 0 { made.append((time + delay + Milliseconds(dice.below(30_000)), event)) }
        }
        events = made.sorted { $0.arrives < $1.arrives }.map(\.event)
    }
}
