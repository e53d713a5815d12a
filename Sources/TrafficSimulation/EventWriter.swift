import TimeSeries

/// How reports are written.
package struct EventForm: Sendable {
    package enum Coordinates: String, CaseIterable, Sendable {
        case strings, numbers
    }

    package enum Time: String, CaseIterable, Sendable {
        /// ISO 8601 with milliseconds and the zone's offset.
        case iso
        /// Milliseconds since the epoch.
        case epoch
        /// `yyyy-MM-dd HH:mm:ss` by the zone's clock.
        case local
    }

    package var coordinates = Coordinates.strings
    package var time = Time.iso

    package init(coordinates: Coordinates = .strings, time: Time = .iso) {
        self.coordinates = coordinates
        self.time = time
    }
}

/// Reports as JSON objects, the fields named and ordered as in the topic `iot-data-event`.
package struct EventWriter: Sendable {
    enum Field: Int, CaseIterable {
        case vehicleID, vehicleType, routeID, longitude, latitude, timestamp, speed, fuelLevel
    }

    private let form: EventForm
    private let zone: FleetZone
    /// Up to the route's name: what never changes, for each vehicle.
    private let heads: [UInt8]
    private let headEnds: [Int]
    /// From the route's name to the longitude's value, for each route.
    private let routes: [[UInt8]]
    private let latitudeName: [UInt8]
    private let timeName: [UInt8]
    private let speedName = Array(#","speed":"#.utf8)
    private let noSpeed = Array(#","speed":null"#.utf8)
    private let fuelName = Array(#","fuelLevel":"#.utf8)
    /// The text of one second and of the offset then: most reports follow one of the same second.
    private var second: Milliseconds = .min
    private var secondText: [UInt8] = []
    private var offsetText: [UInt8] = []

    package init(fleet: Fleet, form: EventForm, zone: FleetZone) {
        self.form = form
        self.zone = zone
        let preset = fleet.options.preset
        var heads: [UInt8] = []
        headEnds = (0..<fleet.count).map { vehicle in
            heads += Array(#"{"vehicleId":""#.utf8) + fleet.id(of: vehicle)
            heads += Array(#"","vehicleType":"\#(preset.typeNames[fleet.type(of: vehicle)])","routeId":""#.utf8)
            return heads.count
        }
        self.heads = heads
        let quote = form.coordinates == .strings ? "\"" : ""
        routes = preset.routeNames.map { Array(#"\#($0)","longitude":\#(quote)"#.utf8) }
        latitudeName = Array(#"\#(quote),"latitude":\#(quote)"#.utf8)
        timeName = Array(#"\#(quote),"timestamp":"#.utf8)
    }

    package mutating func write(_ delivery: Delivery, _ out: inout [UInt8]) {
        if case .malformed(let fault) = delivery.fate { write(delivery.event, fault, &out) } else { write(delivery.event, &out) }
    }

    package mutating func write(_ event: FleetEvent, _ out: inout [UInt8]) {
        let vehicle = Int(event.vehicle)
        out.append(contentsOf: heads[(vehicle == 0 ? 0 : headEnds[vehicle - 1])..<headEnds[vehicle]])
        out.append(contentsOf: routes[Int(event.route)])
        Decimals.append(Int64(event.longitude), decimals: 6, &out)
        out.append(contentsOf: latitudeName)
        Decimals.append(Int64(event.latitude), decimals: 6, &out)
        out.append(contentsOf: timeName)
        writeTime(event.time, &out)
        if event.hasSpeed {
            out.append(contentsOf: speedName)
            Decimals.append(Int64(event.speed), decimals: 1, &out)
        } else if event.time & 1 == 0 {
            // Left out on odd times: both ways of having none.
            out.append(contentsOf: noSpeed)
        }
        out.append(contentsOf: fuelName)
        Decimals.append(Int64(event.fuel), decimals: 1, &out)
        out.append(UInt8(ascii: "}"))
    }

    private mutating func writeTime(_ time: Milliseconds, _ out: inout [UInt8]) {
        if form.time == .epoch { return Decimals.append(time, &out) }
        let inSecond = (time % 1000 + 1000) % 1000
        if time - inSecond != second { setSecond(time - inSecond) }
        out.append(UInt8(ascii: "\""))
        out.append(contentsOf: secondText)
        if form.time == .iso {
            out.append(UInt8(ascii: "."))
            Decimals.append(inSecond, width: 3, &out)
            out.append(contentsOf: offsetText)
        }
        out.append(UInt8(ascii: "\""))
    }

    private mutating func setSecond(_ time: Milliseconds) {
        second = time
        let offset = zone.offset(at: time)
        let civil = Civil(time + offset)
        secondText.removeAll(keepingCapacity: true)
        civil.appendDate(&secondText)
        secondText.append(form.time == .iso ? UInt8(ascii: "T") : UInt8(ascii: " "))
        civil.appendTime(&secondText)
        offsetText.removeAll(keepingCapacity: true)
        if offset == 0 { return offsetText.append(UInt8(ascii: "Z")) }
        offsetText.append(offset < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+"))
        Decimals.append(abs(offset) / 3_600_000, width: 2, &offsetText)
        offsetText.append(UInt8(ascii: ":"))
        Decimals.append(abs(offset) / 60_000 % 60, width: 2, &offsetText)
    }

    // MARK: - Broken ones

    private mutating func write(_ event: FleetEvent, _ fault: Fault, _ out: inout [UInt8]) {
        let start = out.count
        if let change = fault.change { return write(event, change, &out) }
        switch fault {
        case .words: out.append(contentsOf: "vehicle 17 is on its way".utf8)
        case .emptyObject: out.append(contentsOf: "{}".utf8)
        case .quoted: out.append(contentsOf: #""vehicle 17""#.utf8)
        case .invalidUTF8:
            write(event, &out)
            // Within the vehicle's type, behind its name.
            out[start + 66] = 0xFF
        case .trailingText:
            write(event, &out)
            out.append(contentsOf: "} and more".utf8)
        default:
            write(event, &out)
            out.removeLast((out.count - start) / 2)
        }
    }

    /// All fields one by one, with one changed or left out.
    private mutating func write(_ event: FleetEvent, _ change: (field: Field, value: String?), _ out: inout [UInt8]) {
        var whole: [UInt8] = []
        write(event, &whole)
        out.append(UInt8(ascii: "{"))
        var isFirst = true
        for field in EventWriter.fields(whole) {
            let isChanged = field.name == change.field
            if isChanged && change.value == nil { continue }
            if !isFirst { out.append(UInt8(ascii: ",")) }
            isFirst = false
            out.append(contentsOf: field.key)
            out.append(UInt8(ascii: ":"))
            if let value = change.value, isChanged { out.append(contentsOf: value.utf8) } else { out.append(contentsOf: field.value) }
        }
        // A report without a speed has nothing to change.
        if change.field == .speed, let value = change.value, !event.hasSpeed, event.time & 1 != 0 {
            out.append(contentsOf: #","speed":\#(value)"#.utf8)
        }
        out.append(UInt8(ascii: "}"))
    }

    /// Cuts a report that it wrote itself: no value holds a comma or a colon beside the time's.
    private static func fields(_ bytes: [UInt8]) -> [(name: Field, key: ArraySlice<UInt8>, value: ArraySlice<UInt8>)] {
        let names = ["vehicleId", "vehicleType", "routeId", "longitude", "latitude", "timestamp", "speed", "fuelLevel"]
        return bytes[1..<(bytes.count - 1)].split(separator: UInt8(ascii: ",")).compactMap { part in
            guard let colon = part.firstIndex(of: UInt8(ascii: ":")) else { return nil }
            let key = part[..<colon]
            let text = String(decoding: key.dropFirst().dropLast(), as: UTF8.self)
            guard let index = names.firstIndex(of: text), let name = Field(rawValue: index) else { return nil }
            return (name, key, part[(colon + 1)...])
        }
    }
}
