import Records
import TimeSeries

/// A vehicle's run of events inside of a point.
struct Stay: Sendable, Equatable {
    var point: Int32
    var key: Int32
    var entered: Milliseconds
    var seen: Milliseconds
    /// Where it was at `seen`.
    var latitude: Double
    var longitude: Double
    var left: Milliseconds?
    /// The newest event looked at.
    var time: Milliseconds
}

/// Stays at points: what was given of them, and those that go on from events that are remembered no more.
struct StayTable: Sendable {
    /// By vehicle and point.
    private(set) var base: [UInt64: Stay] = [:]
    var given: [Int32: [Stay]] = [:]
    var dirty: [Int32] = []
    /// Found and not yet fetched.
    var visits: [PointVisit] = []
    /// No vehicle was inside of any point yet.
    var isEmpty = true
    var lastScan: Milliseconds = .min

    static func key(_ v: Int, _ point: Int) -> UInt64 { UInt64(v) << 6 | UInt64(point) }

    /// Takes a stay on by one event; what it was, if that ended it.
    static func step(
        _ stay: inout Stay?, _ event: RecentEvent, _ place: Place?, point: Int, timeToLive: Milliseconds
    ) -> Stay? {
        var ended: Stay?
        if var open = stay {
            if event.time - open.seen > timeToLive {
                open.left = open.seen + timeToLive
                ended = open
                stay = nil
            } else if place == nil {
                open.left = event.time
                open.time = event.time
                ended = open
                stay = nil
            }
        }
        guard let place else { return ended }
        let entered = stay?.entered ?? event.time
        stay = Stay(
            point: Int32(point), key: event.key, entered: entered, seen: event.time, latitude: place.latitude, longitude: place.longitude,
            left: nil, time: event.time)
        return ended
    }

    /// An event is remembered no more: the stays that it is of go on without it.
    mutating func fold(_ v: Int, _ event: RecentEvent, _ table: VehicleTable, _ points: [PointOfInterest]) {
        if isEmpty { return }
        let inside = table.points(event)
        for point in points.indices.prefix(TrafficOptions.maximumPoints) {
            let bit = inside >> UInt64(point) & 1 == 1
            let key = StayTable.key(v, point)
            var stay = base[key]
            if !bit && stay == nil { continue }
            _ = StayTable.step(
                &stay, event, bit ? table.places[Int(event.place)] : nil, point: point, timeToLive: points[point].timeToLive)
            base[key] = stay
        }
    }

    mutating func forget(_ v: Int) {
        if isEmpty { return }
        given[Int32(v)] = nil
        for point in 0..<TrafficOptions.maximumPoints { base[StayTable.key(v, point)] = nil }
    }

    /// All stays of a vehicle that its remembered events and those before tell of.
    func stays(_ v: Int, _ table: VehicleTable, _ points: [PointOfInterest], through: Milliseconds) -> [Stay] {
        let range = table.range(v)
        var stays: [Stay] = []
        for point in points.indices.prefix(TrafficOptions.maximumPoints) {
            let timeToLive = points[point].timeToLive
            var open = base[StayTable.key(v, point)]
            for event in table.events[range] {
                let bit = table.points(event) >> UInt64(point) & 1 == 1
                if !bit && open == nil { continue }
                let place = bit ? table.places[Int(event.place)] : nil
                if let ended = StayTable.step(&open, event, place, point: point, timeToLive: timeToLive) { stays.append(ended) }
            }
            if var last = open {
                if through >= last.seen + timeToLive { last.left = last.seen + timeToLive }
                stays.append(last)
            }
        }
        return stays
    }

    mutating func setBase(_ v: Int, _ stay: Stay) { base[StayTable.key(v, Int(stay.point))] = stay }

    /// Points have other numbers, or are gone: `moved` tells.
    mutating func renumber(_ moved: [Int: Int]) {
        var kept: [UInt64: Stay] = [:]
        for (key, stay) in base {
            guard let point = moved[Int(stay.point)] else { continue }
            var stay = stay
            stay.point = Int32(point)
            kept[(key >> 6) << 6 | UInt64(point)] = stay
        }
        base = kept
        given = given.mapValues { list in
            list.compactMap { stay in
                moved[Int(stay.point)].map { point in
                    var stay = stay
                    stay.point = Int32(point)
                    return stay
                }
            }
        }
    }
}

extension TrafficPartition {
    /// Before an event joins its vehicle's: marks the vehicle if a stay may change. What a late event changes must first be given as it
    /// was, so that a replay withdraws whatever the first reading may have given.
    mutating func prepareStay(_ v: Int, _ time: Milliseconds, _ place: Int32, isNewest: Bool) {
        if place < 0 {
            let range = vehicles.range(v)
            let at = isNewest ? range.upperBound : vehicles.position(v, time)
            let isAfterInside = at > range.lowerBound && vehicles.events[at - 1].place >= 0
            let isBeforeInside = at < range.upperBound && vehicles.events[at].place >= 0
            guard isAfterInside || isBeforeInside else { return }
        }
        stays.isEmpty = false
        if vehicles.vehicles[v].isDirty {
            if !isNewest { flushStays(v) }
        }
        if !vehicles.vehicles[v].isDirty {
            vehicles.vehicles[v].isDirty = true
            stays.dirty.append(Int32(v))
        }
    }

    /// Gives what changed of a vehicle's stays.
    mutating func flushStays(_ v: Int) {
        vehicles.vehicles[v].isDirty = false
        advanceRevision()
        let found = stays.stays(v, vehicles, options.points, through: through)
        let before = stays.given[Int32(v)] ?? []
        for stay in found {
            let same = before.first { $0.point == stay.point && $0.entered == stay.entered }
            if same != stay { stays.visits.append(visit(v, stay)) }
        }
        let range = vehicles.range(v)
        let first = range.isEmpty ? Milliseconds.max : vehicles.events[range.lowerBound].time
        for stay in before where stay.seen >= first {
            if !found.contains(where: { $0.point == stay.point && $0.entered == stay.entered }) {
                stays.visits.append(visit(v, stay, isWithdrawn: true))
            }
        }
        stays.given[Int32(v)] = found.isEmpty ? nil : found
    }

    func visit(_ v: Int, _ stay: Stay, isWithdrawn: Bool = false) -> PointVisit {
        let point = options.points[Int(stay.point)]
        return PointVisit(
            time: stay.time, revision: revision, point: point.name,
            vehicle: VehicleID(high: vehicles.vehicles[v].high, low: vehicles.vehicles[v].low).description,
            vehicleType: keys.type(stay.key), route: keys.route(stay.key), entered: stay.entered, seen: stay.seen, left: stay.left,
            latitude: stay.latitude, longitude: stay.longitude,
            distance: point.distance(latitude: stay.latitude, longitude: stay.longitude), isWithdrawn: isWithdrawn)
    }

    /// Vehicles whose stays changed, and those not heard for a point's time to live.
    mutating func flushAllStays() {
        let dirty = stays.dirty
        stays.dirty = []
        for v in dirty where vehicles.vehicles[Int(v)].isDirty { flushStays(Int(v)) }
        guard through > stays.lastScan else { return }
        stays.lastScan = through
        for (v, list) in stays.given {
            if list.contains(where: { $0.left == nil && through >= $0.seen + options.points[Int($0.point)].timeToLive }) {
                flushStays(Int(v))
            } else if list.allSatisfy({ ($0.left ?? .max) < horizon && $0.seen + options.points[Int($0.point)].timeToLive < horizon }) {
                stays.given[v] = nil
            }
        }
    }
}
