import Glibc
import TimeSeries

/// What holds traffic up at a time: rush hours by the local clock, and incidents that come and go at places.
struct RoadConditions: Sendable {
    /// Traffic in one direction slowed down between two places.
    struct Incident: Sendable {
        var from: Double
        var to: Double
        var forwards: Bool
        /// Of the speed otherwise, at the worst.
        var factor: Double
        var start: Milliseconds
        var end: Milliseconds
    }

    private let zone: FleetZone
    private let lengths: [Double]
    private var random: SimulationRandom
    private var minute: Int64
    /// Of each road.
    private(set) var incidents: [[Incident]]
    /// Of the speed on a free road, by direction: into town in the morning, out of it in the evening.
    private(set) var rushForwards = 1.0
    private(set) var rushBackwards = 1.0
    private(set) var isNight = false
    /// Time until the morning, while it is night.
    private(set) var toMorning: Milliseconds = 0

    init(preset: FleetPreset, start: Milliseconds, seed: UInt64) throws(SimulationError) {
        zone = try FleetZone(name: preset.rushZone, around: start)
        lengths = preset.roads.map(\.length)
        random = SimulationRandom(seed: seed, stream: 3)
        incidents = [[Incident]](repeating: [], count: lengths.count)
        // Two hours before, so that the first minute finds incidents that are under way.
        minute = start / 60_000 - 120
        advance(to: start)
    }

    /// Steps minute by minute, whatever the calls: the incidents of a day are the same for every interval of reports.
    mutating func advance(to time: Milliseconds) {
        let now = time / 60_000
        guard now > minute else { return }
        // Whoever sleeps for a week wakes up to the incidents of the last two hours.
        minute = max(minute, now - 10_080)
        while minute < now {
            minute += 1
            step(minute * 60_000)
        }
        let local = Civil(zone.local(time))
        let hour = Double(local.time) / 3_600_000
        let days = (zone.local(time) - local.time) / 86_400_000
        let weekday = ((days + 3) % 7 + 7) % 7
        (rushForwards, rushBackwards) = RoadConditions.rush(hour: hour, isWeekend: weekday >= 5)
        isNight = hour >= 22 || hour < 5
        toMorning = isNight ? Milliseconds((hour >= 22 ? 30 - hour : 6 - hour) * 3_600_000) : 0
    }

    /// Monday is 0. A factor of the free speed for each direction.
    static func rush(hour: Double, isWeekend: Bool) -> (forwards: Double, backwards: Double) {
        func bump(_ centre: Double, _ width: Double) -> Double {
            let z = (hour - centre) / width
            return exp(-z * z / 2)
        }
        if isWeekend {
            let leisure = 1 - 0.12 * bump(11.5, 1.5) - 0.15 * bump(18.5, 1.6)
            return (leisure, leisure)
        }
        let morning = bump(7.8, 0.8)
        let evening = bump(17.6, 1.0)
        return (1 - 0.28 * morning - 0.45 * evening, 1 - 0.45 * morning - 0.3 * evening)
    }

    private mutating func step(_ now: Milliseconds) {
        for road in incidents.indices {
            incidents[road].removeAll { $0.end <= now }
            guard random.unit() < 1.0 / 45, incidents[road].count < 4 else { continue }
            let from = random.between(0, max(0.1, lengths[road] - 6))
            incidents[road].append(
                Incident(
                    from: from, to: from + random.between(1.0, 5.0), forwards: random.unit() < 0.5, factor: random.between(0.1, 0.5),
                    start: now, end: now + random.between(Int64(8), Int64(50)) * 60_000))
        }
    }

    /// What is left of the speed at a place. An incident takes hold over five minutes and lets go as slowly.
    func factor(road: Int, way: Double, forwards: Bool, time: Milliseconds) -> Double {
        var factor = forwards ? rushForwards : rushBackwards
        for incident in incidents[road] where incident.forwards == forwards && way >= incident.from && way <= incident.to {
            let grip = min(1, Double(min(time - incident.start, incident.end - time)) / 300_000)
            factor *= 1 - (1 - incident.factor) * max(0, grip)
        }
        return factor
    }
}
