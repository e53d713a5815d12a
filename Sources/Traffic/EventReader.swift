import TimeSeries

/// One event whose texts are still where they were read.
struct RawEvent {
    var high: UInt64 = 0
    var low: UInt64 = 0
    var time: Milliseconds = 0
    var latitude = 0.0
    var longitude = 0.0
    /// NaN: not told.
    var speed = Double.nan
    var fuel = Double.nan
    var type = TextRange()
    var route = TextRange()
}

/// Where a text stands: in the event, or, because it had escapes, in the reader's scratch.
struct TextRange {
    var start = 0
    var count = 0
    var isUnescaped = false
}

/// The members of an event; the raw value is its bit among those seen.
enum Member: UInt32 {
    case vehicle = 1
    case type = 2
    case route = 4
    case latitude = 8
    case longitude = 16
    case timestamp = 32
    case speed = 64
    case fuel = 128

    var name: String {
        switch self {
        case .vehicle: "vehicleId"
        case .type: "vehicleType"
        case .route: "routeId"
        case .latitude: "latitude"
        case .longitude: "longitude"
        case .timestamp: "timestamp"
        case .speed: "speed"
        case .fuel: "fuelLevel"
        }
    }
}

/// Reads one event, byte by byte, in one pass. Every load is checked against the end.
struct EventReader {
    let bytes: UnsafeRawBufferPointer
    var at = 0
    /// Texts that had escapes.
    var scratch: [UInt8] = []
    /// Longest event.
    static let maximumBytes = 65_536
    static let maximumText = 128
    private static let required: [(Member, EventFault)] = [
        (.vehicle, .missingVehicle), (.type, .missingType), (.route, .missingRoute), (.latitude, .missingLatitude),
        (.longitude, .missingLongitude), (.timestamp, .missingTimestamp),
    ]

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    @inline(never)
    func fault(_ fault: EventFault, _ words: String, at place: Int? = nil) -> MalformedEvent {
        MalformedEvent(fault: fault, detail: "\(words), at byte \(place ?? at)")
    }

    @inline(__always)
    mutating func skipSpace() {
        while at < bytes.count {
            let byte = bytes[at]
            if byte > 0x20 || (byte != 0x20 && byte != 0x0A && byte != 0x0D && byte != 0x09) { return }
            at += 1
        }
    }

    mutating func event(_ zones: inout ZoneTable, zone: Int) throws(MalformedEvent) -> RawEvent {
        guard bytes.count <= EventReader.maximumBytes else { throw fault(.tooLong, "the event has \(bytes.count) bytes", at: 0) }
        var event = RawEvent()
        var seen: UInt32 = 0
        skipSpace()
        guard at < bytes.count else { throw fault(.empty, "there is no event") }
        guard bytes[at] == UInt8(ascii: "{") else { throw fault(.notAnObject, "the event is not a JSON object") }
        at += 1
        skipSpace()
        if at < bytes.count, bytes[at] == UInt8(ascii: "}") {
            at += 1
        } else {
            while true {
                skipSpace()
                try expect(UInt8(ascii: "\""), "the name of a member")
                let nameAt = at
                let member = try self.member()
                skipSpace()
                try expect(UInt8(ascii: ":"), "a colon")
                skipSpace()
                if let member {
                    guard seen & member.rawValue == 0 else {
                        throw fault(.duplicateMember, "\(member.name) is there twice", at: nameAt - 1)
                    }
                    seen |= member.rawValue
                    try value(of: member, &event, &zones, zone)
                } else {
                    try skipValue(depth: 0)
                }
                skipSpace()
                guard at < bytes.count else { throw fault(.endsEarly, "the event ends too early") }
                let byte = bytes[at]
                at += 1
                if byte == UInt8(ascii: ",") { continue }
                if byte == UInt8(ascii: "}") { break }
                throw fault(.syntax, "a comma or a closing brace was expected", at: at - 1)
            }
        }
        skipSpace()
        guard at == bytes.count else { throw fault(.trailingBytes, "more bytes after the event") }
        if seen & 63 != 63 {
            for (member, reason) in EventReader.required where seen & member.rawValue == 0 {
                throw fault(reason, "\(member.name) is missing", at: 0)
            }
        }
        return event
    }

    @inline(__always)
    mutating func expect(_ byte: UInt8, _ what: StaticString) throws(MalformedEvent) {
        guard at < bytes.count else { throw fault(.endsEarly, "the event ends too early") }
        guard bytes[at] == byte else { throw fault(.syntax, "\(what) was expected") }
        at += 1
    }

    @inline(__always)
    func word(_ place: Int) -> UInt64 { UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)) }

    /// The member whose name begins here, read past its closing quote; nil for one that is not known.
    @inline(__always)
    private mutating func member() throws(MalformedEvent) -> Member? {
        if at + 12 <= bytes.count {
            let next = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at + 8, as: UInt32.self))
            if let (member, length) = EventReader.known(word(at), next) {
                at += length
                return member
            }
        }
        let range = try content()
        for bit in 0..<8 {
            if let member = Member(rawValue: 1 << UInt32(bit)), isEqual(range, member.name) { return member }
        }
        return nil
    }

    /// A known name by its first eight bytes and the four after, as little-endian numbers, with its length and the closing quote.
    @inline(__always)
    private static func known(_ w: UInt64, _ next: UInt32) -> (Member, Int)? {
        switch w {
        case 0x4965_6C63_6968_6576 where next & 0x0000_FFFF == 0x0000_2264: return (.vehicle, 10)
        case 0x5465_6C63_6968_6576 where next & 0xFFFF_FFFF == 0x2265_7079: return (.type, 12)
        case 0x2264_4965_7475_6F72: return (.route, 8)
        case 0x6564_7574_6974_616C where next & 0x0000_00FF == 0x0000_0022: return (.latitude, 9)
        case 0x6475_7469_676E_6F6C where next & 0x0000_FFFF == 0x0000_2265: return (.longitude, 10)
        case 0x6D61_7473_656D_6974 where next & 0x0000_FFFF == 0x0000_2270: return (.timestamp, 10)
        case _ where w & 0x0000_FFFF_FFFF_FFFF == 0x0000_2264_6565_7073: return (.speed, 6)
        case 0x6576_654C_6C65_7566 where next & 0x0000_FFFF == 0x0000_226C: return (.fuel, 10)
        default: return nil
        }
    }

    private func isEqual(_ range: TextRange, _ name: String) -> Bool {
        guard range.count == name.utf8.count else { return false }
        return zip(name.utf8, range.start..<(range.start + range.count)).allSatisfy {
            $0 == (range.isUnescaped ? scratch[$1] : bytes[$1])
        }
    }
}
