import TimeSeries

/// Puts a fleet's reports into the order of their arrival.
///
/// What counts as late depends on the newest report that came before *to the vehicle's partition*, and nobody knows the partitions here. Two
/// rules make it certain all the same, however the vehicles are divided:
/// - nothing comes before its time, and what is to be accepted comes at most half the allowed lateness after it: no partition
///   can have seen anything so much newer;
/// - a report that is to be refused is held back until its own vehicle, thus its own partition, has delivered one on time that is newer by
///   twice the allowed lateness or more. If none comes before the end it is never sent.
struct DeliveryQueue: Sendable {
    private let options: DeliveryOptions
    private var random: SimulationRandom
    private var pending = TimeQueue<Delivery>()
    /// Reports that wait until they are too late, by vehicle, in order of time.
    private var held: [Int32: [FleetEvent]] = [:]
    private var order: UInt64 = 0
    /// Arrived and not yet taken; usually none or one.
    private var arrived: [Delivery] = []

    init(options: DeliveryOptions, seed: UInt64) {
        self.options = options
        random = SimulationRandom(seed: seed, stream: 4)
    }

    /// When the next one that is on its way arrives.
    var nextArrival: Milliseconds? { pending.nextTime }

    mutating func takeArrival() -> Delivery? { pending.take() }

    /// Something that follows at once what `send` gave.
    mutating func takeFollower() -> Delivery? { arrived.popLast() }

    /// A report is sent at its time: gives what arrives now, if it is not under way for longer.
    mutating func send(_ event: FleetEvent) -> Delivery? {
        let draw = random.unit()
        var limit = options.malformed
        if draw < limit {
            let fault = Fault.allCases[random.index(below: Fault.allCases.count)]
            return Delivery(event: event, fate: .malformed(fault))
        }
        limit += options.tooLate
        if draw < limit {
            held[event.vehicle, default: []].append(event)
            return nil
        }
        limit += options.late
        if draw < limit { return delay(event, random.between(options.disorderBound, options.longestDelay), .late) }
        limit += options.disorder
        if draw < limit { return delay(event, random.between(Int64(1), options.disorderBound), .outOfOrder) }
        `repeat`(event, after: 0)
        if !held.isEmpty { release(event) }
        return Delivery(event: event, fate: .onTime)
    }

    private mutating func delay(_ event: FleetEvent, _ delay: Milliseconds, _ fate: Delivery.Fate) -> Delivery? {
        let delay = max(0, min(delay, options.longestDelay))
        add(Delivery(event: event, fate: fate), at: event.time + delay)
        `repeat`(event, after: delay)
        return nil
    }

    private mutating func `repeat`(_ event: FleetEvent, after delay: Milliseconds) {
        guard options.duplicates > 0, random.unit() < options.duplicates else { return }
        let gap = delay + random.between(Int64(0), 30_000)
        add(Delivery(event: event, fate: .duplicate), at: event.time + min(gap, options.longestDelay))
    }

    private mutating func add(_ delivery: Delivery, at time: Milliseconds) {
        order += 1
        pending.add(delivery, time: time, order: order)
    }

    private mutating func release(_ event: FleetEvent) {
        guard var waiting = held[event.vehicle] else { return }
        let bound = event.time - 2 * max(1, options.allowedLateness)
        let due = waiting.prefix { $0.time <= bound }
        guard !due.isEmpty else { return }
        for late in due { arrived.append(Delivery(event: late, fate: .tooLate)) }
        waiting.removeFirst(due.count)
        held[event.vehicle] = waiting.isEmpty ? nil : waiting
    }
}
