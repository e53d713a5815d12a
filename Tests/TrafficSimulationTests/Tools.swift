import Foundation
import TimeSeries
import Traffic

@testable import TrafficSimulation

/// Monday, 21 September 2026, 00:00 in Chicago.
let monday: Milliseconds = 1_789_966_800_000
let hour: Milliseconds = 3_600_000

func makeOptions(
    _ preset: FleetPreset = .us, vehicles: Int = 40, interval: Milliseconds = 5_000, seed: UInt64 = 1, start: Milliseconds = monday
) -> SimulationOptions {
    var options = SimulationOptions()
    options.fleet.preset = preset
    options.fleet.vehicles = vehicles
    options.fleet.interval = interval
    options.fleet.seed = seed
    options.fleet.start = start
    return options
}

/// All that arrives, with the end.
func deliveries(_ simulation: inout Simulation, until end: Milliseconds) -> [Delivery] {
    var all: [Delivery] = []
    while let delivery = simulation.next(until: end) { all.append(delivery) }
    while let delivery = simulation.nextAtEnd() { all.append(delivery) }
    return all
}

func events(_ options: SimulationOptions, for length: Milliseconds) throws -> [FleetEvent] {
    var fleet = try Fleet(options.fleet)
    var all: [FleetEvent] = []
    while let time = fleet.nextTime, time <= options.fleet.start + length, let event = fleet.next() { all.append(event) }
    return all
}

func lines(_ bytes: [UInt8]) -> [String] {
    String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
}

/// Objects of the given kind among rows.
func rows(_ bytes: [UInt8], _ kind: String) throws -> [[String: Any]] {
    try lines(bytes).compactMap { line in
        let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        return object?["kind"] as? String == kind ? object : nil
    }
}
