import TimeSeries

/// The values of the members.
extension EventReader {
    @inline(__always)
    mutating func value(
        of member: Member, _ event: inout RawEvent, _ zones: inout ZoneTable, _ zone: Int
    ) throws(MalformedEvent) {
        guard at < bytes.count else { throw fault(.endsEarly, "the event ends too early") }
        let place = at
        switch member {
        case .vehicle:
            let range = try quoted(member)
            guard let id = reading(range, { UUIDText.read($0) }) else {
                throw fault(.notUUID, "vehicleId is not a UUID", at: place)
            }
            (event.high, event.low) = id
        case .type: event.type = try name(member)
        case .route: event.route = try name(member)
        case .latitude:
            event.latitude = try number(member)
            guard event.latitude.magnitude <= 90 else {
                throw fault(.latitudeRange, "latitude \(event.latitude) is not in -90...90", at: place)
            }
        case .longitude:
            event.longitude = try number(member)
            guard event.longitude.magnitude <= 180 else {
                throw fault(.longitudeRange, "longitude \(event.longitude) is not in -180...180", at: place)
            }
        case .timestamp: event.time = try timestamp(&zones, zone)
        case .speed:
            if try isNull() { return }
            event.speed = try number(member)
            guard event.speed >= 0, event.speed <= 1000 else {
                throw fault(.speedRange, "speed \(event.speed) is not in 0...1000", at: place)
            }
        case .fuel:
            if try isNull() { return }
            event.fuel = try number(member)
            guard event.fuel >= 0, event.fuel <= 100 else {
                throw fault(.fuelRange, "fuelLevel \(event.fuel) is not in 0...100", at: place)
            }
        }
    }

    /// Gives `body` the bytes of a text.
    @inline(__always)
    func reading<T>(_ range: TextRange, _ body: (UnsafeRawBufferPointer) -> T) -> T {
        if range.isUnescaped {
            return scratch.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[range.start..<(range.start + range.count)])) }
        }
        return body(UnsafeRawBufferPointer(rebasing: bytes[range.start..<(range.start + range.count)]))
    }

    func text(_ range: TextRange) -> String { reading(range) { String(decoding: $0, as: UTF8.self) } }

    private mutating func isNull() throws(MalformedEvent) -> Bool {
        guard bytes[at] == UInt8(ascii: "n") else { return false }
        try skipWord("null")
        return true
    }

    @inline(__always)
    private mutating func quoted(_ member: Member) throws(MalformedEvent) -> TextRange {
        guard bytes[at] == UInt8(ascii: "\"") else { throw try wrongType(member, "a text") }
        at += 1
        return try content()
    }

    /// A value that should have been another: a mistake of the JSON comes first.
    private mutating func wrongType(_ member: Member, _ what: StaticString) throws(MalformedEvent) -> MalformedEvent {
        let place = at
        try skipValue(depth: 0)
        return fault(.wrongType, "\(member.name) is not \(what)", at: place)
    }

    @inline(__always)
    private mutating func name(_ member: Member) throws(MalformedEvent) -> TextRange {
        let place = at
        let range = try quoted(member)
        guard range.count > 0 else { throw fault(.emptyText, "\(member.name) is empty", at: place) }
        guard range.count <= EventReader.maximumText else {
            throw fault(.longText, "\(member.name) has \(range.count) bytes, more than \(EventReader.maximumText)", at: place)
        }
        // Some stores take no notice of spaces at the end of a key: two names would be one.
        guard reading(range, { $0.last != UInt8(ascii: " ") }) else {
            throw fault(.trailingSpace, "\(member.name) ends in a space", at: place)
        }
        if reading(range, { TextCheck.isPlain($0) }) { return range }
        switch reading(range, { TextCheck.check($0) }) {
        case nil: return range
        case .notUTF8: throw fault(.notUTF8, "\(member.name) is not UTF-8", at: place)
        case .controlCharacter: throw fault(.controlCharacter, "\(member.name) holds a control character", at: place)
        }
    }

    @inline(__always)
    private mutating func number(_ member: Member) throws(MalformedEvent) -> Double {
        let place = at
        let first = bytes[at]
        if first == UInt8(ascii: "\"") {
            at += 1
            let range = try content()
            let value = reading(range) { (raw) -> Double? in
                guard let (value, length) = NumberText.read(raw, from: 0), length == raw.count else { return nil }
                return value
            }
            guard let value else { throw fault(.badNumber, "\(member.name) is not a number", at: place) }
            return value
        }
        guard first == UInt8(ascii: "-") || (first >= 0x30 && first <= 0x39) else { throw try wrongType(member, "a number") }
        guard let (value, end) = NumberText.read(bytes, from: at) else {
            throw fault(.badNumber, "\(member.name) is not a number", at: place)
        }
        at = end
        return value
    }

    @inline(__always)
    private mutating func timestamp(_ zones: inout ZoneTable, _ zone: Int) throws(MalformedEvent) -> Milliseconds {
        let place = at
        let time: TimeText.Outcome
        if bytes[at] == UInt8(ascii: "\"") {
            at += 1
            let range = try content()
            time = reading(range) { TimeText.read($0) }
        } else {
            let first = bytes[at]
            guard first == UInt8(ascii: "-") || (first >= 0x30 && first <= 0x39) else {
                throw try wrongType(.timestamp, "a text or a number")
            }
            var end = at + 1
            while end < bytes.count, NumberText.belongs(bytes[end]) { end += 1 }
            time = TimeText.digits(UnsafeRawBufferPointer(rebasing: bytes[at..<end]))
            at = end
        }
        let value: Milliseconds
        switch time {
        case .utc(let t): value = t
        case .local(let t): value = zones.utc(zone: zone, local: t)
        case .impossible: throw fault(.impossibleDate, "timestamp is a date or time that does not exist", at: place)
        case .malformed:
            throw fault(.badTimestamp, "timestamp is neither ISO 8601 nor milliseconds since the epoch", at: place)
        }
        guard value > 0, value < TimeText.end else { throw fault(.timestampRange, "timestamp is not in the years 1970...9999", at: place) }
        return value
    }
}
