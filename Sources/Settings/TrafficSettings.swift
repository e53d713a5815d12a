import TimeSeries

/// The vehicles: what is counted of them, where, and what becomes an alert.
package struct TrafficSettings: Sendable, Equatable {
    package var enabled = true
    /// Empty: 30 s, sliding by 10 s.
    package var windows: [TrafficWindowSettings] = []
    package var allowedLateness: Milliseconds = 600_000
    package var disorder: Milliseconds = 5_000
    package var futureBound: Milliseconds = 60_000
    package var idleTimeout: Milliseconds = 10_000
    package var zone = "UTC"
    package var routes: [TrafficRouteSettings] = []
    /// Percent.
    package var lowFuel = 15.0
    /// Empty: the trucks of Route-37 within 30 km of 33.877495, -95.50238.
    package var points: [PointSettings] = []
    package var rules: [TrafficRuleSettings] = []
    package var maxVehicles = 1_000_000
    package var vehicleRetention: Milliseconds = 8 * 86_400_000

    package init() {}
}

package struct TrafficWindowSettings: Sendable, Equatable {
    package var length: Milliseconds = 30_000
    /// nil: the length.
    package var slide: Milliseconds?

    package init() {}
}

package struct TrafficRouteSettings: Sendable, Equatable {
    package var name = ""
    package var zone: String?

    package init() {}
}

package struct PointSettings: Sendable, Equatable {
    package var name = ""
    package var latitude: Double?
    package var longitude: Double?
    package var radius: Double?
    /// Corners, `latitude longitude`.
    package var polygon: [String] = []
    package var routes: [String] = []
    package var vehicleTypes: [String] = []
    package var timeToLive: Milliseconds = 120_000

    package init() {}
}

package struct TrafficRuleSettings: Sendable, Equatable {
    package var name = ""
    package var speedAbove: Double?
    package var speedAboveField: String?
    package var duration: Milliseconds = 0
    package var fuelBelow: Double?
    package var enters: String?
    package var routes: [String] = []
    package var vehicleTypes: [String] = []

    package init() {}
}

/// Who is told of alerts.
package struct NotifySettings: Sendable, Equatable {
    package var webhooks: [WebhookSettings] = []

    package init() {}
}

package struct WebhookSettings: Sendable, Equatable {
    package var url = ""
    package var timeout: Milliseconds = 10_000
    package var access = ClientAccess()

    package init() {}
}
