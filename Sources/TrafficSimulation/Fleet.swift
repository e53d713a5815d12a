import TimeSeries
import Traffic

/// How a fleet is made up. The same options make the same events, to the byte.
package struct FleetOptions: Sendable {
    package var preset = FleetPreset.us
    package var vehicles = 100
    /// Between two reports of a vehicle, give or take a fifth.
    package var interval: Milliseconds = 5_000
    package var seed: UInt64 = 1
    package var start: Milliseconds = 0
    /// Times are multiples of it: 1,000 where the time is written in whole seconds.
    package var resolution: Milliseconds = 1
    /// A zone whose repeated hour nobody may report in, as its local times mean two things.
    package var silentZone: FleetZone?
    /// Share of the reports without a speed.
    package var noSpeed = 0.001

    package init() {}
}

/// Vehicles that drive, queue, refuel, rest, change roads and report, in the order of time. O(log n) a report.
package struct Fleet: Sendable {
    package let options: FleetOptions
    private let preset: FleetPreset
    private var vehicles: [Vehicle]
    private var due = TimeQueue<Int>()
    private var conditions: RoadConditions
    private var random: SimulationRandom
    /// 36 characters for each vehicle.
    private let ids: [UInt8]

    package init(_ options: FleetOptions) throws(SimulationError) {
        self.options = options
        preset = options.preset
        conditions = try RoadConditions(preset: options.preset, start: options.start, seed: options.seed)
        var random = SimulationRandom(seed: options.seed, stream: 1)
        var naming = SimulationRandom(seed: options.seed, stream: 2)
        var ids: [UInt8] = []
        ids.reserveCapacity(36 * options.vehicles)
        vehicles = []
        vehicles.reserveCapacity(options.vehicles)
        for index in 0..<options.vehicles {
            Fleet.appendID(&naming, &ids)
            vehicles.append(Fleet.make(index, options, &random))
            var first = Int64(random.between(0, Double(options.interval)))
            // A part of the fleet rests when the day begins.
            if random.unit() < (conditions.isNight ? 0.35 : 0.1) { first += random.between(Int64(0), 1_800_000) }
            vehicles[index].time = options.start + first
            due.add(index, time: options.start + Fleet.rounded(first, options.resolution), order: UInt64(index))
        }
        self.ids = ids
        self.random = random
    }

    /// Up, as the first report must not lie before the start.
    private static func rounded(_ time: Milliseconds, _ resolution: Milliseconds) -> Milliseconds {
        (time + resolution - 1) / resolution * resolution
    }

    private static func make(_ index: Int, _ options: FleetOptions, _ random: inout SimulationRandom) -> Vehicle {
        let preset = options.preset
        // Types in turn by share, so that small fleets have them all.
        let place = (Double(index) * 0.618_033_988_749_895).truncatingRemainder(dividingBy: 1)
        var kind = 0
        var sum = preset.kinds[0].share
        while place >= sum && kind + 1 < preset.kinds.count {
            kind += 1
            sum += preset.kinds[kind].share
        }
        let road = random.index(below: preset.roads.count)
        let way = random.between(0, preset.roads[road].length)
        return Vehicle(
            kind: kind, temper: random.between(0.88, 1.12), road: road, way: way, piece: preset.roads[road].piece(at: way),
            forwards: random.unit() < 0.5, speed: random.between(40, 80), fuel: random.between(12, 98), reserve: random.between(6, 22),
            time: options.start)
    }

    /// A version 4 UUID in lower case.
    private static func appendID(_ random: inout SimulationRandom, _ out: inout [UInt8]) {
        let words = [random.next() & 0xFFFF_FFFF_FFFF_0FFF | 0x4000, random.next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000]
        let digits = Array("0123456789abcdef".utf8)
        for i in 0..<32 {
            if i == 8 || i == 12 || i == 16 || i == 20 { out.append(UInt8(ascii: "-")) }
            out.append(digits[Int(words[i / 16] >> UInt64(60 - i % 16 * 4) & 15)])
        }
    }

    package var count: Int { vehicles.count }

    /// The bytes of a vehicle's id.
    package func id(of vehicle: Int) -> ArraySlice<UInt8> { ids[vehicle * 36..<vehicle * 36 + 36] }

    package func type(of vehicle: Int) -> Int { vehicles[vehicle].kind }

    /// When the next report is due; nil without vehicles.
    package var nextTime: Milliseconds? { due.nextTime }

    /// The next report. Times never go back, those of one vehicle always go forth.
    package mutating func next() -> FleetEvent? {
        while let time = due.nextTime, let index = due.first {
            if let end = options.silentZone?.endOfRepetition(at: time) {
                due.moveFirst(to: Fleet.rounded(end, options.resolution))
                continue
            }
            conditions.advance(to: time)
            vehicles[index].drive(to: time, preset: preset, conditions: conditions, random: &random)
            let event = report(index, time)
            due.moveFirst(to: nextReport(index, time))
            return event
        }
        return nil
    }

    private mutating func report(_ index: Int, _ time: Milliseconds) -> FleetEvent {
        let vehicle = vehicles[index]
        let road = preset.roads[vehicle.road]
        let place = road.place(at: vehicle.way, piece: vehicle.piece)
        // Some metres of error, as receivers have.
        let latitude = min(max(place.latitude + random.bell() * 2e-5, road.box.low.latitude), road.box.high.latitude)
        let longitude = min(max(place.longitude + random.bell() * 2e-5, road.box.low.longitude), road.box.high.longitude)
        return FleetEvent(
            vehicle: Int32(index), route: UInt8(vehicle.road), type: UInt8(vehicle.kind), hasSpeed: random.unit() >= options.noSpeed,
            time: time, latitude: Int32((latitude * 1e6).rounded()), longitude: Int32((longitude * 1e6).rounded()),
            speed: Int32((vehicle.speed * 10).rounded()), fuel: Int32((vehicle.fuel * 10).rounded()))
    }

    /// Rests and refuels stand still; who is in a tunnel drives on unheard.
    private mutating func nextReport(_ index: Int, _ time: Milliseconds) -> Milliseconds {
        let interval = Double(options.interval)
        var gap = Milliseconds(interval * random.between(0.8, 1.2))
        let kind = preset.kinds[vehicles[index].kind]
        let draw = random.unit()
        let rest = interval / (kind.hoursAwake * 3_600_000)
        let silence = interval / 5_400_000
        if vehicles[index].fuel < vehicles[index].reserve {
            gap += park(index, for: random.between(Int64(240_000), Int64(720_000)))
            vehicles[index].fuel = random.between(92, 100)
            vehicles[index].reserve = random.between(6, 22)
        } else if draw < rest {
            var length = random.between(Int64(600_000), Int64(2_700_000))
            if conditions.isNight && random.unit() < kind.nightRest { length = conditions.toMorning + random.between(Int64(0), 5_400_000) }
            gap += park(index, for: length)
        } else if draw < rest + silence {
            gap += random.between(Int64(30_000), Int64(300_000))
        }
        return time + Fleet.rounded(max(1, gap), options.resolution)
    }

    private mutating func park(_ index: Int, for length: Milliseconds) -> Milliseconds {
        vehicles[index].time += length
        vehicles[index].speed = 0
        return length
    }
}
