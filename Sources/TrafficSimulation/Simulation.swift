import TimeSeries
import Traffic

/// All of a simulation.
package struct SimulationOptions: Sendable {
    package var fleet = FleetOptions()
    package var delivery = DeliveryOptions()
    package var form = EventForm()
    /// The zone of written times and, in the truth, of days; nil: the preset's.
    package var zone: String?

    package init() {}

    var zoneName: String { zone ?? fleet.preset.zone }
}

/// A fleet, the way its reports take, and the truth about them. Nothing in it knows the wall clock: it goes as far as it is told.
package struct Simulation: Sendable {
    package let options: SimulationOptions
    private var fleet: Fleet
    private var queue: DeliveryQueue
    private var writer: EventWriter
    package private(set) var counts = DeliveryCounts()
    /// Present if it was asked for.
    package var truth: Truth?
    /// Time of the simulation: that of the last arrival.
    package private(set) var time: Milliseconds
    private var truthMinute: Int64

    /// - Parameter truth: what the analysis is told to do; nil: no truth. Its lateness, and its zone if the options name one, are set here.
    package init(_ options: SimulationOptions, truth: TrafficOptions? = nil) throws(SimulationError) {
        var options = options
        let zone = try FleetZone(name: options.zoneName, around: options.fleet.start)
        if options.form.time == .local {
            options.fleet.resolution = max(1000, options.fleet.resolution)
            options.fleet.start -= (options.fleet.start % 1000 + 1000) % 1000
            options.fleet.silentZone = zone
        }
        self.options = options
        fleet = try Fleet(options.fleet)
        queue = DeliveryQueue(options: options.delivery, seed: options.fleet.seed)
        writer = EventWriter(fleet: fleet, form: options.form, zone: zone)
        time = options.fleet.start
        truthMinute = time / 60_000
        guard var analysis = truth else { return }
        analysis.zone = options.zoneName
        analysis.allowedLateness = options.delivery.allowedLateness
        let preset = options.fleet.preset
        let ids = (0..<fleet.count).map { String(decoding: fleet.id(of: $0), as: UTF8.self) }
        self.truth = try Truth(options: analysis, routes: preset.routeNames, types: preset.typeNames, ids: ids, start: time)
    }

    /// When something happens next; nil without vehicles.
    package var nextTime: Milliseconds? {
        guard let due = fleet.nextTime else { return queue.nextArrival }
        return min(due, queue.nextArrival ?? due)
    }

    /// The next report that arrives up to `end`.
    package mutating func next(until end: Milliseconds) -> Delivery? {
        if let delivery = queue.takeFollower() { return taken(delivery) }
        while true {
            let due = fleet.nextTime ?? .max
            if let arrival = queue.nextArrival, arrival <= min(due, end) {
                time = max(time, arrival)
                return queue.takeArrival().map { taken($0) }
            }
            guard due <= end, let event = fleet.next() else { return nil }
            time = max(time, event.time)
            if let delivery = queue.send(event) { return taken(delivery) }
        }
    }

    /// What is still on its way arrives at once, in its order; what would not be refused yet is never sent. Nothing may follow.
    package mutating func nextAtEnd() -> Delivery? {
        (queue.takeFollower() ?? queue.takeArrival()).map { taken($0) }
    }

    private mutating func taken(_ delivery: Delivery) -> Delivery {
        counts.count(delivery.fate)
        guard truth != nil else { return delivery }
        switch delivery.fate {
        case .onTime, .outOfOrder, .late, .duplicate: truth?.add(delivery.event)
        case .tooLate, .malformed: break
        }
        if time / 60_000 != truthMinute {
            truthMinute = time / 60_000
            truth?.complete(before: time - options.delivery.longestDelay)
        }
        return delivery
    }

    /// Ends the truth: all its rows are there.
    package mutating func finishTruth() {
        truth?.finish()
        truth?.writeSummary(counts)
    }

    /// The id of a vehicle: 36 bytes, the record's key.
    package func id(of vehicle: Int32) -> ArraySlice<UInt8> { fleet.id(of: Int(vehicle)) }

    /// A report's JSON, without a line feed.
    package mutating func write(_ delivery: Delivery, _ out: inout [UInt8]) { writer.write(delivery, &out) }

    /// Writes up to `limit` reports as lines. Returns how many there were.
    package mutating func write(until end: Milliseconds, limit: Int, _ out: inout [UInt8]) -> Int {
        var written = 0
        while written < limit, let delivery = next(until: end) {
            writer.write(delivery, &out)
            out.append(UInt8(ascii: "\n"))
            written += 1
        }
        return written
    }

    /// The same of what is still on its way at the end.
    package mutating func writeRest(limit: Int, _ out: inout [UInt8]) -> Int {
        var written = 0
        while written < limit, let delivery = nextAtEnd() {
            writer.write(delivery, &out)
            out.append(UInt8(ascii: "\n"))
            written += 1
        }
        return written
    }
}
