import TestSupport
import Testing
import TimeSeries

@testable import Traffic

@Suite struct EventDecoderTests {
    static let id = #""vehicleId":"0D5C3b5e-7b0e-4b57-8c93-6d3d5a1f2e4b""#
    static let rest = #""vehicleType":"Large Truck","routeId":"Route-37","latitude":"33.5","longitude":"-95.25""#
    static let time = #""timestamp":1700000000000"#

    static func event(_ members: String...) -> String { "{" + members.joined(separator: ",") + "}" }

    static func decode(_ text: String, zone: String = "UTC") throws(MalformedEvent) -> VehicleEvent {
        var decoder = EventDecoder(zone: zone)
        return try decoder.decode(Array(text.utf8))
    }

    static func refusal(of bytes: [UInt8]) -> MalformedEvent? {
        var decoder = EventDecoder(zone: "UTC")
        do {
            _ = try decoder.decode(bytes)
            return nil
        } catch { return error }
    }

    @Test func theOriginalEvent() throws {
        let event = try EventDecoderTests.decode(
            """
            {"vehicleId":"0d5c3b5e-7b0e-4b57-8c93-6d3d5a1f2e4b","vehicleType":"Large Truck","routeId":"Route-37","longitude":"-95.50238",\
            "latitude":"33.877495","timestamp":"2024-07-01 12:00:00","speed":80.0,"fuelLevel":40.5}
            """, zone: "America/Chicago")
        #expect(
            event
                == VehicleEvent(
                    vehicle: VehicleID(high: 0x0d5c_3b5e_7b0e_4b57, low: 0x8c93_6d3d_5a1f_2e4b), vehicleType: "Large Truck",
                    route: "Route-37", latitude: 33.877495, longitude: -95.50238, time: 1_719_853_200_000, speed: 80, fuel: 40.5))
        #expect(event.vehicle.description == "0d5c3b5e-7b0e-4b57-8c93-6d3d5a1f2e4b")
    }

    @Test func anyOrderUnknownMembersAndEscapes() throws {
        let event = try EventDecoderTests.decode(
            """
             { "x" : {"a":[1,{"b":null}],"speed":3} , "fuelLevel":null,"timestamp" : "1700000000000", \
            "route\\u0049d":"R\\u00e9\\ud83d\\ude00\\/" ,"longitude":1e1,"latitude":-0.5E-1, "vehicleType":"Bus", \
            \(EventDecoderTests.id) }\r\n
            """)
        #expect(event.route == "Ré😀/" && event.vehicleType == "Bus" && event.longitude == 10 && event.latitude == -0.05)
        #expect(event.speed == nil && event.fuel == nil && event.time == 1_700_000_000_000)
    }

    @Test(arguments: [
        ("\"2024-03-01T00:00:00Z\"", 1_709_251_200_000), ("\"2024-02-29 23:59:59.999z\"", 1_709_251_199_999),
        ("\"2024-03-01T01:30:00.5+01:30\"", 1_709_251_200_500), ("\"2024-02-29T19:00:00-0500\"", 1_709_251_200_000),
        ("\"2024-03-01T02:00:00+02\"", 1_709_251_200_000), ("1709251200000", 1_709_251_200_000),
        ("\"1709251200000\"", 1_709_251_200_000), ("\"2024-03-01 00:00:00.123456789\"", 1_709_251_200_123),
    ])
    func timestamps(text: String, time: Milliseconds) throws {
        let event = try EventDecoderTests.decode(
            EventDecoderTests.event(EventDecoderTests.id, EventDecoderTests.rest, "\"timestamp\":\(text)"))
        #expect(event.time == time)
    }

    static let faults: [(EventFault, String)] = [
        (.empty, "  "), (.notAnObject, "[]"), (.notAnObject, "null"), (.endsEarly, "{"), (.endsEarly, #"{"vehicleId":"0d5c"#),
        (.endsEarly, "{\(id)"), (.syntax, "{\(id) \(rest)}"), (.syntax, "{\(id),}"), (.syntax, #"{"a"=1}"#), (.syntax, "{\"a\":nul}"),
        (.trailingBytes, event(id, rest, time) + "x"), (.tooLong, event(id, rest, time) + String(repeating: " ", count: 70_000)),
        (.tooDeep, "{\"a\":" + String(repeating: "[", count: 100)), (.controlCharacter, event(#""vehicleType":"a\u0001""#)),
        (.controlCharacter, "{\"vehicleType\":\"a\tb\"}"), (.controlCharacter, event(#""routeId":"a\u0085""#)),
        (.badEscape, event(#""vehicleType":"\x""#)), (.badEscape, event(#""vehicleType":"\ud800""#)),
        (.badEscape, event(#""vehicleType":"\u12g4""#)), (.badNumber, event(#""latitude":"""#)), (.badNumber, event(#""latitude":01"#)),
        (.badNumber, event(#""latitude":"1.""#)), (.badNumber, event(#""latitude":"NaN""#)), (.badNumber, event(#""x":-"#)),
        (.badNumber, event(#""speed":1e999"#)), (.duplicateMember, event(id, id)), (.wrongType, event(#""vehicleId":7"#)),
        (.wrongType, event(#""latitude":null"#)), (.wrongType, event(#""speed":true"#)), (.wrongType, event(#""timestamp":[]"#)),
        (.missingVehicle, event(rest, time)), (.missingTimestamp, event(id, rest)),
        (.missingType, event(id, #""routeId":"R","latitude":1,"longitude":1"#, time)),
        (.missingRoute, event(id, #""vehicleType":"R","latitude":1,"longitude":1"#, time)),
        (.missingLatitude, event(id, #""vehicleType":"R","routeId":"R","longitude":1"#, time)),
        (.missingLongitude, event(id, #""vehicleType":"R","routeId":"R","latitude":1"#, time)),
        (.notUUID, event(#""vehicleId":"0d5c3b5e7b0e4b578c936d3d5a1f2e4b""#)),
        (.notUUID, event(#""vehicleId":"0d5c3b5e-7b0e-4b57-8c93-6d3d5a1f2e4g""#)),
        (.notUUID, event(#""vehicleId":"0d5c3b5e-7b0e-4b57-8c93-6d3d5a1f2e4\u000b""#)),
        (.emptyText, event(#""vehicleType":"""#)), (.longText, event("\"routeId\":\"\(String(repeating: "r", count: 129))\"")),
        (.trailingSpace, event(#""vehicleType":"Bus ""#)), (.trailingSpace, event(#""routeId":"R\u0020""#)),
        (.latitudeRange, event(#""latitude":90.0001"#)), (.longitudeRange, event(#""longitude":"-180.1""#)),
        (.badTimestamp, event(#""timestamp":"yesterday""#)), (.badTimestamp, event(#""timestamp":"2024-03-01""#)),
        (.badTimestamp, event(#""timestamp":17.5"#)), (.badTimestamp, event(#""timestamp":"2024-03-01T00:00:00+1""#)),
        (.badTimestamp, event(#""timestamp":"2024-03-01T00:00:00.Z""#)), (.impossibleDate, event(#""timestamp":"2023-02-29 00:00:00""#)),
        (.impossibleDate, event(#""timestamp":"2023-04-31T00:00:00Z""#)), (.impossibleDate, event(#""timestamp":"2023-01-01 24:00:00""#)),
        (.timestampRange, event(#""timestamp":0"#)), (.timestampRange, event(#""timestamp":"1969-12-31T23:59:59Z""#)),
        (.timestampRange, event(#""timestamp":999999999999999"#)), (.speedRange, event(#""speed":-1"#)),
        (.speedRange, event(#""speed":1000.5"#)), (.fuelRange, event(#""fuelLevel":"101""#)), (.fuelRange, event(#""fuelLevel":-0.1"#)),
    ]

    @Test(arguments: 0..<faults.count)
    func mistakesHaveTheirReason(i: Int) {
        let (fault, text) = EventDecoderTests.faults[i]
        let error = EventDecoderTests.refusal(of: Array(text.utf8))
        #expect(error?.fault == fault, "\(text.prefix(90)): \(error?.detail ?? "")")
        #expect(error?.detail.contains("at byte") == true)
    }

    @Test func textThatIsNotUTF8() {
        var bytes = Array(EventDecoderTests.event(EventDecoderTests.id, #""vehicleType":"a?""#).utf8)
        if let at = bytes.lastIndex(of: UInt8(ascii: "?")) { bytes[at] = 0xFF }
        let error = EventDecoderTests.refusal(of: bytes)
        #expect(error?.fault == .notUTF8)
    }

    @Test func everyReasonIsTested() {
        #expect(Set(EventDecoderTests.faults.map(\.0)).union([.notUTF8]) == Set(EventFault.allCases))
    }

    @Test func numbersAreTheNearestDoubles() throws {
        var dice = SplitMix64(seed: 3)
        for i in 0..<20_000 {
            var text = i % 2 == 0 ? "\(Double(Int.random(in: -90_000_000...90_000_000, using: &dice)) / 1e6)" : "\(dice.unit() * 90)"
            if i % 5 == 0 { text = "0.\(dice.next() % 10_000_000_000_000_000_000)" }
            if i % 7 == 0 { text = "\(dice.below(9)).\(dice.next())" }
            if i % 11 == 0 { text = "\(dice.next() >> UInt64(dice.below(60)))e-\(dice.below(40))" }
            let read = Array(text.utf8).withUnsafeBytes { NumberText.read($0, from: 0) }
            #expect(read?.value == Double(text) && read?.end == text.utf8.count, "\(text)")
        }
    }

    @Test func bodiesAreSplit() throws {
        func split(_ text: String) -> [String]? {
            let bytes = Array(text.utf8)
            let ranges = bytes.withUnsafeBytes { raw in try? EventDecoder.split(raw) }
            return ranges?.map { String(decoding: bytes[$0], as: UTF8.self) }
        }
        #expect(split("") == [])
        #expect(split(" [ ] ") == [])
        #expect(split(#"[{"a":"]"}, 7 ,[1]]"#) == [#"{"a":"]"}"#, "7", "[1]"])
        #expect(split("{\"a\":1}\r\n\n  \n{\"b\":2}") == ["{\"a\":1}\r", "{\"b\":2}"])
        #expect(split("[{}") == nil)
        #expect(split("[{}] x") == nil)
        #expect(split("[{} {}]") == nil)
    }

    @Test func mutationsNeverCrash() {
        let whole = Array(
            EventDecoderTests.event(
                EventDecoderTests.id, EventDecoderTests.rest, #""timestamp":"2024-03-01T02:00:00.25+02:00""#,
                #""speed":"80.25","x":[{"y":"\u00e9"}]"#
            ).utf8)
        var dice = SplitMix64(seed: 77)
        var decoder = EventDecoder(zone: "Europe/Berlin")
        var good = 0
        for i in 0..<100_000 {
            var bytes = whole
            for _ in 0...dice.below(3) {
                let at = dice.below(bytes.count)
                switch dice.below(4) {
                case 0: bytes[at] = UInt8(dice.below(256))
                case 1: bytes.remove(at: at)
                case 2: bytes.insert(Array("{}[]\",:0e.-\\u".utf8)[dice.below(13)], at: at)
                default: bytes.removeLast(dice.below(bytes.count))
                }
                if bytes.isEmpty { break }
            }
            if (try? decoder.decode(bytes)) != nil { good += 1 }
            if i % 8 == 0 { _ = bytes.withUnsafeBytes { try? EventDecoder.split($0) } }
        }
        #expect(good > 0)
    }
}
