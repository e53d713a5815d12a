import Glibc
import TimeSeries
import Traffic

/// One line of the truth.
struct TruthRow {
    private var bytes: [UInt8]

    init(_ kind: String) { bytes = Array(#"{"kind":"\#(kind)""#.utf8) }

    private mutating func name(_ name: String) { bytes.append(contentsOf: #","\#(name)":"#.utf8) }

    mutating func text(_ name: String, _ value: String?) {
        self.name(name)
        guard let value else { return bytes.append(contentsOf: "null".utf8) }
        bytes.append(UInt8(ascii: "\""))
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(contentsOf: [UInt8(ascii: "\\"), byte])
            case 0..<0x20: bytes.append(contentsOf: "\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    mutating func number(_ name: String, _ value: Int64?) {
        self.name(name)
        if let value { Decimals.append(value, &bytes) } else { bytes.append(contentsOf: "null".utf8) }
    }

    /// In as many digits as bring back the same number.
    mutating func decimal(_ name: String, _ value: Double?) {
        self.name(name)
        bytes.append(contentsOf: (value.map { "\($0)" } ?? "null").utf8)
    }

    /// Written only if true.
    mutating func flag(_ name: String, _ value: Bool) {
        guard value else { return }
        self.name(name)
        bytes.append(contentsOf: "true".utf8)
    }

    func end(_ out: inout [UInt8]) {
        out.append(contentsOf: bytes)
        out.append(contentsOf: [UInt8(ascii: "}"), UInt8(ascii: "\n")])
    }
}

/// Places as the truth sees them; formulas of its own.
enum TruthPlace {
    static func isInside(_ event: FleetEvent, _ area: PointOfInterest.Area) -> Bool {
        switch area {
        case .circle(_, _, let radius): return distance(event, area) <= radius
        case .polygon(let corners):
            let y = Double(event.latitude) / 1e6
            let x = Double(event.longitude) / 1e6
            var isInside = false
            var b = corners.count - 1
            for a in corners.indices {
                let (p, q) = (corners[a], corners[b])
                // A ray to the east crosses the side.
                if (p.latitude > y) != (q.latitude > y),
                    x < p.longitude + (y - p.latitude) / (q.latitude - p.latitude) * (q.longitude - p.longitude)
                {
                    isInside.toggle()
                }
                b = a
            }
            return isInside
        }
    }

    /// km from the centre, which is the mean of a polygon's corners.
    static func distance(_ event: FleetEvent, _ area: PointOfInterest.Area) -> Double {
        let centre: Coordinate
        switch area {
        case .circle(let latitude, let longitude, _): centre = Coordinate(latitude: latitude, longitude: longitude)
        case .polygon(let corners):
            let count = Double(max(1, corners.count))
            centre = Coordinate(
                latitude: corners.map(\.latitude).reduce(0, +) / count, longitude: corners.map(\.longitude).reduce(0, +) / count)
        }
        let radians = Double.pi / 180
        let (a, b) = (Double(event.latitude) / 1e6 * radians, centre.latitude * radians)
        let north = sin((a - b) / 2)
        let east = sin((Double(event.longitude) / 1e6 - centre.longitude) * radians / 2)
        let h = min(1, max(0, north * north + cos(a) * cos(b) * east * east))
        return 2 * 6371.0088 * atan2(h.squareRoot(), (1 - h).squareRoot())
    }

    /// To a multiple of the step since the epoch.
    static func roundedUp(_ time: Milliseconds, _ step: Milliseconds) -> Milliseconds {
        let rest = (time % step + step) % step
        return rest == 0 ? time : time + step - rest
    }
}
