import TimeSeries

/// Vehicles and events of one type on one route, of one local day or since the start. Route, type and day are its key.
package struct TrafficTotal: Sendable, Equatable {
    /// Event time up to which it counts.
    package var time: Milliseconds
    package var revision: Revision
    package var route: String
    package var vehicleType: String
    /// The route's local day, `yyyy-MM-dd`; nil: since the start.
    package var day: String?
    /// Distinct vehicles.
    package var vehicles: Int
    package var events: Int
    /// How often a vehicle came here from another route.
    package var arrivals: Int

    package init(
        time: Milliseconds, revision: Revision, route: String, vehicleType: String, day: String?, vehicles: Int, events: Int,
        arrivals: Int
    ) {
        self.time = time
        self.revision = revision
        self.route = route
        self.vehicleType = vehicleType
        self.day = day
        self.vehicles = vehicles
        self.events = events
        self.arrivals = arrivals
    }
}

/// Vehicles and events of one type on one route in (time - window, time]. Time, window, route and type are its key.
package struct TrafficWindow: Sendable, Equatable {
    /// End of the window.
    package var time: Milliseconds
    /// Length, milliseconds.
    package var window: Milliseconds
    package var revision: Revision
    package var route: String
    package var vehicleType: String
    /// Distinct vehicles.
    package var vehicles: Int
    package var events: Int
    /// km/h over the events that told a speed; nil without one.
    package var speedAvg: Double?
    package var speedP10: Double?
    /// Events with less fuel than the limit.
    package var lowFuel: Int

    package init(
        time: Milliseconds, window: Milliseconds, revision: Revision, route: String, vehicleType: String, vehicles: Int, events: Int,
        speedAvg: Double?, speedP10: Double?, lowFuel: Int
    ) {
        self.time = time
        self.window = window
        self.revision = revision
        self.route = route
        self.vehicleType = vehicleType
        self.vehicles = vehicles
        self.events = events
        self.speedAvg = speedAvg
        self.speedP10 = speedP10
        self.lowFuel = lowFuel
    }
}

/// A vehicle's stay at a point of interest. Point, vehicle and time of entry are its key. A stay whose entry turns out to be
/// earlier, by a late event, is given again under the new key, and under the old one as withdrawn.
package struct PointVisit: Sendable, Equatable {
    /// Time of the newest event of the vehicle that it takes into account.
    package var time: Milliseconds
    package var revision: Revision
    package var point: String
    package var vehicle: String
    package var vehicleType: String
    package var route: String
    /// Time of the first and of the last event inside.
    package var entered: Milliseconds
    package var seen: Milliseconds
    /// Time of the first event outside, or `seen` plus the point's time to live if none came by then; nil while inside.
    package var left: Milliseconds?
    /// At `seen`: place in degrees, distance from the point's centre in km.
    package var latitude: Double
    package var longitude: Double
    package var distance: Double
    package var isWithdrawn: Bool

    /// Time between the first and the last event inside, milliseconds.
    package var dwell: Milliseconds { seen - entered }

    package init(
        time: Milliseconds, revision: Revision, point: String, vehicle: String, vehicleType: String, route: String,
        entered: Milliseconds, seen: Milliseconds, left: Milliseconds?, latitude: Double, longitude: Double, distance: Double,
        isWithdrawn: Bool = false
    ) {
        self.time = time
        self.revision = revision
        self.point = point
        self.vehicle = vehicle
        self.vehicleType = vehicleType
        self.route = route
        self.entered = entered
        self.seen = seen
        self.left = left
        self.latitude = latitude
        self.longitude = longitude
        self.distance = distance
        self.isWithdrawn = isWithdrawn
    }
}

/// What a rule found. Rule, subject and onset are its key.
package struct TrafficAlert: Sendable, Equatable {
    /// Time of the event that brought this version.
    package var time: Milliseconds
    package var revision: Revision
    package var rule: String
    /// The vehicle.
    package var subject: String
    package var vehicleType: String
    package var route: String
    package var onset: Milliseconds
    /// nil while it lasts.
    package var end: Milliseconds?
    /// What was seen at `time`, and what the rule allows; nil where the rule is about a place.
    package var value: Double?
    package var limit: Double?
    /// In words, as `speed 131 km/h above 110 for 30 s`.
    package var message: String

    package init(
        time: Milliseconds, revision: Revision, rule: String, subject: String, vehicleType: String, route: String, onset: Milliseconds,
        end: Milliseconds?, value: Double?, limit: Double?, message: String
    ) {
        self.time = time
        self.revision = revision
        self.rule = rule
        self.subject = subject
        self.vehicleType = vehicleType
        self.route = route
        self.onset = onset
        self.end = end
        self.value = value
        self.limit = limit
        self.message = message
    }
}

/// One value of the topic `trafficdata`: results of one kind. The record's key is the route. docs/formats/trafficdata.md.
package enum TrafficRecord: Sendable, Equatable {
    case totals([TrafficTotal])
    case windows([TrafficWindow])
    case visits([PointVisit])
    case alerts([TrafficAlert])
}
