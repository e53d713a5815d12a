import Telemetry
import Traffic

/// What became of the events of vehicles.
struct TrafficMetrics: Sendable {
    let accepted: Counter
    let duplicate: Counter
    let tooLate: Counter
    let future: Counter
    let overLimit: Counter
    let malformed: Counter
    let vehicles: Gauge

    init(_ registry: MetricRegistry) {
        accepted = registry.counter("almanac_traffic_events_total", help: "Events taken in.")
        func refused(_ reason: String) -> Counter {
            registry.counter("almanac_traffic_refused_events_total", help: "Events not taken, by reason.", labels: [("reason", reason)])
        }
        duplicate = refused("duplicate")
        tooLate = refused("too_late")
        future = refused("future")
        overLimit = refused("vehicle_limit")
        malformed = refused("malformed")
        vehicles = registry.gauge("almanac_traffic_vehicles_held", help: "Vehicles that the partition evaluated last remembers.")
    }

    func count(_ outcome: EventOutcome) {
        switch outcome {
        case .accepted: accepted.add()
        case .duplicate: duplicate.add()
        case .tooLate: tooLate.add()
        case .future: future.add()
        case .overLimit: overLimit.add()
        case .malformed: malformed.add()
        }
    }
}
