import Records
import TestSupport
import Testing
import TimeSeries

@testable import Flows

private let arrival: Milliseconds = 1_767_225_600_000

private func flow(_ values: [String: String] = ["m": "v"], _ change: (inout FlowDefinition) -> Void = { _ in }) -> FlowDefinition {
    var definition = FlowDefinition(
        name: "f", source: .http,
        values: values.sorted { $0.key < $1.key }.map { FlowDefinition.Value(metric: $0.key, field: $0.value) })
    change(&definition)
    return definition
}

private func outcome(_ definition: FlowDefinition, _ json: String, joins: JoinSet = JoinSet()) throws -> FlowOutcome {
    var mapper = try FlowMapper(definition, joins: joins)
    return mapper.map(Array(json.utf8), arrival: arrival)
}

private func values(_ outcome: FlowOutcome) -> [Double]? {
    if case .samples(let samples) = outcome { return samples.map(\.value) }
    return nil
}

private func reason(_ outcome: FlowOutcome) -> String? {
    if case .refused(let reason) = outcome { return reason }
    return nil
}

@Suite struct FlowMapperTests {
    @Test(arguments: [
        (#"{"v": 1.5}"#, 1.5), (#"{"v": "2.5"}"#, 2.5), (#"{"v": " 3 "}"#, 3), (#"{"v": true}"#, 1), (#"{"v": -4}"#, -4),
        (#"{"v": "1e3"}"#, 1_000), (#"{"v": "+7"}"#, 7), (#"{"v": 9007199254740993}"#, 9_007_199_254_740_992),
    ])
    func whatCountsAsANumber(json: String, value: Double) throws {
        #expect(values(try outcome(flow(), json)) == [value])
    }

    @Test(arguments: [
        (#"{"v": "abc"}"#, "v is \"abc\", not a number"),
        (#"{"v": "nan"}"#, "v is \"nan\", not a number"),
        (#"{"v": "inf"}"#, "v is \"inf\", not a number"),
        (#"{"v": "0x10"}"#, "v is \"0x10\", not a number"),
        (#"{"v": "1e999"}"#, "v is not finite"),
        (#"{"v": {"a": 1}}"#, "v is an object or a list, not a number"),
        (#"{"v": null}"#, "no value: v missing"),
        (#"{"v": ""}"#, "no value: v missing"),
        (#"{}"#, "no value: v missing"),
        (#"[1]"#, "not a JSON object"),
        (#"7"#, "not a JSON object"),
        (#"{"v": 1"#, "not JSON: the text ends within an object at byte 7"),
    ])
    func whatIsRefused(json: String, expected: String) throws {
        let given = try #require(reason(try outcome(flow(), json)))
        #expect(given == expected || expected.hasPrefix("not JSON") && given.hasPrefix("not JSON"), "\(given)")
    }

    @Test func nestedFieldsLabelsAndConstants() throws {
        let definition = flow(["rain_mm": "rain.mm", "temp": "t", "second": "list.1"]) {
            $0.labels = [
                .init(name: "station", text: .field("s")), .init(name: "source", text: .constant("meteo")),
                .init(name: "absent", text: .field("nothing")), .init(name: "dotted", text: .field("a.b")),
            ]
        }
        let json = #"{"t": 1, "rain": {"mm": "2"}, "s": 12.0, "a": {"b": "under"}, "a.b": "whole", "list": [8, 9]}"#
        guard case .samples(let samples) = try outcome(definition, json) else { throw Missing() }
        #expect(
            samples.map { "\($0.labels) \($0.value) \($0.time)" } == [
                #"rain_mm{dotted="whole",source="meteo",station="12"} 2.0 1767225600000"#,
                #"second{dotted="whole",source="meteo",station="12"} 9.0 1767225600000"#,
                #"temp{dotted="whole",source="meteo",station="12"} 1.0 1767225600000"#,
            ])
    }

    @Test func aMissingValueLeavesOutItsSeriesOnly() throws {
        #expect(values(try outcome(flow(["a": "x", "b": "y"]), #"{"y": 2}"#)) == [2])
        #expect(reason(try outcome(flow(["a": "x", "b": "y"]), #"{"z": 2}"#)) == "no value: x, y missing")
    }

    @Test func theSeriesOfDifferentLabelsAreNotMixedUp() throws {
        let definition = flow { $0.labels = [.init(name: "a", text: .field("a")), .init(name: "b", text: .field("b"))] }
        var mapper = try FlowMapper(definition)
        var seen: Set<LabelSet> = []
        for (a, b) in [("1", "23"), ("12", "3"), ("1:2", "3"), ("", "123"), ("123", "")] {
            let json: JSONValue = .object([("v", 1), ("a", .string(a)), ("b", .string(b))])
            guard case .samples(let samples) = mapper.map(json, arrival: arrival) else { throw Missing() }
            seen.insert(samples[0].labels)
        }
        #expect(seen.count == 5)
    }

    @Test(arguments: [
        (FlowFilter(field: "k", equals: "road"), [#""road""#], [#""Road""#, "null", "1"]),
        (FlowFilter(field: "k", equals: "5"), ["5", "5.0", #""5.00""#], ["true", "6", #""x""#]),
        (FlowFilter(field: "k", equals: "true"), ["true", #""true""#], ["1", "false"]),
        (FlowFilter(field: "k", matches: "ro+ad|[0-9]+"), [#""rooad""#, "17"], [#""a road""#, "null", "[1]"]),
        (FlowFilter(field: "k", above: 1, below: 3), ["2", #""2.9""#], ["1", "3", #""x""#, "null"]),
        (FlowFilter(field: "k", exists: true), ["1", #""a""#, "{}"], ["null"]),
        (FlowFilter(field: "k", exists: false), ["null"], ["1", "[]"]),
    ])
    func filters(filter: FlowFilter, passing: [String], dropped: [String]) throws {
        let definition = flow { $0.transforms = [.filter(filter)] }
        for text in passing { #expect(values(try outcome(definition, "{\"v\": 1, \"k\": \(text)}")) == [1], "\(text)") }
        for text in dropped { #expect(try outcome(definition, "{\"v\": 1, \"k\": \(text)}") == .dropped, "\(text)") }
    }

    @Test func transformsGoInOrder() throws {
        let definition = flow {
            $0.transforms = [
                .rename(from: "f", to: "v"), .compute(to: "v", field: "v", multiply: 0.5, add: -16),
                .filter(FlowFilter(field: "f", exists: false)), .compute(to: "w", field: "none", multiply: 1, add: 1),
                .filter(FlowFilter(field: "w", exists: false)),
            ]
        }
        #expect(values(try outcome(definition, #"{"f": "212", "v": 1}"#)) == [90])
        #expect(reason(try outcome(definition, #"{"f": "hot"}"#)) == #"v is "hot", not a number"#)
        let overflow = flow { $0.transforms = [.compute(to: "v", field: "v", multiply: 1e308, add: 0)] }
        #expect(reason(try outcome(overflow, #"{"v": 1e10}"#)) == "v is not finite")
    }

    @Test func enrichmentByTableAndByTime() throws {
        let joins = JoinSet([
            JoinDefinition(name: "stations", source: .table(path: "", separator: 44), key: "station"),
            JoinDefinition(name: "limits", source: .topic("t"), key: "routeId"),
        ])
        joins.replace(try JoinTable(csv: Array("station,city,limit\n7,\"Bari, old\",50\n8,,\n".utf8), key: "station"), of: "stations")
        joins.insert(
            [JoinEntry(key: "A", time: arrival - 10, fields: ["max": .integer(90)]), JoinEntry(key: "A", time: arrival + 10, fields: [:])],
            into: "limits")
        let definition = flow(["limit": "limit", "max": "max"]) {
            $0.transforms = [
                .enrich(join: "stations", on: "s", fields: ["city", "limit"]), .enrich(join: "limits", on: "r", fields: ["max"]),
            ]
            $0.labels = [.init(name: "city", text: .field("city"))]
        }
        let found = try outcome(definition, #"{"s": 7.0, "r": "A"}"#, joins: joins)
        #expect(values(found) == [50, 90])
        guard case .samples(let samples) = found else { throw Missing() }
        #expect(samples[0].labels["city"] == "Bari, old")
        #expect(values(try outcome(definition, #"{"s": "9", "r": "A", "city": "own"}"#, joins: joins)) == [90])
        #expect(reason(try outcome(definition, #"{"s": 8}"#, joins: joins)) == "no value: limit, max missing")
        #expect(joins.number(join: "limits", key: "A", field: "max", at: arrival) == 90)
        #expect(joins.number(join: "stations", key: "7", field: "city", at: arrival) == nil)
        #expect(joins.text(join: "stations", key: "7", field: "city", at: arrival) == "Bari, old")
        #expect(joins.text(join: "none", key: "7", field: "city", at: arrival) == nil)
    }

    @Test func definitionsAreChecked() {
        let wrong: [FlowDefinition] = [
            flow(["a-b": "x"]), flow(["__ok": ""]), flow([:]), flow { $0.labels = [.init(name: "__x", text: .constant("a"))] },
            flow { $0.labels = [.init(name: "a", text: .constant("a")), .init(name: "a", text: .constant("b"))] },
            flow { $0.transforms = [.enrich(join: "none", on: "a", fields: ["b"])] },
            flow { $0.transforms = [.filter(FlowFilter(field: "a", matches: "["))] },
            flow { $0.time = FlowTime(field: "t", zone: "Nowhere/Here") },
            flow { $0.format = .csv(separator: UInt8(ascii: "\""), columns: []) },
            flow { $0.transforms = [.compute(to: "a", field: "b", multiply: .infinity, add: 0)] },
        ]
        for definition in wrong {
            #expect(throws: FlowProblem.self) { try FlowMapper(definition) }
        }
    }

    @Test func bodies() throws {
        var mapper = try FlowMapper(flow { $0.transforms = [.filter(FlowFilter(field: "drop", exists: false))] })
        for (body, accepted, dropped, rejected) in [
            (#"{"v": 1}"#, 1, 0, 0), ("{\n  \"v\": 1\n}\n", 1, 0, 0), (#"[{"v": 1}, {"v": "x"}, {"v": 2, "drop": 1}]"#, 1, 1, 1),
            ("{\"v\": 1}\r\n\n{\"v\": 2}\nnonsense\n{\"v\": 3}", 3, 0, 1), ("", 0, 0, 1), ("[]", 0, 0, 0), ("\n\n", 0, 0, 1),
        ] {
            let tally = mapper.mapBody(Array(body.utf8), arrival: arrival)
            #expect(tally.accepted == accepted && tally.dropped == dropped && tally.rejected == rejected, "\(body) \(tally)")
        }
        let tally = mapper.mapBody(Array("{\"v\": 1}\n{\"v\": \"x\"}\n".utf8), arrival: arrival)
        #expect(tally.refusals == [.init(record: 2, reason: "v is \"x\", not a number")])
    }

    @Test func csvBodies() throws {
        var definition = flow { $0.labels = [.init(name: "name", text: .field("name"))] }
        definition.format = .csv(separator: UInt8(ascii: ";"), columns: [])
        var mapper = try FlowMapper(definition)
        let body = "\u{FEFF}name;v\r\n\"a;\"\"b\"\"\nc\";1\r\nx;\ny;2;more\nz\n"
        let tally = mapper.mapBody(Array(body.utf8), arrival: arrival)
        #expect(tally.samples.map { "\($0.labels) \($0.value)" } == [#"m{name="a;\"b\"\nc"} 1.0"#, #"m{name="y"} 2.0"#])
        #expect(tally.rejected == 2)
        let headless = mapper.mapBody(Array("p;q\n1;2\n".utf8), arrival: arrival)
        #expect(headless.refusals.map(\.reason) == ["the header names no field of the flow (v, name)"])
        definition.format = .csv(separator: UInt8(ascii: ","), columns: ["name", "v"])
        var named = try FlowMapper(definition)
        #expect(named.mapBody(Array("a,1\nb,2".utf8), arrival: arrival).samples.count == 2)
    }

    /// Bytes changed at random are refused or mapped, and never more.
    @Test func mutations() throws {
        var random = SplitMix64(seed: 7)
        let json = Array(#"{"v": 1.25, "t": "2026-01-01T00:00:00Z", "k": {"a": ["x", true, null]}, "s": "\u00e9\ud83d\ude00"}"#.utf8)
        let csv = Array("v,t,s\n1,2026-01-01 00:00:00,\"a\"\"b\"\n2,2026-01-01 00:00:01,c\n".utf8)
        let definition = flow {
            $0.time = FlowTime(field: "t")
            $0.transforms = [
                .filter(FlowFilter(field: "k.a.0", matches: ".*")), .compute(to: "v", field: "v", multiply: 2, add: 1),
            ]
            $0.labels = [.init(name: "s", text: .field("s"))]
        }
        var table = definition
        table.format = .csv(separator: 44, columns: [])
        table.transforms = []
        var (mapper, rows) = (try FlowMapper(definition), try FlowMapper(table))
        var reader = try JoinReader(JoinDefinition(name: "j", source: .topic("t"), key: "s"))
        for _ in 0..<4_000 {
            let (a, b) = (random.mutated(json), random.mutated(csv))
            for tally in [mapper.mapBody(a, arrival: arrival), rows.mapBody(b, arrival: arrival)] {
                #expect(tally.samples.allSatisfy { $0.value.isFinite && $0.time > 0 })
            }
            _ = try? JoinTable(csv: b, key: "s")
            _ = try? reader.read(a, arrival: arrival)
        }
    }
}

struct Missing: Error {}

extension SplitMix64 {
    mutating func mutated(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &self) {
            let i = Int.random(in: 0..<max(1, bytes.count), using: &self)
            switch Int.random(in: 0..<4, using: &self) {
            case 0 where i < bytes.count: bytes[i] = UInt8.random(in: 0...255, using: &self)
            case 1 where i < bytes.count: bytes.remove(at: i)
            case 2: bytes.insert(Array("\"{}[],:\\\n0e-".utf8).randomElement(using: &self) ?? 0, at: min(i, bytes.count))
            default: bytes = Array(bytes.prefix(i + 1))
            }
        }
        return bytes
    }
}
