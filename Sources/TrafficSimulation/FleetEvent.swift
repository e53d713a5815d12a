import TimeSeries

/// What a vehicle reports, in the whole numbers that are written: what reads the text gets the same values.
package struct FleetEvent: Sendable, Equatable {
    /// Index of the vehicle in its fleet.
    package var vehicle: Int32
    /// Index of the preset's road and of its type.
    package var route: UInt8
    package var type: UInt8
    package var hasSpeed: Bool
    package var time: Milliseconds
    /// Millionths of a degree.
    package var latitude: Int32
    package var longitude: Int32
    /// Tenths of km/h.
    package var speed: Int32
    /// Tenths of a percent.
    package var fuel: Int32

    package init(
        vehicle: Int32, route: UInt8, type: UInt8, hasSpeed: Bool = true, time: Milliseconds, latitude: Int32, longitude: Int32,
        speed: Int32, fuel: Int32
    ) {
        self.vehicle = vehicle
        self.route = route
        self.type = type
        self.hasSpeed = hasSpeed
        self.time = time
        self.latitude = latitude
        self.longitude = longitude
        self.speed = speed
        self.fuel = fuel
    }
}
