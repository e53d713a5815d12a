import TimeSeries

extension TrafficRecord {
    /// Largest value written, bytes.
    package static let maximumBytes = ResultRecord.maximumBytes
    package static let schema: Int64 = 1
    /// Longest name (of a route, vehicle, point, rule or type), bytes of UTF-8: what every store takes as a part of a key.
    package static let maximumNameBytes = 255
    /// Longest message of an alert that is written, bytes of UTF-8.
    package static let maximumMessageBytes = 4096

    /// Encodes results, each value those of one route; begins another value where one would grow past the limit.
    package func encode() -> [(route: String, value: [UInt8])] {
        switch self {
        case .totals(let results): encodeResults(results)
        case .windows(let results): encodeResults(results)
        case .visits(let results): encodeResults(results)
        case .alerts(let results): encodeResults(results)
        }
    }

    /// Reads a value. Members that are not known are passed over; a schema that is not known is refused.
    package static func decode(_ bytes: [UInt8]) throws(RecordError) -> TrafficRecord {
        let json: JSONValue
        do { json = try JSONValue(parsing: bytes) } catch { throw RecordError("not JSON: \(error)") }
        guard json["schema"]?.int64Value == schema else {
            throw RecordError("schema \(json["schema"]?.jsonText ?? "missing") is not known; this program reads schema \(schema)")
        }
        switch json["kind"]?.stringValue {
        case TrafficTotal.kind: return .totals(try decodeResults(json))
        case TrafficWindow.kind: return .windows(try decodeResults(json))
        case PointVisit.kind: return .visits(try decodeResults(json))
        case TrafficAlert.kind: return .alerts(try decodeResults(json))
        default: throw RecordError("kind \(json["kind"]?.jsonText ?? "missing") is not known")
        }
    }
}

/// What the kinds of results share on the wire.
protocol TrafficWireResult {
    static var kind: String { get }
    var route: String { get }
    var time: Milliseconds { get }
    var revision: Revision { get }
    /// Writes the members of its own into an open object.
    func writeMembers(_ writer: inout JSONWriter)
    init(route: String, time: Milliseconds, revision: Revision, members: TrafficMembers) throws(RecordError)
}

private func encodeResults<R: TrafficWireResult>(_ results: [R]) -> [(route: String, value: [UInt8])] {
    var routes: [String] = []
    var byRoute: [String: [R]] = [:]
    for result in results {
        if byRoute[result.route] == nil { routes.append(result.route) }
        byRoute[result.route, default: []].append(result)
    }
    var values: [(route: String, value: [UInt8])] = []
    for route in routes {
        var rest = ArraySlice(byRoute[route] ?? [])
        while !rest.isEmpty { values.append((route, encodeValue(route, &rest))) }
    }
    return values
}

/// Encodes as many of the first results as fit into a value, at least one.
private func encodeValue<R: TrafficWireResult>(_ route: String, _ rest: inout ArraySlice<R>) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("schema", TrafficRecord.schema)
    writer.member("kind", R.kind)
    writer.member("routeId", route)
    writer.key("results")
    writer.beginArray()
    // Half the limit is left for the last result: one alone stays far below it.
    repeat {
        guard let result = rest.popFirst() else { break }
        writer.beginObject()
        writer.member("time", result.time)
        writer.member("revision", result.revision.rawValue)
        result.writeMembers(&writer)
        writer.endObject()
    } while writer.bytes.count < TrafficRecord.maximumBytes / 2
    writer.endArray()
    writer.endObject()
    return writer.bytes
}

private func decodeResults<R: TrafficWireResult>(_ json: JSONValue) throws(RecordError) -> [R] {
    let route = try TrafficMembers(json).name("routeId")
    guard let results = json["results"]?.arrayValue else { throw RecordError("'results' is missing or no array") }
    var decoded: [R] = []
    decoded.reserveCapacity(results.count)
    for result in results {
        let members = TrafficMembers(result)
        decoded.append(
            try R(
                route: route, time: try members.integer("time"), revision: Revision(rawValue: try members.integer("revision")),
                members: members))
    }
    return decoded
}

/// Reads the members of an object; says which one is not what it should be.
struct TrafficMembers {
    private let json: JSONValue

    init(_ json: JSONValue) { self.json = json }

    func integer(_ name: String) throws(RecordError) -> Int64 {
        guard let value = json[name]?.int64Value else { throw RecordError("'\(name)' is missing or no integer") }
        return value
    }

    /// nil where it is null or absent.
    func integerOrNull(_ name: String) throws(RecordError) -> Int64? { isThere(name) ? try integer(name) : nil }

    func count(_ name: String) throws(RecordError) -> Int {
        guard let value = Int(exactly: try integer(name)), value >= 0 else { throw RecordError("'\(name)' is no count") }
        return value
    }

    func number(_ name: String) throws(RecordError) -> Double {
        guard let value = json[name]?.doubleValue, value.isFinite else { throw RecordError("'\(name)' is missing or no number") }
        return value
    }

    func numberOrNull(_ name: String) throws(RecordError) -> Double? { isThere(name) ? try number(name) : nil }

    func text(_ name: String) throws(RecordError) -> String {
        guard let value = json[name]?.stringValue else { throw RecordError("'\(name)' is missing or no string") }
        return value
    }

    /// A text that stores use as a part of a key. Some of them take no notice of spaces at its end, which must not make two names one.
    func name(_ name: String) throws(RecordError) -> String {
        let value = try text(name)
        guard value.utf8.count <= TrafficRecord.maximumNameBytes else {
            throw RecordError("'\(name)' has more than \(TrafficRecord.maximumNameBytes) bytes")
        }
        if value.utf8.last == UInt8(ascii: " ") { throw RecordError("'\(name)' ends in a space") }
        return value
    }

    /// False where it is absent.
    func flag(_ name: String) throws(RecordError) -> Bool {
        guard let value = json[name] else { return false }
        guard let flag = value.boolValue else { throw RecordError("'\(name)' is neither true nor false") }
        return flag
    }

    /// And not null.
    func isThere(_ name: String) -> Bool { (json[name] ?? .null) != .null }
}
