import Traffic

/// How vehicles of one type behave.
struct VehicleKind: Sendable {
    var name: String
    /// Share of the fleet.
    var share: Double
    /// What its drivers drive where they may, km/h.
    var speed: Double
    /// km that a full tank lasts.
    var range: Double
    /// Hours between two rests.
    var hoursAwake: Double
    /// Share of the rests in the night that last until morning.
    var nightRest: Double
}

/// A region: roads, where they meet, and who drives there.
package struct FleetPreset: Sendable {
    package struct Junction: Sendable {
        var road: Int
        var way: Double
        var otherRoad: Int
        var otherWay: Double
    }

    package let name: String
    package let roads: [Road]
    let kinds: [VehicleKind]
    package let junctions: [Junction]
    /// Where it is rush hour by the local clock.
    let rushZone: String
    /// Whose days count unless another is asked for: the product's default, or what the region's configuration says.
    package let zone: String

    package var routeNames: [String] { roads.map(\.name) }
    package var typeNames: [String] { kinds.map(\.name) }

    private init(
        name: String, rushZone: String, zone: String, roads: [Road], meeting: [(Int, Int, Coordinate)], kinds: [VehicleKind]
    ) {
        self.name = name
        self.rushZone = rushZone
        self.zone = zone
        self.roads = roads
        self.kinds = kinds
        junctions = meeting.flatMap { a, b, place in
            let wayA = roads[a].way(nearest: place)
            let wayB = roads[b].way(nearest: place)
            return [
                Junction(road: a, way: wayA, otherRoad: b, otherWay: wayB), Junction(road: b, way: wayB, otherRoad: a, otherWay: wayA),
            ]
        }
    }

    private static func box(_ south: Double, _ west: Double, _ north: Double, _ east: Double) -> (low: Coordinate, high: Coordinate) {
        (Coordinate(latitude: south, longitude: west), Coordinate(latitude: north, longitude: east))
    }

    package static func named(_ name: String) -> FleetPreset? { [us, italy].first { $0.name == name } }

    /// Three roads whose boxes touch at their corners, where they meet.
    package static let us = FleetPreset(
        name: "us", rushZone: "America/Chicago", zone: "UTC",
        roads: [
            Road(
                name: "Route-37", limit: 95, box: box(33, -96, 34, -95),
                [
                    Waypoint(34.0, -96.0), Waypoint(33.962, -95.91), Waypoint(33.945, -95.77, town: true), Waypoint(33.89, -95.64),
                    Waypoint(33.877495, -95.50238), Waypoint(33.79, -95.43), Waypoint(33.661, -95.555, town: true),
                    Waypoint(33.52, -95.49), Waypoint(33.37, -95.34), Waypoint(33.21, -95.23, town: true),
                ]),
            Road(
                name: "Route-82", limit: 110, box: box(34, -97, 35, -96),
                [
                    Waypoint(34.0, -96.0), Waypoint(34.11, -96.07), Waypoint(34.23, -96.24, town: true), Waypoint(34.4, -96.37),
                    Waypoint(34.52, -96.52), Waypoint(34.66, -96.6, town: true), Waypoint(34.77, -96.78), Waypoint(34.91, -96.87),
                    Waypoint(35.0, -97.0),
                ]),
            Road(
                name: "Route-43", limit: 100, box: box(35, -98, 36, -97),
                [
                    Waypoint(35.0, -97.0), Waypoint(35.09, -97.12), Waypoint(35.22, -97.34, town: true), Waypoint(35.36, -97.4),
                    Waypoint(35.47, -97.55, town: true), Waypoint(35.61, -97.63), Waypoint(35.74, -97.81),
                    Waypoint(35.86, -97.93, town: true),
                ]),
        ],
        meeting: [
            (0, 1, Coordinate(latitude: 34, longitude: -96)), (1, 2, Coordinate(latitude: 35, longitude: -97)),
        ],
        kinds: [
            VehicleKind(name: "Large Truck", share: 0.25, speed: 88, range: 1300, hoursAwake: 4, nightRest: 0.3),
            VehicleKind(name: "Small Truck", share: 0.2, speed: 93, range: 800, hoursAwake: 3, nightRest: 0.5),
            VehicleKind(name: "Private Car", share: 0.35, speed: 112, range: 650, hoursAwake: 1.5, nightRest: 0.7),
            VehicleKind(name: "Bus", share: 0.1, speed: 86, range: 900, hoursAwake: 2.5, nightRest: 0.6),
            VehicleKind(name: "Taxi", share: 0.1, speed: 104, range: 550, hoursAwake: 2, nightRest: 0.3),
        ])

    /// The motorway to L'Aquila, the old road beside it, and the ring of Rome.
    package static let italy = FleetPreset(
        name: "italy", rushZone: "Europe/Rome", zone: "Europe/Rome",
        roads: [
            Road(
                name: "A24", limit: 125, box: box(41.85, 12.45, 42.45, 13.5),
                [
                    Waypoint(41.9195, 12.6003), Waypoint(41.926, 12.668), Waypoint(41.945, 12.781), Waypoint(41.967, 12.866),
                    Waypoint(42.029, 12.953), Waypoint(42.1, 13.09), Waypoint(42.156, 13.21), Waypoint(42.272, 13.302),
                    Waypoint(42.362, 13.345, town: true),
                ]),
            Road(
                name: "SS5", limit: 82, box: box(41.85, 12.45, 42.2, 13.6),
                [
                    Waypoint(41.9362, 12.5985), Waypoint(41.938, 12.641), Waypoint(41.956, 12.722, town: true),
                    Waypoint(41.963, 12.798, town: true), Waypoint(42.018, 12.896, town: true), Waypoint(42.041, 13.019),
                    Waypoint(42.1, 13.09, town: true), Waypoint(42.067, 13.249, town: true), Waypoint(42.031, 13.427, town: true),
                ]),
            Road(
                name: "GRA", limit: 115, isRing: true, box: box(41.75, 12.3, 42.05, 12.7),
                [
                    Waypoint(41.9195, 12.6003), Waypoint(41.9362, 12.5985), Waypoint(41.967, 12.553), Waypoint(41.987, 12.5),
                    Waypoint(41.982, 12.44), Waypoint(41.951, 12.394), Waypoint(41.909, 12.373), Waypoint(41.866, 12.376),
                    Waypoint(41.826, 12.404), Waypoint(41.803, 12.455), Waypoint(41.8, 12.51), Waypoint(41.823, 12.561),
                    Waypoint(41.868, 12.594),
                ]),
        ],
        meeting: [
            (0, 2, Coordinate(latitude: 41.9195, longitude: 12.6003)), (1, 2, Coordinate(latitude: 41.9362, longitude: 12.5985)),
            (0, 1, Coordinate(latitude: 42.1, longitude: 13.09)),
        ],
        kinds: [
            VehicleKind(name: "Autobus", share: 0.1, speed: 88, range: 900, hoursAwake: 2.5, nightRest: 0.6),
            VehicleKind(name: "TIR", share: 0.25, speed: 82, range: 1300, hoursAwake: 4, nightRest: 0.3),
            VehicleKind(name: "Automobile", share: 0.4, speed: 122, range: 700, hoursAwake: 1.5, nightRest: 0.7),
            VehicleKind(name: "Furgone", share: 0.15, speed: 104, range: 800, hoursAwake: 3, nightRest: 0.5),
            VehicleKind(name: "Taxi", share: 0.1, speed: 112, range: 550, hoursAwake: 2, nightRest: 0.3),
        ])
}
