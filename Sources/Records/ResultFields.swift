import TimeSeries

extension WindowsResult: WireResult {
    func writeMembers(_ writer: inout JSONWriter) {
        writer.key("windows")
        writer.beginArray()
        for w in windows {
            writer.beginObject()
            writer.member("window", w.window)
            writer.member("count", w.count)
            writer.member("min", w.min)
            writer.member("max", w.max)
            writer.member("avg", w.avg)
            writer.member("stddev", w.stddev)
            writer.member("p50", w.p50)
            writer.member("p95", w.p95)
            writer.member("p99", w.p99)
            writer.endObject()
        }
        writer.endArray()
    }

    init(series: SeriesKey, time: Milliseconds, revision: Revision, json: JSONValue) throws(RecordError) {
        var windows: [WindowStatistics] = []
        for w in json["windows"]?.arrayValue ?? [] {
            guard let length = w["window"]?.int64Value, let count = w["count"]?.intValue else {
                throw RecordError("a window lacks 'window' or 'count'")
            }
            windows.append(
                WindowStatistics(
                    window: length, count: count, min: w["min"]?.doubleValue, max: w["max"]?.doubleValue,
                    avg: w["avg"]?.doubleValue, stddev: w["stddev"]?.doubleValue, p50: w["p50"]?.doubleValue,
                    p95: w["p95"]?.doubleValue, p99: w["p99"]?.doubleValue))
        }
        self.init(series: series, time: time, revision: revision, windows: windows)
    }
}

extension ProfileResult: WireResult {
    func writeMembers(_ writer: inout JSONWriter) {
        writer.member("verdict", JSONValue(verdict))
        writer.member("samples", samples)
        writer.member("profile", detail)
    }

    init(series: SeriesKey, time: Milliseconds, revision: Revision, json: JSONValue) throws(RecordError) {
        guard let samples = json["samples"]?.intValue, let detail = json["profile"] else {
            throw RecordError("a profile lacks 'samples' or 'profile'")
        }
        self.init(
            series: series, time: time, revision: revision, verdict: json["verdict"]?.stringValue, samples: samples, detail: detail)
    }
}

extension ForecastResult: WireResult {
    func writeMembers(_ writer: inout JSONWriter) {
        writer.member("horizon", horizon)
        writer.member("step", step)
        writer.member("reason", JSONValue(reason))
        writer.member("max", max?.json ?? .null)
        writer.member("min", min?.json ?? .null)
        writer.member("avg", avg?.json ?? .null)
        writer.key("path")
        writer.beginArray()
        for point in path { writer.write(point.json) }
        writer.endArray()
    }

    init(series: SeriesKey, time: Milliseconds, revision: Revision, json: JSONValue) throws(RecordError) {
        guard let horizon = json["horizon"]?.int64Value, let step = json["step"]?.int64Value else {
            throw RecordError("a forecast lacks 'horizon' or 'step'")
        }
        self.init(
            series: series, time: time, revision: revision, horizon: horizon, step: step, max: try Prediction(json: json["max"]),
            min: try Prediction(json: json["min"]), avg: try Prediction(json: json["avg"]), path: try Prediction.path(json["path"]),
            reason: json["reason"]?.stringValue)
    }
}

extension Prediction {
    /// `[expected, lower80, upper80, lower95, upper95]`
    package var json: JSONValue {
        .array([JSONValue(expected), JSONValue(lower80), JSONValue(upper80), JSONValue(lower95), JSONValue(upper95)])
    }

    package init?(json: JSONValue?) throws(RecordError) {
        guard let json, json != .null else { return nil }
        guard let numbers = json.arrayValue, numbers.count == 5 else { throw RecordError("a prediction is an array of five numbers") }
        let values = numbers.compactMap(\.doubleValue)
        guard values.count == 5 else { throw RecordError("a prediction is an array of five numbers") }
        self.init(expected: values[0], lower80: values[1], upper80: values[2], lower95: values[3], upper95: values[4])
    }

    package static func path(_ json: JSONValue?) throws(RecordError) -> [Prediction] {
        var path: [Prediction] = []
        for point in json?.arrayValue ?? [] {
            guard let prediction = try Prediction(json: point) else { throw RecordError("a path holds null") }
            path.append(prediction)
        }
        return path
    }
}
