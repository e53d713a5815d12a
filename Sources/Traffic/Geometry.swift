import Glibc

/// Distances on the sphere, and what is inside.
enum Geometry {
    /// km.
    static let earthRadius = 6371.0088

    /// Haversine distance in km; degrees.
    static func distance(_ a: Coordinate, _ b: Coordinate) -> Double {
        let radians = Double.pi / 180
        let up = sin((b.latitude - a.latitude) * radians / 2)
        let along = sin((b.longitude - a.longitude) * radians / 2)
        let h = up * up + cos(a.latitude * radians) * cos(b.latitude * radians) * along * along
        return 2 * earthRadius * asin(min(1, h.squareRoot()))
    }
}

extension PointOfInterest {
    /// Of a circle its centre, of a polygon the mean of its corners.
    package var center: Coordinate {
        switch area {
        case .circle(let latitude, let longitude, _): return Coordinate(latitude: latitude, longitude: longitude)
        case .polygon(let corners):
            guard !corners.isEmpty else { return Coordinate(latitude: 0, longitude: 0) }
            let count = Double(corners.count)
            return Coordinate(
                latitude: corners.reduce(0) { $0 + $1.latitude } / count, longitude: corners.reduce(0) { $0 + $1.longitude } / count)
        }
    }

    /// km from the centre.
    package func distance(latitude: Double, longitude: Double) -> Double {
        Geometry.distance(center, Coordinate(latitude: latitude, longitude: longitude))
    }

    package func contains(latitude: Double, longitude: Double) -> Bool {
        switch area {
        case .circle(let centerLatitude, _, let radius):
            // A degree of latitude is 111.195 km everywhere: most places need no trigonometry.
            if (latitude - centerLatitude).magnitude * 111 > radius { return false }
            return distance(latitude: latitude, longitude: longitude) <= radius
        case .polygon(let corners):
            var isInside = false
            var before = corners.last ?? Coordinate(latitude: 0, longitude: 0)
            for corner in corners {
                if (corner.latitude > latitude) != (before.latitude > latitude) {
                    let share = (latitude - corner.latitude) / (before.latitude - corner.latitude)
                    if longitude < corner.longitude + share * (before.longitude - corner.longitude) { isInside.toggle() }
                }
                before = corner
            }
            return isInside
        }
    }

    /// Whether vehicles of this type on this route are looked at.
    func takes(route: String, vehicleType: String) -> Bool {
        (routes.isEmpty || routes.contains(route)) && (vehicleTypes.isEmpty || vehicleTypes.contains(vehicleType))
    }
}
