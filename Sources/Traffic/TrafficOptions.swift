import TimeSeries

/// What the traffic analysis is to do. All times in milliseconds.
package struct TrafficOptions: Sendable, Equatable {
    /// A window of `length` at every multiple of `slide` since the epoch; the length is a multiple of the slide.
    package struct Window: Sendable, Equatable, Hashable {
        package var length: Milliseconds
        package var slide: Milliseconds

        package init(length: Milliseconds, slide: Milliseconds) {
            self.length = length
            self.slide = slide
        }
    }

    package var windows = [Window(length: 30_000, slide: 10_000)]
    /// Events this much older than the newest of their partition still count; older ones are refused.
    package var allowedLateness: Milliseconds = 600_000
    /// Windows are first given when the newest event is this much past their end.
    package var disorder: Milliseconds = 5_000
    /// Events this much ahead of the wall clock are refused.
    package var futureBound: Milliseconds = 60_000
    /// A partition without events for this long of wall time gives what it holds back.
    package var idleTimeout: Milliseconds = 10_000
    /// Name of the time zone of routes that name none, and of timestamps without an offset.
    package var zone = "UTC"
    /// Time zones of routes by name of the route, where they differ from `zone`.
    package var routeZones: [String: String] = [:]
    /// Percent; events with less count as low on fuel.
    package var lowFuel = 15.0
    package var points = [PointOfInterest.original]
    package var rules: [TrafficRule] = []
    /// Most vehicles that one partition remembers; events of further ones are refused and counted.
    package var maxVehicles = 1_000_000
    /// Vehicles not heard for this long are forgotten; the totals since the start keep them.
    package var vehicleRetention: Milliseconds = 8 * 86_400_000

    /// Most routes with a type that one partition counts; events of further ones are refused and counted.
    package var maxKeys = 100_000
    /// A vehicle not heard for this long has no alert any more: it ended with its last event.
    package var alertSilence: Milliseconds = 600_000

    /// More points or rules than these are not looked at.
    package static let maximumPoints = 64
    package static let maximumRules = 64

    package init() {}

    /// The greatest length of which windows and slides are multiples, so that every window is a run of whole panes.
    package var pane: Milliseconds {
        var a: Milliseconds = 0
        for window in windows {
            for length in [window.length, window.slide] {
                var b = length
                while b != 0 { (a, b) = (b, a % b) }
            }
        }
        return max(1, a)
    }

    var longestWindow: Milliseconds { windows.map(\.length).max() ?? 0 }
    var smallestSlide: Milliseconds { windows.map(\.slide).min() ?? 10_000 }
}

/// A place of which it is told who is there.
package struct PointOfInterest: Sendable, Equatable {
    package enum Area: Sendable, Equatable {
        /// Radius in km, by haversine.
        case circle(latitude: Double, longitude: Double, radius: Double)
        /// Corners in degrees, not closed, no pole and no date line within; the distance told is that to their mean.
        case polygon([Coordinate])
    }

    package var name: String
    package var area: Area
    /// Empty: all.
    package var routes: Set<String>
    package var vehicleTypes: Set<String>
    /// A vehicle not heard for this long has left.
    package var timeToLive: Milliseconds

    package init(
        name: String, area: Area, routes: Set<String> = [], vehicleTypes: Set<String> = [], timeToLive: Milliseconds = 120_000
    ) {
        self.name = name
        self.area = area
        self.routes = routes
        self.vehicleTypes = vehicleTypes
        self.timeToLive = timeToLive
    }

    /// The trucks of Route-37 within 30 km.
    package static let original = PointOfInterest(
        name: "poi", area: .circle(latitude: 33.877495, longitude: -95.50238, radius: 30), routes: ["Route-37"],
        vehicleTypes: ["Large Truck", "Small Truck"])
}

/// Degrees.
package struct Coordinate: Sendable, Equatable {
    package var latitude: Double
    package var longitude: Double

    package init(latitude: Double, longitude: Double) {
        self.latitude = latitude
        self.longitude = longitude
    }
}

/// What becomes an alert at once. Looks at each vehicle's events that come in order; late ones change nothing.
package struct TrafficRule: Sendable, Equatable {
    package enum Condition: Sendable, Equatable {
        /// Speed above a limit, in every event for at least `for`.
        case speedAbove(Limit, for: Milliseconds)
        /// Percent.
        case fuelBelow(Double)
        /// Entering a point of interest, by its name.
        case enters(String)
    }

    /// A limit in km/h: a number, or the field of a joined table or flow, with a number where it has none.
    package enum Limit: Sendable, Equatable {
        case value(Double)
        case field(String, default: Double?)
    }

    package var name: String
    package var condition: Condition
    /// Empty: all.
    package var routes: Set<String>
    package var vehicleTypes: Set<String>

    package init(name: String, condition: Condition, routes: Set<String> = [], vehicleTypes: Set<String> = []) {
        self.name = name
        self.condition = condition
        self.routes = routes
        self.vehicleTypes = vehicleTypes
    }
}
