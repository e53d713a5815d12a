import TimeSeries

@testable import Traffic

struct TotalID: Hashable {
    var route: String
    var type: String
    var day: String?
}

struct WindowID: Hashable {
    var time: Milliseconds
    var window: Milliseconds
    var route: String
    var type: String
}

struct VisitID: Hashable {
    var point: String
    var vehicle: String
    var entered: Milliseconds
}

struct WindowValue: Equatable {
    var vehicles = 0
    var events = 0
    var speedAvg: Double?
    var speedP10: Double?
    var lowFuel = 0
}

struct VisitValue: Equatable {
    var seen: Milliseconds
    var left: Milliseconds?
    var route: String
    var latitude: Double
    var time: Milliseconds
}

/// The answers by sets and sorts, straight from their definitions.
struct Reference {
    var totals: [TotalID: [Int]] = [:]
    var windows: [WindowID: WindowValue] = [:]
    var visits: [VisitID: VisitValue] = [:]

    /// `through` tells how far a vehicle's partition has come.
    init(_ all: [VehicleEvent], _ options: TrafficOptions, through: (VehicleID) -> Milliseconds) {
        var seen: Set<[UInt64]> = []
        let events = all.filter { seen.insert([$0.vehicle.high, $0.vehicle.low, UInt64(bitPattern: $0.time)]).inserted }
            .sorted { $0.time < $1.time }
        var zones = ZoneTable()
        func day(_ event: VehicleEvent) -> String {
            let zone = zones.index(of: options.routeZones[event.route] ?? options.zone)
            return CivilTime.text(days: floorDivided(event.time + zones.offset(zone: zone, at: event.time), CivilTime.day))
        }
        var members: [TotalID: Set<VehicleID>] = [:]
        var last: [VehicleID: VehicleEvent] = [:]
        var inWindow: [WindowID: [VehicleEvent]] = [:]
        for event in events {
            let isArrival = last[event.vehicle].map { $0.route != event.route } ?? false
            last[event.vehicle] = event
            for day in [nil, day(event)] {
                let id = TotalID(route: event.route, type: event.vehicleType, day: day)
                members[id, default: []].insert(event.vehicle)
                let before = totals[id] ?? [0, 0, 0]
                totals[id] = [members[id]?.count ?? 0, before[1] + 1, before[2] + (isArrival ? 1 : 0)]
            }
            for window in options.windows {
                var end = ceilDivided(event.time, window.slide) * window.slide
                while end < event.time + window.length {
                    for type in [event.vehicleType, ""] {
                        inWindow[WindowID(time: end, window: window.length, route: event.route, type: type), default: []].append(event)
                    }
                    end += window.slide
                }
            }
        }
        for (id, events) in inWindow { windows[id] = Reference.window(events, options) }
        let byVehicle = Dictionary(grouping: events, by: \.vehicle)
        for (vehicle, events) in byVehicle {
            for point in options.points { visit(point, vehicle, events, through(vehicle)) }
        }
    }

    private static func window(_ events: [VehicleEvent], _ options: TrafficOptions) -> WindowValue {
        var value = WindowValue()
        // All types together: each vehicle once a type.
        value.vehicles = Set(events.map { "\($0.vehicle) \($0.vehicleType)" }).count
        value.events = events.count
        value.lowFuel = events.filter { ($0.fuel ?? 100) < options.lowFuel }.count
        let speeds = events.compactMap(\.speed).map { Int64(($0 * 1000).rounded()) }.sorted()
        if !speeds.isEmpty {
            value.speedAvg = Double(speeds.reduce(0, +)) / Double(speeds.count) / 1000
            let rank = Int((0.1 * Double(speeds.count)).rounded(.up))
            value.speedP10 = min(400, Double(speeds[rank - 1] / 500) / 2)
        }
        return value
    }

    private mutating func visit(_ point: PointOfInterest, _ vehicle: VehicleID, _ events: [VehicleEvent], _ through: Milliseconds) {
        var entered: Milliseconds?
        var seen: VehicleEvent?
        func end(_ left: Milliseconds?, _ time: Milliseconds, _ visits: inout [VisitID: VisitValue]) {
            guard let entered, let seen else { return }
            visits[VisitID(point: point.name, vehicle: vehicle.description, entered: entered)] = VisitValue(
                seen: seen.time, left: left, route: seen.route, latitude: seen.latitude, time: time)
        }
        for event in events {
            let isInside =
                (point.routes.isEmpty || point.routes.contains(event.route))
                && (point.vehicleTypes.isEmpty || point.vehicleTypes.contains(event.vehicleType))
                && point.contains(latitude: event.latitude, longitude: event.longitude)
            if let open = seen {
                if event.time - open.time > point.timeToLive {
                    end(open.time + point.timeToLive, open.time, &visits)
                    (entered, seen) = (nil, nil)
                } else if !isInside {
                    end(event.time, event.time, &visits)
                    (entered, seen) = (nil, nil)
                }
            }
            if isInside {
                entered = entered ?? event.time
                seen = event
            }
        }
        guard let open = seen else { return }
        end(through >= open.time + point.timeToLive ? open.time + point.timeToLive : nil, open.time, &visits)
    }
}
