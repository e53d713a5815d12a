import Glibc
import Traffic

/// A place that a road goes through. In a town it is slow for 1.5 km to both sides.
struct Waypoint: Sendable {
    var latitude: Double
    var longitude: Double
    var isTown: Bool

    init(_ latitude: Double, _ longitude: Double, town: Bool = false) {
        self.latitude = latitude
        self.longitude = longitude
        isTown = town
    }
}

/// A polyline of some 250 m a piece, with bends, exactly through its waypoints. Places on it are told in km from its start.
package struct Road: Sendable {
    package let name: String
    /// Corners of the pieces.
    package let points: [Coordinate]
    /// Way from the start to each corner, km.
    package let ways: [Double]
    /// Speed allowed on each piece, km/h.
    let limits: [Double]
    /// Its end is its start.
    package let isRing: Bool
    /// South-west and north-east corner of all that it may touch.
    package let box: (low: Coordinate, high: Coordinate)

    package var length: Double { ways[ways.count - 1] }

    init(name: String, limit: Double, isRing: Bool = false, box: (low: Coordinate, high: Coordinate), _ waypoints: [Waypoint]) {
        var points: [Coordinate] = []
        var towns: [Double] = []
        var ways: [Double] = []
        func add(_ point: Coordinate) {
            let step = points.last.map { Earth.distance($0, point) } ?? 0
            ways.append((ways.last ?? 0) + step)
            points.append(point)
        }
        let count = waypoints.count
        let spans = isRing ? count : count - 1
        func at(_ i: Int) -> Waypoint { isRing ? waypoints[(i + count) % count] : waypoints[min(max(0, i), count - 1)] }
        for span in 0..<spans {
            let piece = Road.curve(at(span - 1), at(span), at(span + 1), at(span + 2), bends: Double(span), box)
            add(piece[0])
            if at(span).isTown { towns.append(ways[ways.count - 1]) }
            for point in piece.dropFirst() { add(point) }
        }
        let last = at(spans)
        add(Coordinate(latitude: last.latitude, longitude: last.longitude))
        if last.isTown { towns.append(ways[ways.count - 1]) }
        self.name = name
        self.points = points
        self.ways = ways
        self.isRing = isRing
        self.box = box
        limits = ways.map { way in towns.contains { abs($0 - way) < 1.5 } ? min(limit, 62) : limit }
    }

    /// Catmull-Rom from `b` to `c` with a meander that vanishes at both; without the end.
    private static func curve(
        _ a: Waypoint, _ b: Waypoint, _ c: Waypoint, _ d: Waypoint, bends: Double, _ box: (low: Coordinate, high: Coordinate)
    ) -> [Coordinate] {
        let from = Coordinate(latitude: b.latitude, longitude: b.longitude)
        let to = Coordinate(latitude: c.latitude, longitude: c.longitude)
        let distance = Earth.distance(from, to)
        let pieces = max(2, Int(distance / 0.25))
        let swing = min(0.3, distance * 0.02) / 111
        let waves = max(1, (distance / 5).rounded())
        func spline(_ p: Double, _ q: Double, _ r: Double, _ s: Double, _ u: Double) -> Double {
            let linear = (r - p) * u
            let square = (2 * p - 5 * q + 4 * r - s) * u * u
            let cube = (3 * q - p - 3 * r + s) * u * u * u
            return q + 0.5 * (linear + square + cube)
        }
        let north = c.latitude - b.latitude
        let east = c.longitude - b.longitude
        let norm = max(1e-9, (north * north + east * east).squareRoot())
        return (0..<pieces).map { i in
            let u = Double(i) / Double(pieces)
            let fade = sin(.pi * u) * sin(.pi * u)
            let aside = swing * fade * sin(2 * .pi * waves * u + bends)
            let latitude = spline(a.latitude, b.latitude, c.latitude, d.latitude, u) + aside * east / norm
            let longitude = spline(a.longitude, b.longitude, c.longitude, d.longitude, u) - aside * north / norm
            return Coordinate(
                latitude: min(max(latitude, box.low.latitude), box.high.latitude),
                longitude: min(max(longitude, box.low.longitude), box.high.longitude))
        }
    }

    /// The piece that holds `way`. O(log n).
    func piece(at way: Double) -> Int {
        var low = 0
        var high = ways.count - 1
        while high - low > 1 {
            let middle = (low + high) / 2
            if ways[middle] <= way { low = middle } else { high = middle }
        }
        return low
    }

    /// The place `way` km from the start, which lies on `piece`.
    func place(at way: Double, piece: Int) -> Coordinate {
        let span = ways[piece + 1] - ways[piece]
        let part = span > 0 ? (way - ways[piece]) / span : 0
        let a = points[piece]
        let b = points[piece + 1]
        return Coordinate(
            latitude: a.latitude + (b.latitude - a.latitude) * part, longitude: a.longitude + (b.longitude - a.longitude) * part)
    }

    /// The corner nearest to a place, as its way from the start.
    func way(nearest place: Coordinate) -> Double {
        let nearest = points.indices.min { Earth.distance(points[$0], place) < Earth.distance(points[$1], place) }
        return nearest.map { ways[$0] } ?? 0
    }
}

/// Distances on the sphere.
enum Earth {
    static let radius = 6371.0088

    /// Haversine, km.
    static func distance(_ a: Coordinate, _ b: Coordinate) -> Double {
        let radians = Double.pi / 180
        let north = sin((b.latitude - a.latitude) * radians / 2)
        let east = sin((b.longitude - a.longitude) * radians / 2)
        let h = north * north + cos(a.latitude * radians) * cos(b.latitude * radians) * east * east
        return 2 * radius * asin(min(1, h.squareRoot()))
    }
}
