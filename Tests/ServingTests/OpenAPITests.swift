import HTTPKit
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Messaging
import Records
import Storage
import Testing
import TimeSeries

@testable import Serving

/// The part of JSON Schema 2020-12 that `openapi.json` uses. A keyword that it does not know is a mistake, not a success.
struct SchemaValidator {
    let root: JSONValue

    func resolve(_ schema: JSONValue) -> JSONValue {
        guard let reference = schema["$ref"]?.stringValue else { return schema }
        var found: JSONValue? = root
        for part in reference.split(separator: "/").dropFirst() { found = found?[String(part)] }
        return found.map(resolve) ?? .string("no such reference: \(reference)")
    }

    /// What is wrong, each with its place; empty if nothing is.
    func mistakes(_ value: JSONValue, _ schema: JSONValue, at place: String = "$") -> [String] {
        let schema = resolve(schema)
        guard let keywords = schema.objectValue else { return ["\(place): the schema is no object: \(schema.jsonText)"] }
        return keywords.flatMap { check(value, $0.key, $0.value, schema, place) }
    }

    private func check(_ value: JSONValue, _ keyword: String, _ operand: JSONValue, _ schema: JSONValue, _ place: String) -> [String] {
        switch keyword {
        case "description", "format": return []
        case "type":
            let types = operand.arrayValue?.compactMap(\.stringValue) ?? [operand.stringValue ?? ""]
            return types.contains { SchemaValidator.isA(value, $0) } ? [] : ["\(place): \(value.jsonText.prefix(60)) is not \(types)"]
        case "const": return value == operand ? [] : ["\(place): not \(operand.jsonText)"]
        case "enum": return operand.arrayValue?.contains(value) == true ? [] : ["\(place): not one of \(operand.jsonText)"]
        case "oneOf":
            let results = operand.arrayValue?.map { mistakes(value, $0, at: place) } ?? []
            let fitting = results.filter(\.isEmpty).count
            return fitting == 1 ? [] : ["\(place): fits \(fitting) of \(results.count): \(results.flatMap { $0 }.prefix(3))"]
        case "pattern":
            return value.stringValue.map { SchemaValidator.matches($0, operand) } ?? true
                ? [] : ["\(place): does not match \(operand.jsonText)"]
        case "minItems": return (value.arrayValue?.count ?? .max) >= (operand.intValue ?? 0) ? [] : ["\(place): too few items"]
        case "maxItems": return (value.arrayValue?.count ?? 0) <= (operand.intValue ?? 0) ? [] : ["\(place): too many items"]
        case "minimum": return (value.doubleValue ?? .infinity) >= (operand.doubleValue ?? 0) ? [] : ["\(place): too small"]
        case "maximum": return (value.doubleValue ?? -.infinity) <= (operand.doubleValue ?? 0) ? [] : ["\(place): too large"]
        case "items":
            return (value.arrayValue ?? []).enumerated().flatMap { mistakes($1, operand, at: "\(place)[\($0)]") }
        case "required":
            return (operand.arrayValue ?? []).compactMap(\.stringValue).filter { value.objectValue != nil && value[$0] == nil }.map {
                "\(place): lacks \($0)"
            }
        case "properties":
            return (value.objectValue ?? []).flatMap { key, member in operand[key].map { mistakes(member, $0, at: "\(place).\(key)") } ?? []
            }
        case "propertyNames":
            return (value.objectValue ?? []).flatMap { mistakes(.string($0.key), operand, at: "\(place) name \($0.key)") }
        case "additionalProperties":
            let others = (value.objectValue ?? []).filter { schema["properties"]?[$0.key] == nil }
            if operand == false { return others.map { "\(place): \($0.key) is not described" } }
            return others.flatMap { mistakes($0.value, operand, at: "\(place).\($0.key)") }
        default: return ["\(place): unknown keyword \(keyword)"]
        }
    }

    private static func matches(_ text: String, _ pattern: JSONValue) -> Bool {
        guard let pattern = pattern.stringValue, let regex = try? Regex(pattern) else { return false }
        return text.firstMatch(of: regex) != nil
    }

    private static func isA(_ value: JSONValue, _ type: String) -> Bool {
        switch (value, type) {
        case (.null, "null"), (.bool, "boolean"), (.string, "string"), (.array, "array"), (.object, "object"), (.int, "integer"),
            (.int, "number"),
            (.double, "number"):
            true
        default: false
        }
    }
}

@Suite("openapi.json")
struct OpenAPITests {
    let document: JSONValue
    let validator: SchemaValidator

    init() throws {
        document = try JSONValue(parsing: PackageResources.openapi_json)
        validator = SchemaValidator(root: document)
    }

    private func operations() throws -> [(path: String, method: String, operation: JSONValue)] {
        try #require(document["paths"]?.objectValue).flatMap { path, item in
            (item.objectValue ?? []).map { (path: path, method: $0.key.uppercased(), operation: $0.value) }
        }
    }

    /// The flows' path is another role's, and there only where a flow takes requests: AlmanacTests compare the real one with the document.
    @Test func everyRouteIsDescribedAndNothingElse() throws {
        let flows = HTTPRoute(.post, "/api/v1/flows/{flow}") { _ in throw Problem.notFound("this one is for its path") }
        let described = Set(try operations().map { "\($0.method) \($0.path)" })
        let routes = try Bench(moreRoutes: [flows]).role.server.routes
        let registered = Set(routes.map { "\($0.method.rawValue) \($0.path)" })
        #expect(described.subtracting(registered).isEmpty, "described, but there is no such route")
        #expect(registered.subtracting(described).isEmpty, "not described")
    }

    @Test func everyReferenceLeadsSomewhere() {
        func walk(_ value: JSONValue, _ place: String) -> [String] {
            if let members = value.objectValue {
                var found = members.flatMap { walk($0.value, "\(place).\($0.key)") }
                if value["$ref"] != nil, validator.resolve(value).objectValue == nil { found.append("\(place): \(value.jsonText)") }
                return found
            }
            return (value.arrayValue ?? []).enumerated().flatMap { walk($1, "\(place)[\($0)]") }
        }
        #expect(walk(document, "$") == [])
    }

    @Test func pathParametersAndOperationIDsAreWhole() throws {
        var ids: [String] = []
        for (path, _, operation) in try operations() {
            ids.append(try #require(operation["operationId"]?.stringValue))
            let parameters = (operation["parameters"]?.arrayValue ?? []).map(validator.resolve)
            let inPath = parameters.filter { $0["in"] == "path" }.compactMap { $0["name"]?.stringValue }
            let wanted = path.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
            #expect(inPath == wanted, "\(path)")
        }
        #expect(Set(ids).count == ids.count)
    }

    /// Every parameter that is described is taken, every other refused with a problem document as described.
    @Test func describedParametersAreTheOnesTaken() async throws {
        let samples = [
            "metric": "node_load1", "match[]": "{__name__=~\"node.*\"}", "limit": "3", "from": "0", "to": "1772366400",
            "include": "windows,forecast",
            "as": "rate", "day": "2026-03-01", "window": "30s", "inside": "true", "route": "Route-37", "type": "Car", "point": "poi",
            "vehicle": vehicle(1), "rule": "too fast", "subject": vehicle(1),
        ]
        let operations = try operations()
        let load = key("node_load1")
        let bench = try await filled(load)
        try await bench.test { client in
            for (path, method, operation) in operations where method == "GET" && path != "/api/v1/events" && !path.hasPrefix("/-/") {
                let uri = path.split(separator: "/").map { $0 == "{id}" ? load.id.description : String($0) }.joined(separator: "/")
                let parameters = (operation["parameters"]?.arrayValue ?? []).map(validator.resolve).filter { $0["in"] == "query" }
                for name in parameters.compactMap({ $0["name"]?.stringValue }) {
                    let value = name == "cursor" ? Cursor(after: load.id, index: 1).text : samples[name] ?? ""
                    let response = try await client.get("/" + uri, [(name, value)])
                    #expect(response.status == .ok, "\(path) refuses \(name)=\(value): \(response.text)")
                }
                let refused = try await client.get("/" + uri, [("no-such-parameter", "1")])
                #expect(refused.status == .badRequest, "\(path)")
                try check(refused, operation, "400", "application/problem+json", path)
            }
        }
    }

    private func check(_ response: TestResponse, _ operation: JSONValue, _ code: String, _ type: String, _ path: String) throws {
        let described = validator.resolve(try #require(operation["responses"]?[code], "\(path) does not describe \(code)"))
        let schema = try #require(described["content"]?[type]?["schema"], "\(path) \(code) does not describe \(type)")
        #expect(response.headers[.contentType] == type)
        let mistakes = validator.mistakes(response.json, schema)
        #expect(mistakes.isEmpty, "\(path) \(code): \(mistakes.prefix(5))")
    }

    private func filled(_ load: SeriesKey) async throws -> Bench {
        let bench = try Bench()
        let counter = key("node_cpu_seconds_total", [("cpu", "0"), ("mode", "a,b\"c\\")], type: .counter)
        let empty = key("young")
        var batch = StoreBatch()
        batch.windows = [windows(load, at: noon - 60_000), windows(load), windows(counter)]
        batch.windows.append(
            WindowsResult(series: empty, time: noon, revision: Revision(rawValue: 1), windows: [WindowStatistics(window: 90_000, count: 0)])
        )
        batch.profiles = [profile(load), profile(counter, verdict: nil)]
        batch.forecasts = [forecast(load, at: noon - 60_000), forecast(load), unforecast(empty)]
        batch.chunks = [chunk(load, times: [noon - 30_000, noon - 15_000], values: [1, .nan])]
        batch.anomalies = [
            anomaly(load, onset: noon - 600_000, at: noon - 500_000, end: noon - 550_000), anomaly(load, onset: noon, at: noon),
        ]
        batch.trafficTotals = [total("Route-37"), total("Route-37", day: "2026-03-01")]
        batch.trafficWindows = [window("Route-37", at: noon - 60_000), window("Route-37", speed: nil), window("Route-37", "")]
        batch.visits = [visit(vehicle(1)), visit(vehicle(2), entered: noon - 600_000, left: noon - 500_000)]
        batch.alerts = [alert(vehicle(1)), alert(vehicle(2), end: noon)]
        try await bench.store.write(batch)
        bench.receive([(load, 1.5), (counter, 100)], at: noon - 10_000)
        bench.receive([(load, .infinity), (counter, 130)], at: noon - 5000)
        return bench
    }

    @Test func realAnswersFitTheirSchemas() async throws {
        let load = key("node_load1")
        let operations = try operations()
        let bench = try await filled(load)
        let queries: [String: [[(String, String)]]] = [
            "/api/v1/series": [[], [("include", "windows,forecast,profile,sparkline")], [("limit", "1")]],
            "/api/v1/series/{id}": [[], [("include", "windows,forecast,profile,sparkline")]],
            "/api/v1/series/{id}/windows": [[], [("from", "0")]], "/api/v1/series/{id}/forecast": [[], [("from", "0")]],
            "/api/v1/series/{id}/history": [[], [("as", "rate")]],
            "/api/v1/traffic/total": [[], [("day", "all")], [("day", "today"), ("limit", "1")]],
            "/api/v1/traffic/window": [[], [("from", "0"), ("window", "30s")]], "/api/v1/traffic/poi": [[], [("inside", "false")]],
        ]
        try await bench.test { client in
            for (path, method, operation) in operations where method == "GET" {
                guard operation["responses"]?["200"]?["content"]?["application/json"] != nil else { continue }
                let uri = "/" + path.split(separator: "/").map { $0 == "{id}" ? load.id.description : String($0) }.joined(separator: "/")
                for query in queries[path] ?? [[]] {
                    let response = try await client.get(uri, query)
                    let code = path == "/-/ready" ? "503" : "200"
                    #expect("\(response.status.code)" == code, "\(path) \(query)")
                    try check(response, operation, code, "application/json", path)
                }
                if path.contains("{id}") {
                    let unknown = try await client.get(uri.replacing(load.id.description, with: key("unknown").id.description))
                    try check(unknown, operation, "404", "application/problem+json", path)
                }
                let wrongMethod = try await client.execute(uri: uri, method: .delete)
                try check(wrongMethod, operation, "405", "application/problem+json", path)
            }
        }
    }

    @Test func ingestAnswersFitTheirSchemas() async throws {
        let bench = try Bench { $0.http.maxBodyBytes = 2000 }
        let path = "/api/v1/traffic/events"
        let operation = try #require(try operations().first { $0.path == path }?.operation)
        let taken = try #require(operation["requestBody"]?["content"]?["application/json"]?["schema"])
        #expect(validator.mistakes(try JSONValue(parsing: Array("[\(event(1))]".utf8)), taken).isEmpty)
        #expect(validator.mistakes(try JSONValue(parsing: Array(event(1).utf8)), taken).isEmpty)
        try await bench.test { client in
            func post(_ body: String, _ type: String = "application/json") async throws -> TestResponse {
                try await client.execute(uri: path, method: .post, headers: [.contentType: type], body: ByteBuffer(string: body))
            }
            try check(try await post("[\(event(1)),{}]"), operation, "200", "application/json", path)
            let problem = "application/problem+json"
            try check(try await post("{}"), operation, "400", problem, path)
            try check(try await post(""), operation, "400", problem, path)
            try check(try await post(String(repeating: " ", count: 3000)), operation, "413", problem, path)
            try check(try await post("{}", "text/html"), operation, "415", problem, path)
            bench.log.failProducing(MessagingError(.unavailable, "gone"))
            try check(try await post(event(1)), operation, "503", problem, path)
            try check(try await client.get(path), operation, "405", problem, path)
        }
    }

    @Test func eventsOfTheTrafficFitTheirSchemas() throws {
        for (record, schema) in [
            (TrafficRecord.totals([total("A")]), "TrafficTotal"), (.windows([window("A", speed: nil)]), "TrafficWindowEvent"),
            (.visits([visit("v"), visit("w", left: noon)]), "PointVisitEvent"), (.alerts([alert("v")]), "TrafficAlert"),
        ] {
            for item in TrafficEvents.event(record).items {
                let mistakes = validator.mistakes(try JSONValue(parsing: item.json), ["$ref": .string("#/components/schemas/\(schema)")])
                #expect(mistakes.isEmpty, "\(schema): \(mistakes)")
            }
        }
    }

    /// The validator itself can find mistakes.
    @Test func theValidatorFindsMistakes() {
        let schema: JSONValue = ["$ref": "#/components/schemas/LastValue"]
        #expect(validator.mistakes(["time": "x", "timeMs": 1, "value": 2.5], schema).isEmpty)
        #expect(validator.mistakes(["time": "x", "timeMs": 1, "value": nil], schema).isEmpty)
        for wrong: JSONValue in [
            ["time": "x", "timeMs": 1], ["time": "x", "timeMs": 1.5, "value": 1], ["time": "x", "timeMs": 1, "value": "1"],
            ["time": "x", "timeMs": 1, "value": 1, "more": 1], [], 7,
        ] { #expect(!validator.mistakes(wrong, schema).isEmpty, "\(wrong.jsonText)") }
    }
}
