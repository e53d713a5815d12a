import TimeSeries

/// One vehicle on its way.
struct Vehicle: Sendable {
    let kind: Int
    /// Of what its type drives.
    let temper: Double
    var road: Int
    /// km from the road's start, and the piece of the road that holds it.
    var way: Double
    var piece: Int
    var forwards: Bool
    /// km/h.
    var speed = 0.0
    /// Percent.
    var fuel: Double
    /// At this much it is refilled.
    var reserve: Double
    /// Up to when it has moved.
    var time: Milliseconds

    /// Drives on to `now`.
    mutating func drive(
        to now: Milliseconds, preset: FleetPreset, conditions: RoadConditions, random: inout SimulationRandom
    ) {
        let seconds = Double(now - time) / 1000
        time = now
        let kind = preset.kinds[self.kind]
        let free = min(kind.speed * temper, preset.roads[road].limits[piece] * (0.92 + temper * 0.12))
        let aim = free * conditions.factor(road: road, way: way, forwards: forwards, time: now)
        let before = speed
        // Half a minute to come up to speed; noise that does not depend on how often it reports.
        let part = seconds / (seconds + 15)
        speed += (aim - speed) * part + random.bell() * 4 * part.squareRoot()
        speed = min(max(speed, 0), free * 1.2)
        let distance = (before + speed) / 2 * seconds / 3600
        fuel = max(0.5, fuel - distance / kind.range * 100)
        move(distance, preset: preset, random: &random)
    }

    private mutating func move(_ distance: Double, preset: FleetPreset, random: inout SimulationRandom) {
        let from = way
        way += forwards ? distance : -distance
        for junction in preset.junctions where junction.road == road && passes(junction.way, from: from) {
            guard random.unit() < 0.3 else { continue }
            let rest = abs(way - junction.way)
            road = junction.otherRoad
            let length = preset.roads[road].length
            forwards = junction.otherWay < 1 ? true : junction.otherWay > length - 1 ? false : random.unit() < 0.5
            way = junction.otherWay + (forwards ? rest : -rest)
            break
        }
        let here = preset.roads[road]
        if here.isRing {
            way -= (way / here.length).rounded(.down) * here.length
        } else if way < 0 || way > here.length {
            // Who reaches the end turns round.
            way = min(max(way < 0 ? -way : 2 * here.length - way, 0), here.length)
            forwards.toggle()
            speed = min(speed, 25)
        }
        settle(on: here)
    }

    private func passes(_ junction: Double, from: Double) -> Bool {
        forwards ? from < junction && way >= junction : from > junction && way <= junction
    }

    /// Finds the piece again: nearly always the same or the next one.
    private mutating func settle(on road: Road) {
        let last = road.ways.count - 2
        piece = min(piece, last)
        for _ in 0..<3 {
            if way > road.ways[piece + 1], piece < last {
                piece += 1
            } else if way < road.ways[piece], piece > 0 {
                piece -= 1
            } else {
                return
            }
        }
        piece = road.piece(at: way)
    }
}
