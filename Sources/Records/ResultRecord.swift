import TimeSeries

/// A value that cannot be read, and why.
package struct RecordError: Error, Sendable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}

/// One value of the topic `prometheusdata`: results of one shard, one kind and one time. docs/formats/prometheusdata.md.
package enum ResultRecord: Sendable, Equatable {
    case windows([WindowsResult])
    case profiles([ProfileResult])
    case forecasts([ForecastResult])
    case anomalies([AnomalyResult])

    /// Largest value written, bytes: well under Kafka's default limit of 1 MB.
    package static let maximumBytes = 256 * 1024
    package static let schema: Int64 = 1

    /// Encodes results of one shard and one time; begins another value where one would grow past the limit.
    package func encode(shard: Shard) -> [[UInt8]] {
        switch self {
        case .windows(let results): encodeResults(results, kind: "windows", shard: shard)
        case .profiles(let results): encodeResults(results, kind: "profile", shard: shard)
        case .forecasts(let results): encodeResults(results, kind: "forecast", shard: shard)
        case .anomalies(let results): encodeResults(results, kind: "anomaly", shard: shard)
        }
    }

    /// Reads a value. Members that are not known are passed over; a schema that is not known is refused.
    package static func decode(_ bytes: [UInt8]) throws(RecordError) -> ResultRecord {
        let json: JSONValue
        do { json = try JSONValue(parsing: bytes) } catch { throw RecordError("not JSON: \(error)") }
        guard json["schema"]?.int64Value == schema else {
            throw RecordError("schema \(json["schema"]?.jsonText ?? "missing") is not known; this program reads schema \(schema)")
        }
        guard let time = json["time"]?.int64Value, let results = json["results"]?.arrayValue else {
            throw RecordError("'time' or 'results' is missing")
        }
        switch json["kind"]?.stringValue {
        case "windows": return .windows(try decodeResults(results, time: time))
        case "profile": return .profiles(try decodeResults(results, time: time))
        case "forecast": return .forecasts(try decodeResults(results, time: time))
        case "anomaly": return .anomalies(try decodeResults(results, time: time))
        default: throw RecordError("kind \(json["kind"]?.jsonText ?? "missing") is not known")
        }
    }
}

/// What the kinds of results share on the wire.
protocol WireResult {
    var series: SeriesKey { get }
    var time: Milliseconds { get }
    var revision: Revision { get }
    /// Writes the members of its own into an open object.
    func writeMembers(_ writer: inout JSONWriter)
    init(series: SeriesKey, time: Milliseconds, revision: Revision, json: JSONValue) throws(RecordError)
}

private func encodeResults<R: WireResult>(_ results: [R], kind: String, shard: Shard) -> [[UInt8]] {
    var values: [[UInt8]] = []
    var at = 0
    while at < results.count {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("schema", ResultRecord.schema)
        writer.member("kind", kind)
        writer.member("shard", Int(shard.index))
        let time = results[at].time
        writer.member("time", time)
        writer.key("results")
        writer.beginArray()
        // Half the limit is left for the last result: one alone stays far below it.
        repeat {
            encode(results[at], into: &writer)
            at += 1
        } while at < results.count && results[at].time == time && writer.bytes.count < ResultRecord.maximumBytes / 2
        writer.endArray()
        writer.endObject()
        values.append(writer.bytes)
    }
    return values
}

private func encode<R: WireResult>(_ result: R, into writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("id", result.series.id.description)
    writer.key("labels")
    writer.beginObject()
    for label in result.series.labels.labels { writer.member(label.name, label.value) }
    writer.endObject()
    writer.member("type", result.series.type.wireName)
    writer.member("revision", result.revision.rawValue)
    result.writeMembers(&writer)
    writer.endObject()
}

private func decodeResults<R: WireResult>(_ results: [JSONValue], time: Milliseconds) throws(RecordError) -> [R] {
    var decoded: [R] = []
    decoded.reserveCapacity(results.count)
    for json in results {
        guard let idText = json["id"]?.stringValue, let id = Fingerprint(idText), let members = json["labels"]?.objectValue,
            let revision = json["revision"]?.int64Value
        else { throw RecordError("a result lacks 'id', 'labels' or 'revision'") }
        var labels: [Label] = []
        for (name, value) in members {
            guard let text = value.stringValue else { throw RecordError("label '\(name)' is no string") }
            labels.append(Label(name, text))
        }
        let key = SeriesKey(labels: LabelSet(labels), type: MetricType(wireName: json["type"]?.stringValue), id: id)
        decoded.append(try R(series: key, time: time, revision: Revision(rawValue: revision), json: json))
    }
    return decoded
}

extension MetricType {
    package var wireName: String {
        switch self {
        case .unknown: "unknown"
        case .gauge: "gauge"
        case .counter: "counter"
        }
    }

    package init(wireName: String?) {
        switch wireName {
        case "gauge": self = .gauge
        case "counter": self = .counter
        default: self = .unknown
        }
    }
}
