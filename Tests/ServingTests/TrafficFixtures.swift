import Messaging
import Records
import TimeSeries

@testable import Serving

func total(
    _ route: String, _ type: String = "Car", day: String? = nil, vehicles: Int = 3, at time: Milliseconds = noon, revision: Int64 = 1
) -> TrafficTotal {
    TrafficTotal(
        time: time, revision: Revision(rawValue: revision), route: route, vehicleType: type, day: day, vehicles: vehicles, events: 9,
        arrivals: 1)
}

func window(
    _ route: String, _ type: String = "Car", length: Milliseconds = 30_000, vehicles: Int = 3, at time: Milliseconds = noon,
    revision: Int64 = 1, speed: Double? = 61.5
) -> TrafficWindow {
    TrafficWindow(
        time: time, window: length, revision: Revision(rawValue: revision), route: route, vehicleType: type, vehicles: vehicles, events: 9,
        speedAvg: speed, speedP10: speed.map { $0 - 20 }, lowFuel: 1)
}

func visit(
    _ vehicle: String, at point: String = "poi", entered: Milliseconds = noon - 60_000, seen: Milliseconds = noon,
    left: Milliseconds? = nil,
    revision: Int64 = 1, withdrawn: Bool = false
) -> PointVisit {
    PointVisit(
        time: left ?? seen, revision: Revision(rawValue: revision), point: point, vehicle: vehicle, vehicleType: "Large Truck",
        route: "Route-37", entered: entered, seen: seen, left: left, latitude: 33.9, longitude: -95.5, distance: 2.53,
        isWithdrawn: withdrawn)
}

func alert(
    _ subject: String, rule: String = "too fast", onset: Milliseconds = noon - 60_000, at time: Milliseconds = noon,
    end: Milliseconds? = nil, revision: Int64 = 1
) -> TrafficAlert {
    TrafficAlert(
        time: time, revision: Revision(rawValue: revision), rule: rule, subject: subject, vehicleType: "Car", route: "Route-37",
        onset: onset, end: end, value: 131, limit: 110, message: "speed 131 km/h above 110 for 30 s")
}

func vehicle(_ n: Int) -> String {
    let text = String(n, radix: 16)
    return "00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - text.count) + text
}

/// An event as vehicles send it.
func event(_ n: Int, at time: Milliseconds = noon, latitude: String = "33.9") -> String {
    """
    {"vehicleId":"\(vehicle(n).uppercased())","vehicleType":"Large Truck","routeId":"Route-37","latitude":\(latitude),\
    "longitude":-95.5,"timestamp":\(time),"speed":80.5,"fuelLevel":40}
    """
}

extension Bench {
    /// As if the topic's tail had brought it.
    func receive(_ traffic: TrafficRecord) { role.receive(traffic: traffic.encode().map { record("trafficdata", $0.value) }) }
}
