import Foundation
import Testing
import TimeSeries

@testable import Records

@Suite struct TrafficRecordTests {
    static let day = "2025-10-14"

    static func total(_ i: Int, route: String = "Route-37", day: String? = day) -> TrafficTotal {
        TrafficTotal(
            time: 1_760_400_000_000 + Int64(i), revision: Revision(epoch: 3, offset: Int64(i)), route: route, vehicleType: "Large Truck",
            day: day, vehicles: i, events: i * 3, arrivals: i / 2)
    }

    static let window = TrafficWindow(
        time: 1_760_400_010_000, window: 30_000, revision: Revision(epoch: 3, offset: 9), route: "Route-37", vehicleType: "", vehicles: 3,
        events: 7, speedAvg: 61.1 / 3, speedP10: nil, lowFuel: 2)
    static let visit = PointVisit(
        time: 9, revision: Revision(rawValue: 4), point: "poi", vehicle: "2b9e7a52-0000-4000-8000-000000000001", vehicleType: "Bus",
        route: "Süd \"1\"\n😀", entered: 4, seen: 8, left: nil, latitude: 33.877495, longitude: -95.50238, distance: 0.1 + 0.2)
    static let alert = TrafficAlert(
        time: 9, revision: Revision(rawValue: 4), rule: "speeding", subject: "2b9e7a52-0000-4000-8000-000000000001", vehicleType: "Bus",
        route: "Route-37", onset: 4, end: 8, value: 131.5, limit: nil, message: "speed 131.5 km/h above 110 for 30 s")

    static var all: [TrafficRecord] {
        var left = visit
        (left.left, left.isWithdrawn) = (10, true)
        var lasting = alert
        (lasting.end, lasting.value, lasting.limit) = (nil, nil, 110)
        return [
            .totals([total(1), total(2, day: nil)]), .windows([window]), .visits([visit, left]), .alerts([alert, lasting]),
        ]
    }

    @Test(arguments: all) func everyKindComesBack(_ record: TrafficRecord) throws {
        let values = record.encode()
        #expect(values.count == 1)
        #expect(try TrafficRecord.decode(values[0].value) == record)
    }

    @Test func everyValueIsOfOneRoute() throws {
        let results = (0..<30).map { Self.total($0, route: "R\($0 % 3)") }
        let values = TrafficRecord.totals(results).encode()
        #expect(values.map(\.route) == ["R0", "R1", "R2"])
        for (i, value) in values.enumerated() {
            #expect(try TrafficRecord.decode(value.value) == .totals(results.filter { $0.route == "R\(i)" }))
        }
        #expect(TrafficRecord.totals([]).encode().isEmpty)
    }

    @Test func largeResultsAreSplitBelowTheLimit() throws {
        var long = Self.alert
        // Five bytes each before they are escaped, 31 after.
        long.message = String(repeating: "\u{1}\u{1}\u{1}\u{1}é", count: 5_000)
        let records: [TrafficRecord] = [.totals((0..<4_000).map { Self.total($0) }), .alerts(Array(repeating: long, count: 200))]
        for record in records {
            let values = record.encode()
            #expect(values.count > 1 && values.allSatisfy { $0.value.count <= TrafficRecord.maximumBytes })
            var totals: [TrafficTotal] = []
            var alerts: [TrafficAlert] = []
            for value in values {
                switch try TrafficRecord.decode(value.value) {
                case .totals(let part): totals += part
                case .alerts(let part): alerts += part
                default: Issue.record("another kind")
                }
            }
            if case .totals(let whole) = record { #expect(totals == whole) } else { #expect(alerts.count == 200) }
            for alert in alerts {
                #expect(alert.message.utf8.count <= TrafficRecord.maximumMessageBytes && long.message.hasPrefix(alert.message))
            }
        }
    }

    @Test func membersHaveTheirNames() throws {
        func members(_ record: TrafficRecord) throws -> Set<String> {
            let json = try JSONValue(parsing: record.encode()[0].value)
            return Set((json["results"]?.arrayValue?.first?.objectValue ?? []).map(\.key))
        }
        #expect(try members(Self.all[0]) == ["time", "revision", "vehicleType", "day", "vehicles", "events", "arrivals"])
        #expect(
            try members(Self.all[1]) == [
                "time", "revision", "window", "vehicleType", "vehicles", "events", "speedAvg", "speedP10", "lowFuel",
            ])
        #expect(
            try members(Self.all[2]) == [
                "time", "revision", "point", "vehicleId", "vehicleType", "entered", "seen", "left", "dwell", "latitude", "longitude",
                "distance", "withdrawn",
            ])
        #expect(
            try members(Self.all[3]) == [
                "time", "revision", "rule", "subject", "vehicleType", "onset", "end", "value", "limit", "message",
            ])
        let visit = try JSONValue(parsing: Self.all[2].encode()[0].value)["results"]?.arrayValue?.first
        #expect(visit?["dwell"]?.int64Value == 4 && visit?["left"] == .null)
    }

    /// What is written fits the schema that others read: its members and no more, and the types.
    @Test func writtenValuesFitTheSchemaFile() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
            "../../docs/formats/trafficdata.schema.json"
        ).standardizedFileURL
        let schema = try JSONValue(parsing: Array(try Data(contentsOf: file)))
        for record in Self.all {
            for value in record.encode() {
                let json = try JSONValue(parsing: value.value)
                #expect(SchemaCheck(schema).faults(json) == [], "\(json.jsonText)")
                for result in json["results"]?.arrayValue ?? [] {
                    let known = try #require(schema["$defs"]?[json["kind"]?.stringValue ?? ""]?["properties"]?.objectValue).map(\.key)
                    #expect(Set(result.objectValue?.map(\.key) ?? []) == Set(known))
                }
            }
        }
        let wrong = Array(#"{"schema":1,"kind":"total","routeId":"a","results":[{"time":"1"}]}"#.utf8)
        #expect(!SchemaCheck(schema).faults(try JSONValue(parsing: wrong)).isEmpty, "the check finds something")
    }

    @Test func everyTruncationIsAnError() {
        for record in Self.all {
            let value = record.encode()[0].value
            for length in 0..<value.count {
                #expect(throws: RecordError.self) { try TrafficRecord.decode(Array(value.prefix(length))) }
            }
        }
    }

    @Test(arguments: [
        "", "[]", "{}", #"{"schema":2,"kind":"total","routeId":"a","results":[]}"#, #"{"kind":"total","routeId":"a","results":[]}"#,
        #"{"schema":1,"kind":"what","routeId":"a","results":[]}"#, #"{"schema":1,"kind":"total","results":[]}"#,
        #"{"schema":1,"kind":"total","routeId":7,"results":[]}"#, #"{"schema":1,"kind":"total","routeId":"a"}"#,
        #"{"schema":1,"kind":"total","routeId":"a","results":{}}"#, #"{"schema":1,"kind":"total","routeId":"a","results":[1]}"#,
        #"{"schema":1,"kind":"total","routeId":"a ","results":[]}"#,
    ])
    func whatCannotBeReadSaysWhy(text: String) {
        let error = #expect(throws: RecordError.self) { try TrafficRecord.decode(Array(text.utf8)) }
        #expect(error?.description.isEmpty == false)
    }

    /// Each member in turn is of a wrong type, then missing.
    @Test func wrongMembersAreRefused() throws {
        let optional: Set<String> = ["day", "speedAvg", "speedP10", "left", "dwell", "withdrawn", "end", "value", "limit"]
        for record in Self.all {
            let json = try JSONValue(parsing: record.encode()[0].value)
            let members = try #require(json["results"]?.arrayValue?.first?.objectValue)
            func value(_ changed: [(key: String, value: JSONValue)]) -> [UInt8] {
                JSONValue.object([
                    (key: "schema", value: 1), (key: "kind", value: json["kind"] ?? .null), (key: "routeId", value: "a"),
                    (key: "results", value: .array([.object(changed)])),
                ]).jsonBytes
            }
            for i in members.indices {
                var changed = members
                if changed[i].key != "dwell" {
                    for wrong in [["x"], changed[i].value.stringValue == nil ? "12" : 12] as [JSONValue] {
                        changed[i].value = wrong
                        let error = #expect(throws: RecordError.self) { try TrafficRecord.decode(value(changed)) }
                        #expect(error?.description.contains("'\(members[i].key)'") == true)
                    }
                }
                changed.remove(at: i)
                if optional.contains(members[i].key) {
                    _ = try TrafficRecord.decode(value(changed))
                } else {
                    #expect(throws: RecordError.self) { try TrafficRecord.decode(value(changed)) }
                }
            }
        }
    }

    @Test(arguments: [
        ("total", "day", "2025-1-14" as JSONValue), ("total", "day", ""), ("total", "vehicles", -1), ("total", "events", 1.5),
        ("total", "vehicleType", .string(String(repeating: "é", count: 128))), ("window", "window", 0), ("window", "lowFuel", -1),
        ("poi", "seen", 3), ("poi", "entered", .int(.min)), ("poi", "vehicleId", "x "), ("poi", "withdrawn", nil), ("alert", "rule", "r "),
    ])
    func wrongValuesAreRefused(kind: String, member: String, wrong: JSONValue) throws {
        let record = try #require(
            Self.all.first { $0.encode().first.map { String(decoding: $0.value, as: UTF8.self) }?.contains("\"\(kind)\"") == true })
        let json = try JSONValue(parsing: record.encode()[0].value)
        var members = try #require(json["results"]?.arrayValue?.first?.objectValue)
        let i = try #require(members.firstIndex { $0.key == member })
        members[i].value = wrong
        let value = JSONValue.object([
            (key: "schema", value: 1), (key: "kind", value: .string(kind)), (key: "routeId", value: "a"),
            (key: "results", value: .array([.object(members)])),
        ])
        #expect(throws: RecordError.self) { try TrafficRecord.decode(value.jsonBytes) }
    }

    @Test func membersThatAreNotKnownArePassedOver() throws {
        let text = """
            {"x": [1], "kind": "total", "routeId": "a", "schema": 1, "results": [{"time": 5, "revision": 6, "vehicleType": "Bus",
                "day": null, "vehicles": 1, "events": 2, "arrivals": 0, "colour": {"red": 1}}]}
            """
        let total = TrafficTotal(
            time: 5, revision: Revision(rawValue: 6), route: "a", vehicleType: "Bus", day: nil, vehicles: 1, events: 2, arrivals: 0)
        #expect(try TrafficRecord.decode(Array(text.utf8)) == .totals([total]))
    }
}
