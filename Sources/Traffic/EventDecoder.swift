import TimeSeries

/// Reads events out of their JSON. docs/formats/iot-data-event.md.
package struct EventDecoder: Sendable {
    private var zones: ZoneTable
    private let zone: Int

    /// Timestamps without an offset are of `zone`.
    package init(zone: String) {
        zones = ZoneTable()
        self.zone = zones.index(of: zone)
    }

    package mutating func decode(_ bytes: UnsafeRawBufferPointer) throws(MalformedEvent) -> VehicleEvent {
        var reader = EventReader(bytes)
        let event = try reader.event(&zones, zone: zone)
        return reader.whole(event)
    }

    package mutating func decode(_ bytes: [UInt8]) throws(MalformedEvent) -> VehicleEvent {
        try bytes.withUnsafeBufferPointer { (elements) throws(MalformedEvent) in try decode(UnsafeRawBufferPointer(elements)) }
    }

    /// Where the events of a body are: the elements of a JSON array, or the lines of NDJSON that are not blank. What is not an event
    /// is a range all the same, for `decode` to refuse; only an array that is broken as such throws.
    package static func split(_ body: UnsafeRawBufferPointer) throws(MalformedEvent) -> [Range<Int>] {
        var reader = EventReader(body)
        reader.skipSpace()
        guard reader.at < body.count else { return [] }
        guard body[reader.at] == UInt8(ascii: "[") else { return lines(body) }
        reader.at += 1
        reader.skipSpace()
        var ranges: [Range<Int>] = []
        if reader.at < body.count, body[reader.at] == UInt8(ascii: "]") {
            reader.at += 1
        } else {
            while true {
                reader.skipSpace()
                let start = reader.at
                try reader.skipValue(depth: 0)
                ranges.append(start..<reader.at)
                reader.skipSpace()
                guard reader.at < body.count else { throw reader.fault(.endsEarly, "the array ends too early") }
                reader.at += 1
                if body[reader.at - 1] == UInt8(ascii: ",") { continue }
                if body[reader.at - 1] == UInt8(ascii: "]") { break }
                throw reader.fault(.syntax, "a comma or a closing bracket was expected", at: reader.at - 1)
            }
        }
        reader.skipSpace()
        guard reader.at == body.count else { throw reader.fault(.trailingBytes, "more bytes after the array") }
        return ranges
    }

    /// The lines that are not blank.
    package static func lines(_ body: UnsafeRawBufferPointer) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var start = 0
        while start < body.count {
            var end = start
            var isBlank = true
            while end < body.count, body[end] != 0x0A {
                if body[end] > 0x20 { isBlank = false }
                end += 1
            }
            if !isBlank { ranges.append(start..<end) }
            start = end + 1
        }
        return ranges
    }
}

extension EventReader {
    func whole(_ event: RawEvent) -> VehicleEvent {
        VehicleEvent(
            vehicle: VehicleID(high: event.high, low: event.low), vehicleType: text(event.type), route: text(event.route),
            latitude: event.latitude, longitude: event.longitude, time: event.time, speed: event.speed.isNaN ? nil : event.speed,
            fuel: event.fuel.isNaN ? nil : event.fuel)
    }
}
