import Records
import TimeSeries

/// What became of one event.
package enum EventOutcome: Sendable, Equatable {
    case accepted
    /// Its vehicle has an event of the same time already.
    case duplicate
    case tooLate
    case future
    /// No room for a further vehicle, or for a further route with its type.
    case overLimit
    /// With words that name the member and the byte.
    case malformed(EventFault, String)
}

/// The number that a joined table or flow has for an event under the name of a field.
package typealias JoinLookup = (_ event: VehicleEvent, _ field: String) -> Double?

/// What one step of a source partition gives to the outside.
package struct TrafficOutput: Sendable {
    /// For the topic of partials, keyed by route.
    package var partials: [(route: String, bytes: [UInt8])] = []
    /// For every partition of the topic of partials, behind the partials; empty: nothing new.
    package var progress: [UInt8] = []
    package var visits: [PointVisit] = []
    package var alerts: [TrafficAlert] = []

    package init() {}

    package var isEmpty: Bool { partials.isEmpty && progress.isEmpty && visits.isEmpty && alerts.isEmpty }
}

/// One value for a series of its own: `traffic_vehicles`, `traffic_events`, `traffic_speed_avg`, `traffic_speed_p10`.
package struct TrafficSeriesPoint: Sendable, Equatable {
    package var name: String
    package var route: String
    /// nil: all types together.
    package var vehicleType: String?
    package var time: Milliseconds
    package var value: Double

    package init(name: String, route: String, vehicleType: String?, time: Milliseconds, value: Double) {
        self.name = name
        self.route = route
        self.vehicleType = vehicleType
        self.time = time
        self.value = value
    }
}

/// What one step of a merge gives to the outside.
package struct MergeOutput: Sendable, Equatable {
    package var totals: [TrafficTotal] = []
    package var windows: [TrafficWindow] = []
    package var series: [TrafficSeriesPoint] = []

    package init() {}

    package var isEmpty: Bool { totals.isEmpty && windows.isEmpty && series.isEmpty }
}
