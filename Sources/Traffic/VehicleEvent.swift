import TimeSeries

/// A vehicle's UUID.
package struct VehicleID: Hashable, Sendable, CustomStringConvertible {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Lower case, with hyphens.
    package var description: String {
        var text: [UInt8] = []
        text.reserveCapacity(36)
        for i in 0..<32 {
            if i == 8 || i == 12 || i == 16 || i == 20 { text.append(0x2D) }
            let word = i < 16 ? high : low
            let digit = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * (i & 15))) & 15
            text.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// What a vehicle told once.
package struct VehicleEvent: Sendable, Equatable {
    package var vehicle: VehicleID
    package var vehicleType: String
    package var route: String
    package var latitude: Double
    package var longitude: Double
    package var time: Milliseconds
    /// km/h
    package var speed: Double?
    /// Percent.
    package var fuel: Double?

    package init(
        vehicle: VehicleID, vehicleType: String, route: String, latitude: Double, longitude: Double, time: Milliseconds, speed: Double?,
        fuel: Double?
    ) {
        self.vehicle = vehicle
        self.vehicleType = vehicleType
        self.route = route
        self.latitude = latitude
        self.longitude = longitude
        self.time = time
        self.speed = speed
        self.fuel = fuel
    }
}
